//! For app backends: receives the callbacks of a chat server that speaks like Tencent Cloud Chat, Unsaid before all.
//!
//! With axum (feature `axum`) this is a whole receiver:
//!
#![cfg_attr(feature = "axum", doc = "```no_run")]
#![cfg_attr(not(feature = "axum"), doc = "```ignore")]
//! use std::sync::Arc;
//! use unsaid_receiver::{Answer, Callback, Event, Receiver, Recent, SdkAppId, Verifier, axum::callbacks};
//!
//! async fn handle(callback: Callback) -> Answer {
//!     match callback.event {
//!         Event::AfterMsgWithDraw(recall) => println!("{} took back {}", recall.from, recall.key),
//!         Event::BeforeSendMsg(question) if question.message.body.is_empty() => return Answer::refuse("empty"),
//!         other => println!("{other:?}"),
//!     }
//!     Answer::accept()
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let verifier = Verifier::with_tokens(SdkAppId(1_400_009_999), ["s3cret-Token_01"])?;
//!     let receiver = Arc::new(Receiver::new(verifier, Recent::default()));
//!     let app = axum::Router::new().route("/im", callbacks(receiver, handle));
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//!     Ok(axum::serve(listener, app).await?)
//! }
//! ```
//!
//! It lets through what is signed, recent and of this app, hands each callback over once, sees what was missed, and
//! answers in the form that is specified. Put it behind TLS: `Sign` covers the token and the time, neither the body nor
//! the other parameters (callbacks 2.2). A Standard Webhooks secret ([`Verifier::and_webhook_secrets`]) covers the body.
//!
//! The rest of the crate knows no framework, runtime or clock, does no I/O and needs no C compiler: hand over the request
//! and the time, and send what comes back.
//!
//! ```
//! use unsaid_receiver::{Answer, Event, Headers, Receiver, Recent, Request, SdkAppId, Verifier};
//!
//! let verifier = Verifier::with_tokens(SdkAppId(1_400_009_999), ["s3cret-Token_01"])?;
//! let receiver = Receiver::new(verifier, Recent::default());
//!
//! let header = |name: &str| (name == "webhook-id").then_some("evt_1"); // of your HTTP server
//! let request = Request {
//!     method: "POST",
//!     path_and_query: "/im?SdkAppid=1400009999&CallbackCommand=C2C.CallbackAfterMsgWithDraw&contenttype=json\
//!         &ClientIP=203.0.113.9&OptPlatform=Android\
//!         &Sign=46e21d4876e86c9a6cc8131ef5360a79e427de189da1d2222e97f5f4510754d3&RequestTime=1731400198",
//!     headers: Headers::read(header),
//!     body: br#"{"CallbackCommand":"C2C.CallbackAfterMsgWithDraw","From_Account":"alice_7","To_Account":"bob-42",
//!         "MsgKey":"2893104417_1530220984_1731400123","EventTime":1731400198305,"UnreadMsgNum":4}"#,
//! };
//! let now_s = 1_731_400_199; // seconds since 1970, of your clock
//! let mut recalled = Vec::new();
//! for _ in ["first", "repeat"] {
//!     let handled = receiver.receive(request, now_s, |callback| {
//!         if let Event::AfterMsgWithDraw(recall) = &callback.event {
//!             recalled.push(recall.key.clone());
//!         }
//!         Answer::accept()
//!     });
//!     let answer = handled.unwrap_or_else(|unhandled| unhandled.answer());
//!     assert_eq!(answer.status(), 200);
//!     assert_eq!(answer.body(), r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#);
//! }
//! assert_eq!(recalled, ["2893104417_1530220984_1731400123"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Recent`] remembers within the process. To handle each event exactly once across restarts, keep `(id, replay)` of each
//! [`Delivery`], and the last number of each lane, in the database that the events change, in the same transaction; ask
//! [`Delivery::judge`] there, and give the receiver the memory [`Forgetful`].
//!
//! The original service works, too: it sends no `webhook-id`, so [`Callback::delivery`] is none and every callback is
//! handed over; a recall is then named by from, to and `MsgKey` together.

mod query;
mod rejection;
mod verify;

mod delivery;
mod event;
mod memory;

mod answer;
mod receiver;

#[cfg(feature = "axum")]
pub mod axum;

pub use answer::{Answer, CodeError, OWN_CODES, Replacement};
pub use delivery::{Delivery, Headers, Judgement, Missed, Place, Remembered};
pub use event::{
    AfterModifyMsg, AfterMsgReadAll, AfterMsgReadReceipt, AfterMsgReport, AfterMsgWithDraw, AfterSendMsg,
    BeforeSendMsg, Element, Event, KickedDevice, Message, MessageName, Other, StateChange, StateInfo,
};
pub use memory::{Forgetful, Memory, Recent};
pub use receiver::{Begun, Callback, Handling, Receiver, Unhandled};
pub use rejection::{Rejection, SecretError};
pub use unsaid_protocol::{SdkAppId, callback::ANSWER_OK};
pub use verify::{Check, Request, Verified, Verifier};
