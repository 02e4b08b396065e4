//! Real parts that tests, the demo and the load tool share: an HTTPS server that plays the app's backend, certificates
//! made on the spot, a NATS, waiting with a bound, and what a process takes of memory.
//!
//! Nothing here is a mock: sockets, TLS and HTTP are those of a deployment. Nothing sleeps to see whether something
//! happens. What goes wrong panics with what was expected, since whoever calls is a test.

pub mod receiver;

pub mod certificate;

pub mod nats;

pub mod wait;

pub mod process;

pub use certificate::{Authority, Flaw, Identity};
pub use nats::Nats;
pub use receiver::{Answer, Arrival, Receiver, ReceiverConfig, Recording, Script};
