//! Callbacks: what is owed leaves the server here.
//!
//! `delivery/` decides what is tried when, and does no I/O; the dispatcher is its rim. An attempt is one try at one event
//! (`attempt.rs`), over a connection of the app's endpoint (`endpoint.rs`), which only `connect.rs` makes, to an address
//! that `address.rs` allows. What came of it is an [`Outcome`]; what the stories keep of it, a record (`record.rs`).

pub mod address;
mod alarm;
mod attempt;
mod authority;
mod before;
mod callbacks;
mod connect;
mod delivery;
mod dispatcher;
mod endpoint;
mod endpoints;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod outcome;
mod phases;
#[cfg(any(test, feature = "pieces"))]
pub(crate) mod pieces;
mod record;
mod sample;
mod test_call;

pub use alarm::{AlarmSettings, Alarms, check_alarm_url};
pub use callbacks::{Callbacks, CallbacksParts};
pub use connect::Connector;
#[cfg(test)]
pub(crate) use delivery::{Action, Delivery, Moment, REFUSED_MAX, UNAVAILABLE_MAX, Want};
pub use delivery::{BreakerState, FlowState};
pub use dispatcher::{Dispatcher, DispatcherHandle, DispatcherParts, Ways};
pub use endpoint::EndpointRules;
pub use outcome::{Outcome, Refused, TlsFailure, Unavailable};
pub use phases::Phase;
pub use test_call::{Step, StepState, TestReport, test_declared};
