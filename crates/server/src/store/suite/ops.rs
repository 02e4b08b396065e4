//! What the model test says: random steps, and the commands that they mean.

use std::sync::Arc;

use proptest::prelude::*;
use unsaid_protocol::{
    SdkAppId, UserId,
    callback::{CallbackCommand, Platform},
    error,
};

use super::{
    actors::{ADMIN, app, body, message, user},
    ledger::Ledger,
};
use crate::{
    apps::{App, LaneBy, RecallBody},
    chat::{
        Block, Command, DeleteAccount, DeleteConversation, DeleteMessages, Door, Import, ImportMessage, Kick, Leaving,
        Lifetime, LogIn, LogOut, MessageFlags, MessageName, Modify, Origin, Pair, Prune, Read, ReadAll, Recall,
        Receipt, Refusal, RequestId, Send, SendBatch,
    },
};

/// Accounts, some of which are there from the beginning.
pub(super) const NAMES: [&str; 6] = ["a*b", "x y", ".", "alice", "bob", "~"];
pub(super) const IMPORTED: usize = 4;

pub(super) const APPS: usize = 2;

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Commands that are handed over at once.
    Commands(Vec<Op>),
    /// The clock moves by so many milliseconds.
    Shift(i64),
    /// What became of some event of the outbox.
    Settle {
        event: prop::sample::Index,
        verdict: u8,
    },
    /// Parked events of an app, or delivered ones of so many milliseconds ago and later, are sent again.
    Replay {
        app: usize,
        delivered: Option<i64>,
    },
    /// Delivered events that are older are erased.
    Prune {
        ago_ms: i64,
    },
    Reopen,
}

#[derive(Clone, Debug)]
pub(super) struct Op {
    pub(super) app: usize,
    from: usize,
    to: usize,
    kind: OpKind,
}

#[derive(Clone, Debug)]
enum OpKind {
    Send {
        number: u32,
        text: u8,
        flags: u8,
        online_only: bool,
        forbidden: bool,
        by_client: bool,
        way: Way,
    },
    /// Of a message that was sent; `door` and `swapped` say who asks, and for what.
    Recall {
        message: prop::sample::Index,
        door: u8,
        swapped: bool,
    },
    Read {
        ago_s: Option<i64>,
    },
    ReadAll,
    DeleteAccount,
    /// `from` blocks `to` and everybody after it, or takes them off its list.
    Block {
        blocked: bool,
    },
    /// `from` deletes these messages, as far as they are between it and `to`.
    DeleteMessages {
        messages: Vec<prop::sample::Index>,
    },
    DeleteConversation {
        clear_history: bool,
    },
    ImportMessage {
        number: u32,
        ago_s: u32,
        history: bool,
    },
    /// To `to` and everybody after it.
    SendBatch {
        number: u32,
        text: u8,
    },
    /// Of messages that are older.
    PruneMessages {
        ago_s: u32,
    },
    /// Of a message that was sent; `door` says who asks, `text` and `custom_data` what is replaced.
    Modify {
        message: prop::sample::Index,
        door: u8,
        text: Option<u8>,
        custom_data: Option<u8>,
    },
    /// The recipient of the first of these messages acknowledges all of them, or its sender does.
    Receipt {
        messages: Vec<prop::sample::Index>,
        swapped: bool,
    },
    Import,
    /// From one of a few platforms; `resumes` goes on with a session of before, `signed_ago_s` is the age of the UserSig.
    LogIn {
        platform: u8,
        resumes: Option<prop::sample::Index>,
        signed_ago_s: u32,
    },
    /// Of a session of before, or of none.
    LogOut {
        session: prop::sample::Index,
        how: u8,
    },
    Kick,
    SaveApp {
        variant: u8,
    },
}

/// How far a send goes: it is stored, only checked, or told as failed.
#[derive(Clone, Copy, Debug)]
enum Way {
    Store,
    Check,
    Fail,
}

fn op() -> impl Strategy<Value = Op> {
    let way = prop_oneof![8 => Just(Way::Store), 1 => Just(Way::Check), 1 => Just(Way::Fail)];
    let rarely = || prop::bool::weighted(0.1);
    let send = (0_u32..3, 0_u8..3, 0_u8..16, rarely(), rarely(), any::<bool>(), way).prop_map(
        |(number, text, flags, online_only, forbidden, by_client, way)| OpKind::Send {
            number,
            text,
            flags,
            online_only,
            forbidden,
            by_client,
            way,
        },
    );
    let import = (0_u32..3, 0_u32..200, any::<bool>()).prop_map(|(number, ago_s, history)| OpKind::ImportMessage {
        number,
        ago_s,
        history,
    });
    let some = || prop::collection::vec(any::<prop::sample::Index>(), 1..4);
    let modify = (any::<prop::sample::Index>(), 0_u8..4, prop::option::of(0_u8..3), prop::option::of(0_u8..3))
        .prop_map(|(message, door, text, custom_data)| OpKind::Modify { message, door, text, custom_data });
    let receipt =
        (some(), prop::bool::weighted(0.1)).prop_map(|(messages, swapped)| OpKind::Receipt { messages, swapped });
    let recall = (any::<prop::sample::Index>(), 0_u8..4, prop::bool::weighted(0.1))
        .prop_map(|(message, door, swapped)| OpKind::Recall { message, door, swapped });
    let read = prop::option::of(-3_i64..130).prop_map(|ago_s| OpKind::Read { ago_s });
    let log_in = (0_u8..2, prop::option::of(any::<prop::sample::Index>()), 0_u32..2)
        .prop_map(|(platform, resumes, signed_ago_s)| OpKind::LogIn { platform, resumes, signed_ago_s });
    let log_out = (any::<prop::sample::Index>(), 0_u8..3).prop_map(|(session, how)| OpKind::LogOut { session, how });
    let kind = prop_oneof![
        10 => send,
        6 => recall,
        4 => read,
        1 => Just(OpKind::ReadAll),
        2 => modify,
        2 => receipt,
        1 => Just(OpKind::Import),
        1 => Just(OpKind::DeleteAccount),
        2 => log_in,
        1 => log_out,
        1 => Just(OpKind::Kick),
        1 => any::<bool>().prop_map(|blocked| OpKind::Block { blocked }),
        2 => some().prop_map(|messages| OpKind::DeleteMessages { messages }),
        1 => any::<bool>().prop_map(|clear_history| OpKind::DeleteConversation { clear_history }),
        2 => import,
        2 => (0_u32..3, 0_u8..3).prop_map(|(number, text)| OpKind::SendBatch { number, text }),
        1 => (0_u32..300).prop_map(|ago_s| OpKind::PruneMessages { ago_s }),
        1 => (0_u8..16).prop_map(|variant| OpKind::SaveApp { variant }),
    ];
    (0..APPS, 0..NAMES.len(), 0..NAMES.len(), kind).prop_map(|(app, from, to, kind)| Op { app, from, to, kind })
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let shifts = prop::sample::select(vec![1, 500, 1000, 1000, 60_000, 119_000, 120_000, 121_000, -1500, -90_000]);
    prop_oneof![
        60 => prop::collection::vec(op(), 1..10).prop_map(Step::Commands),
        20 => shifts.prop_map(Step::Shift),
        20 => (any::<prop::sample::Index>(), 0_u8..4).prop_map(|(event, verdict)| Step::Settle { event, verdict }),
        4 => (0..APPS, prop::option::of(0_i64..200_000)).prop_map(|(app, delivered)| Step::Replay { app, delivered }),
        2 => (0_i64..200_000).prop_map(|ago_ms| Step::Prune { ago_ms }),
        1 => Just(Step::Reopen),
    ]
}

/// What an operation is about: the app, the second in which it comes, and everything that was said before.
pub(super) struct Around<'a> {
    pub(super) app: SdkAppId,
    pub(super) now_s: u32,
    pub(super) ledger: &'a Ledger,
}

impl Op {
    /// None if it is about a message, and none was sent.
    pub(super) fn command(&self, around: &Around<'_>) -> Option<Command> {
        self.about_messages(around).or_else(|| self.about_accounts(around))
    }

    fn ends(&self) -> (UserId, UserId) {
        (user(NAMES[self.from]), user(NAMES[self.to]))
    }

    /// `to` and everybody after it.
    fn many(&self) -> Vec<UserId> {
        NAMES[self.to..].iter().copied().map(user).collect()
    }

    fn about_accounts(&self, around: &Around<'_>) -> Option<Command> {
        let Around { app, now_s, ledger } = *around;
        let (from, to) = self.ends();
        Some(match &self.kind {
            OpKind::DeleteAccount => {
                Command::DeleteAccount(DeleteAccount { app, user: from, request: RequestId::NONE })
            }
            OpKind::Block { blocked } => {
                Command::Block(Block { app, user: from, others: self.many(), blocked: *blocked })
            }
            OpKind::DeleteConversation { clear_history } => {
                let clear_history = *clear_history;
                Command::DeleteConversation(DeleteConversation { app, operator: from, peer: to, clear_history })
            }
            OpKind::PruneMessages { ago_s } => {
                let (pair, _) = Pair::of(&from, &to);
                Command::Prune(Prune { app, pair, before_s: now_s - ago_s })
            }
            OpKind::Read { ago_s } => {
                let time_s = ago_s.map(|ago_s| u32::try_from(i64::from(now_s) - ago_s).expect("a moment"));
                Command::Read(Read { app, reader: from, peer: to, time_s, origin: Origin::LOCAL })
            }
            OpKind::ReadAll => Command::ReadAll(ReadAll { app, reader: from, origin: Origin::LOCAL }),
            OpKind::Import => Command::Import(Import { app, user: from, nick: None, face_url: None }),
            OpKind::SaveApp { variant } => Command::SaveApp(Arc::new(app_variant(app, *variant))),
            OpKind::LogIn { platform, resumes, signed_ago_s } => {
                let platform = if *platform == 0 { Platform::Web } else { Platform::Ios };
                let origin = Origin { platform, ..Origin::LOCAL };
                let (session, signed_s) = (ledger.next_session(), u64::from(now_s - signed_ago_s));
                let resumes = resumes.as_ref().map(|index| ledger.any_session(index));
                Command::LogIn(LogIn { app, user: from, session, resumes, signed_s, origin })
            }
            OpKind::LogOut { session, how } => {
                let how = [Leaving::LoggedOut, Leaving::LinkClosed, Leaving::TimedOut][usize::from(*how)];
                Command::LogOut(LogOut {
                    app,
                    user: from,
                    session: ledger.any_session(session),
                    how,
                    request: RequestId::NONE,
                })
            }
            OpKind::Kick => Command::Kick(Kick { app, user: from, request: RequestId::NONE }),
            OpKind::Send { .. }
            | OpKind::SendBatch { .. }
            | OpKind::ImportMessage { .. }
            | OpKind::Recall { .. }
            | OpKind::Modify { .. }
            | OpKind::Receipt { .. }
            | OpKind::DeleteMessages { .. } => return None,
        })
    }

    fn about_messages(&self, around: &Around<'_>) -> Option<Command> {
        let Around { app, now_s, ledger } = *around;
        let (from, to) = self.ends();
        match &self.kind {
            OpKind::Send { way, .. } => Some(way.command(Box::new(self.send(app)))),
            OpKind::SendBatch { .. } => {
                let batch = SendBatch { send: self.send(app), to: self.many() };
                Some(Command::SendBatch(Box::new(batch)))
            }
            OpKind::ImportMessage { ago_s, .. } => {
                let import = ImportMessage { send: self.send(app), time_s: now_s - ago_s };
                Some(Command::ImportMessage(Box::new(import)))
            }
            OpKind::Recall { message, door, swapped } => {
                let mut name = ledger.any(app, message)?;
                let door = door_of(*door, from, &name);
                if *swapped {
                    (name.from, name.to) = (to, name.from);
                }
                Some(Command::Recall(Recall { name, door, origin: Origin::LOCAL }))
            }
            OpKind::Modify { message, door, text, custom_data } => {
                let name = ledger.any(app, message)?;
                let door = door_of(*door, from, &name);
                let body = text.map(|text| body(&format!("text {text}")));
                let custom_data = custom_data.map(|custom_data| format!("custom {custom_data}"));
                Some(Command::Modify(Box::new(Modify { name, door, body, custom_data, origin: Origin::LOCAL })))
            }
            OpKind::Receipt { messages, swapped } => {
                let names: Option<Vec<_>> = messages.iter().map(|message| ledger.any(app, message)).collect();
                let names = names?;
                let (mut reader, mut peer) = (names[0].to.clone(), names[0].from.clone());
                if *swapped {
                    std::mem::swap(&mut reader, &mut peer);
                }
                let keys = names.iter().map(|name| name.key).collect();
                Some(Command::Receipt(Receipt { app, reader, peer, keys, origin: Origin::LOCAL }))
            }
            OpKind::DeleteMessages { messages } => {
                let keys = messages.iter().filter_map(|message| ledger.any(app, message)).map(|name| name.key);
                let keys = keys.collect();
                Some(Command::DeleteMessages(DeleteMessages { app, operator: from, peer: to, keys }))
            }
            OpKind::Read { .. }
            | OpKind::ReadAll
            | OpKind::DeleteAccount
            | OpKind::Block { .. }
            | OpKind::DeleteConversation { .. }
            | OpKind::PruneMessages { .. }
            | OpKind::Import
            | OpKind::LogIn { .. }
            | OpKind::LogOut { .. }
            | OpKind::Kick
            | OpKind::SaveApp { .. } => None,
        }
    }

    /// What is sent, in whichever way.
    #[expect(clippy::wildcard_enum_match_arm, reason = "only what sends is asked")]
    fn send(&self, app: SdkAppId) -> Send {
        let say = |number: u32| Send { app, ..message(NAMES[self.from], NAMES[self.to], number) };
        match &self.kind {
            OpKind::Send { number, text, flags, online_only, forbidden, by_client, .. } => Send {
                body: body(&format!("text {text}")),
                by_client: *by_client,
                // Flag 2 is a tombstone's.
                flags: MessageFlags::from_bits(u16::from((flags & !2) | (flags >> 1 & 1))),
                lifetime: if *online_only { Lifetime::OnlineOnly } else { Lifetime::Stored },
                forbidden_callbacks: forbidden.then_some(CallbackCommand::AfterSendMsg).into_iter().collect(),
                ..say(*number)
            },
            OpKind::SendBatch { number, text } => Send { body: body(&format!("text {text}")), ..say(*number) },
            OpKind::ImportMessage { number, history, .. } => {
                let flags = if *history { MessageFlags::HISTORY } else { MessageFlags::COUNTED };
                Send { flags, ..say(*number) }
            }
            other => panic!("nothing is sent: {other:?}"),
        }
    }
}

impl Way {
    fn command(self, send: Box<Send>) -> Command {
        match self {
            Self::Store => Command::Send(send),
            Self::Check => Command::CheckSend(send),
            Self::Fail => Command::SendFailed(send, Refusal::new(error::BEFORE_FAILED, "no answer")),
        }
    }
}

/// Who asks for a message: `one`, its sender, or the admin.
fn door_of(door: u8, one: UserId, name: &MessageName) -> Door {
    match door {
        0 => Door::Client { account: one },
        1 | 2 => Door::Client { account: name.from.clone() },
        _ => Door::Admin { account: user(ADMIN) },
    }
}

fn app_variant(sdkappid: SdkAppId, variant: u8) -> App {
    let mut app = app(sdkappid);
    let pick = |bit: u8| variant & bit != 0;
    app.lane = if pick(1) { LaneBy::Conversation } else { LaneBy::Account };
    app.recall_window_s = if pick(2) { 1 } else { 120 };
    app.recall_body = if pick(4) { RecallBody::Detail } else { RecallBody::All };
    app.audit_days = u16::from(pick(8));
    app
}
