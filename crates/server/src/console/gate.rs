//! What every request to a page has to pass: a session whose token is still valid; for a change a form of that session, sent
//! by a page of this server, and the role operator.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{FromRequestParts, Path, Request, State},
    http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse as _, Redirect},
};

use serde::de::DeserializeOwned;

use super::{
    Console,
    form::{Fields, encoded},
    page::{self, Said, Trouble},
    session::{Known, Name, Use},
};
use crate::{
    apps::Secret,
    chat::Role,
    listener::Transport,
    operator::{Caller, Problem, body},
};

/// A request that was let through.
#[derive(Clone)]
pub(super) struct Visit {
    pub(super) caller: Caller,
    /// What a form has sent; nothing unless it is a POST.
    pub(super) form: Fields,
    /// What stands behind the question mark.
    pub(super) query: Fields,
    pub(super) csrf: Secret,
    pub(super) said: Option<Said>,
    pub(super) session: Name,
}

/// What stands in the path.
pub(super) struct Named<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Sync + Send> FromRequestParts<S> for Named<T> {
    type Rejection = Trouble;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, Trouble> {
        let named = Path::from_request_parts(head, state).await;
        let missing = || Problem::new(StatusCode::NOT_FOUND, "There is nothing of that name.");
        Ok(named.map(|Path(named)| Self(named)).map_err(|_| missing())?)
    }
}

/// A page asks for the part of itself that changes.
const FRAGMENT: &str = "fragment";

impl Visit {
    pub(super) fn may_change(&self) -> bool {
        self.caller.role >= Role::Operator
    }

    pub(super) fn wants_fragment(&self) -> bool {
        self.query.has(FRAGMENT)
    }
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(head.extensions.get::<Self>().cloned().expect("every page stands behind the gate"))
    }
}

pub(super) async fn admit(State(console): State<Arc<Console>>, request: Request, next: Next) -> Response<Body> {
    let (mut head, body) = request.into_parts();
    let query = Fields::parse(head.uri.query().unwrap_or_default());
    let why = if query.has(FRAGMENT) { Use::Poll } else { Use::Click };
    let Some((known, caller)) = signed_in(&console, &head, why) else {
        return to_sign_in(&head);
    };
    let is_change = head.method == Method::POST;
    let said = if is_change || why == Use::Poll { None } else { console.sessions.hear(known.name, head.uri.path()) };
    let sent = if is_change { sent(&known, &caller, &head, body).await } else { Ok(Fields::default()) };
    let (form, refusal) = sent.map_or_else(|problem| (Fields::default(), Some(problem)), |form| (form, None));
    let visit = Visit { caller, form, query, csrf: known.csrf, said, session: known.name };
    if let Some(problem) = refusal {
        return page::problem(&visit, &problem);
    }
    head.extensions.insert(visit.clone());
    let response = next.run(Request::from_parts(head, Body::empty())).await;
    // What a page could not do is told in the frame that all pages have.
    match response.extensions().get::<Problem>() {
        Some(problem) => page::problem(&visit, problem),
        None => response,
    }
}

/// What a form has sent, or why it is not taken.
async fn sent(known: &Known, caller: &Caller, head: &Parts, body: Body) -> Result<Fields, Problem> {
    let refused = |message: &str| Err(Problem::new(StatusCode::FORBIDDEN, message));
    if is_foreign(&head.headers) {
        return refused("this was sent by a page of another site, so nothing was done: open the console itself");
    }
    let form = Fields::parse(&String::from_utf8_lossy(&body::whole(body).await?));
    if !known.gave(form.text("csrf")) {
        return refused(
            "this form is not of your session, so nothing was done: open the page again, and send it from there",
        );
    }
    if caller.role < Role::Operator && head.uri.path() != SIGN_OUT {
        let message = format!("the token {:?} only reads: this needs one with the role operator", caller.name);
        return refused(&message);
    }
    Ok(form)
}

/// What everybody may do.
const SIGN_OUT: &str = "/console/sign-out";

/// Whether a page of somewhere else has sent it. What says nothing of that is no browser of these days.
pub(super) fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text("sec-fetch-site") {
        return !["same-origin", "none"].contains(&site);
    }
    let host = text("host").unwrap_or_default();
    text("origin").is_some_and(|origin| origin.split_once("://").is_none_or(|(_, origin)| origin != host))
}

fn signed_in(console: &Console, head: &Parts, why: Use) -> Option<(Known, Caller)> {
    let text = cookie(&head.headers, cookie_name(console.operator.transport(head)))?;
    let known = console.sessions.find(text, why, &console.clock)?;
    let Some(token) = console.operator.valid_token(&known.token) else {
        console.sessions.close(known.name);
        return None;
    };
    Some((known, Caller::new(token, console.operator.client_ip(head))))
}

/// A page leads back to where it was asked for.
fn to_sign_in(head: &Parts) -> Response<Body> {
    let asked = head.uri.path_and_query().map_or("/console", |asked| asked.as_str());
    let is_worth_it = head.method == Method::GET && asked != "/console" && !asked.contains(FRAGMENT);
    let to = if is_worth_it { format!("?to={}", encoded(asked)) } else { String::new() };
    Redirect::to(&format!("/console/sign-in{to}")).into_response()
}

/// Where there is TLS, the name itself says that the cookie never goes without.
fn cookie_name(transport: Transport) -> &'static str {
    match transport {
        Transport::Tls => "__Secure-unsaid_console",
        Transport::Plain => "unsaid_console",
    }
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(given, _)| *given == name).map(|(_, value)| value)
}

/// The cookie of a session; with an empty text it is taken away.
pub(super) fn set_cookie(transport: Transport, text: &str) -> HeaderValue {
    let secure = if transport == Transport::Tls { "; Secure" } else { "" };
    let age = if text.is_empty() { "; Max-Age=0" } else { "" };
    let cookie = format!("{}={text}; Path=/console; HttpOnly; SameSite=Strict{secure}{age}", cookie_name(transport));
    HeaderValue::from_str(&cookie).expect("it is hex")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().expect("valid"), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn what_another_site_has_sent_is_seen() {
        for (given, expected) in [
            (&[][..], false),
            (&[("sec-fetch-site", "same-origin")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "same-site")], true),
            (&[("sec-fetch-site", "cross-site")], true),
            (&[("host", "unsaid.example:8443"), ("origin", "https://unsaid.example:8443")], false),
            (&[("host", "unsaid.example"), ("origin", "https://evil.example")], true),
            (&[("host", "unsaid.example"), ("origin", "null")], true),
        ] {
            assert_eq!(is_foreign(&headers(given)), expected, "{given:?}");
        }
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let all = headers(&[("cookie", "a=1; unsaid_console=x; b=2")]);
        assert_eq!(cookie(&all, "unsaid_console"), Some("x"));
        assert_eq!(cookie(&all, "__Secure-unsaid_console"), None);
    }
}
