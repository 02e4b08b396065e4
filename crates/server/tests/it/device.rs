//! A device of an account: a session over a real WebSocket, which keeps what it hears.

use std::time::Duration;

use unsaid_client::{ClientError, Closed, Pushes, SessionClient, SessionConfig};
use unsaid_protocol::{
    MsgKey,
    session::{Conversation, KickReason, LoggedIn, Login, Message, Push, Send, Update, Updates, What},
};

use crate::test_app::{Actor, SDKAPPID, SECRET_KEY, TestApp, usersig};

/// Longer than anything takes that is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Device {
    pub(crate) name: String,
    platform: String,
    pub(crate) client: SessionClient,
    pub(crate) logged_in: LoggedIn,
    /// Of the last push.
    pub(crate) cursor: String,
    /// The number of the last update that was heard.
    number: i64,
    /// The total and the conversations of the last push.
    pub(crate) unread: i64,
    pub(crate) conversations: Vec<Conversation>,
    heard: std::collections::VecDeque<Update>,
    pub(crate) pushes: Pushes,
    random: u32,
}

/// What a device remembers while it has no connection.
pub(crate) struct Away {
    name: String,
    platform: String,
    session: String,
    cursor: String,
    number: i64,
    random: u32,
}

impl Away {
    /// With its session and cursor.
    pub(crate) async fn come_back(self, app: &TestApp) -> Device {
        let Self { name, platform, session, cursor, number, random } = self;
        let login = Login { cursor: Some(cursor), session: Some(session), ..app.login(&name, &platform) };
        let device = app.device_with(login).await.expect("it may come back");
        Device { number: if device.logged_in.reload { device.number } else { number }, random, ..device }
    }
}

impl TestApp {
    pub(crate) fn gateway(&self) -> SessionConfig {
        SessionConfig { base: self.base(), ca_pem: None, timeout: PATIENCE }
    }

    pub(crate) fn login(&self, name: &str, platform: &str) -> Login {
        let now_s = u64::from(self.world.clock.now().seconds());
        Login {
            sdkappid: SDKAPPID.0,
            user_id: name.to_owned(),
            user_sig: usersig(SECRET_KEY, SDKAPPID, name, now_s, 86_400),
            platform: platform.to_owned(),
            cursor: None,
            session: None,
        }
    }

    /// A device that has just logged in.
    pub(crate) async fn device(&self, name: &str, platform: &str) -> Device {
        self.device_with(self.login(name, platform)).await.expect("it may log in")
    }

    pub(crate) async fn device_with(&self, login: Login) -> Result<Device, i32> {
        Device::at(&self.gateway(), login).await
    }

    /// One request of a device that comes and goes.
    pub(crate) async fn recall_as_client(&self, by: &Actor, to: &str, key: MsgKey) -> Result<(), i32> {
        let device = self.device(&by.name, "Android").await;
        let recalled = device.client.recall(to, &key.to_string()).await.map_err(code);
        device.client.logout().await.expect("it may");
        recalled
    }
}

impl Device {
    /// One that logs in at this server.
    pub(crate) async fn at(gateway: &SessionConfig, login: Login) -> Result<Self, i32> {
        let (client, pushes) = SessionClient::connect(gateway).await.expect("the gateway is there");
        let logged_in = client.login(&login).await.map_err(code)?;
        Ok(Self {
            name: login.user_id,
            platform: login.platform,
            client,
            cursor: logged_in.cursor.clone(),
            number: number_of(&logged_in.cursor),
            unread: logged_in.unread,
            conversations: Vec::new(),
            heard: std::collections::VecDeque::new(),
            logged_in,
            pushes,
            random: 0,
        })
    }
}

/// The code of a refusal; anything else is a failure of the test.
#[expect(clippy::needless_pass_by_value, reason = "it is used as a function from one error to another")]
pub(crate) fn code(error: ClientError) -> i32 {
    error.code().unwrap_or_else(|| panic!("no answer: {error}")).0
}

fn number_of(cursor: &str) -> i64 {
    cursor.rsplit('-').next().expect("a cursor ends with its number").parse().expect("digits")
}

pub(crate) fn text(text: &str) -> Box<serde_json::value::RawValue> {
    let element = serde_json::json!([{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}]);
    serde_json::value::to_raw_value(&element).expect("JSON")
}

impl Device {
    /// A message that was not sent before.
    pub(crate) fn message(&mut self, to: &str, say: &str) -> Send {
        self.random += 1;
        Send {
            to: to.to_owned(),
            seq: 1,
            random: self.random,
            client_time_s: 1_700_000_000,
            body: text(say),
            custom_data: String::new(),
            online_only: false,
            no_unread: false,
            no_last: false,
            needs_receipt: false,
            push_info: None,
        }
    }

    pub(crate) async fn send(&mut self, to: &str, say: &str) -> MsgKey {
        let message = self.message(to, say);
        let sent = self.client.send(&message).await.expect("the message is right");
        sent.msg_key.parse().expect("a key")
    }

    pub(crate) async fn recall(&self, to: &str, key: MsgKey) -> Result<(), i32> {
        self.client.recall(to, &key.to_string()).await.map_err(code)
    }

    /// The next update. Each has the number behind the one before, and none comes twice.
    pub(crate) async fn hear(&mut self) -> What {
        while self.heard.is_empty() {
            let push = self.push().await;
            let Push::Updates(updates) = push else { panic!("something else was pushed: {push:?}") };
            self.take(updates);
        }
        let Update { number, what } = self.heard.pop_front().expect("there is one");
        assert_eq!(number, self.number + 1, "nothing is lost, and nothing comes twice");
        self.number = number;
        what
    }

    fn take(&mut self, updates: Updates) {
        let Updates { cursor, unread, updates, conversations, .. } = updates;
        (self.cursor, self.unread) = (cursor, unread);
        self.heard.extend(updates);
        self.conversations = conversations;
    }

    /// What is pushed next.
    pub(crate) async fn push(&mut self) -> Push {
        let push = tokio::time::timeout(PATIENCE, self.pushes.next()).await.expect("something is pushed in time");
        push.expect("the connection is there")
    }

    /// The next update, which tells of a message.
    pub(crate) async fn hear_message(&mut self) -> Message {
        let heard = self.hear().await;
        let What::Message { message } = heard else { panic!("no message: {heard:?}") };
        message
    }

    /// The next update, which tells of a recall.
    pub(crate) async fn hear_recall(&mut self) -> Message {
        let heard = self.hear().await;
        let What::Recall { message } = heard else { panic!("no recall: {heard:?}") };
        message
    }

    /// Why it was kicked, after what was still to be heard.
    pub(crate) async fn kicked(&mut self) -> KickReason {
        loop {
            match self.push().await {
                Push::Kicked(kicked) => return kicked.reason,
                Push::Updates(updates) => self.take(updates),
                push @ (Push::Online(_) | Push::GoingAway(_)) => panic!("something else was pushed: {push:?}"),
            }
        }
    }

    pub(crate) async fn closed(&mut self) -> Closed {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.pushes.next()).await.expect("it is closed in time");
            match next {
                Err(closed) => return closed,
                Ok(Push::Updates(updates)) => self.take(updates),
                Ok(_) => {}
            }
        }
    }

    /// Breaks the connection.
    pub(crate) fn goes_away(self) -> Away {
        let Self { name, platform, logged_in, cursor, number, random, .. } = self;
        Away { name, platform, session: logged_in.session, cursor, number, random }
    }

    /// Breaks the connection, and comes back at once.
    pub(crate) async fn come_back(self, app: &TestApp) -> Self {
        self.goes_away().come_back(app).await
    }
}
