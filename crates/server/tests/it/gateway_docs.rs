//! `docs/gateway.md` beside a server: what the page says to it is answered as the page says.

use std::collections::HashMap;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::{gateway_bounds::Socket, rest_docs::normalized, test_app::TestApp};

/// What has come and was not yet looked for.
struct Conversation {
    socket: Socket,
    answers: HashMap<u64, Value>,
    /// By the number of their first update.
    pushes: HashMap<i64, Value>,
    /// Keys of the page, and what they are here.
    keys: Vec<(String, String)>,
}

impl Conversation {
    async fn say(&mut self, line: &str, usersig: &str) {
        let mut line = line.replace("<UserSig of jared>", usersig);
        for (key, here) in &self.keys {
            line = line.replace(key, here);
        }
        self.socket.send(Message::text(line)).await.expect("written");
    }

    /// What the page shows next, as it came.
    async fn hear(&mut self, shown: &Value) -> Value {
        loop {
            let found = match shown["id"].as_u64() {
                Some(id) => self.answers.remove(&id),
                None => self.pushes.remove(&first_number(shown)),
            };
            if let Some(found) = found {
                return found;
            }
            let frame = self.socket.next().await.expect("something comes").expect("a frame");
            let frame: Value = serde_json::from_str(frame.to_text().expect("text")).expect("JSON");
            match frame["id"].as_u64() {
                Some(id) => drop(self.answers.insert(id, frame)),
                None => drop(self.pushes.insert(first_number(&frame), frame)),
            }
        }
    }
}

fn first_number(push: &Value) -> i64 {
    push["data"]["updates"][0]["number"].as_i64().unwrap_or_else(|| panic!("no updates: {push}"))
}

/// Apart from what is different in every store, and at every time.
fn comparable(frame: &Value) -> String {
    let mut frame = frame.clone();
    for name in ["session", "cursor"] {
        if let Some(Value::String(text)) = frame["data"].get_mut(name) {
            *text = text.rsplit('-').next().filter(|_| name == "cursor").unwrap_or("-").to_owned();
        }
    }
    normalized(&frame.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_frame_of_gateway_md_is_answered_as_the_page_says() {
    let (app, ..) = TestApp::start().await;
    app.account("spammer").await;
    let usersig = app.login("jared", "Web").user_sig;
    let socket = app.socket().await;
    let mut conversation = Conversation { socket, answers: HashMap::new(), pushes: HashMap::new(), keys: Vec::new() };
    let page = include_str!("../../../../docs/gateway.md");
    let blocks = page.split("```json\n").skip(1).map(|block| block.split("\n```").next().expect("a block ends"));
    let mut compared = 0;
    for line in blocks.flat_map(str::lines) {
        let (whose, frame) = line.split_at(2);
        if whose == "> " {
            conversation.say(frame, &usersig).await;
            continue;
        }
        assert_eq!(whose, "< ", "{line}");
        let shown: Value = serde_json::from_str(frame).expect("the page shows JSON");
        // How sessions end by others is tested where they do.
        if ["kicked", "going_away"].contains(&shown["push"].as_str().unwrap_or_default()) {
            continue;
        }
        let heard = conversation.hear(&shown).await;
        assert_eq!(comparable(&heard), comparable(&shown));
        if let (Some(key), Some(here)) = (shown["data"]["msg_key"].as_str(), heard["data"]["msg_key"].as_str()) {
            conversation.keys.push((key.to_owned(), here.to_owned()));
        }
        compared += 1;
    }
    assert!(compared > 20, "the page has frames: {compared}");
}

#[test]
fn every_close_code_is_on_the_page() {
    let page = include_str!("../../../../docs/gateway.md");
    for (code, why) in unsaid_protocol::session::close::ALL {
        assert!(page.contains(&format!("| {code} | {why} |")), "{code}");
    }
}
