//! A third opinion for the model test: a list of what was said, modified, acknowledged, recalled and read, from which
//! rules R1, R2 and R6 can be counted out without any of the code that is tested.

use std::{cmp::Reverse, collections::BTreeSet};

use proptest::sample::Index;
use unsaid_protocol::{MsgKey, SdkAppId, UserId};

use crate::{
    chat::{
        Applied, Command, Done, Door, HistoryQuery, Lifetime, Message, MessageFlags, MessageName, Modify, Read, Recall,
        Receipt, Send, Sent,
    },
    clock::Timestamp,
};

#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) accounts: BTreeSet<(SdkAppId, UserId)>,
    /// The window of each app that was saved, the last one counts.
    windows: Vec<(SdkAppId, u32)>,
    /// In the order of commits.
    said: Vec<Said>,
}

#[derive(Debug)]
struct Said {
    name: MessageName,
    /// As it was sent, which is what a repeat is recognised by.
    content: (String, String),
    /// As it was modified.
    shown: (String, String),
    flags: MessageFlags,
    recalled: bool,
    read: bool,
    acknowledged: bool,
}

/// What a history shows of a message.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Seen {
    key: MsgKey,
    body: String,
    custom_data: String,
    recalled: bool,
    acknowledged: bool,
}

impl From<&Message> for Seen {
    fn from(message: &Message) -> Self {
        Self {
            key: message.key,
            body: message.content.body.clone(),
            custom_data: message.content.custom_data.clone(),
            recalled: message.flags.contains(MessageFlags::RECALLED),
            acknowledged: message.flags.contains(MessageFlags::PEER_READ),
        }
    }
}

impl Said {
    fn is(&self, app: SdkAppId, from: &str, to: &str) -> bool {
        self.name.app == app && self.name.from.as_str() == from && self.name.to.as_str() == to
    }

    fn is_between(&self, app: SdkAppId, one: &str, other: &str) -> bool {
        self.is(app, one, other) || self.is(app, other, one)
    }
}

impl Ledger {
    /// Checks what a command was answered, and notes what it did.
    pub(super) fn note(&mut self, command: &Command, applied: &Applied, now: Timestamp) {
        let code = applied.as_ref().err().map_or(0, |refusal| refusal.code.0);
        match command {
            // Sending events again changes nothing that was said.
            Command::Replay(_) => {}
            Command::ReadAll(read) => {
                assert_eq!(code, self.code(read.app, &read.reader, 90008, &read.reader, 90008), "{read:?}");
                let read = |said: &&mut Said| said.name.app == read.app && said.name.to == read.reader;
                self.said.iter_mut().filter(read).for_each(|said| said.read = true);
            }
            Command::Receipt(receipt) => {
                assert_eq!(code, self.receipt_code(receipt), "{receipt:?}");
                if code == 0 {
                    self.note_receipt(receipt);
                }
            }
            Command::Modify(modify) => {
                assert_eq!(code, self.modify_code(modify), "{modify:?}");
                if code == 0 {
                    self.note_modified(modify);
                }
            }
            // Neither leaves anything that could be seen.
            Command::SendFailed(send, _) => {
                assert_eq!(code, self.code(send.app, &send.from, 90008, &send.to, 90012), "{send:?}");
            }
            Command::CheckSend(send) => {
                assert_eq!(code, self.code(send.app, &send.from, 90008, &send.to, 90012), "{send:?}");
                if code == 0 {
                    self.compare_check(send, applied, now.seconds());
                }
            }
            Command::SaveApp(app) => {
                self.windows.push((app.sdkappid, app.recall_window_s));
                self.accounts.extend(app.admins.iter().map(|admin| (app.sdkappid, admin.clone())));
            }
            Command::Import(import) => drop(self.accounts.insert((import.app, import.user.clone()))),
            Command::Send(send) => {
                assert_eq!(code, self.code(send.app, &send.from, 90008, &send.to, 90012), "{send:?}");
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
                assert_eq!(code, self.code(read.app, &read.reader, 90008, &read.peer, 90003), "{read:?}");
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
        let name = MessageName { app: send.app, from: send.from.clone(), to: send.to.clone(), key: sent.key };
        let content = (send.body.json.clone(), send.custom_data.clone());
        let shown = content.clone();
        let (recalled, read, acknowledged) = (false, false, false);
        self.said.push(Said { name, content, shown, flags: send.flags, recalled, read, acknowledged });
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
        let repeated = near.iter().find(|said| said.is(send.app, from, to) && is_same(said));
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
            said.is(read.app, &read.peer, &read.reader) && read.time_s.is_none_or(|time_s| said.name.key.time <= time_s)
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
        match self.code(*app, reader, 90008, peer, 90003) {
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
        let known = |user: &UserId| self.accounts.contains(&(app, user.clone()));
        match (known(one), known(other)) {
            (false, _) => one_code,
            (true, false) => other_code,
            (true, true) => 0,
        }
    }

    /// Some message that was said in the app.
    pub(super) fn any(&self, app: SdkAppId, index: &Index) -> Option<MessageName> {
        let said: Vec<_> = self.said.iter().filter(|said| said.name.app == app).collect();
        (!said.is_empty()).then(|| index.get(&said).name.clone())
    }

    /// How many messages from `peer` count as unread for `name`.
    pub(super) fn unread(&self, app: SdkAppId, peer: &str, name: &str) -> i64 {
        let unread = |said: &&Said| said.flags.contains(MessageFlags::COUNTED) && !said.recalled && !said.read;
        self.said.iter().filter(|said| said.is(app, peer, name)).filter(unread).count() as i64
    }

    /// A whole history, newest first.
    pub(super) fn history(&self, query: &HistoryQuery) -> Vec<Seen> {
        let HistoryQuery { app, operator, peer, .. } = query;
        let visible = |said: &Said| {
            said.is_between(*app, operator, peer)
                && (said.name.to == *operator || !said.flags.contains(MessageFlags::HIDDEN_FROM_SENDER))
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
