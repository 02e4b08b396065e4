//! Accounts and with whom they talk, for support: counts, times and devices, never what was said.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{Response, StatusCode},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unsaid_protocol::UserId;

use super::{
    Operator, Problem,
    ask::{self, Asked, Named},
    json,
};
use crate::{
    chat::{ConversationView, Person, Session},
    clock::Timestamp,
};

/// An account.
#[derive(Serialize, JsonSchema)]
pub(super) struct Shown {
    account: String,
    nick: String,
    face_url: String,
    /// A deleted account keeps its name, for the messages that it has sent.
    deleted: bool,
    /// Its unread messages over all conversations.
    unread: i64,
    /// UserSigs that were made in that second or before do not log in any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    kicked_s: Option<u32>,
    /// How many accounts it has blocked.
    blocked: usize,
    sessions: Vec<Device>,
}

/// A connected device.
#[derive(Serialize, JsonSchema)]
struct Device {
    platform: &'static str,
    client_ip: String,
    #[schemars(with = "i64")]
    since_ms: Timestamp,
}

pub(super) async fn show(
    State(operator): State<Arc<Operator>>,
    Named((app, account)): Named<(u32, String)>,
) -> Result<Response<Body>, Problem> {
    let app = operator.app(app)?.sdkappid;
    let (user, Person { account, nick, face_url }) = find(&operator, app.0, &account).await?;
    let store = operator.chat.store();
    let blocked = store.blocklist(app, user.clone()).await?.len();
    let sessions = store.sessions(app, vec![user.clone()]).await?.into_iter().flatten();
    let shown = Shown {
        account: user.to_string(),
        nick,
        face_url,
        deleted: account.deleted,
        unread: account.unread,
        kicked_s: (account.kicked_s > 0).then_some(account.kicked_s),
        blocked,
        sessions: sessions.map(Device::from).collect(),
    };
    Ok(json(StatusCode::OK, &shown))
}

impl From<Session> for Device {
    fn from(session: Session) -> Self {
        let Session { platform, client_ip, since, .. } = session;
        Self { platform: platform.as_str(), client_ip: client_ip.to_string(), since_ms: since }
    }
}

/// An account that is or was there.
pub(super) async fn find(operator: &Operator, app: u32, account: &str) -> Result<(UserId, Person), Problem> {
    let app = operator.app(app)?.sdkappid;
    let missing = || Problem::new(StatusCode::NOT_FOUND, format!("app {app} has no account {account:?}"));
    let user = UserId::new(account).map_err(|_| missing())?;
    let person = operator.chat.store().people(app, vec![user.clone()]).await?.pop().flatten();
    person.map(|person| (user, person)).ok_or_else(missing)
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// From the page before.
    #[schemars(regex(pattern = r"^[0-9]{1,10} [ -~]{1,32}$"))]
    next: Option<String>,
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
}

/// A conversation as the account sees it.
#[derive(Serialize, JsonSchema)]
struct Conversation {
    peer: String,
    /// When a message touched it last, in seconds.
    last_time_s: u32,
    unread: i64,
    /// The key of its last message.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_msg_key: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct ConversationList {
    conversations: Vec<Conversation>,
    /// To be asked for as `next`; none if this is the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Those in its list, which a deleted account has no more.
pub(super) async fn conversations(
    State(operator): State<Arc<Operator>>,
    Named((app, account)): Named<(u32, String)>,
    Asked(Which { next, limit }): Asked<Which>,
) -> Result<Response<Body>, Problem> {
    let limit = ask::page(limit)? as usize;
    let behind = next.as_deref().map(place).transpose()?;
    let (user, _) = find(&operator, app, &account).await?;
    let app = operator.app(app)?.sdkappid;
    let store = operator.chat.store();
    let recent = store.recent(app, user.clone()).await?.unwrap_or_default();
    // The latest first, and by name within a second.
    let mut recent: Vec<_> = recent.into_iter().map(|recent| (u32::MAX - recent.last_time_s, recent.peer)).collect();
    recent.sort();
    recent.retain(|place| behind.as_ref().is_none_or(|behind| place > behind));
    let next = recent.get(limit).and(recent.get(limit - 1)).map(|(time, peer)| format!("{} {peer}", u32::MAX - time));
    recent.truncate(limit);
    let peers = recent.into_iter().map(|(_, peer)| peer).collect();
    let view = store.conversations(app, user, peers).await?;
    let conversations = view.map_or_else(Vec::new, |view| view.conversations);
    let conversations = conversations.into_iter().map(Conversation::from).collect();
    Ok(json(StatusCode::OK, &ConversationList { conversations, next }))
}

fn place(next: &str) -> Result<(u32, UserId), Problem> {
    let (time_s, peer) = next.split_once(' ').ok_or_else(Problem::broken_next)?;
    let time_s: u32 = time_s.parse().map_err(|_| Problem::broken_next())?;
    Ok((u32::MAX - time_s, UserId::new(peer).map_err(|_| Problem::broken_next())?))
}

impl From<ConversationView> for Conversation {
    fn from(view: ConversationView) -> Self {
        let ConversationView { peer, unread, last_time_s, last, .. } = view;
        let last_msg_key = last.map(|last| last.message.key.to_string());
        Self { peer: peer.to_string(), last_time_s, unread, last_msg_key }
    }
}
