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
    Operator, Problem,
    admit::Caller,
    ask::{self, Asked, Named},
    json,
};
use crate::chat::{ConversationView, Direction, HistoryQuery, Message, MessageFlags, Pair, Role};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// From the page before.
    #[schemars(regex(pattern = r"^[0-9]{1,10}_[0-9]{1,10}_[0-9]{1,10}$"))]
    pub(crate) next: Option<String>,
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) limit: Option<u32>,
    /// Show what the messages say: with the role operator, where the configuration has operator.show_text.
    #[serde(default)]
    pub(crate) text: bool,
}

/// A message.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Shown {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) msg_key: String,
    pub(crate) time_s: u32,
    /// The types of its elements.
    pub(crate) types: Vec<String>,
    /// Whether its recipient has read it: it is behind the recipient's read mark.
    pub(crate) read: bool,
    /// Who took it back, if somebody did; empty where that was not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recalled_by: Option<String>,
    /// `uncounted`, `hidden_from_sender`, `not_last`, `receipt_wanted`, `receipt_given`, `history`, `modified`,
    /// `deleted_by_sender`, `deleted_by_recipient`.
    pub(crate) flags: Vec<&'static str>,
    /// `MsgBody`, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub(crate) text: Option<Box<RawValue>>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct MessageList {
    pub(crate) messages: Vec<Shown>,
    /// To be asked for as `next`; none if this is the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

pub(super) async fn list(
    State(operator): State<Arc<Operator>>,
    caller: Caller,
    Named((app, account, peer)): Named<(u32, String, String)>,
    Asked(which): Asked<Which>,
) -> Result<Response<Body>, Problem> {
    Ok(json(StatusCode::OK, &operator.list_messages(&caller, app, [&account, &peer], which).await?))
}

impl Operator {
    /// Of the conversation of two accounts, as the first one has them.
    pub(crate) async fn list_messages(
        &self,
        caller: &Caller,
        app: u32,
        [account, peer]: [&str; 2],
        Which { next, limit, text }: Which,
    ) -> Result<MessageList, Problem> {
        let limit = ask::page(limit)?;
        let before = next.map(|next| next.parse::<MsgKey>().map_err(|_| Problem::broken_next())).transpose()?;
        let (user, _) = self.find_account(app, account).await?;
        let (peer, _) = self.find_account(app, peer).await?;
        let app = self.app(app)?.sdkappid;
        if text {
            may_see_text(self, caller)?;
            let what = format!("text of {user} and {peer}, {limit} messages at most");
            self.chat.noted(caller.note("text.show", Some(app), what), None).await?;
        }
        let store = self.chat.store();
        let query = HistoryQuery { before, messages_max: limit, ..HistoryQuery::all(app, user.clone(), peer.clone()) };
        let messages = store.history(query).await?;
        let view = store.conversations(app, user.clone(), vec![peer.clone()]).await?;
        let view = view.and_then(|view| view.conversations.into_iter().next());
        let next = messages.last().filter(|_| messages.len() >= limit as usize).map(|last| last.key.to_string());
        let between = Between { user, peer, view, shows: if text { Shows::Text } else { Shows::Nothing } };
        let messages = messages.into_iter().map(|message| between.shown(message)).collect();
        Ok(MessageList { messages, next })
    }
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
