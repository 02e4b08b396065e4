//! Tokens: who may look, and who may change. One opens the operator API, the command line and this console.

use std::sync::Arc;

use askama::Template;
use axum::{extract::State, http::StatusCode};
use serde_json::json;

use super::{
    Console,
    app::Confirm,
    gate::{Named, Visit},
    page::{self, Answer, Frame, Moment, Said},
};
use crate::{
    apps::Secret,
    chat::Role,
    operator::{
        Problem, body,
        tokens::{Made, NewToken, Shown},
    },
};

#[derive(Template)]
#[template(path = "tokens.html")]
struct Tokens {
    frame: Frame,
    tokens: Vec<Shown>,
    name: String,
    wrong: String,
}

pub(super) async fn list(State(console): State<Arc<Console>>, visit: Visit) -> Answer {
    Ok(shown(&console, &visit, StatusCode::OK, String::new()))
}

fn shown(
    console: &Console,
    visit: &Visit,
    status: StatusCode,
    wrong: String,
) -> axum::http::Response<axum::body::Body> {
    let (tokens, name) = (console.operator.list_tokens(), visit.form.text("name").to_owned());
    page::show_with(status, &Tokens { frame: Frame::new(visit, "tokens", "Tokens"), tokens, name, wrong })
}

pub(super) async fn create(State(console): State<Arc<Console>>, visit: Visit) -> Answer {
    let made = match made(&console, &visit).await {
        Ok(made) => made,
        Err(Problem { status, message, .. }) => return Ok(shown(&console, &visit, status, message)),
    };
    let said = Said::Secret {
        what: format!("This is the token {:?}, with the role {}", made.shown.name, made.shown.role.as_str()),
        advice: "It is shown this once. Give it to whoever needs it; it signs in here, too.".to_owned(),
        text: Secret::new(made.token),
    };
    Ok(page::then(&console, &visit, "/console/tokens", said))
}

async fn made(console: &Console, visit: &Visit) -> Result<Made, Problem> {
    let new: NewToken = body::parse(json!({"name": visit.form.text("name"), "role": visit.form.text("role")}))?;
    console.operator.create_token(&visit.caller, new).await
}

pub(super) async fn ask_revocation(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Named(id): Named<String>,
) -> Answer {
    let found = console.operator.list_tokens().into_iter().find(|token| token.id == id);
    let missing = || Problem::new(StatusCode::NOT_FOUND, format!("there is no token {id}"));
    let token = found.ok_or_else(missing)?;
    Ok(page::show(&Confirm {
        frame: Frame::new(&visit, "tokens", "Revoke a token"),
        question: format!("Revoke the token {:?}?", token.name),
        consequence: "It opens nothing any more, and whoever signed in with it is signed out.".to_owned(),
        button: "Revoke it",
        typed: None,
        wrong: String::new(),
        action: format!("/console/tokens/{id}/revoke"),
        back: "/console/tokens".to_owned(),
    }))
}

pub(super) async fn revoke(State(console): State<Arc<Console>>, visit: Visit, Named(id): Named<String>) -> Answer {
    let token = console.operator.revoke_token(&visit.caller, id).await?;
    let said = Said::Done(format!("The token {:?} was revoked.", token.name));
    Ok(page::then(&console, &visit, "/console/tokens", said))
}

fn moment(token: &Shown) -> Moment {
    Moment(token.created_ms)
}

fn is_operator(token: &Shown) -> bool {
    token.role == Role::Operator
}
