//! Making a UserSig: for trying something out as an account, and for looking into what one sees.

use std::sync::Arc;

use askama::Template;
use axum::{extract::State, http::StatusCode};
use serde_json::json;

use super::{
    Console,
    gate::{Named, Visit},
    page::{self, Answer, Frame, Said},
};
use crate::{
    apps::Secret,
    calendar::time,
    operator::{
        Problem, body,
        usersig::{NewUserSig, UserSig},
    },
};

#[derive(Template)]
#[template(path = "usersig.html")]
struct UserSigPage {
    frame: Frame,
    sdkappid: u32,
    account: String,
    expiries: Vec<(u64, &'static str, bool)>,
    wrong: String,
}

const EXPIRIES: [(u64, &str); 4] =
    [(3_600, "an hour"), (86_400, "a day"), (7 * 86_400, "a week"), (180 * 86_400, "180 days")];

pub(super) async fn show(State(console): State<Arc<Console>>, visit: Visit, Named(app): Named<u32>) -> Answer {
    shown(&console, &visit, app, StatusCode::OK, String::new()).await
}

async fn shown(console: &Console, visit: &Visit, app: u32, status: StatusCode, wrong: String) -> Answer {
    let (frame, _) = Frame::of_app(console, visit, app, ("usersig", "UserSig")).await?;
    let asked: u64 = visit.form.text("expire_s").parse().unwrap_or(86_400);
    let expiries = EXPIRIES.map(|(seconds, name)| (seconds, name, seconds == asked)).into();
    let account = visit.form.text("account").to_owned();
    Ok(page::show_with(status, &UserSigPage { frame, sdkappid: app, account, expiries, wrong }))
}

pub(super) async fn make(State(console): State<Arc<Console>>, visit: Visit, Named(app): Named<u32>) -> Answer {
    let made = match made(&console, &visit, app).await {
        Ok(made) => made,
        Err(Problem { status, message, .. }) => return shown(&console, &visit, app, status, message).await,
    };
    let expires = time(i64::try_from(made.expires_s).ok().map(|s| s.saturating_mul(1000)));
    let said = Said::Secret {
        what: format!("This is a UserSig of {}, valid until {} UTC", made.account, &expires[..16]),
        advice: "It is shown this once. Whoever has it speaks as this account. The chat page at /chat/ takes it."
            .to_owned(),
        text: Secret::new(made.usersig),
    };
    Ok(page::then(&console, &visit, &format!("/console/apps/{app}/usersig"), said))
}

async fn made(console: &Console, visit: &Visit, app: u32) -> Result<UserSig, Problem> {
    let expire_s: u64 = visit.form.text("expire_s").parse().unwrap_or(86_400);
    let new: NewUserSig = body::parse(json!({"account": visit.form.text("account"), "expire_s": expire_s}))?;
    console.operator.make_usersig(&visit.caller, app, new).await
}
