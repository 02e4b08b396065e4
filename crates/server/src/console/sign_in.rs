//! Signing in with a token of the operator API, and out again.

use std::sync::Arc;

use askama::Template;
use axum::{
    body::Body,
    extract::{Request, State},
    http::{Response, StatusCode, header},
    response::{IntoResponse as _, Redirect},
};

use super::{
    Console,
    form::Fields,
    gate::{self, Visit},
    page,
};
use crate::operator::{Problem, body};

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    /// What was wrong, if somebody has tried.
    wrong: Option<String>,
    to: String,
}

/// Where one is led after signing in: a page of the console, and nowhere else.
fn destination(asked: &str) -> &str {
    let is_page = asked == "/console" || asked.starts_with("/console/") || asked.starts_with("/console?");
    let is_plain = asked.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_page && is_plain { asked } else { "/console" }
}

pub(super) async fn show(request: Request) -> Response<Body> {
    let query = Fields::parse(request.uri().query().unwrap_or_default());
    page::show(&SignIn { wrong: None, to: destination(query.text("to")).to_owned() })
}

pub(super) async fn sign_in(State(console): State<Arc<Console>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let form = match body::whole(body).await {
        Ok(body) => Fields::parse(&String::from_utf8_lossy(&body)),
        Err(problem) => return again(&problem, "/console"),
    };
    let to = destination(form.text("to"));
    if gate::is_foreign(&head.headers) {
        let message = "this was sent by a page of another site: sign in here";
        return again(&Problem::new(StatusCode::FORBIDDEN, message), to);
    }
    let from = console.operator.client_ip(&head);
    let token = match console.operator.prove(form.text("token"), from) {
        Ok(token) => token,
        Err(problem) => return again(&problem, to),
    };
    tracing::info!(token = token.name, %from, "somebody has signed in to the console");
    let text = console.sessions.open(token.id, &console.clock, &console.entropy);
    let mut response = Redirect::to(to).into_response();
    response
        .headers_mut()
        .insert(header::SET_COOKIE, gate::set_cookie(console.operator.transport(&head), text.expose()));
    response
}

/// The form once more, with what was wrong.
fn again(problem: &Problem, to: &str) -> Response<Body> {
    let wrong = match problem.status {
        StatusCode::UNAUTHORIZED => {
            "This token is not valid: it was revoked, or is mistyped. `unsaid token create` makes one.".to_owned()
        }
        _ => problem.message.clone(),
    };
    page::show_with(problem.status, &SignIn { wrong: Some(wrong), to: to.to_owned() })
}

pub(super) async fn sign_out(State(console): State<Arc<Console>>, visit: Visit, request: Request) -> Response<Body> {
    console.sessions.close(visit.session);
    let (head, _) = request.into_parts();
    let mut response = Redirect::to("/console/sign-in").into_response();
    response.headers_mut().insert(header::SET_COOKIE, gate::set_cookie(console.operator.transport(&head), ""));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_led_to_pages_of_the_console_only() {
        for (asked, expected) in [
            ("/console/apps/7", "/console/apps/7"),
            ("/console/apps/7/deliveries?msg_key=1_2_3", "/console/apps/7/deliveries?msg_key=1_2_3"),
            ("", "/console"),
            ("//evil.example/console", "/console"),
            ("https://evil.example/", "/console"),
            ("/consoles", "/console"),
            ("/console/\\evil", "/console"),
            ("/console/\r\nset-cookie: a", "/console"),
        ] {
            assert_eq!(destination(asked), expected, "{asked}");
        }
    }
}
