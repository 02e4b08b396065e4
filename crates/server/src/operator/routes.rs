//! Every route of the operator API, grouped by what it is about: who may call it, what it takes and what it answers. The
//! router and the document (`openapi.rs`) are both made from this.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    middleware::{self, Next},
    routing::{MethodRouter, any, delete, get, patch, post, put},
};

use super::{
    Operator, Problem, accounts,
    admit::{Access, admit},
    apps, audit, backups, callback, deliveries, lanes, messages, openapi,
    openapi::Shape,
    parked, reload, tokens, usersig,
};
use crate::apps::DeclaredApp;

/// One route.
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) access: Access,
    pub(super) summary: &'static str,
    pub(super) query: Option<Shape>,
    pub(super) body: Option<Shape>,
    pub(super) answers: Vec<(StatusCode, Shape)>,
    handler: MethodRouter<Arc<Operator>>,
}

type Handler = MethodRouter<Arc<Operator>>;

impl Route {
    fn new(method: &'static str, path: &'static str, handler: Handler, summary: &'static str) -> Self {
        let access = if method == "get" { Access::Reads } else { Access::Changes };
        Self { method, path, access, summary, query: None, body: None, answers: Vec::new(), handler }
    }

    fn open(self) -> Self {
        Self { access: Access::Open, ..self }
    }

    fn asks(self, query: Shape) -> Self {
        Self { query: Some(query), ..self }
    }

    fn takes(self, body: Shape) -> Self {
        Self { body: Some(body), ..self }
    }

    fn answers(self, answer: Shape) -> Self {
        self.answers_with(StatusCode::OK, answer)
    }

    fn answers_with(mut self, status: StatusCode, answer: Shape) -> Self {
        self.answers.push((status, answer));
        self
    }
}

macro_rules! shape {
    ($type:ty) => {
        Shape::of::<$type>()
    };
}

/// All of them.
pub(super) fn routes() -> Vec<Route> {
    [about_apps(), about_callbacks(), about_accounts(), about_operators(), about_the_server()]
        .into_iter()
        .flatten()
        .collect()
}

fn about_apps() -> Vec<Route> {
    let new = Route::new;
    vec![
        new("get", "/apps", get(apps::list), "List the apps").answers(shape!(apps::AppList)),
        new("post", "/apps", post(apps::create), "Make an app; a key is drawn where none is given")
            .takes(shape!(DeclaredApp))
            .answers_with(StatusCode::CREATED, shape!(apps::Made)),
        new("get", "/apps/{sdkappid}", get(apps::show), "Show an app").answers(shape!(apps::Shown)),
        new("put", "/apps/{sdkappid}", put(apps::replace), "Replace all settings of an app, but its keys")
            .takes(shape!(DeclaredApp))
            .answers(shape!(apps::Shown)),
        new("patch", "/apps/{sdkappid}", patch(apps::change::change), "Change some settings of an app")
            .takes(shape!(apps::change::Change))
            .answers(shape!(apps::Shown)),
        new("delete", "/apps/{sdkappid}", delete(apps::life::delete), "Delete an app with everything that it has")
            .asks(shape!(apps::life::Confirmation))
            .answers(shape!(apps::life::Erased))
            .answers_with(StatusCode::ACCEPTED, shape!(apps::life::Erased)),
        new("post", "/apps/{sdkappid}/enable", post(apps::life::enable), "Switch an app on")
            .answers(shape!(apps::Shown)),
        new("post", "/apps/{sdkappid}/disable", post(apps::life::disable), "Switch an app off; it keeps its data")
            .answers(shape!(apps::Shown)),
        new("get", "/apps/{sdkappid}/keys", get(apps::keys::list), "List the keys of an app, without their secrets")
            .answers(shape!(apps::keys::KeyList)),
        new(
            "post",
            "/apps/{sdkappid}/keys",
            post(apps::keys::add),
            "Rotate: put a new key in use, the others stay valid",
        )
        .takes(shape!(apps::keys::NewKey))
        .answers_with(StatusCode::CREATED, shape!(apps::keys::Added)),
        new("delete", "/apps/{sdkappid}/keys/{key}", delete(apps::keys::remove), "Remove a key of an app")
            .answers(shape!(apps::keys::KeyList)),
    ]
}

fn about_callbacks() -> Vec<Route> {
    let new = Route::new;
    vec![
        new("get", "/apps/{sdkappid}/callback", get(callback::show), "Show how an app's callbacks stand")
            .answers(shape!(callback::Shown)),
        new("post", "/apps/{sdkappid}/callback/back", post(callback::back), "Say that the endpoint is back")
            .answers(shape!(callback::Shown)),
        new("post", "/apps/{sdkappid}/callback/test", post(callback::test), "Send a sample, and tell of each step")
            .takes(shape!(callback::Test))
            .answers(shape!(crate::callback::TestReport)),
        new("get", "/apps/{sdkappid}/lanes", get(lanes::list), "List the lanes that wait, each with its first event")
            .asks(shape!(lanes::Which))
            .answers(shape!(lanes::LaneList)),
        new("get", "/apps/{sdkappid}/deliveries", get(deliveries::list), "List attempts, the latest first")
            .asks(shape!(deliveries::Which))
            .answers(shape!(deliveries::Attempts)),
        new("get", "/apps/{sdkappid}/events/{event}", get(deliveries::story), "Tell the whole story of an event")
            .answers(shape!(deliveries::Story)),
        new("get", "/apps/{sdkappid}/parked", get(parked::list), "List parked events")
            .asks(shape!(parked::Page))
            .answers(shape!(parked::Events)),
        new("delete", "/apps/{sdkappid}/parked/{event}", delete(parked::discard), "Throw a parked event away")
            .answers(shape!(parked::Shown)),
        new("post", "/apps/{sdkappid}/replay", post(parked::replay), "Send events again")
            .takes(shape!(parked::Again))
            .answers(shape!(parked::Sent)),
    ]
}

fn about_accounts() -> Vec<Route> {
    let new = Route::new;
    vec![
        new("get", "/apps/{sdkappid}/accounts/{account}", get(accounts::show), "Find an account")
            .answers(shape!(accounts::Shown)),
        new(
            "get",
            "/apps/{sdkappid}/accounts/{account}/conversations",
            get(accounts::conversations),
            "List the conversations of an account, the latest first",
        )
        .asks(shape!(accounts::Which))
        .answers(shape!(accounts::ConversationList)),
        new(
            "get",
            "/apps/{sdkappid}/accounts/{account}/conversations/{peer}/messages",
            get(messages::list),
            "List the messages of a conversation as the account has them, the latest first",
        )
        .asks(shape!(messages::Which))
        .answers(shape!(messages::MessageList)),
        new("post", "/apps/{sdkappid}/usersig", post(usersig::make), "Make a UserSig, which speaks as an account")
            .takes(shape!(usersig::NewUserSig))
            .answers_with(StatusCode::CREATED, shape!(usersig::UserSig)),
    ]
}

fn about_operators() -> Vec<Route> {
    let new = Route::new;
    vec![
        new("get", "/tokens", get(tokens::list), "List the tokens, without their texts")
            .answers(shape!(tokens::TokenList)),
        new("post", "/tokens", post(tokens::create), "Make a token")
            .takes(shape!(tokens::NewToken))
            .answers_with(StatusCode::CREATED, shape!(tokens::Made)),
        new("delete", "/tokens/{id}", delete(tokens::revoke), "Revoke a token").answers(shape!(tokens::Shown)),
        new("get", "/audit", get(audit::list), "Read the audit log, the latest first")
            .asks(shape!(audit::Which))
            .answers(shape!(audit::AuditLog)),
    ]
}

fn about_the_server() -> Vec<Route> {
    let new = Route::new;
    vec![
        new("get", "/backups", get(backups::list), "List the backups, the latest first")
            .answers(shape!(backups::BackupList)),
        new("post", "/backups", post(backups::create), "Begin a backup of everything that is stored")
            .answers_with(StatusCode::ACCEPTED, shape!(backups::Shown)),
        new("get", "/backups/{name}", get(backups::show), "Show a backup, and how far it is")
            .answers(shape!(backups::Shown)),
        new("delete", "/backups/{name}", delete(backups::delete), "Delete a backup").answers(shape!(backups::Shown)),
        new("post", "/reload", post(reload::reload), "Read the configuration again, as on SIGHUP")
            .answers(shape!(crate::reload::Reloaded)),
        new("get", "/openapi.json", get(openapi::serve), "This document").open().answers(shape!(openapi::Anything)),
    ]
}

/// The routes of the operator.
pub fn router(operator: Arc<Operator>) -> Router {
    let mut api = Router::new();
    for Route { path, access, handler, .. } in routes() {
        let operator = Arc::clone(&operator);
        let gate = middleware::from_fn(move |request: Request, next: Next| {
            admit((Arc::clone(&operator), access), request, next)
        });
        api = api.route(path, handler.route_layer(gate));
    }
    let api = api
        .method_not_allowed_fallback(async || {
            let message = "this path does not take that method: /api/v1/openapi.json has those that it takes";
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, message)
        })
        .fallback(nothing_here);
    // What is nested has no say in the path that ends where it begins.
    Router::new().nest("/api/v1", api).route("/api/v1/", any(nothing_here)).with_state(operator)
}

async fn nothing_here() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "there is nothing here: /api/v1/openapi.json has every path")
}
