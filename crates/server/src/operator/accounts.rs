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
pub(crate) struct Shown {
    pub(crate) account: String,
    pub(crate) nick: String,
    pub(crate) face_url: String,
    /// A deleted account keeps its name, for the messages that it has sent.
    pub(crate) deleted: bool,
    /// Its unread messages over all conversations.
    pub(crate) unread: i64,
    /// UserSigs that were made in that second or before do not log in any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kicked_s: Option<u32>,
    /// How many accounts it has blocked.
    pub(crate) blocked: usize,
    pub(crate) sessions: Vec<Device>,
}

/// A connected device.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Device {
    pub(crate) platform: &'static str,
    pub(crate) client_ip: String,
    #[schemars(with = "i64")]
    pub(crate) since_ms: Timestamp,
}

pub(super) async fn show(
    State(operator): State<Arc<Operator>>,
    Named((app, account)): Named<(u32, String)>,
) -> Result<Response<Body>, Problem> {
    Ok(json(StatusCode::OK, &operator.show_account(app, &account).await?))
}

impl From<Session> for Device {
    fn from(session: Session) -> Self {
        let Session { platform, client_ip, since, .. } = session;
        Self { platform: platform.as_str(), client_ip: client_ip.to_string(), since_ms: since }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// From the page before.
    #[schemars(regex(pattern = r"^[0-9]{1,10} [ -~]{1,32}$"))]
    pub(crate) next: Option<String>,
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) limit: Option<u32>,
}

/// A conversation as the account sees it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Conversation {
    pub(crate) peer: String,
    /// When a message touched it last, in seconds.
    pub(crate) last_time_s: u32,
    pub(crate) unread: i64,
    /// The key of its last message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_msg_key: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct ConversationList {
    pub(crate) conversations: Vec<Conversation>,
    /// To be asked for as `next`; none if this is the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

pub(super) async fn conversations(
    State(operator): State<Arc<Operator>>,
    Named((app, account)): Named<(u32, String)>,
    Asked(which): Asked<Which>,
) -> Result<Response<Body>, Problem> {
    Ok(json(StatusCode::OK, &operator.list_conversations(app, &account, which).await?))
}

impl Operator {
    pub(crate) async fn show_account(&self, app: u32, account: &str) -> Result<Shown, Problem> {
        let (user, Person { account, nick, face_url }) = self.find_account(app, account).await?;
        let app = self.app(app)?.sdkappid;
        let store = self.chat.store();
        let blocked = store.blocklist(app, user.clone()).await?.len();
        let sessions = store.sessions(app, vec![user.clone()]).await?.into_iter().flatten();
        Ok(Shown {
            account: user.to_string(),
            nick,
            face_url,
            deleted: account.deleted,
            unread: account.unread,
            kicked_s: (account.kicked_s > 0).then_some(account.kicked_s),
            blocked,
            sessions: sessions.map(Device::from).collect(),
        })
    }

    /// An account that is or was there.
    pub(super) async fn find_account(&self, app: u32, account: &str) -> Result<(UserId, Person), Problem> {
        let app = self.app(app)?.sdkappid;
        let missing = || Problem::new(StatusCode::NOT_FOUND, format!("app {app} has no account {account:?}"));
        let user = UserId::new(account).map_err(|_| missing())?;
        let person = self.chat.store().people(app, vec![user.clone()]).await?.pop().flatten();
        person.map(|person| (user, person)).ok_or_else(missing)
    }

    /// Those in its list, which a deleted account has no more.
    pub(crate) async fn list_conversations(
        &self,
        app: u32,
        account: &str,
        Which { next, limit }: Which,
    ) -> Result<ConversationList, Problem> {
        let limit = ask::page(limit)? as usize;
        let behind = next.as_deref().map(place).transpose()?;
        let (user, _) = self.find_account(app, account).await?;
        let app = self.app(app)?.sdkappid;
        let store = self.chat.store();
        let recent = store.recent(app, user.clone()).await?.unwrap_or_default();
        // The latest first, and by name within a second.
        let recent = recent.into_iter().map(|recent| (u32::MAX - recent.last_time_s, recent.peer));
        let mut recent: Vec<_> = recent.collect();
        recent.sort();
        recent.retain(|place| behind.as_ref().is_none_or(|behind| place > behind));
        let last = recent.get(limit).and(recent.get(limit - 1));
        let next = last.map(|(time, peer)| format!("{} {peer}", u32::MAX - time));
        recent.truncate(limit);
        let peers = recent.into_iter().map(|(_, peer)| peer).collect();
        let view = store.conversations(app, user, peers).await?;
        let conversations = view.map_or_else(Vec::new, |view| view.conversations);
        Ok(ConversationList { conversations: conversations.into_iter().map(Conversation::from).collect(), next })
    }
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
