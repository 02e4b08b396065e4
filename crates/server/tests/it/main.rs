//! The server as its users meet it: real sockets, a real HTTPS receiver, and, for crashes, the real program.
//!
//! Every test begins with a [`test_app::TestApp`] and names its actors; dropping it holds the invariants: nothing is
//! owed any more, every callback passed its checks, and every lane kept its order.

mod database;
mod device;
mod disk;
mod document;
mod test_app;

mod rest_commands;
mod rest_contract;
mod rest_docs;
mod rest_identity;
mod rest_messages;
mod rest_refusals;
mod rest_requests;
mod rest_semantics;

mod backups;
mod console;
mod metrics;
mod modify_receipt;
mod operator;
mod operator_apps;
mod operator_callbacks;
mod operator_roles;
mod operator_support;
mod story;

mod recall;
mod request_ids;

mod gateway;
mod gateway_bounds;
mod gateway_docs;
mod sessions;
mod two_servers;

mod before;
mod callbacks;
mod receiver_crate;
mod retries;

mod cli;
mod listener;
mod programs;
mod reload;

mod clock_jumps;
mod crash;
mod endpoint;
mod fairness;
mod full_disk;
mod on_postgres;
mod read_only_disk;
mod torn_log;

mod cluster;
