//! The messages of a conversation, for support: who wrote to whom, when, whether it was read or recalled. What they say is
//! shown only where the configuration allows it, to an operator who asks for it, and every look is in the audit log.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{Response, StatusCode},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use unsaid_protocol::{MsgKey, UserId};

use super::{
    Operator, Problem, accounts,
    admit::Caller,
    ask::{self, Asked, Named},
    json,
};
use crate::chat::{ConversationView, Direction, HistoryQuery, Message, MessageFlags, Pair, Role};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// From the page before.
    #[schemars(regex(pattern = r"^[0-9]{1,10}_[0-9]{1,10}_[0-9]{1,10}$"))]
    next: Option<String>,
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
    /// Show what the messages say: with the role operator, where the configuration has operator.show_text.
    #[serde(default)]
    text: bool,
}

/// A message.
#[derive(Serialize, JsonSchema)]
struct Shown {
    from: String,
    to: String,
    msg_key: String,
    time_s: u32,
    /// The types of its elements.
    types: Vec<String>,
    /// Whether its recipient has read it: it is behind the recipient's read mark.
    read: bool,
    /// Who took it back, if somebody did; empty where that was not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    recalled_by: Option<String>,
    /// `uncounted`, `hidden_from_sender`, `not_last`, `receipt_wanted`, `receipt_given`, `history`, `modified`,
    /// `deleted_by_sender`, `deleted_by_recipient`.
    flags: Vec<&'static str>,
    /// `MsgBody`, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    text: Option<Box<RawValue>>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct MessageList {
    messages: Vec<Shown>,
    /// To be asked for as `next`; none if this is the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

pub(super) async fn list(
    State(operator): State<Arc<Operator>>,
    caller: Caller,
    Named((app, account, peer)): Named<(u32, String, String)>,
    Asked(Which { next, limit, text }): Asked<Which>,
) -> Result<Response<Body>, Problem> {
    let limit = ask::page(limit)?;
    let before = next.map(|next| next.parse::<MsgKey>().map_err(|_| Problem::broken_next())).transpose()?;
    let (user, _) = accounts::find(&operator, app, &account).await?;
    let (peer, _) = accounts::find(&operator, app, &peer).await?;
    let app = operator.app(app)?.sdkappid;
    if text {
        may_see_text(&operator, &caller)?;
        let what = format!("text of {user} and {peer}, {limit} messages at most");
        operator.chat.noted(caller.note("text.show", Some(app), what), None).await?;
    }
    let store = operator.chat.store();
    let query = HistoryQuery { before, messages_max: limit, ..HistoryQuery::all(app, user.clone(), peer.clone()) };
    let messages = store.history(query).await?;
    let view = store.conversations(app, user.clone(), vec![peer.clone()]).await?;
    let view = view.and_then(|view| view.conversations.into_iter().next());
    let next = messages.last().filter(|_| messages.len() >= limit as usize).map(|last| last.key.to_string());
    let between = Between { user, peer, view, shows: if text { Shows::Text } else { Shows::Nothing } };
    let messages = messages.into_iter().map(|message| between.shown(message)).collect();
    Ok(json(StatusCode::OK, &MessageList { messages, next }))
}

fn may_see_text(operator: &Operator, caller: &Caller) -> Result<(), Problem> {
    let refused = |message: &str| Err(Problem::new(StatusCode::FORBIDDEN, message));
    if !*operator.show_text.now() {
        return refused(
            "what messages say is not shown: set operator.show_text = true in the configuration to allow it",
        );
    }
    if caller.role < Role::Operator {
        return refused("what messages say is shown to the role operator only");
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shows {
    Nothing,
    Text,
}

/// A conversation as one of its accounts sees it.
struct Between {
    user: UserId,
    peer: UserId,
    view: Option<ConversationView>,
    shows: Shows,
}

impl Between {
    fn shown(&self, message: Message) -> Shown {
        let (pair, to_peer) = Pair::of(&self.user, &self.peer);
        let (from, to) = pair.ends(message.direction);
        let has = |flag| message.flags.contains(flag);
        let recalled = has(MessageFlags::RECALLED);
        let recalled_by = message.recalled_by.as_ref().map_or_else(String::new, ToString::to_string);
        let text = (self.shows == Shows::Text && !recalled).then_some(message.content.body);
        Shown {
            from: from.to_string(),
            to: to.to_string(),
            msg_key: message.key.to_string(),
            time_s: message.key.time,
            types: message.content.types.split(',').filter(|kind| !kind.is_empty()).map(str::to_owned).collect(),
            read: message.position <= self.read_position(message.direction, to_peer),
            recalled_by: recalled.then_some(recalled_by),
            flags: flags(message.flags),
            text: text.and_then(|text| RawValue::from_string(text).ok()),
        }
    }

    /// The read mark of whoever receives messages of that direction.
    fn read_position(&self, direction: Direction, to_peer: Direction) -> i64 {
        let Some(view) = &self.view else {
            return 0;
        };
        if direction == to_peer && self.user != self.peer { view.peer_read_position } else { view.read_position }
    }
}

fn flags(flags: MessageFlags) -> Vec<&'static str> {
    let named = [
        (MessageFlags::HIDDEN_FROM_SENDER, "hidden_from_sender"),
        (MessageFlags::NOT_LAST, "not_last"),
        (MessageFlags::WANTS_RECEIPT, "receipt_wanted"),
        (MessageFlags::PEER_READ, "receipt_given"),
        (MessageFlags::HISTORY, "history"),
        (MessageFlags::MODIFIED, "modified"),
        (MessageFlags::DELETED_BY_SENDER, "deleted_by_sender"),
        (MessageFlags::DELETED_BY_RECIPIENT, "deleted_by_recipient"),
    ];
    let uncounted = (!flags.contains(MessageFlags::COUNTED)).then_some("uncounted");
    let set = named.into_iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, name)| name);
    uncounted.into_iter().chain(set).collect()
}
