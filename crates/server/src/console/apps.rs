//! The apps of this server, and making one.

use std::sync::Arc;

use askama::Template;
use axum::{
    body::Body,
    extract::State,
    http::{Response, StatusCode},
};
use serde_json::json;

use super::{
    Console,
    gate::Visit,
    page::{self, Answer, Frame, Said, name_of},
};
use crate::{
    apps::{DeclaredApp, Origin, Secret},
    operator::{Problem, apps::Shown, body},
};

#[derive(Template)]
#[template(path = "apps.html")]
struct Apps {
    frame: Frame,
    apps: Vec<Row>,
    /// What is filled in already.
    sdkappid: String,
    name: String,
    wrong: String,
}

struct Row {
    sdkappid: u32,
    name: String,
    is_of_file: bool,
    disabled: bool,
    endpoint: String,
    switches: usize,
}

/// The number that the first app may have: as those of the original look.
const FIRST: u32 = 1_400_000_001;

pub(super) async fn list(State(console): State<Arc<Console>>, visit: Visit) -> Response<Body> {
    let highest = console.operator.list_apps().iter().map(|app| app.sdkappid).max();
    let next = highest.map_or(FIRST, |highest| highest.saturating_add(1)).to_string();
    shown(&console, &visit, StatusCode::OK, next, String::new())
}

fn shown(console: &Console, visit: &Visit, status: StatusCode, sdkappid: String, wrong: String) -> Response<Body> {
    let apps = console.operator.list_apps().into_iter().map(|app| Row {
        sdkappid: app.sdkappid,
        name: name_of(&app),
        is_of_file: app.origin == Origin::File,
        disabled: app.disabled,
        endpoint: app.callback.url.unwrap_or_default(),
        switches: app.callback.commands.len(),
    });
    let (frame, name) = (Frame::new(visit, "apps", "Apps"), visit.form.text("name").to_owned());
    page::show_with(status, &Apps { apps: apps.collect(), frame, sdkappid, name, wrong })
}

pub(super) async fn create(State(console): State<Arc<Console>>, visit: Visit) -> Answer {
    let made = match made(&console, &visit).await {
        Ok(made) => made,
        Err(Problem { status, message, .. }) => {
            return Ok(shown(&console, &visit, status, visit.form.text("sdkappid").to_owned(), message));
        }
    };
    let said = Said::Secret {
        what: format!("The app {} was made. This is its secret key", made.0.sdkappid),
        advice: "It is shown this once. Your app backend makes UserSigs with it. Next: set the endpoint below."
            .to_owned(),
        text: made.1,
    };
    Ok(page::then(&console, &visit, &format!("/console/apps/{}", made.0.sdkappid), said))
}

async fn made(console: &Console, visit: &Visit) -> Result<(Shown, Secret), Problem> {
    let given = visit.form.text("sdkappid");
    let wrong = || Problem::unprocessable(format!("{given:?} is not a number from 1 to 4294967295"));
    let sdkappid: u32 = given.parse().map_err(|_| wrong())?;
    let declared: DeclaredApp = body::parse(json!({"sdkappid": sdkappid, "name": visit.form.text("name")}))?;
    let made = console.operator.create_app(&visit.caller, declared).await?;
    Ok((made.app, Secret::new(made.secret_key)))
}
