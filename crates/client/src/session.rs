//! Sessions: a client of the gateway (`docs/gateway.md`).
//!
//! [`SessionClient`] asks, [`Pushes`] hears. Both are about one connection: when it ends, whoever wants to go on connects
//! again, and logs in with the session and the cursor that it had. Nothing is repeated here.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Message,
        client::IntoClientRequest,
        protocol::{CloseFrame, WebSocketConfig},
    },
};
use unsaid_protocol::{
    ErrorCode,
    session::{
        AnswerFrame, Beat, Blocklist, Conversations, ConversationsPage, DeleteConversation, DeleteMessages, History,
        HistoryPage, LoggedIn, Login, Modify, Nothing, OnlineStates, PATH, Profiles, Push, Read, Recall, Receipt,
        RequestFrame, Send, Sent, SetProfile, Users,
    },
};

use crate::{
    ClientError,
    connection::{Stream, Target},
};

/// Where the gateway is.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// `ws://127.0.0.1:8080` or `wss://chat.example`; `http` and `https` mean the same.
    pub base: String,
    /// The authority of the server's certificate; without it, those that the system trusts.
    pub ca_pem: Option<Vec<u8>>,
    /// For connecting, and for one request in all.
    pub timeout: Duration,
}

/// One connection to the gateway. It closes when the last clone is dropped.
#[derive(Clone)]
pub struct SessionClient {
    asks: mpsc::Sender<Ask>,
    ids: Arc<AtomicU64>,
    timeout: Duration,
    _task: Arc<Task>,
}

/// What the server says unasked, in its order.
pub struct Pushes {
    receiver: mpsc::Receiver<Result<Push, Closed>>,
}

/// How a connection has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Closed {
    /// The code of the close frame; none if the connection just broke.
    pub code: Option<u16>,
    pub reason: String,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "{code} {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

/// Pushes that wait for whoever hears them. While there are as many, nothing more is read, answers neither: hear them.
const PUSHES_MAX: usize = 1024;

/// A server that was silent for so long is asked whether it is there; after as long again the connection is given up.
const QUIET_PAUSE: Duration = Duration::from_secs(25);

/// Requests that wait to be written.
const ASKS_MAX: usize = 64;

/// The longest frame that is read: a push can hold many messages.
const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A small client has small buffers.
const BUFFER_BYTES: usize = 4096;

struct Ask {
    id: u64,
    frame: String,
    answer: oneshot::Sender<AnswerFrame>,
}

/// Ends with its last owner.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl SessionClient {
    /// Connects; nobody is logged in yet.
    pub async fn connect(config: &SessionConfig) -> Result<(Self, Pushes), ClientError> {
        let target = Target::new(&config.base, config.ca_pem.as_deref())?;
        let timed_out = |_| ClientError::TimedOut { after: config.timeout };
        let socket = tokio::time::timeout(config.timeout, upgrade(&target)).await.map_err(timed_out)??;
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        let (pushes, receiver) = mpsc::channel(PUSHES_MAX);
        let task = Task(tokio::spawn(run(socket, asked, pushes)));
        let client = Self { asks, ids: Arc::default(), timeout: config.timeout, _task: Arc::new(task) };
        Ok((client, Pushes { receiver }))
    }

    pub async fn login(&self, login: &Login) -> Result<LoggedIn, ClientError> {
        self.ask("login", login).await
    }

    pub async fn logout(&self) -> Result<(), ClientError> {
        self.done("logout", &Nothing {}).await
    }

    /// Answers the server's clock.
    pub async fn heartbeat(&self) -> Result<Beat, ClientError> {
        self.ask("heartbeat", &Nothing {}).await
    }

    pub async fn send(&self, send: &Send) -> Result<Sent, ClientError> {
        self.ask("send", send).await
    }

    pub async fn recall(&self, to: &str, msg_key: &str) -> Result<(), ClientError> {
        self.done("recall", &Recall { to: to.to_owned(), msg_key: msg_key.to_owned() }).await
    }

    pub async fn modify(&self, modify: &Modify) -> Result<(), ClientError> {
        self.done("modify", modify).await
    }

    pub async fn read(&self, peer: &str, time_s: Option<u32>) -> Result<(), ClientError> {
        self.done("read", &Read { peer: peer.to_owned(), time_s }).await
    }

    pub async fn read_all(&self) -> Result<(), ClientError> {
        self.done("read_all", &Nothing {}).await
    }

    pub async fn receipt(&self, receipt: &Receipt) -> Result<(), ClientError> {
        self.done("receipt", receipt).await
    }

    pub async fn history(&self, history: &History) -> Result<HistoryPage, ClientError> {
        self.ask("history", history).await
    }

    pub async fn conversations(&self, asked: &Conversations) -> Result<ConversationsPage, ClientError> {
        self.ask("conversations", asked).await
    }

    pub async fn delete_messages(&self, delete: &DeleteMessages) -> Result<(), ClientError> {
        self.done("delete_messages", delete).await
    }

    pub async fn delete_conversation(&self, delete: &DeleteConversation) -> Result<(), ClientError> {
        self.done("delete_conversation", delete).await
    }

    pub async fn profiles(&self, users: &Users) -> Result<Profiles, ClientError> {
        self.ask("profiles", users).await
    }

    pub async fn set_profile(&self, profile: &SetProfile) -> Result<(), ClientError> {
        self.done("set_profile", profile).await
    }

    pub async fn online(&self, users: &Users) -> Result<OnlineStates, ClientError> {
        self.ask("online", users).await
    }

    pub async fn blocklist(&self) -> Result<Blocklist, ClientError> {
        self.ask("blocklist", &Nothing {}).await
    }

    pub async fn block(&self, users: &Users) -> Result<Blocklist, ClientError> {
        self.ask("block", users).await
    }

    pub async fn unblock(&self, users: &Users) -> Result<Blocklist, ClientError> {
        self.ask("unblock", users).await
    }

    async fn done(&self, request: &str, data: &impl Serialize) -> Result<(), ClientError> {
        self.ask::<Nothing>(request, data).await.map(drop)
    }

    /// Any request, with its fields.
    pub async fn ask<T: DeserializeOwned>(&self, request: &str, data: &impl Serialize) -> Result<T, ClientError> {
        let data = to_raw_value(data).expect("a request serializes");
        let AnswerFrame { code, info, data, .. } = self.answer(request, &data).await?;
        if code != ErrorCode(0) {
            return Err(ClientError::Refused { command: request.to_owned(), code, info });
        }
        let data = data.as_deref().map_or("{}", RawValue::get);
        serde_json::from_str(data).map_err(|_| ClientError::Incomplete { field: "data", answer: data.to_owned() })
    }

    async fn answer(&self, request: &str, data: &RawValue) -> Result<AnswerFrame, ClientError> {
        let id = self.ids.fetch_add(1, Ordering::Relaxed) + 1;
        let frame = RequestFrame { id, request: request.into(), data: Some(data) };
        let frame = serde_json::to_string(&frame).expect("a request serializes");
        let (answer, answered) = oneshot::channel();
        let gone = || ClientError::Ended { closed: Closed { code: None, reason: "it was closed before".to_owned() } };
        let asked = async {
            self.asks.send(Ask { id, frame, answer }).await.map_err(|_| gone())?;
            answered.await.map_err(|_| gone())
        };
        let timed_out = |_| ClientError::TimedOut { after: self.timeout };
        tokio::time::timeout(self.timeout, asked).await.map_err(timed_out)?
    }
}

impl fmt::Debug for SessionClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionClient")
    }
}

impl Pushes {
    /// The next one, or how the connection has ended; that is said once.
    pub async fn next(&mut self) -> Result<Push, Closed> {
        let gone = || Err(Closed { code: None, reason: "it was closed before".to_owned() });
        self.receiver.recv().await.unwrap_or_else(gone)
    }
}

impl fmt::Debug for Pushes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pushes")
    }
}

type Socket = WebSocketStream<Box<dyn Stream>>;

async fn upgrade(target: &Target) -> Result<Socket, ClientError> {
    let address = target.authority.to_str().unwrap_or_default().to_owned();
    let stream = target.stream().await?;
    let request = format!("ws://{address}{PATH}").into_client_request();
    let refused = |error: tokio_tungstenite::tungstenite::Error| ClientError::NotGateway {
        address: address.clone(),
        reason: error.to_string(),
    };
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX));
    let request = request.map_err(refused)?;
    let (socket, _) = client_async_with_config(request, stream, Some(config)).await.map_err(refused)?;
    Ok(socket)
}

/// Moves frames until the connection ends, or nobody asks any more.
async fn run(mut socket: Socket, mut asked: mpsc::Receiver<Ask>, pushes: mpsc::Sender<Result<Push, Closed>>) {
    let mut waiting: HashMap<u64, oneshot::Sender<AnswerFrame>> = HashMap::new();
    let mut quiet = tokio::time::interval(QUIET_PAUSE);
    let (mut heard, mut asked_for_a_sign) = (true, false);
    let closed = loop {
        tokio::select! {
            _ = quiet.tick() => {
                if !heard {
                    if asked_for_a_sign {
                        break Closed { code: None, reason: "the server does not answer any more".to_owned() };
                    }
                    asked_for_a_sign = true;
                    if let Err(error) = socket.send(Message::Ping(Vec::new().into())).await {
                        break broken(&error);
                    }
                }
                heard = false;
            }
            ask = asked.recv() => {
                let Some(Ask { id, frame, answer }) = ask else {
                    // Whoever is gone needs no answer.
                    let _ = socket.close(None).await;
                    return;
                };
                waiting.insert(id, answer);
                if let Err(error) = socket.send(Message::text(frame)).await {
                    break broken(&error);
                }
            }
            frame = socket.next() => { (heard, asked_for_a_sign) = (true, false); match frame {
                Some(Ok(Message::Text(text))) => {
                    if let Ok(answer) = serde_json::from_str::<AnswerFrame>(&text) {
                        if let Some(asker) = waiting.remove(&answer.id) {
                            // Whoever did not wait has gone.
                            let _ = asker.send(answer);
                        }
                        continue;
                    }
                    match serde_json::from_str::<Push>(&text) {
                        // Whoever does not hear them has dropped its end.
                        Ok(push) => drop(pushes.send(Ok(push)).await),
                        // A later server may push what this client does not know.
                        Err(_) if is_push(&text) => {}
                        Err(error) => break Closed { code: None, reason: format!("what came is no frame: {error}") },
                    }
                }
                Some(Ok(Message::Close(frame))) => break said(frame.as_ref()),
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => break broken(&error),
                None => break Closed { code: None, reason: "the connection broke".to_owned() },
            } },
        }
    };
    // The answer to a close frame is written by the socket itself.
    let _ = socket.flush().await;
    let _ = pushes.send(Err(closed)).await;
}

/// Whether it is one by its shape.
fn is_push(text: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Named {
        #[serde(rename = "push")]
        _push: String,
    }
    serde_json::from_str::<Named>(text).is_ok()
}

fn said(frame: Option<&CloseFrame>) -> Closed {
    let nothing = || Closed { code: None, reason: "closed without a word".to_owned() };
    frame.map_or_else(nothing, |frame| Closed { code: Some(frame.code.into()), reason: frame.reason.to_string() })
}

fn broken(error: &tokio_tungstenite::tungstenite::Error) -> Closed {
    Closed { code: None, reason: error.to_string() }
}
