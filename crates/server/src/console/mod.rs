//! The console: the operator's pages at `/console`, rendered here, without a build step.
//!
//! It has no say of its own. What a page shows and what a button does is what the operator API shows and does: the same
//! functions, called in this process as whoever signed in, so that roles and the audit log hold here, too. Pages work without
//! JavaScript; with it, figures and deliveries are live, and settings are checked while they are typed. Who is signed in is in
//! `session.rs`, what every request has to pass in `gate.rs`, what every page has in `page.rs`.

mod gate;
mod session;
mod sign_in;

mod form;
mod page;

mod chart;
mod overview;

mod app;
mod apps;
mod settings;

mod deliveries;
mod parked;
mod story;
mod waiting;

mod accounts;
mod usersig;

mod audit;
mod tokens;

use std::sync::Arc;

use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
    response::Redirect,
    routing::{get, post},
};

use self::session::Sessions;
use crate::{
    clock::{Clock, Entropy, World},
    metrics::Recent,
    operator::Operator,
};

/// What the console works with.
pub struct Console {
    operator: Arc<Operator>,
    recent: Arc<Recent>,
    sessions: Sessions,
    clock: Clock,
    entropy: Entropy,
}

impl Console {
    pub fn new(operator: Arc<Operator>, recent: Arc<Recent>, world: World) -> Arc<Self> {
        let World { clock, entropy } = world;
        Arc::new(Self { operator, recent, sessions: Sessions::default(), clock, entropy })
    }
}

/// Every route. What changes something is a POST, and needs the role operator (`gate.rs`).
pub fn router(console: Arc<Console>) -> Router {
    let signed_in = Router::new()
        .route("/console", get(overview::show))
        .route("/console/sign-out", post(sign_in::sign_out))
        .route("/console/apps", get(apps::list).post(apps::create))
        .route("/console/apps/{app}", get(app::show))
        .route("/console/apps/{app}/settings", post(settings::save))
        .route("/console/apps/{app}/check", post(settings::check))
        .route("/console/apps/{app}/test", post(app::test))
        .route("/console/apps/{app}/back", post(app::back))
        .route("/console/apps/{app}/keys", post(app::add_key))
        .route("/console/apps/{app}/keys/{key}/remove", get(app::ask_key_removal).post(app::remove_key))
        .route("/console/apps/{app}/enable", post(app::enable))
        .route("/console/apps/{app}/disable", post(app::disable))
        .route("/console/apps/{app}/delete", get(app::ask_deletion).post(app::delete))
        .route("/console/apps/{app}/deliveries", get(deliveries::list))
        .route("/console/apps/{app}/events/{event}", get(story::show))
        .route("/console/apps/{app}/waiting", get(waiting::list))
        .route("/console/apps/{app}/parked", get(parked::list))
        .route("/console/apps/{app}/parked/replay", post(parked::replay))
        .route("/console/apps/{app}/parked/{event}/discard", get(parked::ask_discard).post(parked::discard))
        .route("/console/apps/{app}/accounts", get(accounts::show))
        .route("/console/apps/{app}/usersig", get(usersig::show).post(usersig::make))
        .route("/console/audit", get(audit::list))
        .route("/console/tokens", get(tokens::list).post(tokens::create))
        .route("/console/tokens/{id}/revoke", get(tokens::ask_revocation).post(tokens::revoke))
        .route("/console/{*other}", get(page::missing))
        .route_layer(from_fn_with_state(Arc::clone(&console), gate::admit));
    let open = Router::new()
        .route("/console/", get(|| async { Redirect::permanent("/console") }))
        .route("/console/sign-in", get(sign_in::show).post(sign_in::sign_in))
        .route("/console/assets/{name}", get(page::asset));
    signed_in.merge(open).route_layer(from_fn(page::guard)).with_state(console)
}
