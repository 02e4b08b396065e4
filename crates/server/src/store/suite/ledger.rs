//! A third opinion for the model test: a list of what was said, recalled and read, from which rules R1, R2 and R6 can be
//! counted out without any of the code that is tested.

use std::{cmp::Reverse, collections::BTreeSet};

use proptest::sample::Index;
use unsaid_protocol::{MsgKey, SdkAppId, UserId};

use crate::{
    chat::{Applied, Command, Done, Door, HistoryQuery, Lifetime, MessageFlags, MessageName, Read, Recall, Send, Sent},
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
    content: (String, String),
    flags: MessageFlags,
    recalled: bool,
    read: bool,
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
            Command::Replay(_) | Command::CheckSend(_) | Command::SendFailed(..) => {}
            Command::ReadAll(read) => {
                if code == 0 {
                    let read = |said: &&mut Said| said.name.app == read.app && said.name.to == read.reader;
                    self.said.iter_mut().filter(read).for_each(|said| said.read = true);
                }
            }
            // Neither changes what is counted, nor where a message stands.
            Command::Receipt(_) | Command::Modify(_) => {}
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
        let (from, to) = (&send.from, &send.to);
        assert_eq!((sent.key.seq, sent.key.random), (send.seq, send.random));
        if send.lifetime == Lifetime::OnlineOnly {
            assert_eq!(sent.key.time, now_s);
            return;
        }
        let content = (send.body.json.clone(), send.custom_data.clone());
        let within = |said: &&Said| {
            let key = said.name.key;
            (key.seq, key.random) == (send.seq, send.random) && key.time + 120 >= now_s
        };
        let mut near: Vec<_> =
            self.said.iter().filter(|said| said.is_between(send.app, from, to)).filter(within).collect();
        near.sort_by_key(|said| said.name.key.time);
        let repeated = near.iter().find(|said| said.is(send.app, from, to) && said.content == content);
        if let Some(first) = repeated {
            assert_eq!(sent.key, first.name.key, "a repeat gets the key of the first one");
            return;
        }
        let free = (now_s..).find(|time_s| near.iter().all(|said| said.name.key.time != *time_s));
        assert_eq!(Some(sent.key.time), free, "the next free second");
        let name = MessageName { app: send.app, from: from.clone(), to: to.clone(), key: sent.key };
        self.said.push(Said { name, content, flags: send.flags, recalled: false, read: false });
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
        let MessageName { app, from, to, key } = &recall.name;
        let client = match &recall.door {
            Door::Client { account } => Some(account),
            Door::Admin { .. } => None,
        };
        let said = self.said.iter().find(|said| said.name == recall.name);
        let Some(said) = said.filter(|_| client.is_none_or(|account| account == from)) else {
            let missing = self.code(*app, from, 90008, to, 90003);
            return if missing == 0 { 20022 } else { missing };
        };
        let window = self.windows.iter().rfind(|(saved, _)| saved == app).expect("the app was saved").1;
        match (said.recalled, client) {
            (true, _) => 20023,
            (false, Some(_)) if key.time + window < now_s => 20016,
            (false, _) => 0,
        }
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

    /// The keys of a whole history, newest first.
    pub(super) fn history(&self, query: &HistoryQuery) -> Vec<MsgKey> {
        let HistoryQuery { app, operator, peer, .. } = query;
        let visible = |said: &Said| {
            said.is_between(*app, operator, peer)
                && (said.name.to == *operator || !said.flags.contains(MessageFlags::HIDDEN_FROM_SENDER))
        };
        let mut seen: Vec<_> = self.said.iter().enumerate().filter(|(_, said)| visible(said)).collect();
        seen.sort_by_key(|(position, said)| Reverse((said.name.key.time, said.name.key.seq, *position)));
        seen.into_iter().map(|(_, said)| said.name.key).collect()
    }
}
