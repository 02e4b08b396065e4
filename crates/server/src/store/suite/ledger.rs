//! A third opinion for the model test: a list of what was said, modified, acknowledged, recalled, read and deleted, from
//! which rules R1, R2 and R6 can be counted out without any of the code that is tested.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use proptest::sample::Index;
use unsaid_protocol::{MsgKey, SdkAppId, UserId};

use super::said::{Said, Seen};
use crate::{
    chat::{
        Applied, Block, Command, DeleteAccount, DeleteConversation, DeleteMessages, Done, Door, HistoryQuery,
        ImportMessage, Lifetime, LogIn, MessageFlags, MessageName, Modify, Pair, Prune, Read, ReadAll, Recall, Receipt,
        Send, SendBatch, Sent, SessionId,
    },
    clock::Timestamp,
};

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(super) accounts: BTreeSet<(SdkAppId, UserId)>,
    /// Those that were deleted, too.
    ever: BTreeSet<(SdkAppId, UserId)>,
    /// Whose blocklist, and who is on it.
    pub(super) blocked: BTreeSet<(SdkAppId, UserId, UserId)>,
    /// Whose list of conversations, with whom, and since when.
    recent: BTreeMap<(SdkAppId, UserId, UserId), u32>,
    /// How many logins there were, and when whose logins were ended.
    logins: usize,
    kicked: BTreeMap<(SdkAppId, UserId), u32>,
    /// The window of each app that was saved, the last one counts.
    windows: Vec<(SdkAppId, u32)>,
    /// In the order of commits.
    said: Vec<Said>,
}

impl Ledger {
    fn check_receipt(&mut self, receipt: &Receipt, code: i32) {
        assert_eq!(code, self.receipt_code(receipt), "{receipt:?}");
        if code == 0 {
            self.note_receipt(receipt);
        }
    }

    fn check_modify(&mut self, modify: &Modify, code: i32) {
        assert_eq!(code, self.modify_code(modify), "{modify:?}");
        if code == 0 {
            self.note_modified(modify);
        }
    }

    /// Checks what a command was answered, and notes what it did.
    pub(crate) fn note(&mut self, command: &Command, applied: &Applied, now: Timestamp) {
        let code = applied.as_ref().err().map_or(0, |refusal| refusal.code.0);
        match command {
            // Sending events again, or never, changes nothing that was said, and a profile is not looked at here.
            Command::Replay(_) | Command::Discard(_) | Command::SetProfile(_) => {}
            // What is kept for operators is none of the accounts' business; apps are not erased here.
            Command::Noted(_)
            | Command::EraseNotes(_)
            | Command::SaveToken(_)
            | Command::RevokeToken(_)
            | Command::EraseApp(_) => {}
            Command::ReadAll(read) => self.note_all_read(read, code),
            Command::Receipt(receipt) => self.check_receipt(receipt, code),
            Command::Modify(modify) => self.check_modify(modify, code),
            // Neither leaves anything that could be seen.
            Command::SendFailed(send, _) => {
                assert_eq!(code, self.code(send.app, &send.from, 90008, &send.to, 90012), "{send:?}");
            }
            Command::CheckSend(send) => {
                assert_eq!(code, self.send_code(send, now.seconds()), "{send:?}");
                if code == 0 {
                    self.compare_check(send, applied, now.seconds());
                }
            }
            Command::SaveApp(app) => {
                self.windows.push((app.sdkappid, app.recall_window_s));
                app.admins.iter().for_each(|admin| self.imported(app.sdkappid, admin));
            }
            Command::Import(import) => self.imported(import.app, &import.user),
            Command::LogIn(log_in) => self.note_login(log_in, code),
            Command::LogOut(_) => assert_eq!(code, 0),
            Command::Kick(kick) => {
                assert_eq!(code, if self.is_there(kick.app, &kick.user) { 0 } else { 70107 }, "{kick:?}");
                if code == 0 {
                    self.kicked.insert((kick.app, kick.user.clone()), now.seconds());
                }
            }
            Command::DeleteAccount(delete) => self.note_account_deleted(delete, code, now.seconds()),
            Command::SendBatch(batch) => self.note_batch(batch, applied, now.seconds()),
            Command::ImportMessage(import) => self.note_imported(import, code),
            Command::DeleteMessages(delete) => self.note_deleted(delete, code),
            Command::DeleteConversation(delete) => self.note_conversation_deleted(delete, code),
            Command::Prune(prune) => self.note_pruned(prune),
            Command::Block(block) => self.note_blocked(block, applied),
            Command::Send(send) => {
                assert_eq!(code, self.send_code(send, now.seconds()), "{send:?}");
                if let Ok(Done::Sent(sent)) = applied {
                    self.note_sent(send, sent, now.seconds());
                }
            }
            Command::Recall(recall) => {
                assert_eq!(code, self.recall_code(recall, now.seconds()), "{recall:?}");
                if code == 0 {
                    let recalled = self.said.iter_mut().find(|said| said.name == recall.name);
                    recalled.expect("what was recalled was said").recalled = true;
                }
            }
            Command::Read(read) => {
                assert_eq!(code, self.code_once(read.app, &read.reader, 90008, &read.peer, 90003), "{read:?}");
                if code == 0 {
                    self.note_read(read);
                }
            }
        }
    }

    fn note_sent(&mut self, send: &Send, sent: &Sent, now_s: u32) {
        assert_eq!((sent.key.seq, sent.key.random), (send.seq, send.random));
        let (repeated, time_s) = self.place(send, now_s);
        assert_eq!(sent.key.time, time_s, "a repeat has the key of the first one, others the next free second");
        if repeated || send.lifetime == Lifetime::OnlineOnly {
            return;
        }
        self.say(send, &send.to, sent.key);
    }

    fn say(&mut self, send: &Send, to: &UserId, key: MsgKey) {
        let Send { app, from, flags, .. } = send;
        let name = MessageName { app: *app, from: from.clone(), to: to.clone(), key };
        let content = (send.body.json.clone(), send.custom_data.clone());
        if !flags.contains(MessageFlags::NOT_LAST) {
            self.touch(*app, to, from, key.time);
            if !flags.contains(MessageFlags::HIDDEN_FROM_SENDER) {
                self.touch(*app, from, to, key.time);
            }
        }
        self.said.push(Said {
            name,
            shown: content.clone(),
            content,
            flags: *flags,
            recalled: false,
            read: false,
            acknowledged: false,
            deleted: BTreeSet::new(),
            cleared: BTreeSet::new(),
            voided: BTreeSet::new(),
        });
    }

    fn touch(&mut self, app: SdkAppId, user: &UserId, peer: &UserId, time_s: u32) {
        let last = self.recent.entry((app, user.clone(), peer.clone())).or_default();
        *last = time_s.max(*last);
    }

    fn note_all_read(&mut self, read: &ReadAll, code: i32) {
        assert_eq!(code, self.code(read.app, &read.reader, 90008, &read.reader, 90008), "{read:?}");
        let received = |said: &&mut Said| said.name.app == read.app && said.name.to == read.reader;
        self.said.iter_mut().filter(received).for_each(|said| said.read = true);
    }

    fn note_blocked(&mut self, block: &Block, applied: &Applied) {
        let Ok(Done::Each(codes)) = applied else {
            assert!(!self.is_there(block.app, &block.user), "{applied:?}");
            return;
        };
        for (other, code) in block.others.iter().zip(codes) {
            let name = (block.app, block.user.clone(), other.clone());
            if !block.blocked {
                self.blocked.remove(&name);
            } else if self.is_there(block.app, other) {
                self.blocked.insert(name);
            } else {
                assert_eq!(code.0, 30003);
            }
        }
    }

    fn imported(&mut self, app: SdkAppId, user: &UserId) {
        self.accounts.insert((app, user.clone()));
        self.ever.insert((app, user.clone()));
    }

    /// Whoever was kicked needs a younger UserSig; whoever was not there is there now.
    fn note_login(&mut self, log_in: &LogIn, code: i32) {
        let name = (log_in.app, log_in.user.clone());
        let kicked = self.kicked.get(&name).is_some_and(|kicked_s| log_in.signed_s <= u64::from(*kicked_s));
        // Another device may have taken its place.
        let is_late = code == 6208 && log_in.resumes.is_some();
        assert!(is_late && !kicked || code == if kicked { 70001 } else { 0 }, "{code}: {log_in:?}");
        self.logins += 1;
        if code == 0 {
            self.imported(log_in.app, &log_in.user);
        }
    }

    /// A name that no session has had.
    pub(super) fn next_session(&self) -> SessionId {
        SessionId(format!("s_{}", self.logins).into())
    }

    /// The name of some session of before, whoever's.
    pub(super) fn any_session(&self, index: &Index) -> SessionId {
        SessionId(format!("s_{}", index.index(self.logins + 1)).into())
    }

    fn note_account_deleted(&mut self, delete: &DeleteAccount, code: i32, now_s: u32) {
        let DeleteAccount { app, user, .. } = delete;
        let expected = if user.as_str() == super::actors::ADMIN { 70402 } else { 0 };
        assert_eq!(code, if self.is_there(*app, user) { expected } else { 70107 }, "{delete:?}");
        if code != 0 {
            return;
        }
        self.accounts.remove(&(*app, user.clone()));
        self.kicked.insert((*app, user.clone()), now_s);
        self.blocked.retain(|(of, who, _)| (of, who) != (app, user));
        self.recent.retain(|(of, who, _), _| (of, who) != (app, user));
        for said in self.said.iter_mut().filter(|said| said.concerns(*app, user)) {
            said.voided.insert(user.clone());
        }
    }

    fn note_batch(&mut self, batch: &SendBatch, applied: &Applied, now_s: u32) {
        let SendBatch { send, to } = batch;
        let Ok(Done::Batched(batched)) = applied else {
            assert!(!self.is_there(send.app, &send.from), "{applied:?}");
            return;
        };
        let (there, gone): (Vec<_>, Vec<_>) = to.iter().partition(|to| self.is_there(send.app, to));
        assert_eq!(batched.failed.iter().map(|(user, _)| user).collect::<Vec<_>>(), gone);
        assert_eq!(batched.count, there.iter().collect::<BTreeSet<_>>().len());
        for to in there {
            let (repeated, _) = self.place(&Send { to: to.clone(), ..send.clone() }, now_s);
            if !repeated && send.lifetime == Lifetime::Stored {
                self.say(send, to, batched.sent.key);
            }
        }
    }

    fn note_imported(&mut self, import: &ImportMessage, code: i32) {
        let ImportMessage { send, time_s } = import;
        let key = MsgKey { seq: send.seq, random: send.random, time: *time_s };
        let (from, to) = (send.from.as_str(), send.to.as_str());
        let known = self.said.iter().position(|said| said.is_between(send.app, from, to) && said.name.key == key);
        let stands = known.map(|at| &self.said[at]).filter(|said| said.recalled || said.is_seen_by(&send.to)).is_some();
        let seen_by_sender = known.is_some_and(|at| self.said[at].is_seen_by(&send.from));
        let expected = match self.code(send.app, &send.from, 90008, &send.to, 90003) {
            0 if !stands && seen_by_sender => 90006,
            code => code,
        };
        assert_eq!(code, expected, "{import:?}");
        if code == 0 && !stands {
            known.map(|at| self.said.remove(at));
            self.say(send, &send.to, key);
        }
    }

    fn note_deleted(&mut self, delete: &DeleteMessages, code: i32) {
        let DeleteMessages { app, operator, peer, keys } = delete;
        assert_eq!(code, self.code_once(*app, operator, 90008, peer, 90003), "{delete:?}");
        if code == 0 {
            let named = |said: &&mut Said| said.is_between(*app, operator, peer) && keys.contains(&said.name.key);
            for said in self.said.iter_mut().filter(named) {
                said.deleted.insert(operator.clone());
            }
        }
    }

    fn note_conversation_deleted(&mut self, delete: &DeleteConversation, code: i32) {
        let DeleteConversation { app, operator, peer, clear_history } = delete;
        assert_eq!(code, self.code_once(*app, operator, 50001, peer, 50001), "{delete:?}");
        if code != 0 {
            return;
        }
        self.recent.remove(&(*app, operator.clone(), peer.clone()));
        for said in self.said.iter_mut().filter(|said| said.is_between(*app, operator, peer)) {
            said.read |= said.name.to == *operator;
            if *clear_history {
                said.cleared.insert(operator.clone());
            }
        }
    }

    /// What both have cleared; a message to oneself is on one side only, and is cleared with its account.
    fn note_pruned(&mut self, prune: &Prune) {
        let Prune { app, pair, before_s } = prune;
        self.recent.retain(|(of, who, peer), time_s| {
            let between = *of == *app && Pair::of(who, peer).0 == *pair;
            !(between && *time_s < *before_s)
        });
        self.said.retain(|said| {
            let MessageName { from, to, key, .. } = &said.name;
            let gone = |user| said.voided.contains(user) || (from != to && said.cleared.contains(user));
            let erased = key.time < *before_s || (gone(from) && gone(to));
            !(erased && said.is_between(*app, &pair.low, &pair.high))
        });
    }

    /// A client's message is refused by a blocklist, unless it was sent before.
    fn send_code(&self, send: &Send, now_s: u32) -> i32 {
        let code = self.code(send.app, &send.from, 90008, &send.to, 90012);
        let blocked = self.blocked.contains(&(send.app, send.to.clone(), send.from.clone()));
        let (repeated, _) = self.place(send, now_s);
        if code == 0 && send.by_client && blocked && !repeated { 20007 } else { code }
    }

    fn compare_check(&self, send: &Send, applied: &Applied, now_s: u32) {
        let expected = self.place(send, now_s);
        let found = match applied {
            Ok(Done::Sent(first)) => (true, first.key.time),
            Ok(Done::MaySend(draft)) => (false, draft.key.time),
            other => panic!("a check says what may be sent: {other:?}"),
        };
        assert_eq!(found, expected, "{send:?}");
    }

    /// Whether it repeats what was sent, and its second.
    fn place(&self, send: &Send, now_s: u32) -> (bool, u32) {
        if send.lifetime == Lifetime::OnlineOnly {
            return (false, now_s);
        }
        let (from, to) = (&send.from, &send.to);
        let within = |said: &&Said| {
            let key = said.name.key;
            (key.seq, key.random) == (send.seq, send.random) && key.time + 120 >= now_s
        };
        let mut near: Vec<_> =
            self.said.iter().filter(|said| said.is_between(send.app, from, to)).filter(within).collect();
        near.sort_by_key(|said| said.name.key.time);
        let is_same = |said: &Said| (&said.content.0, &said.content.1) == (&send.body.json, &send.custom_data);
        let stands = |said: &Said| said.recalled || said.is_seen_by(to);
        let repeated = near.iter().find(|said| said.is(send.app, from, to) && is_same(said) && stands(said));
        if let Some(first) = repeated {
            return (true, first.name.key.time);
        }
        let free = (now_s..).find(|time_s| near.iter().all(|said| said.name.key.time != *time_s));
        (false, free.expect("some second is free"))
    }

    fn note_modified(&mut self, modify: &Modify) {
        let modified = self.said.iter_mut().find(|said| said.name == modify.name).expect("what was modified was said");
        let (body, custom_data) = &mut modified.shown;
        if let Some(new) = &modify.body {
            body.clone_from(&new.json);
        }
        if let Some(new) = &modify.custom_data {
            custom_data.clone_from(new);
        }
    }

    fn note_receipt(&mut self, receipt: &Receipt) {
        let Receipt { app, reader, peer, keys, .. } = receipt;
        let acknowledged = |said: &&mut Said| said.is(*app, peer, reader) && keys.contains(&said.name.key);
        self.said.iter_mut().filter(acknowledged).for_each(|said| said.acknowledged = true);
    }

    fn note_read(&mut self, read: &Read) {
        let covered = |said: &Said| {
            said.is(read.app, &read.peer, &read.reader)
                && !said.flags.contains(MessageFlags::HISTORY)
                && read.time_s.is_none_or(|time_s| said.name.key.time <= time_s)
        };
        let Some(last) = self.said.iter().rposition(covered) else {
            return;
        };
        let before = self.said[..=last].iter_mut();
        before.filter(|said| said.is(read.app, &read.peer, &read.reader)).for_each(|said| said.read = true);
    }

    fn recall_code(&self, recall: &Recall, now_s: u32) -> i32 {
        let MessageName { app, key, .. } = &recall.name;
        let said = match self.named(&recall.name, &recall.door) {
            Ok(said) => said,
            Err(code) => return code,
        };
        let window = self.windows.iter().rfind(|(saved, _)| saved == app).expect("the app was saved").1;
        match (said.recalled, &recall.door) {
            (true, _) => 20023,
            (false, Door::Client { .. }) if key.time + window < now_s => 20016,
            (false, _) => 0,
        }
    }

    /// Texts are short here.
    fn modify_code(&self, modify: &Modify) -> i32 {
        match self.named(&modify.name, &modify.door) {
            Ok(said) => i32::from(said.recalled) * 20023,
            Err(code) => code,
        }
    }

    fn receipt_code(&self, receipt: &Receipt) -> i32 {
        let Receipt { app, reader, peer, keys, .. } = receipt;
        let received = |key: &MsgKey| self.said.iter().any(|said| said.is(*app, peer, reader) && said.name.key == *key);
        match self.code_once(*app, reader, 90008, peer, 90003) {
            0 if !keys.iter().all(received) => 20022,
            code => code,
        }
    }

    /// The message of that name, or the code for whoever comes through that door.
    fn named(&self, name: &MessageName, door: &Door) -> Result<&Said, i32> {
        let may_see = match door {
            Door::Client { account } => *account == name.from,
            Door::Admin { .. } => true,
        };
        let said = self.said.iter().find(|said| said.name == *name && may_see);
        said.ok_or_else(|| match self.code(name.app, &name.from, 90008, &name.to, 90003) {
            0 => 20022,
            missing => missing,
        })
    }

    /// The code for the first of two accounts that does not exist.
    fn code(&self, app: SdkAppId, one: &UserId, one_code: i32, other: &UserId, other_code: i32) -> i32 {
        match (self.is_there(app, one), self.is_there(app, other)) {
            (false, _) => one_code,
            (true, false) => other_code,
            (true, true) => 0,
        }
    }

    /// The same where the other one may have been deleted.
    fn code_once(&self, app: SdkAppId, one: &UserId, one_code: i32, other: &UserId, other_code: i32) -> i32 {
        match (self.is_there(app, one), self.ever.contains(&(app, other.clone()))) {
            (false, _) => one_code,
            (true, false) => other_code,
            (true, true) => 0,
        }
    }

    pub(crate) fn is_there(&self, app: SdkAppId, user: &UserId) -> bool {
        self.accounts.contains(&(app, user.clone()))
    }

    /// The list of conversations of an account: with whom, and since when.
    pub(super) fn recent(&self, app: SdkAppId, user: &UserId) -> Vec<(UserId, u32)> {
        let of_user = self.recent.iter().filter(|((of, who, _), _)| (*of, who) == (app, user));
        of_user.map(|((_, _, peer), time_s)| (peer.clone(), *time_s)).collect()
    }

    /// Some message that was said in the app.
    pub(super) fn any(&self, app: SdkAppId, index: &Index) -> Option<MessageName> {
        let said: Vec<_> = self.said.iter().filter(|said| said.name.app == app).collect();
        (!said.is_empty()).then(|| index.get(&said).name.clone())
    }

    /// The messages that were said in the app, in the order of their commits, and whether each was recalled.
    pub(crate) fn messages(&self, app: SdkAppId) -> impl DoubleEndedIterator<Item = (&MessageName, bool)> {
        self.said.iter().filter(move |said| said.name.app == app).map(|said| (&said.name, said.recalled))
    }

    /// How many messages from `peer` count as unread for `name`.
    pub(crate) fn unread(&self, app: SdkAppId, peer: &str, name: &str) -> i64 {
        let unread = |said: &&Said| {
            let counts = said.flags.contains(MessageFlags::COUNTED) && !said.is_hidden_from(&said.name.to);
            counts && !said.recalled && !said.read
        };
        self.said.iter().filter(|said| said.is(app, peer, name)).filter(unread).count() as i64
    }

    /// The key of what is shown as the last message of a conversation that is in the list.
    pub(super) fn last(&self, app: SdkAppId, operator: &UserId, peer: &UserId) -> Option<MsgKey> {
        self.recent.get(&(app, operator.clone(), peer.clone()))?;
        let (operator, peer) = (operator.clone(), peer.clone());
        let history = self.history(&HistoryQuery::all(app, operator.clone(), peer.clone()));
        let flags = |seen: &Seen| {
            let named = |said: &&Said| said.is_between(app, &operator, &peer) && said.name.key == seen.key;
            self.said.iter().find(named).expect("what is seen was said").flags
        };
        history.iter().find(|seen| !flags(seen).contains(MessageFlags::NOT_LAST)).map(|seen| seen.key)
    }

    /// A whole history, newest first.
    pub(crate) fn history(&self, query: &HistoryQuery) -> Vec<Seen> {
        let HistoryQuery { app, operator, peer, .. } = query;
        let visible = |said: &Said| {
            said.is_between(*app, operator, peer) && self.is_there(*app, operator) && said.is_seen_by(operator)
        };
        let mut seen: Vec<_> = self.said.iter().enumerate().filter(|(_, said)| visible(said)).collect();
        seen.sort_by_key(|(position, said)| Reverse((said.name.key.time, said.name.key.seq, *position)));
        let seen = seen.into_iter().map(|(_, said)| {
            let (body, custom_data) = if said.recalled { Default::default() } else { said.shown.clone() };
            let Said { name, recalled, acknowledged, .. } = said;
            Seen { key: name.key, body, custom_data, recalled: *recalled, acknowledged: *acknowledged }
        });
        seen.collect()
    }
}
