//! What the devices of an account are shown: what is behind a cursor, and its conversations as they stand now. Everything of
//! one answer is of one moment.

use std::collections::BTreeMap;

use unsaid_protocol::{MsgKey, SdkAppId, UserId};

use super::{
    account::Account,
    conversation::{Conversation, Side},
    message::{Message, SyncEvent, SyncKind},
    pair::Pair,
    session::Shown,
    tx::Fault,
};

/// The store at one moment, as this page sees it. Each method is about one row or one small range.
pub trait View {
    fn person(&mut self, app: SdkAppId, user: &UserId) -> Result<Option<Person>, Fault>;

    /// The sync events of an account behind the number `after`; none if those are more than `events_max`, or no longer
    /// known.
    fn sync_events(
        &mut self,
        app: SdkAppId,
        user: &UserId,
        after: i64,
        events_max: u32,
    ) -> Result<Option<Vec<(i64, SyncEvent)>>, Fault>;

    fn conversation(&mut self, app: SdkAppId, pair: &Pair) -> Result<Option<Conversation>, Fault>;

    /// The message of that key, with what it says.
    fn message(&mut self, app: SdkAppId, pair: &Pair, key: MsgKey) -> Result<Option<Message>, Fault>;

    /// The last message that `user` sees and that may be shown as the last one.
    fn last_message(
        &mut self,
        app: SdkAppId,
        pair: &Pair,
        user: &UserId,
        cleared_position: i64,
    ) -> Result<Option<Message>, Fault>;
}

/// An account, with its name and face.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    pub account: Account,
    pub nick: String,
    pub face_url: String,
}

/// Asks what a device has missed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpdatesQuery {
    pub app: SdkAppId,
    pub user: UserId,
    /// The life of the account that the cursor is of.
    pub life: i64,
    /// The number of the last update that the device has.
    pub after: i64,
    pub events_max: u32,
    /// When what the shown messages hold has reached so much, the rest is for another time.
    pub bytes_max: usize,
}

/// What a device has missed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Updates {
    /// As of which update everything here stands.
    pub number: i64,
    /// The account's total.
    pub unread: i64,
    pub events: Vec<Update>,
    /// Those that the events touched.
    pub conversations: Vec<ConversationView>,
    /// Some events are left for another time.
    pub more: bool,
}

impl Updates {
    /// Behind which update it goes on.
    pub(crate) fn told_to(&self) -> i64 {
        let last = self.events.last().filter(|_| self.more);
        last.map_or(self.number, |update| update.number)
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Update {
    pub number: i64,
    pub event: SyncEvent,
    /// The message that it is about, as it is now, if it is about one and the account still sees it.
    pub message: Option<Shown>,
}

/// The conversations that were asked for, as of one update.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConversationsView {
    pub number: i64,
    pub unread: i64,
    pub conversations: Vec<ConversationView>,
}

/// A conversation as one of its accounts sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConversationView {
    pub peer: UserId,
    pub nick: String,
    pub face_url: String,
    pub unread: i64,
    pub read_position: i64,
    pub peer_read_position: i64,
    /// Messages up to this position are not in its history any more.
    pub cleared_position: i64,
    /// When a message touched it last; 0 if it is not in the account's list.
    pub last_time_s: u32,
    pub last: Option<Shown>,
}

/// None where the device has to begin anew: too much has happened, or what it knows is of another life of the account.
pub(crate) fn updates(view: &mut dyn View, query: &UpdatesQuery) -> Result<Option<Updates>, Fault> {
    let UpdatesQuery { app, user, life, after, events_max, bytes_max } = query;
    let Some(me) = view.person(*app, user)?.filter(|me| !me.account.deleted && me.account.life == *life) else {
        return Ok(None);
    };
    let Account { sync_number: number, unread, .. } = me.account;
    if *after > number {
        return Ok(None);
    }
    let Some(events) = view.sync_events(*app, user, *after, *events_max)? else {
        return Ok(None);
    };
    let mut seen = Seer { view, app: *app, user, me: &me };
    let mut conversations = BTreeMap::new();
    let (mut told, mut bytes, mut more) = (Vec::new(), 0, false);
    for (number, event) in events {
        if bytes >= *bytes_max {
            more = true;
            break;
        }
        let message = if event.kind.is_of_a_message() { seen.message(&event.peer, event.key)? } else { None };
        bytes += message.as_ref().map_or(0, bytes_of);
        if event.kind != SyncKind::ReadAll && !conversations.contains_key(&event.peer) {
            let conversation = seen.conversation(&event.peer)?;
            bytes += conversation.as_ref().and_then(|view| view.last.as_ref()).map_or(0, bytes_of);
            conversations.insert(event.peer.clone(), conversation);
        }
        told.push(Update { number, event, message });
    }
    let conversations = conversations.into_values().flatten().collect();
    Ok(Some(Updates { number, unread, events: told, conversations, more }))
}

fn bytes_of(shown: &Shown) -> usize {
    let content = &shown.message.content;
    content.body.len() + content.custom_data.len()
}

/// None if there is no such account. A peer that is none is left out.
pub(crate) fn conversations(
    view: &mut dyn View,
    app: SdkAppId,
    user: &UserId,
    peers: &[UserId],
) -> Result<Option<ConversationsView>, Fault> {
    let Some(me) = view.person(app, user)?.filter(|me| !me.account.deleted) else {
        return Ok(None);
    };
    let mut seen = Seer { view, app, user, me: &me };
    let conversations: Result<_, Fault> = peers.iter().filter_map(|peer| seen.conversation(peer).transpose()).collect();
    let Account { sync_number: number, unread, .. } = me.account;
    Ok(Some(ConversationsView { number, unread, conversations: conversations? }))
}

/// Sees with the eyes of one account.
struct Seer<'a> {
    view: &'a mut dyn View,
    app: SdkAppId,
    user: &'a UserId,
    me: &'a Person,
}

impl Seer<'_> {
    fn conversation(&mut self, peer: &UserId) -> Result<Option<ConversationView>, Fault> {
        let Some(other) = self.view.person(self.app, peer)? else {
            return Ok(None);
        };
        let (pair, _) = Pair::of(self.user, peer);
        let (mine, theirs) = self.sides(&pair, peer, &other)?;
        let last = if mine.last_time_s == 0 {
            None
        } else {
            self.view.last_message(self.app, &pair, self.user, mine.cleared_position)?
        };
        Ok(Some(ConversationView {
            peer: peer.clone(),
            unread: mine.unread,
            read_position: mine.read_position,
            peer_read_position: theirs.read_position,
            cleared_position: mine.cleared_position,
            last_time_s: mine.last_time_s,
            last: last.map(|message| self.shown(&pair, message, &other)),
            nick: other.nick,
            face_url: other.face_url,
        }))
    }

    fn message(&mut self, peer: &UserId, key: MsgKey) -> Result<Option<Shown>, Fault> {
        let Some(other) = self.view.person(self.app, peer)? else {
            return Ok(None);
        };
        let (pair, _) = Pair::of(self.user, peer);
        let (mine, _) = self.sides(&pair, peer, &other)?;
        let found = self.view.message(self.app, &pair, key)?;
        let visible = found.filter(|message| message.is_visible(&pair, self.user, mine.cleared_position));
        Ok(visible.map(|message| self.shown(&pair, message, &other)))
    }

    /// This account's side of a conversation, and the other's, as their present lives see it.
    fn sides(&mut self, pair: &Pair, peer: &UserId, other: &Person) -> Result<(Side, Side), Fault> {
        let conversation = self.view.conversation(self.app, pair)?.unwrap_or_default();
        let side = |user: &UserId, account: &Account| {
            let side = *conversation.side(pair, user);
            if side.life == account.life { side } else { Side::of_life(account.life, conversation.position) }
        };
        Ok((side(self.user, &self.me.account), side(peer, &other.account)))
    }

    fn shown(&self, pair: &Pair, message: Message, other: &Person) -> Shown {
        let (from, to) = pair.ends(message.direction);
        let sender = if from == self.user { self.me } else { other };
        Shown { from: from.clone(), to: to.clone(), id: message.id(&sender.account), message }
    }
}
