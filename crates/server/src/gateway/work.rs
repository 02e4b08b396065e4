//! What a session's requests do: each becomes a command or a question of the domain, and what comes of it an answer.

use std::{net::IpAddr, sync::Arc};

use unsaid_protocol::{
    SdkAppId, UserId,
    callback::Platform,
    element::MsgBody,
    error,
    session::{self, Blocklist, HistoryPage, Login, Nothing, OnlineState, OnlineStates, Profile, Profiles},
};

use super::{
    Gateway,
    cursor::Cursor,
    request::{Change, Question, Ticket},
    session::{Answer, Done, Welcome, Work},
    show,
};
use crate::{
    apps::App,
    chat::{
        self, Account, Block, ChatError, Command, Door, HistoryQuery, Leaving, Lifetime, LogIn, LogOut, LoggedIn,
        MessageFlags, MessageName, Origin, Pair, Refusal, RequestId, SessionId, SetProfile, Shown, UpdatesQuery,
        check_length, check_push_info,
    },
    fanout::Registration,
    limits,
};

/// A session's place: who has logged in, from where.
pub(super) struct Seat {
    pub(super) app: SdkAppId,
    pub(super) user: UserId,
    pub(super) session: SessionId,
    origin: Origin,
    pub(super) registration: Registration,
}

/// A login, with the place that it takes.
pub(super) struct Seated {
    pub(super) ticket: Ticket,
    pub(super) result: Result<(Seat, Box<Welcome>), Refusal>,
}

/// Whoever works for one session once it has logged in.
#[derive(Clone)]
pub(super) struct Worker {
    pub(super) gateway: Arc<Gateway>,
    pub(super) seat: Arc<Seat>,
}

/// Logs in. The place among the connected ones is taken first, so that nothing that follows the commit is missed.
pub(super) async fn log_in(gateway: Arc<Gateway>, client_ip: IpAddr, ticket: Ticket, login: Login) -> Seated {
    let result = seat(&gateway, client_ip, ticket, login).await.map_err(|error| refusal(&error));
    Seated { ticket, result }
}

async fn seat(
    gateway: &Gateway,
    client_ip: IpAddr,
    ticket: Ticket,
    login: Login,
) -> Result<(Seat, Box<Welcome>), ChatError> {
    let refuse = |code, info: String| Err(ChatError::Refused(Refusal::new(code, info)));
    let Login { sdkappid, user_id, user_sig, platform, cursor, session } = login;
    let Some(app) = gateway.apps.get(SdkAppId(sdkappid)) else {
        return refuse(error::SDKAPPID_INVALID, "sdkappid names no app of this server".to_owned());
    };
    let now_s = u64::from(gateway.world.clock.now().seconds());
    let validity = gateway.identities.verify(&app, Some(&user_id), &user_sig, now_s)?;
    let user = match UserId::new(&user_id) {
        Ok(user) => user,
        Err(problem) => return refuse(error::ACCOUNT_PARAMETER, format!("user_id: {problem}")),
    };
    let id = SessionId::draw(&gateway.world.entropy);
    let origin = Origin { client_ip, platform: claimed(&platform), request: ticket.request };
    let registration = gateway.fanout.connect(app.sdkappid, &user, id.clone());
    let log_in = LogIn {
        app: app.sdkappid,
        user: user.clone(),
        session: id.clone(),
        resumes: session.map(|session| SessionId(session.into())),
        signed_s: validity.made_s,
        origin,
    };
    let LoggedIn { account, .. } = gateway.chat.log_in(log_in).await?;
    gateway.metrics.logged_in(origin.platform);
    let seat = Seat { app: app.sdkappid, user, session: id, origin, registration };
    match welcome(gateway, &app, &seat, &account, cursor.as_deref(), validity.expires_s).await {
        Ok(welcome) => Ok((seat, Box::new(welcome))),
        Err(error) => {
            // It was committed, and nobody will sit on it.
            let Seat { app, user, session, .. } = seat;
            let request = ticket.request;
            gateway.chat.run(Command::LogOut(LogOut { app, user, session, how: Leaving::LinkClosed, request })).await?;
            Err(error)
        }
    }
}

async fn welcome(
    gateway: &Gateway,
    app: &App,
    seat: &Seat,
    account: &Account,
    cursor: Option<&str>,
    expires_s: u64,
) -> Result<Welcome, ChatError> {
    let Seat { user, session, .. } = seat;
    let people = gateway.chat.store().people(app.sdkappid, vec![user.clone()]).await?;
    let (nick, face_url) =
        people.into_iter().next().flatten().map(|person| (person.nick, person.face_url)).unwrap_or_default();

    let now = Cursor { epoch: gateway.epoch(), life: account.life, number: account.sync_number };
    let resumed = resumable(gateway, user, app, &now, cursor).await?;
    let answer = session::LoggedIn {
        session: session.to_string(),
        account_number: account.number().to_string(),
        reload: resumed.is_none(),
        cursor: resumed.as_ref().unwrap_or(&now).to_string(),
        unread: account.unread,
        time_ms: gateway.world.clock.now().0,
        recall_window_s: app.recall_window_s,
        nick,
        face_url,
    };
    let cursor = resumed.unwrap_or(now);
    Ok(Welcome { me: user.clone(), cursor, expires_s, answer })
}

/// The cursor of a device that comes back, if everything behind it can still be told.
async fn resumable(
    gateway: &Gateway,
    user: &UserId,
    app: &App,
    now: &Cursor,
    cursor: Option<&str>,
) -> Result<Option<Cursor>, ChatError> {
    let cursor = cursor.and_then(|text| text.parse::<Cursor>().ok());
    let Some(cursor) = cursor.filter(|cursor| cursor.epoch == now.epoch && cursor.life == now.life) else {
        return Ok(None);
    };
    let query = UpdatesQuery {
        app: app.sdkappid,
        user: user.clone(),
        life: cursor.life,
        after: cursor.number,
        events_max: limits::SESSION_UPDATES_MAX,
        bytes_max: limits::SESSION_UPDATES_BYTES_MAX,
    };
    Ok(gateway.chat.store().updates(query).await?.map(|_| cursor))
}

/// What a device may claim to be. The REST door is no device.
fn claimed(platform: &str) -> Platform {
    Platform::from_name(platform).filter(|platform| *platform != Platform::RestApi).unwrap_or(Platform::Unknown)
}

impl Worker {
    pub(super) async fn work(self, work: Work) -> Done {
        match work {
            Work::Change(ticket, Change::Logout) => Done::LoggedOut(ticket, self.log_out(ticket.request).await),
            Work::Change(ticket, change) => Done::Changed(ticket, answer(self.change(ticket.request, change).await)),
            Work::Ask(ticket, question) => Done::Asked(ticket, answer(self.ask(question).await)),
            Work::Look(cursor) => {
                let Seat { app, user, .. } = &*self.seat;
                let (life, after) = (cursor.life, cursor.number);
                let (events_max, bytes_max) = (limits::SESSION_UPDATES_MAX, limits::SESSION_UPDATES_BYTES_MAX);
                let query = UpdatesQuery { app: *app, user: user.clone(), life, after, events_max, bytes_max };
                let looked = self.gateway.chat.store().updates(query).await;
                if let Err(error) = &looked {
                    tracing::error!(app = %app, %error, "updates could not be read; the session is closed and may come back");
                }
                Done::Looked(looked)
            }
            Work::LogIn(..) => unreachable!("who has a place has logged in"),
        }
    }

    async fn log_out(&self, request: RequestId) -> Answer {
        let Seat { app, user, session, .. } = &*self.seat;
        let log_out =
            LogOut { app: *app, user: user.clone(), session: session.clone(), how: Leaving::LoggedOut, request };
        self.seat.registration.line().leaves();
        let done = self.gateway.chat.run(Command::LogOut(log_out)).await;
        answer(done.map(|()| nothing()))
    }

    async fn change(&self, request: RequestId, change: Change) -> Result<Box<serde_json::value::RawValue>, ChatError> {
        self.app_is_enabled()?;
        let chat = &self.gateway.chat;
        let Seat { app, user: me, origin, .. } = &*self.seat;
        let origin = Origin { request, ..*origin };
        let (app, door) = (*app, Door::Client { account: me.clone() });
        let command = match change {
            Change::Send(send) => return self.send(origin, *send).await,
            Change::Recall(recall) => {
                let name = self.own(&recall.to, &recall.msg_key)?;
                chat.recall(chat::Recall { name, door, origin }).await?;
                return Ok(nothing());
            }
            Change::Modify(modify) => {
                let name = self.own(&modify.to, &modify.msg_key)?;
                let body = modify.body.map(|body| elements(&body)).transpose()?;
                let custom_data = modify.custom_data;
                Command::Modify(Box::new(chat::Modify { name, door, body, custom_data, origin }))
            }
            Change::Read(read) => {
                let (reader, peer) = (me.clone(), user(&read.peer)?);
                Command::Read(chat::Read { app, reader, peer, time_s: read.time_s, origin })
            }
            Change::ReadAll => Command::ReadAll(chat::ReadAll { app, reader: me.clone(), origin }),
            Change::Receipt(receipt) => {
                let keys = keys(&receipt.msg_keys, limits::RECEIPT_MESSAGES_MAX)?;
                Command::Receipt(chat::Receipt { app, reader: me.clone(), peer: user(&receipt.peer)?, keys, origin })
            }
            Change::DeleteMessages(delete) => {
                let keys = keys(&delete.msg_keys, limits::DELETED_MESSAGES_MAX)?;
                let (operator, peer) = (me.clone(), user(&delete.peer)?);
                Command::DeleteMessages(chat::DeleteMessages { app, operator, peer, keys })
            }
            Change::DeleteConversation(delete) => {
                let (operator, peer, clear_history) = (me.clone(), user(&delete.peer)?, delete.clear_history);
                Command::DeleteConversation(chat::DeleteConversation { app, operator, peer, clear_history })
            }
            Change::SetProfile(set) => {
                for (field, text) in [("nick", &set.nick), ("face_url", &set.face_url)] {
                    if text.as_ref().is_some_and(|text| text.len() > limits::PROFILE_BYTES_MAX) {
                        let info = format!("{field} has more than {} bytes", limits::PROFILE_BYTES_MAX);
                        return Err(Refusal::new(error::PROFILE_TOO_LONG, info).into());
                    }
                }
                Command::SetProfile(SetProfile { app, user: me.clone(), nick: set.nick, face_url: set.face_url })
            }
            Change::Block(users) => return self.block(&users.users, true).await,
            Change::Unblock(users) => return self.block(&users.users, false).await,
            Change::Logout => unreachable!("it is done elsewhere"),
        };
        chat.run(command).await?;
        Ok(nothing())
    }

    async fn send(&self, origin: Origin, send: session::Send) -> Result<Box<serde_json::value::RawValue>, ChatError> {
        let Seat { app, user: me, .. } = &*self.seat;
        let body = elements(&send.body)?;
        check_length(&body.json, &send.custom_data, error::CLIENT_TOO_LONG)?;
        let push_info = send.push_info.map(|info| info.get().to_owned()).unwrap_or_default();
        if !(push_info.is_empty() || push_info.starts_with('{')) {
            return Err(Refusal::new(error::ILLEGAL_REQUEST, "data of send: push_info must be an object").into());
        }
        check_push_info(&push_info, error::ILLEGAL_REQUEST)?;
        let flag = |flag, set| if set { flag } else { MessageFlags::default() };
        let flags = flag(MessageFlags::COUNTED, !send.no_unread)
            .with(flag(MessageFlags::NOT_LAST, send.no_last))
            .with(flag(MessageFlags::WANTS_RECEIPT, send.needs_receipt));
        let sent = self.gateway.chat.send(chat::Send {
            app: *app,
            from: me.clone(),
            to: user(&send.to)?,
            seq: send.seq,
            random: send.random,
            body,
            custom_data: send.custom_data,
            push_info,
            lifetime: if send.online_only { Lifetime::OnlineOnly } else { Lifetime::Stored },
            flags,
            client_time_s: Some(send.client_time_s),
            forbidden_callbacks: Vec::new(),
            origin,
            by_client: true,
            asked: None,
        });
        let chat::Sent { key, id } = sent.await?;
        Ok(show::data(&session::Sent { msg_key: key.to_string(), msg_id: id, time_s: key.time }))
    }

    async fn block(&self, names: &[String], blocked: bool) -> Result<Box<serde_json::value::RawValue>, ChatError> {
        let (app, user) = (self.seat.app, self.seat.user.clone());
        let others = users(names, limits::CLIENT_ACCOUNTS_MAX)?;
        self.gateway.chat.block(Block { app, user, others, blocked }).await?;
        self.blocklist().await
    }

    async fn blocklist(&self) -> Result<Box<serde_json::value::RawValue>, ChatError> {
        let list = self.gateway.chat.store().blocklist(self.seat.app, self.seat.user.clone()).await?;
        Ok(show::data(&Blocklist { users: list.into_iter().map(|(user, _)| user.to_string()).collect() }))
    }

    async fn ask(&self, question: Question) -> Result<Box<serde_json::value::RawValue>, ChatError> {
        self.app_is_enabled()?;
        match question {
            Question::History(history) => self.history(history).await,
            Question::Conversations(asked) => self.conversations(asked).await,
            Question::Profiles(asked) => {
                let users = users(&asked.users, limits::CLIENT_ACCOUNTS_MAX)?;
                let people = self.gateway.chat.store().people(self.seat.app, users.clone()).await?;
                let known = users.iter().zip(people).filter_map(|(user, person)| Some((user, person?)));
                let known = known.filter(|(_, person)| !person.account.deleted);
                let profiles = known.map(|(user, person)| Profile {
                    user_id: user.to_string(),
                    nick: person.nick,
                    face_url: person.face_url,
                });
                Ok(show::data(&Profiles { profiles: profiles.collect() }))
            }
            Question::Online(asked) => {
                let users = users(&asked.users, limits::CLIENT_ACCOUNTS_MAX)?;
                let store = self.gateway.chat.store();
                let there = store.exist(self.seat.app, users.clone()).await?;
                let sessions = store.sessions(self.seat.app, users.clone()).await?;
                let states = users.iter().zip(there).zip(sessions).filter(|((_, there), _)| *there);
                let states = states.map(|((user, _), sessions)| OnlineState {
                    user_id: user.to_string(),
                    online: !sessions.is_empty(),
                });
                Ok(show::data(&OnlineStates { states: states.collect() }))
            }
            Question::Blocklist => self.blocklist().await,
        }
    }

    async fn history(&self, asked: session::History) -> Result<Box<serde_json::value::RawValue>, ChatError> {
        let Seat { app, user: me, .. } = &*self.seat;
        let peer = user(&asked.peer)?;
        let count = asked.count.unwrap_or(limits::CLIENT_HISTORY_MESSAGES_DEFAULT);
        let count = count.clamp(1, limits::CLIENT_HISTORY_MESSAGES_MAX);
        let query = HistoryQuery {
            max_time_s: asked.max_time_s.unwrap_or(u32::MAX),
            before: asked.before.as_deref().map(key).transpose()?,
            // One more tells whether anything older is left.
            messages_max: count + 1,
            ..HistoryQuery::all(*app, me.clone(), peer.clone())
        };
        let store = self.gateway.chat.store();
        let mut people = store.people(*app, vec![me.clone(), peer.clone()]).await?.into_iter();
        let (Some(Some(mine)), Some(theirs)) = (people.next(), people.next()) else {
            return Err(Refusal::new(error::NO_SUCH_USER, "this account does not exist any more").into());
        };
        let Some(theirs) = theirs else {
            return Err(Refusal::new(error::NO_SUCH_USER, format!("peer {peer} does not exist")).into());
        };
        let mut messages = store.history(query).await?;
        let complete = messages.len() <= count as usize;
        messages.truncate(count as usize);
        let (pair, _) = Pair::of(me, &peer);
        let shown = messages.into_iter().rev().map(|message| {
            let (from, to) = pair.ends(message.direction);
            let sender = if from == me { &mine } else { &theirs };
            let id = message.id(&sender.account);
            show::message(&Shown { from: from.clone(), to: to.clone(), id, message })
        });
        Ok(show::data(&HistoryPage { messages: shown.collect(), complete }))
    }

    /// The list is sorted here: it is as long as the account has conversations.
    async fn conversations(
        &self,
        asked: session::Conversations,
    ) -> Result<Box<serde_json::value::RawValue>, ChatError> {
        let (app, me, store) = (self.seat.app, &self.seat.user, self.gateway.chat.store());
        let gone = || Refusal::new(error::NO_SUCH_USER, "this account does not exist any more");
        let (peers, next) = match asked.peers {
            Some(peers) => (users(&peers, limits::CLIENT_CONVERSATIONS_MAX)?, None),
            None => {
                let mut recent = store.recent(app, me.clone()).await?.ok_or_else(gone)?;
                recent.sort_by(|one, other| (other.last_time_s, &one.peer).cmp(&(one.last_time_s, &other.peer)));
                let after = asked.after.as_deref().map(page).transpose()?;
                let begin = after.map_or(0, |(time_s, peer)| {
                    recent.partition_point(|one| {
                        (one.last_time_s > time_s) || (one.last_time_s == time_s && one.peer <= peer)
                    })
                });
                let rest = &recent[begin..];
                let piece = &rest[..rest.len().min(limits::CLIENT_CONVERSATIONS_MAX)];
                let last = piece.last().filter(|_| piece.len() < rest.len());
                let next = last.map(|last| format!("{}:{}", last.last_time_s, last.peer));
                (piece.iter().map(|one| one.peer.clone()).collect(), next)
            }
        };
        let view = store.conversations(app, me.clone(), peers).await?.ok_or_else(gone)?;
        Ok(show::data(&show::conversations(&view, next)))
    }

    /// Asked at every use, as for REST.
    fn app_is_enabled(&self) -> Result<(), Refusal> {
        let disabled = self.gateway.is_disabled(self.seat.app);
        if disabled {
            Err(Refusal::new(error::APP_DISABLED, format!("app {} is disabled", self.seat.app)))
        } else {
            Ok(())
        }
    }

    /// A message of this account's own.
    fn own(&self, to: &str, msg_key: &str) -> Result<MessageName, Refusal> {
        Ok(MessageName { app: self.seat.app, from: self.seat.user.clone(), to: user(to)?, key: key(msg_key)? })
    }
}

fn nothing() -> Box<serde_json::value::RawValue> {
    show::data(&Nothing {})
}

fn answer(done: Result<Box<serde_json::value::RawValue>, ChatError>) -> Answer {
    done.map_err(|error| refusal(&error))
}

/// What a client is told. The codes of fields that only REST has become those that clients know.
fn refusal(error: &ChatError) -> Refusal {
    match error {
        ChatError::Failed(fault) => {
            tracing::error!(%fault, "a client's request failed");
            Refusal::new(error::CLIENT_INTERNAL, fault.to_string())
        }
        ChatError::Refused(refusal) => {
            let accounts = [error::FROM_ACCOUNT, error::TO_ACCOUNT, error::TO_ACCOUNT_NOT_FOUND];
            let accounts = [accounts.as_slice(), &[error::CONTACT_ACCOUNT, error::SNS_ACCOUNT]].concat();
            let code = match refusal.code {
                code if accounts.contains(&code) => error::NO_SUCH_USER,
                error::TOO_LONG => error::CLIENT_TOO_LONG,
                code => code,
            };
            Refusal { code, info: refusal.info.clone() }
        }
    }
}

fn user(name: &str) -> Result<UserId, Refusal> {
    UserId::new(name).map_err(|problem| Refusal::new(error::NO_SUCH_USER, format!("{name:?}: {problem}")))
}

fn users(names: &[String], most: usize) -> Result<Vec<UserId>, Refusal> {
    at_most(names.len(), most)?;
    names.iter().map(|name| user(name)).collect()
}

fn key(text: &str) -> Result<unsaid_protocol::MsgKey, Refusal> {
    text.parse().map_err(|problem| Refusal::new(error::ILLEGAL_REQUEST, format!("{text:?}: {problem}")))
}

fn keys(texts: &[String], most: usize) -> Result<Vec<unsaid_protocol::MsgKey>, Refusal> {
    at_most(texts.len(), most)?;
    texts.iter().map(|text| key(text)).collect()
}

fn at_most(count: usize, most: usize) -> Result<(), Refusal> {
    if count <= most {
        return Ok(());
    }
    Err(Refusal::new(error::ILLEGAL_REQUEST, format!("{count} are named; at most {most} at once")))
}

fn elements(body: &serde_json::value::RawValue) -> Result<MsgBody, Refusal> {
    MsgBody::parse(body).map_err(|problem| Refusal::new(problem.code, problem.info))
}

/// Where a page of conversations begins.
fn page(text: &str) -> Result<(u32, UserId), Refusal> {
    let wrong = || Refusal::new(error::ILLEGAL_REQUEST, "after is `next` of the page before");
    let (time_s, peer) = text.split_once(':').ok_or_else(wrong)?;
    Ok((time_s.parse().map_err(|_| wrong())?, UserId::new(peer).map_err(|_| wrong())?))
}
