//! Who asks in the measured phase: a connection to the REST API, or a session. One request at a time each.

use std::{
    io::Write,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context;
use serde::Deserialize;
use tokio::task::JoinSet;
use unsaid_client::{Pushes, RestClient, SessionClient};

use crate::{
    account::Account,
    clock,
    connection::Connection,
    device::{self, PLATFORMS},
    setup::Setup,
    table::Message,
};

/// A session may ask 50 times a second; one that asks more often is refused.
pub(crate) const SESSION_REQUESTS_PER_S: u32 = 50;

const SESSION_PAUSE: Duration = Duration::from_millis(1000 / SESSION_REQUESTS_PER_S as u64);

/// What is asked of the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asking {
    Recall,
    Send,
}

pub(crate) enum Caller {
    Rest(Rest),
    Session(Session),
}

/// Why there is no success.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The next request may succeed.
    Once(String),
    /// This caller can ask nothing more.
    ForGood(String),
}

impl Caller {
    /// Returns when the next request may be sent.
    pub(crate) async fn ready(&mut self) {
        match self {
            Self::Rest(_) => {}
            Self::Session(session) => session.ready().await,
        }
    }

    /// The message was recalled, or sent.
    pub(crate) async fn ask(&mut self, message: &Message) -> Result<(), Failure> {
        match self {
            Self::Rest(rest) => rest.ask(message).await,
            Self::Session(session) => session.recall(message).await,
        }
    }
}

/// A connection to the REST API, and its requests.
pub(crate) struct Rest {
    connection: Connection,
    asking: Asking,
    /// Of every request, up to the value of `Content-Length`.
    head: Vec<u8>,
    body: Vec<u8>,
    request: Vec<u8>,
}

impl Rest {
    pub(crate) async fn open(address: SocketAddr, client: &RestClient, asking: Asking) -> anyhow::Result<Self> {
        let connection = Connection::open(address).await.with_context(|| format!("no connection to {address}"))?;
        Ok(Self { connection, asking, head: head(address, client, asking), body: Vec::new(), request: Vec::new() })
    }

    async fn ask(&mut self, message: &Message) -> Result<(), Failure> {
        write(self.asking, message, &self.head, &mut self.body, &mut self.request);
        let error = match self.connection.exchange(&self.request).await {
            Ok(answer) if is_accepted(answer) => return Ok(()),
            Ok(answer) => return Err(Failure::Once(String::from_utf8_lossy(answer).into_owned())),
            Err(error) => error.to_string(),
        };
        match self.connection.reopen().await {
            Ok(()) => Err(Failure::Once(error)),
            Err(_) => Err(Failure::ForGood(error)),
        }
    }
}

fn head(address: SocketAddr, client: &RestClient, asking: Asking) -> Vec<u8> {
    let command = match asking {
        Asking::Recall => "admin_msgwithdraw",
        Asking::Send => "sendmsg",
    };
    let path = client.path_and_query("openim", command);
    format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: ")
        .into_bytes()
}

/// Less work than to fetch 100,000 prepared requests from memory.
fn write(asking: Asking, message: &Message, head: &[u8], body: &mut Vec<u8>, request: &mut Vec<u8>) {
    const MEMORY: &str = "writing to memory succeeds";
    let Message { from, to, key } = message;
    body.clear();
    request.clear();
    match asking {
        Asking::Recall => write!(body, r#"{{"From_Account":"{from}","To_Account":"{to}","MsgKey":"{key}"}}"#),
        Asking::Send => write!(
            body,
            r#"{{"From_Account":"{from}","To_Account":"{to}","MsgSeq":{},"MsgRandom":{},"MsgBody":[{{"MsgType":"TIMTextElem","MsgContent":{{"Text":"message {}"}}}}]}}"#,
            key.seq, key.random, key.random
        ),
    }
    .expect(MEMORY);
    request.extend_from_slice(head);
    write!(request, "{}\r\n\r\n", body.len()).expect(MEMORY);
    request.extend_from_slice(body);
}

fn is_accepted(answer: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(rename = "ActionStatus")]
        action_status: &'a str,
        #[serde(rename = "ErrorCode")]
        error_code: i64,
    }
    serde_json::from_slice::<Envelope<'_>>(answer)
        .is_ok_and(|envelope| envelope.action_status == "OK" && envelope.error_code == 0)
}

/// A device of an account that recalls what the account has sent.
pub(crate) struct Session {
    client: SessionClient,
    /// When it asked last.
    asked: Option<Instant>,
    /// Ends with it.
    _pushes: JoinSet<()>,
}

impl Session {
    pub(crate) async fn open(setup: &Setup, account: Account) -> anyhow::Result<Self> {
        let (client, pushes) = device::log_in(&device::gateway(setup), account, PLATFORMS[0]).await?;
        Ok(Self { client, asked: None, _pushes: [drain(pushes)].into_iter().collect() })
    }

    async fn ready(&mut self) {
        if let Some(asked) = self.asked {
            tokio::time::sleep_until((asked + SESSION_PAUSE).into()).await;
        }
        self.asked = Some(clock::now());
    }

    async fn recall(&mut self, Message { to, key, .. }: &Message) -> Result<(), Failure> {
        let answer = self.client.recall(&to.to_string(), &key.to_string()).await;
        answer.map_err(|error| match error.code() {
            Some(_) => Failure::Once(error.to_string()),
            None => Failure::ForGood(error.to_string()),
        })
    }
}

/// What it is told is read, so that the server goes on telling it.
async fn drain(mut pushes: Pushes) {
    while pushes.next().await.is_ok() {}
}

#[cfg(test)]
mod tests {
    use unsaid_protocol::MsgKey;

    use super::*;

    #[test]
    fn a_request_is_complete() {
        let message = Message { from: Account(7), to: Account(42), key: MsgKey { seq: 1, random: 2, time: 3 } };
        let check = |asking, expect: &str| {
            let (mut body, mut request) = (b"what was".to_vec(), b"there before".to_vec());
            write(asking, &message, b"POST / HTTP/1.1\r\nContent-Length: ", &mut body, &mut request);
            assert_eq!(String::from_utf8(request).expect("text"), expect);
        };
        check(
            Asking::Recall,
            "POST / HTTP/1.1\r\nContent-Length: 63\r\n\r\n\
             {\"From_Account\":\"user7\",\"To_Account\":\"user42\",\"MsgKey\":\"1_2_3\"}",
        );
        check(
            Asking::Send,
            "POST / HTTP/1.1\r\nContent-Length: 143\r\n\r\n\
             {\"From_Account\":\"user7\",\"To_Account\":\"user42\",\"MsgSeq\":1,\"MsgRandom\":2,\
             \"MsgBody\":[{\"MsgType\":\"TIMTextElem\",\"MsgContent\":{\"Text\":\"message 2\"}}]}",
        );
    }

    #[test]
    fn only_an_answer_that_says_ok_is_accepted() {
        for (answer, accepted) in [
            (r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#, true),
            (r#"{ "ErrorCode": 0, "ActionStatus": "OK" }"#, true),
            (r#"{"ActionStatus":"FAIL","ErrorInfo":"","ErrorCode":20023}"#, false),
            (r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":20023}"#, false),
            (r#"{"ErrorCode":0}"#, false),
            ("", false),
        ] {
            assert_eq!(is_accepted(answer.as_bytes()), accepted, "{answer}");
        }
    }
}
