//! What crosses a wire: names, message keys and elements, error codes, `UserSig`, the bodies of REST answers and of
//! callbacks, and their signature; the frames of sessions.
//!
//! Nothing here does I/O, knows the time or draws a random number: whoever calls passes those in. The facts are those
//! of the specification that Unsaid is compatible with; sections are named as `rest 4.5` (the REST API) and
//! `callbacks 4.4` (the callbacks).

pub mod id;
pub mod key;

pub mod element;

pub mod error;

pub mod usersig;

pub mod sign;
pub mod webhook;

pub mod callback;

pub mod rest;

pub mod session;

pub use error::ErrorCode;
pub use id::{SdkAppId, UserId};
pub use key::MsgKey;
