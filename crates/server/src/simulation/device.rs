//! A device, as far as it has to be one: it asks, takes in what it is told, keeps what it has when its connection breaks, and
//! asks again what was not answered. It follows `docs/gateway.md` and knows nothing of the server.

use std::collections::BTreeMap;

use serde_json::{Value, value::RawValue};
use unsaid_protocol::{
    SdkAppId, UserId,
    session::{AnswerFrame, ConversationsPage, HistoryPage, LoggedIn, Message, Push, Updates, What},
};

/// A message: who sent it to whom, and its key.
pub(super) type Name = (String, String, String);

#[derive(Debug)]
pub(super) struct Device {
    pub(super) app: SdkAppId,
    pub(super) me: UserId,
    pub(super) platform: &'static str,
    /// Whose conversations it wants to know, in its list or not.
    contacts: Vec<UserId>,
    /// The connection that it has.
    pub(super) link: Option<u64>,
    pub(super) logged_in: bool,
    session: Option<String>,
    cursor: Option<String>,
    /// What it knows, up to this update.
    pub(super) number: i64,
    pub(super) unread: (i64, i64),
    pub(super) conversations: BTreeMap<String, Conversation>,
    pub(super) messages: BTreeMap<Name, Shown>,
    /// The update by which everything was read last. What is told of a moment before was read since.
    read_all: i64,
    next_id: u64,
    /// What it waits for.
    asked: BTreeMap<u64, Asked>,
    /// What was not answered before a connection broke, and is asked again.
    again: Vec<Asked>,
}

/// A conversation, as of an update.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Conversation {
    number: i64,
    pub(super) unread: i64,
    pub(super) peer_read_position: i64,
}

/// A message as it is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Shown {
    pub(super) position: i64,
    pub(super) body: Value,
    pub(super) custom_data: String,
    pub(super) recalled: bool,
    pub(super) acknowledged: bool,
}

/// A request, to be asked again as it was.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) request: &'static str,
    pub(super) data: Value,
}

/// What was acknowledged.
#[derive(Debug)]
pub(super) enum Acknowledged {
    Sent(Name),
    Recalled(Name),
    LoggedIn,
    Nothing,
}

impl Device {
    pub(super) fn new(app: SdkAppId, me: UserId, platform: &'static str, contacts: Vec<UserId>) -> Self {
        Self {
            app,
            me,
            platform,
            contacts,
            link: None,
            logged_in: false,
            session: None,
            cursor: None,
            number: 0,
            unread: (0, 0),
            conversations: BTreeMap::new(),
            messages: BTreeMap::new(),
            read_all: 0,
            next_id: 0,
            asked: BTreeMap::new(),
            again: Vec::new(),
        }
    }

    /// How it stands, for whoever looks for the reason of a failure.
    pub(super) fn state(&self) -> String {
        let Self { link, logged_in, number, asked, again, .. } = self;
        format!("link {link:?}, logged in: {logged_in}, number {number}, asked {asked:?}, again {again:?}")
    }

    /// It has everything that it asked for.
    pub(super) fn is_idle(&self) -> bool {
        self.logged_in && self.asked.is_empty() && self.again.is_empty()
    }

    /// How many requests are not answered.
    pub(super) fn asks(&self) -> usize {
        self.asked.len()
    }

    pub(super) fn log_in(&mut self, user_sig: &str) -> String {
        let mut data = serde_json::json!({
            "sdkappid": self.app.0, "user_id": self.me, "user_sig": user_sig, "platform": self.platform,
        });
        for (field, known) in [("cursor", &self.cursor), ("session", &self.session)] {
            if let Some(known) = known {
                data[field] = known.as_str().into();
            }
        }
        self.ask(Asked { request: "login", data })
    }

    pub(super) fn ask(&mut self, asked: Asked) -> String {
        self.next_id += 1;
        let frame = serde_json::json!({ "id": self.next_id, "request": asked.request, "data": asked.data });
        self.asked.insert(self.next_id, asked);
        frame.to_string()
    }

    /// What has to be asked again.
    pub(super) fn rest(&mut self) -> Vec<Asked> {
        std::mem::take(&mut self.again)
    }

    /// It is as if it had never been there.
    pub(super) fn forget(&mut self) {
        (self.session, self.cursor) = (None, None);
    }

    /// Its connection is gone. What changes something is asked again.
    pub(super) fn disconnected(&mut self) {
        (self.link, self.logged_in) = (None, false);
        for asked in std::mem::take(&mut self.asked).into_values() {
            match asked.request {
                "send" | "recall" => self.again.push(asked),
                // What it has not read to the end is of no use.
                "conversations" | "history" => self.cursor = None,
                _ => {}
            }
        }
    }

    /// The server has closed its session for good.
    pub(super) fn kicked(&mut self) {
        self.session = None;
    }

    /// A frame has come. Answers what it asks next, and what was acknowledged.
    pub(super) fn hear(&mut self, frame: &str) -> (Vec<Asked>, Acknowledged) {
        if frame.starts_with(r#"{"push""#) {
            match serde_json::from_str(frame).expect("a push") {
                Push::Updates(updates) => self.update(updates),
                Push::Kicked(_) => self.kicked(),
                Push::Online(_) | Push::GoingAway(_) => {}
            }
            return (Vec::new(), Acknowledged::Nothing);
        }
        let answer: AnswerFrame = serde_json::from_str(frame).expect("an answer");
        let asked = self.asked.remove(&answer.id).expect("each request has one answer");
        if answer.code.0 != 0 {
            return self.refused(asked, answer.code.0);
        }
        let data = answer.data.as_deref().map_or("{}", RawValue::get);
        match asked.request {
            "login" => (self.logged_in(data), Acknowledged::LoggedIn),
            "conversations" => (self.fill_conversations(data), Acknowledged::Nothing),
            "history" => (self.fill_history(&asked, data), Acknowledged::Nothing),
            "send" => {
                let sent: Value = serde_json::from_str(data).expect("it says what was sent");
                (Vec::new(), Acknowledged::Sent(self.own(&asked, &sent)))
            }
            "recall" => (Vec::new(), Acknowledged::Recalled(self.own(&asked, &asked.data))),
            _ => (Vec::new(), Acknowledged::Nothing),
        }
    }

    /// A message of its own.
    fn own(&self, asked: &Asked, named: &Value) -> Name {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        (self.me.to_string(), text(&asked.data["to"]), text(&named["msg_key"]))
    }

    /// What the store could not do is asked again; that a message was recalled is what was wanted.
    fn refused(&mut self, asked: Asked, code: i32) -> (Vec<Asked>, Acknowledged) {
        match (asked.request, code) {
            ("recall", 20023) => return (Vec::new(), Acknowledged::Recalled(self.own(&asked, &asked.data))),
            ("login", _) => self.kicked(),
            ("conversations" | "history", _) => panic!("it cannot be read: {asked:?} {code}"),
            ("send" | "recall", 20005 | 60007) => return (vec![asked], Acknowledged::Nothing),
            _ => {}
        }
        (Vec::new(), Acknowledged::Nothing)
    }

    fn logged_in(&mut self, data: &str) -> Vec<Asked> {
        let LoggedIn { session, cursor, reload, unread, .. } = serde_json::from_str(data).expect("a login's answer");
        let number = number_of(&cursor);
        self.logged_in = true;
        self.session = Some(session);
        if !reload {
            assert_eq!(self.cursor, Some(cursor), "R8: it goes on where it was");
            return Vec::new();
        }
        (self.number, self.unread) = (number, (number, unread));
        self.cursor = Some(cursor);
        self.conversations.clear();
        self.messages.clear();
        let mut asks: Vec<_> = self.contacts.iter().map(|peer| history(peer, None)).collect();
        let all = [serde_json::json!({}), serde_json::json!({ "peers": self.contacts })];
        asks.extend(all.map(|data| Asked { request: "conversations", data }));
        asks
    }

    fn fill_conversations(&mut self, data: &str) -> Vec<Asked> {
        let page: ConversationsPage = serde_json::from_str(data).expect("a page of conversations");
        self.count(page.number, page.unread);
        for conversation in &page.conversations {
            self.stands(page.number, conversation);
        }
        let next = page.next.map(|next| serde_json::json!({ "after": next }));
        next.map(|data| Asked { request: "conversations", data }).into_iter().collect()
    }

    /// What a push has brought since is younger, or will be.
    fn fill_history(&mut self, asked: &Asked, data: &str) -> Vec<Asked> {
        let page: HistoryPage = serde_json::from_str(data).expect("a page of a history");
        for message in &page.messages {
            self.messages.entry(name_of(message)).or_insert_with(|| shown(message));
        }
        let first = page.messages.first().filter(|_| !page.complete);
        let peer = asked.data["peer"].as_str().expect("a name");
        first.map(|first| history(peer, Some(&first.msg_key))).into_iter().collect()
    }

    /// Rule R8: what is pushed is applied once, by its number, and none is left out.
    fn update(&mut self, push: Updates) {
        for update in push.updates {
            assert_eq!(update.number, self.number + 1, "R8: updates come in order and without a gap");
            self.number = update.number;
            match update.what {
                What::Message { message }
                | What::Recall { message }
                | What::Modify { message }
                | What::Receipt { message } => {
                    self.messages.insert(name_of(&message), shown(&message));
                }
                What::ReadAll { .. } => {
                    let number = update.number;
                    self.read_all = number;
                    let before = |one: &&mut Conversation| one.number < number;
                    self.conversations.values_mut().filter(before).for_each(|one| one.unread = 0);
                }
                What::Read { .. } | What::ReadByPeer { .. } => {}
                What::Delete { .. } | What::DeleteConversation { .. } => panic!("nobody deletes anything"),
            }
        }
        assert_eq!(number_of(&push.cursor), self.number, "R8: the cursor is that of the last update");
        self.cursor = Some(push.cursor);
        self.count(push.number, push.unread);
        for conversation in &push.conversations {
            self.stands(push.number, conversation);
        }
    }

    fn count(&mut self, number: i64, unread: i64) {
        if number >= self.unread.0 {
            self.unread = (number, unread);
        }
    }

    fn stands(&mut self, number: i64, shown: &unsaid_protocol::session::Conversation) {
        let unread = if number < self.read_all { 0 } else { shown.unread };
        let stands = Conversation { number, unread, peer_read_position: shown.peer_read_position };
        let known = self.conversations.entry(shown.peer.clone()).or_insert(stands);
        if known.number <= number {
            *known = stands;
        }
    }
}

fn history(peer: &str, before: Option<&str>) -> Asked {
    let mut data = serde_json::json!({ "peer": peer, "count": 20 });
    if let Some(before) = before {
        data["before"] = before.into();
    }
    Asked { request: "history", data }
}

fn name_of(message: &Message) -> Name {
    (message.from.clone(), message.to.clone(), message.msg_key.clone())
}

fn shown(message: &Message) -> Shown {
    Shown {
        position: message.position,
        body: serde_json::from_str(message.body.get()).expect("JSON"),
        custom_data: message.custom_data.clone(),
        recalled: message.recalled_by.is_some(),
        acknowledged: message.has_receipt,
    }
}

fn number_of(cursor: &str) -> i64 {
    let number = cursor.rsplit('-').next().and_then(|number| number.parse().ok());
    number.expect("a cursor ends with its number")
}
