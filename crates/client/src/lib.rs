//! A client of the admin REST API (rest 1 to 5) and of the gateway (`docs/gateway.md`): tests, the demo and the load tool use
//! it.
//!
//! It keeps connections alive, opens no more than it was told, and never repeats a request that the server may have
//! carried out. It dials only the server that it was given; the environment's proxies are not used and redirects not
//! followed.

pub mod rest;

mod operator;

pub mod session;

pub mod answer;

mod pool;

mod connection;

pub mod error;

pub use answer::{Answer, Envelope};
pub use error::ClientError;
pub use operator::{OperatorClient, OperatorConfig, Seen};
pub use rest::{HistoryRange, RestClient, RestConfig};
pub use session::{Closed, Pushes, SessionClient, SessionConfig};
