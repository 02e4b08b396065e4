//! What clients are shown: the domain's values as they stand on the wire.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use unsaid_protocol::session::{self, Push, What};

use super::cursor::Cursor;
use crate::{
    chat::{ConversationView, ConversationsView, Direction, MessageFlags, Pair, Shown, SyncKind, Update, Updates},
    limits,
};

pub(super) fn message(shown: &Shown) -> session::Message {
    let Shown { from, to, id, message } = shown;
    let has = |flag| message.flags.contains(flag);
    let body = if message.content.body.is_empty() { "[]" } else { &message.content.body };
    // What was recalled before it was kept by whom, was recalled by somebody all the same.
    let recalled_by = has(MessageFlags::RECALLED)
        .then(|| message.recalled_by.as_ref().map_or_else(|| from.to_string(), ToString::to_string));
    session::Message {
        from: from.to_string(),
        to: to.to_string(),
        msg_key: message.key.to_string(),
        msg_id: id.clone(),
        position: message.position,
        client_time_s: message.client_time_s,
        body: RawValue::from_string(body.to_owned()).expect("what was stored is JSON"),
        types: message.content.types.clone(),
        custom_data: message.content.custom_data.clone(),
        recalled_by,
        modified: has(MessageFlags::MODIFIED),
        needs_receipt: has(MessageFlags::WANTS_RECEIPT),
        has_receipt: has(MessageFlags::PEER_READ),
        no_unread: !has(MessageFlags::COUNTED),
        no_last: has(MessageFlags::NOT_LAST),
    }
}

fn conversation(view: &ConversationView) -> session::Conversation {
    session::Conversation {
        peer: view.peer.to_string(),
        nick: view.nick.clone(),
        face_url: view.face_url.clone(),
        unread: view.unread,
        read_position: view.read_position,
        peer_read_position: view.peer_read_position,
        time_s: view.last_time_s,
        cleared_position: view.cleared_position,
        last_message: view.last.as_ref().map(message),
    }
}

pub(super) fn conversations(view: &ConversationsView, next: Option<String>) -> session::ConversationsPage {
    session::ConversationsPage {
        number: view.number,
        unread: view.unread,
        conversations: view.conversations.iter().map(conversation).collect(),
        next,
    }
}

/// One push, or several where much has happened: each goes a piece further, and the last one has the conversations.
pub(super) fn updates(me: &str, cursor: &Cursor, updates: &Updates) -> Vec<Push> {
    let pieces: Vec<&[Update]> = updates.events.chunks(limits::PUSH_UPDATES_MAX).collect();
    let last = pieces.len().saturating_sub(1);
    let push = |(index, piece): (usize, &&[Update])| {
        let number = piece.last().map_or(cursor.number, |update| update.number);
        let conversations =
            if index == last { updates.conversations.iter().map(conversation).collect() } else { vec![] };
        Push::Updates(session::Updates {
            cursor: Cursor { number, ..cursor.clone() }.to_string(),
            number: updates.number,
            unread: updates.unread,
            updates: piece.iter().filter_map(|one| update(me, one)).collect(),
            conversations,
        })
    };
    pieces.iter().enumerate().map(push).collect()
}

/// None where nothing is left to tell.
fn update(me: &str, update: &Update) -> Option<session::Update> {
    let Update { number, event, message: shown } = update;
    let peer = event.peer.to_string();
    let (pair, time_s) = (pair(me, update), event.key.time);
    let (from, to) = pair.ends(event.direction);
    let what = match event.kind {
        SyncKind::Message => What::Message { message: message(shown.as_ref()?) },
        SyncKind::Recall => What::Recall { message: message(shown.as_ref()?) },
        SyncKind::Modify => What::Modify { message: message(shown.as_ref()?) },
        SyncKind::Receipt => What::Receipt { message: message(shown.as_ref()?) },
        SyncKind::Read if to.as_str() == me => What::Read { peer, time_s },
        SyncKind::Read => What::ReadByPeer { peer, time_s },
        SyncKind::ReadAll => What::ReadAll { time_s },
        SyncKind::Delete => {
            What::Delete { peer, from: from.to_string(), to: to.to_string(), msg_key: event.key.to_string() }
        }
        SyncKind::DeleteConversation => What::DeleteConversation { peer },
    };
    Some(session::Update { number: *number, what })
}

fn pair(me: &str, update: &Update) -> Pair {
    let me = unsaid_protocol::UserId::new(me).expect("whoever is logged in has a name");
    let (pair, _) = Pair::of(&me, &update.event.peer);
    debug_assert!(matches!(update.event.direction, Direction::LowToHigh | Direction::HighToLow));
    pair
}

pub(super) fn frame<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("strings and numbers serialize")
}

pub(super) fn data<T: Serialize>(value: &T) -> Box<RawValue> {
    to_raw_value(value).expect("strings and numbers serialize")
}
