//! Callbacks: what is owed leaves the server here.
//!
//! The dispatcher holds the lanes and decides what is tried when; the decisions themselves are pure (`lanes/`,
//! `schedule.rs`). An attempt is one try at one event (`attempt.rs`), over a connection of the app's endpoint
//! (`endpoint.rs`), which only `connect.rs` makes, to an address that `address.rs` allows. What came of it is an
//! [`Outcome`].

pub mod address;
mod attempt;
mod authority;
mod connect;
mod dispatcher;
mod endpoint;
mod lanes;
mod outcome;
mod schedule;

pub use connect::Connector;
pub use dispatcher::{Dispatcher, DispatcherParts};
pub use endpoint::EndpointRules;
pub use outcome::{Outcome, Phase, Refused, Unavailable};
