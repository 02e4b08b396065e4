//! For app backends: whether a callback really comes from the chat server that the app shares a token with.
//!
//! Without a framework, an async runtime or C code: hand over the method, the path with its query, and the body.
//!
//! ```
//! use unsaid_receiver::{ANSWER_OK, Request, SdkAppId, Verifier};
//!
//! let verifier = Verifier::with_tokens(SdkAppId(1_400_009_999), ["s3cret-Token_01"])?;
//! let request = Request {
//!     method: "POST",
//!     path_and_query: "/im?SdkAppid=1400009999&CallbackCommand=C2C.CallbackAfterMsgWithDraw&contenttype=json\
//!         &ClientIP=203.0.113.9&OptPlatform=Android\
//!         &Sign=46e21d4876e86c9a6cc8131ef5360a79e427de189da1d2222e97f5f4510754d3&RequestTime=1731400198",
//!     body: br#"{"CallbackCommand":"C2C.CallbackAfterMsgWithDraw","From_Account":"alice_7","To_Account":"bob-42",
//!         "MsgKey":"2893104417_1530220984_1731400123","EventTime":1731400198305,"UnreadMsgNum":4}"#,
//! };
//! let now_s = 1_731_400_199; // seconds since 1970, of your clock
//! let (status, answer) = match verifier.verify(request, now_s) {
//!     Ok(callback) => {
//!         let body: serde_json::Value = callback.json()?;
//!         println!("{}: {} took back {}", callback.command, body["From_Account"], body["MsgKey"]);
//!         (200, ANSWER_OK)
//!     }
//!     Err(rejection) => {
//!         eprintln!("a callback was rejected: {rejection}");
//!         (403, "")
//!     }
//! };
//! assert_eq!((status, answer), (200, ANSWER_OK));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `Sign` covers the token and the time, neither the body nor the other parameters (callbacks 2.2), so serve callbacks
//! over HTTPS. And a callback can come again: remember what was dealt with, by its `webhook-id` header.

mod query;
mod verify;

pub use unsaid_protocol::{SdkAppId, callback::ANSWER_OK};
pub use verify::{Check, Rejection, Request, TokenError, Verified, Verifier};
