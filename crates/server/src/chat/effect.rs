//! What the commands have in common: the app they are for, and telling devices and app backend of what they did.

use std::sync::Arc;

use bytes::Bytes;
use unsaid_protocol::{ErrorCode, SdkAppId, UserId, callback::CallbackCommand, error};

use super::{
    account::Account,
    applied::{ChatError, Refusal},
    conversation::{Conversation, Side},
    event::{Origin, OwedEvent, Tries},
    lane::{Lane, LaneCounter},
    message::SyncEvent,
    pair::Pair,
    store::Backlog,
    tx::{Fault, Tx},
};
use crate::apps::{App, LaneBy};

/// The app of a command.
pub(super) fn app(tx: &mut dyn Tx, sdkappid: SdkAppId) -> Result<Arc<App>, ChatError> {
    let app = tx.app(sdkappid)?;
    app.ok_or_else(|| Refusal::new(error::SDKAPPID_INVALID, format!("there is no app {sdkappid}")).into())
}

/// An account that is there, or the refusal that says which field of the request names none.
pub(super) fn imported(
    tx: &mut dyn Tx,
    app: SdkAppId,
    user: &UserId,
    field: &str,
    code: ErrorCode,
) -> Result<Account, ChatError> {
    let account = tx.account(app, user)?.filter(|account| !account.deleted);
    account.ok_or_else(|| Refusal::new(code, format!("{field} {user} was not imported")).into())
}

/// The same for the other account of a conversation, which may have been deleted: what it sent can still be read.
pub(super) fn once_imported(
    tx: &mut dyn Tx,
    app: SdkAppId,
    user: &UserId,
    field: &str,
    code: ErrorCode,
) -> Result<(), ChatError> {
    match tx.account(app, user)? {
        Some(_) => Ok(()),
        None => Err(Refusal::new(code, format!("{field} {user} was not imported")).into()),
    }
}

/// A conversation as the present lives of its accounts see it; an empty one if there is none.
pub(super) fn conversation(tx: &mut dyn Tx, app: SdkAppId, pair: &Pair) -> Result<Conversation, Fault> {
    let mut conversation = tx.conversation(app, pair)?.unwrap_or_default();
    let end = conversation.position;
    for (user, side) in [(&pair.low, &mut conversation.low), (&pair.high, &mut conversation.high)] {
        let life = tx.account(app, user)?.map_or(0, |account| account.life);
        if side.life != life {
            *side = Side::of_life(life, end);
        }
    }
    Ok(conversation)
}

/// Refuses a command that would owe an event if too many wait already (rule C9). Asked before anything is changed.
pub(super) fn may_owe(tx: &mut dyn Tx, app: &App, command: CallbackCommand) -> Result<(), ChatError> {
    if app.owes(command) { has_room(tx, app) } else { Ok(()) }
}

/// Whether the app's backlog takes more.
pub(super) fn has_room(tx: &mut dyn Tx, app: &App) -> Result<(), ChatError> {
    let Backlog { waiting, waiting_bytes, .. } = tx.backlog(app.sdkappid)?;
    if waiting < app.callback.backlog_events_max && waiting_bytes < app.callback.backlog_bytes_max {
        return Ok(());
    }
    let info = format!(
        "{waiting} callbacks ({waiting_bytes} bytes) wait for the app backend, as many as may; nothing of this command was \
         done: mend the endpoint of app {}, or switch callbacks off",
        app.sdkappid
    );
    Err(Refusal::new(error::BACK_END, info).into())
}

/// Adds a sync event to an account whose row the caller saves.
pub(super) fn sync(
    tx: &mut dyn Tx,
    app: SdkAppId,
    user: &UserId,
    account: &mut Account,
    event: &SyncEvent,
) -> Result<(), Fault> {
    // It has no devices.
    if account.deleted {
        return Ok(());
    }
    account.sync_number += 1;
    tx.add_sync_event(app, user, account.sync_number, event)
}

/// The rows whose counters a new event may draw from.
#[derive(Debug)]
pub(super) struct LaneRows<'a> {
    pub(super) account_id: &'a UserId,
    pub(super) account: &'a mut Account,
    pub(super) pair: &'a Pair,
    pub(super) conversation: &'a mut Conversation,
}

/// Puts an event into the outbox. The caller has found that the app's switch is on, and saves the rows.
pub(super) fn owe(
    tx: &mut dyn Tx,
    app: &App,
    rows: LaneRows<'_>,
    command: CallbackCommand,
    origin: Origin,
    body: Vec<u8>,
) -> Result<(), Fault> {
    let LaneRows { account_id, account, pair, conversation } = rows;
    let (lane, counter) = match app.lane {
        LaneBy::Account => (Lane::of_account(account_id), &mut account.lane),
        LaneBy::Conversation => (Lane::of_conversation(pair), &mut conversation.lane),
    };
    owe_in(tx, app, lane, counter, command, origin, body)
}

/// The same, in a lane that the caller has chosen; it saves the row that has the counter.
pub(super) fn owe_in(
    tx: &mut dyn Tx,
    app: &App,
    lane: Lane,
    counter: &mut LaneCounter,
    command: CallbackCommand,
    origin: Origin,
    body: Vec<u8>,
) -> Result<(), Fault> {
    counter.place += 1;
    let number = counter.place;
    let previous = std::mem::replace(&mut counter.last, number);
    let now = tx.now();
    let event = OwedEvent {
        id: tx.event_id()?,
        app: app.sdkappid,
        lane,
        place: counter.place,
        number,
        previous,
        command,
        body: Bytes::from(body),
        origin,
        created: now,
        age_from: now,
        replay: false,
        tries: Tries::default(),
        due: now,
    };
    tx.owe(event)
}
