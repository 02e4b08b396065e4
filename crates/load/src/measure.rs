//! The measured phase: connections that recall one message after the other, and the wait for what is still owed.

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use serde::Deserialize;
use tokio::task::JoinSet;

use crate::{
    clock,
    connection::Connection,
    progress::Progress,
    setup::Setup,
    table::{Message, Table},
};

/// If neither an answer nor a callback came for this long, none is waited for any longer.
const QUIET_MAX: Duration = Duration::from_secs(10);

/// How often it is looked whether all is done. What is measured does not depend on it.
const POLL: Duration = Duration::from_millis(20);

/// Recalls every message of the table, and returns when all are answered or the server has fallen silent.
pub(crate) async fn recall_all(setup: &Setup, table: &Arc<Table>, connections: u32) -> anyhow::Result<()> {
    let address = setup.server.address();
    let path = setup.client.path_and_query("openim", "admin_msgwithdraw");
    let head = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: ");
    let work = Arc::new(Work { table: Arc::clone(table), head: head.into_bytes(), next: AtomicUsize::new(0) });
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(Connection::open(address).await.with_context(|| format!("no connection to {address}"))?);
    }

    let total = table.messages().len();
    let shown = Arc::clone(table);
    let _progress = Progress::show("recalling", total as u32, move || shown.answered() as u32);
    let mut workers: JoinSet<()> = open.into_iter().map(|connection| Arc::clone(&work).run(connection)).collect();
    quiet_or(table, || {
        while workers.try_join_next().is_some() {}
        workers.is_empty()
    })
    .await;
    Ok(())
}

/// Returns when no acknowledged recall lacks its callback, or nothing comes any more.
pub(crate) async fn wait_for_callbacks(table: &Table) {
    quiet_or(table, || table.is_complete()).await;
}

async fn quiet_or(table: &Table, mut done: impl FnMut() -> bool) {
    let mut seen = table.happened();
    let mut since = clock::now();
    while !done() {
        tokio::time::sleep(POLL).await;
        let happened = table.happened();
        if happened != seen {
            (seen, since) = (happened, clock::now());
        } else if clock::now() - since > QUIET_MAX {
            return;
        }
    }
}

/// What all connections share.
struct Work {
    table: Arc<Table>,
    /// Of every request, up to the value of `Content-Length`.
    head: Vec<u8>,
    /// The message that is recalled next.
    next: AtomicUsize,
}

impl Work {
    async fn run(self: Arc<Self>, mut connection: Connection) {
        let (mut request, mut body) = (Vec::new(), Vec::new());
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(message) = self.table.messages().get(number) else {
                return;
            };
            self.write(message, &mut body, &mut request);
            self.table.asked(number, clock::now());
            match connection.exchange(&request).await {
                Ok(answer) if is_accepted(answer) => self.table.acknowledged(number, clock::now()),
                Ok(answer) => self.table.failed(|| String::from_utf8_lossy(answer).into_owned()),
                Err(error) => {
                    self.table.failed(|| error.to_string());
                    let Ok(()) = connection.reopen().await else {
                        // What is left is for the other connections, or fails.
                        return;
                    };
                }
            }
        }
    }

    /// Less work than to fetch 100,000 prepared requests from memory.
    fn write(&self, message: &Message, body: &mut Vec<u8>, request: &mut Vec<u8>) {
        const MEMORY: &str = "writing to memory succeeds";
        let Message { from, to, key } = message;
        body.clear();
        request.clear();
        write!(body, r#"{{"From_Account":"{from}","To_Account":"{to}","MsgKey":"{key}"}}"#).expect(MEMORY);
        request.extend_from_slice(&self.head);
        write!(request, "{}\r\n\r\n", body.len()).expect(MEMORY);
        request.extend_from_slice(body);
    }
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

#[cfg(test)]
mod tests {
    use unsaid_protocol::MsgKey;

    use super::*;
    use crate::account::Account;

    #[test]
    fn a_request_is_complete() {
        let message = Message { from: Account(7), to: Account(42), key: MsgKey { seq: 1, random: 2, time: 3 } };
        let table = Arc::new(Table::new(vec![message], 43));
        let head = b"POST / HTTP/1.1\r\nContent-Length: ".to_vec();
        let work = Work { table, head, next: AtomicUsize::new(0) };
        let (mut body, mut request) = (b"what was".to_vec(), b"there before".to_vec());

        work.write(&message, &mut body, &mut request);

        let expected = "POST / HTTP/1.1\r\nContent-Length: 63\r\n\r\n\
                        {\"From_Account\":\"user7\",\"To_Account\":\"user42\",\"MsgKey\":\"1_2_3\"}";
        assert_eq!(String::from_utf8(request).expect("text"), expected);
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
