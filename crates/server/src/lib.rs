//! Unsaid: a self-hosted server for one-to-one messaging that tells the app backend of every recall.
//!
//! The modules are listed in the way of the data: what comes in through `rest` or `gateway` becomes a command of
//! `chat`, is made durable by `store`, and what follows from it leaves through `callback` and `fanout`. `ARCHITECTURE.md` has the map.

pub mod backups;
mod calendar;
mod certificate;
pub mod cli;
pub mod demo;
pub mod descriptors;
pub mod examine;
#[cfg(feature = "failpoints")]
pub mod failpoint;
mod follow;
mod forget;
mod ground;
pub mod listen;
pub mod manual;
pub mod operate;
pub mod reload;
mod room;
pub mod serve;
pub mod server;
mod spelling;
pub mod supervisor;
mod terminal;

pub mod config;
pub mod limits;
pub mod live;

pub mod clock;
pub mod metrics;
pub mod telemetry;

pub mod console;
pub mod gateway;
pub mod identity;
pub mod listener;
pub mod operator;
pub mod pages;
pub mod rest;

pub mod apps;
pub mod chat;

pub mod store;
pub mod story;

pub mod bus;
pub mod callback;
pub mod cluster;
pub mod fanout;

#[cfg(any(test, fuzzing))]
pub mod fuzz;
#[cfg(any(test, feature = "pieces"))]
pub mod pieces;
#[cfg(test)]
mod simulation;
#[cfg(any(test, fuzzing, feature = "pieces"))]
#[cfg_attr(not(any(test, fuzzing)), expect(dead_code, reason = "the pieces need its REST API alone"))]
mod stage;
