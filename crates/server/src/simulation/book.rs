//! The book of a run: what was said, as the ledger of the store's model test counts it out; what is owed for it; and the judge
//! of its delivery. It knows nothing of the code that is tested.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::Value;
use unsaid_protocol::{SdkAppId, UserId, callback::CallbackCommand};

use super::judge::Judge;
use crate::{
    apps::{App, LaneBy, RecallBody},
    chat::{Applied, Command, HistoryQuery, Lane, Message, MessageFlags, MessageName, OwedEvent, Pair},
    clock::Timestamp,
    store::suite::{Ledger, Seen},
};

pub(super) struct Book {
    pub(super) ledger: Ledger,
    pub(super) judge: Judge,
    apps: BTreeMap<SdkAppId, Arc<App>>,
    users: Vec<UserId>,
    /// The last place that was seen in each lane.
    places: BTreeMap<(SdkAppId, Lane), i64>,
    /// Of each recall that was committed, how many events tell of it.
    recalls: BTreeMap<MessageName, u32>,
}

/// What a command has touched.
#[derive(Default)]
pub(super) struct Touched {
    pub(super) accounts: Vec<(SdkAppId, UserId)>,
    pub(super) histories: Vec<HistoryQuery>,
}

impl Book {
    pub(super) fn new(users: Vec<UserId>, judge: Judge) -> Self {
        Self {
            ledger: Ledger::default(),
            judge,
            apps: BTreeMap::new(),
            users,
            places: BTreeMap::new(),
            recalls: BTreeMap::new(),
        }
    }

    /// All lanes that there may be, with the last place that was seen in each.
    pub(super) fn lanes(&self) -> Vec<(SdkAppId, Lane, i64)> {
        let mut lanes = Vec::new();
        for (app, settings) in &self.apps {
            let accounts = self.users.iter().map(Lane::of_account);
            let pairs = self.users.iter().flat_map(|one| self.users.iter().map(|other| Pair::of(one, other).0));
            let pairs = pairs.filter(|_| settings.lane == LaneBy::Conversation).collect::<BTreeSet<_>>();
            let all = accounts.chain(pairs.iter().map(Lane::of_conversation));
            lanes.extend(all.map(|lane| {
                let after = self.places.get(&(*app, lane.clone())).copied().unwrap_or(0);
                (*app, lane, after)
            }));
        }
        lanes
    }

    /// What each peer has sent and an account has not read.
    pub(super) fn unread(&self, app: SdkAppId, user: &UserId) -> Vec<(UserId, i64)> {
        self.users.iter().map(|peer| (peer.clone(), self.ledger.unread(app, peer, user))).collect()
    }

    pub(super) fn total(&self, app: SdkAppId, user: &UserId) -> i64 {
        self.unread(app, user).into_iter().map(|(_, unread)| unread).sum()
    }

    pub(super) fn is_recalled(&self, name: &MessageName) -> bool {
        self.ledger.messages(name.app).any(|(known, recalled)| known == name && recalled)
    }

    pub(super) fn was_sent(&self, name: &MessageName) -> bool {
        self.ledger.messages(name.app).any(|(known, _)| known == name)
    }

    /// Notes a command and the events that came with it.
    pub(super) fn note(
        &mut self,
        command: &Command,
        applied: &Applied,
        now: Timestamp,
        events: &[OwedEvent],
    ) -> Touched {
        if let Command::SaveApp(app) = command {
            self.apps.insert(app.sdkappid, Arc::clone(app));
        }
        let said = |ledger: &Ledger| self.apps.keys().map(|app| ledger.messages(*app).count()).sum::<usize>();
        let before = said(&self.ledger);
        self.ledger.note(command, applied, now);
        let new = said(&self.ledger) - before;
        for event in events {
            let place = self.places.insert((event.app, event.lane.clone()), event.place).unwrap_or(0);
            assert!(event.place > place, "a place is given once: {event:?}");
            if event.replay {
                assert!(self.judge.owed.contains_key(&event.id), "R4: only what was owed is sent again: {event:?}");
            } else {
                self.judge.owes(event);
            }
        }
        if matches!(command, Command::Replay(_)) {
            assert!(events.iter().all(|event| event.replay), "R4: a replay owes nothing new");
            return Touched::default();
        }
        self.check_owed(command, applied, new, events);
        self.touched(command, applied)
    }

    /// Rule R4, and what is owed for everything else.
    #[expect(clippy::wildcard_enum_match_arm, reason = "what is left tells of sessions, or owes nothing")]
    fn check_owed(&mut self, command: &Command, applied: &Applied, new: usize, events: &[OwedEvent]) {
        use CallbackCommand::{
            AfterModifyMsg, AfterMsgReadAll, AfterMsgReadReceipt, AfterMsgReport, AfterMsgWithDraw, AfterSendMsg,
            StateChange,
        };
        let Some((app, about)) = about(command) else {
            return assert!(events.is_empty(), "R4: {command:?} owes nothing: {events:?}");
        };
        let done = applied.is_ok();
        // How many there have to be, and whether fewer may do.
        let (of, count, all) = match command {
            Command::Recall(_) => (AfterMsgWithDraw, usize::from(done), true),
            Command::Send(_) => (AfterSendMsg, new, true),
            Command::Modify(_) => (AfterModifyMsg, usize::from(done), true),
            Command::Read(_) => (AfterMsgReport, usize::from(done), false),
            Command::ReadAll(_) => (AfterMsgReadAll, usize::from(done), false),
            Command::Receipt(_) => (AfterMsgReadReceipt, usize::from(done), false),
            Command::SendBatch(_) => (AfterSendMsg, 0, true),
            Command::LogIn(_) => (StateChange, usize::from(done), true),
            _ => (StateChange, usize::MAX, false),
        };
        let owes = self.apps[&app].owes(of);
        let count = if owes { count } else { 0 };
        assert!(events.len() == count || (!all && events.len() < count), "R4: {command:?} {applied:?}: {events:?}");
        for event in events {
            assert_eq!((event.app, event.command), (app, of), "R4: {command:?}: {event:?}");
            let account = Lane::of_account(&about);
            let of_state = matches!(of, StateChange | AfterMsgReadAll);
            if self.apps[&app].lane == LaneBy::Account || of_state {
                assert_eq!(event.lane, account, "C5: {event:?}");
            }
            self.check_body(command, &about, event);
        }
    }

    /// Rules R5 and R6.
    fn check_body(&mut self, command: &Command, about: &UserId, event: &OwedEvent) {
        let body: Value = serde_json::from_slice(&event.body).expect("a body is JSON");
        let counts = [CallbackCommand::AfterSendMsg, CallbackCommand::AfterMsgWithDraw].contains(&event.command);
        if counts && self.apps[&event.app].recall_body != RecallBody::Time {
            let total = self.total(event.app, about);
            assert_eq!(body["UnreadMsgNum"], total, "R6: {about} in {body}");
        }
        if let Command::Recall(recall) = command {
            let MessageName { from, to, key, .. } = &recall.name;
            let named = (&body["From_Account"], &body["To_Account"], &body["MsgKey"]);
            let expected = (from.as_str().into(), to.as_str().into(), key.to_string().into());
            assert_eq!(named, (&expected.0, &expected.1, &expected.2), "R5: {body}");
            let told = self.recalls.entry(recall.name.clone()).or_default();
            *told += 1;
            assert_eq!(*told, 1, "R4: a recall is told once: {event:?}");
        }
    }

    fn touched(&self, command: &Command, applied: &Applied) -> Touched {
        let Some((app, _)) = about(command) else {
            return Touched::default();
        };
        let known = self.users.iter().filter(|user| self.ledger.is_there(app, user));
        let accounts = known.map(|user| (app, user.clone())).collect();
        let view = |one: &UserId, other: &UserId| HistoryQuery::all(app, one.clone(), other.clone());
        let recalled =
            if let Command::Recall(recall) = command { applied.is_ok().then_some(&recall.name) } else { None };
        let histories =
            recalled.map_or_else(Vec::new, |name| vec![view(&name.from, &name.to), view(&name.to, &name.from)]);
        Touched { accounts, histories }
    }

    /// Rule R3: a tombstone keeps its place and its types, and says nothing.
    pub(super) fn compare_history(&self, query: &HistoryQuery, history: &[Message]) {
        let seen: Vec<_> = history.iter().map(Seen::from).collect();
        assert_eq!(seen, self.ledger.history(query), "R3: {query:?}");
        for message in history.iter().filter(|message| message.flags.contains(MessageFlags::RECALLED)) {
            let content = &message.content;
            let says = [&content.body, &content.custom_data, &content.push_info];
            assert!(says.iter().all(|text| text.is_empty()), "R3: a tombstone says nothing: {message:?}");
            assert_eq!(content.types, "TIMTextElem", "R3: its types stay");
        }
    }

    /// Invariant 1: no recall without its event, none without its recall.
    pub(super) fn every_recall_has_its_event(&self) {
        for (app, settings) in &self.apps {
            let recalled = self.ledger.messages(*app).filter(|(_, recalled)| *recalled).map(|(name, _)| name);
            let told = self.recalls.keys().filter(|name| name.app == *app);
            if settings.owes(CallbackCommand::AfterMsgWithDraw) {
                let (recalled, told): (BTreeSet<_>, BTreeSet<_>) = (recalled.collect(), told.collect());
                assert_eq!(recalled, told, "invariant 1");
            }
        }
    }
}

/// Which app a command is for, and the account whose lane it may add to.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others are not part of a simulation, or owe nothing")]
fn about(command: &Command) -> Option<(SdkAppId, UserId)> {
    Some(match command {
        Command::Send(send) => (send.app, send.to.clone()),
        Command::Recall(recall) => (recall.name.app, recall.name.to.clone()),
        Command::Modify(modify) => (modify.name.app, modify.name.to.clone()),
        Command::Read(read) => (read.app, read.reader.clone()),
        Command::ReadAll(read) => (read.app, read.reader.clone()),
        Command::Receipt(receipt) => (receipt.app, receipt.reader.clone()),
        Command::LogIn(log_in) => (log_in.app, log_in.user.clone()),
        Command::LogOut(log_out) => (log_out.app, log_out.user.clone()),
        Command::SendBatch(batch) => (batch.send.app, batch.send.from.clone()),
        Command::Kick(kick) => (kick.app, kick.user.clone()),
        _ => return None,
    })
}
