//! What every page has: the frame around it, its headers, what is to be said once, and how a problem is told.

use askama::Template;
use axum::{
    body::Body,
    extract::{Path, Request},
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect},
};

use serde_json::Value;

use super::{Console, gate::Visit};
use crate::{
    apps::{Origin, Secret},
    calendar::time,
    callback::TestReport,
    clock::Timestamp,
    operator::{Problem, apps, callback},
    pages,
};

/// What a page may load, and where its forms go. Nothing is written inline.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

const ASSETS: [(&str, &[u8]); 3] = [
    ("console.css", include_bytes!("assets/console.css")),
    ("console.js", include_bytes!("assets/console.js")),
    ("mark.svg", include_bytes!("assets/mark.svg")),
];

/// What a page answers: a page, or a problem that is told in the frame.
pub(super) type Answer = Result<Response<Body>, Trouble>;

/// A problem on its way to the gate, which knows the frame.
pub(super) struct Trouble(Problem);

impl<P: Into<Problem>> From<P> for Trouble {
    fn from(problem: P) -> Self {
        Self(problem.into())
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(self.0);
        response
    }
}

/// What is said once, on the page that follows a change.
#[derive(Clone)]
pub(super) enum Said {
    Done(String),
    /// A secret that is shown this once: what it is, and the text.
    Secret {
        what: String,
        advice: String,
        text: Secret,
    },
    Tested(Box<TestReport>),
}

/// What stands around a page.
pub(super) struct Frame {
    pub(super) title: String,
    /// Which entry of the navigation it is.
    pub(super) place: &'static str,
    pub(super) who: String,
    pub(super) role: &'static str,
    pub(super) may_change: bool,
    pub(super) csrf: String,
    pub(super) said: Option<Said>,
    pub(super) app: Option<AppHead>,
}

/// The app that a page is about.
pub(super) struct AppHead {
    pub(super) shown: apps::Shown,
    pub(super) callbacks: callback::Shown,
}

impl Frame {
    pub(super) fn new(visit: &Visit, place: &'static str, title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            place,
            who: visit.caller.name.clone(),
            role: visit.caller.role.as_str(),
            may_change: visit.may_change(),
            csrf: visit.csrf.expose().to_owned(),
            said: visit.said.clone(),
            app: None,
        }
    }

    /// Of a page about an app.
    pub(super) async fn of_app(
        console: &Console,
        visit: &Visit,
        app: u32,
        (place, title): (&'static str, &str),
    ) -> Result<(Self, apps::Shown), Problem> {
        let shown = console.operator.show_app(app)?;
        let callbacks = console.operator.show_callbacks(app).await?;
        let title = format!("{title} · {}", name_of(&shown));
        let head = AppHead { shown: shown.clone(), callbacks };
        Ok((Self { app: Some(head), ..Self::new(visit, place, title) }, shown))
    }

    /// Marks the entry of the navigation that is shown.
    pub(super) fn current(&self, place: &str) -> &'static str {
        if self.place == place { "page" } else { "false" }
    }

    pub(super) fn is_of_apps(&self) -> bool {
        self.place == "apps" || self.app.is_some()
    }

    pub(super) fn done(&self) -> Option<&str> {
        match &self.said {
            Some(Said::Done(text)) => Some(text),
            Some(Said::Secret { .. } | Said::Tested(_)) | None => None,
        }
    }

    pub(super) fn secret(&self) -> Option<(&str, &str, &str)> {
        match &self.said {
            Some(Said::Secret { what, advice, text }) => Some((what, advice, text.expose())),
            Some(Said::Done(_) | Said::Tested(_)) | None => None,
        }
    }

    pub(super) fn tested(&self) -> Option<&TestReport> {
        match &self.said {
            Some(Said::Tested(report)) => Some(report),
            Some(Said::Done(_) | Said::Secret { .. }) | None => None,
        }
    }
}

impl AppHead {
    pub(super) fn name(&self) -> String {
        name_of(&self.shown)
    }

    pub(super) fn is_of_file(&self) -> bool {
        self.shown.origin == Origin::File
    }

    /// How its callbacks stand, as a word and a colour.
    pub(super) fn state(&self) -> (&'static str, &'static str) {
        state(&self.shown, &self.callbacks)
    }
}

/// How an app's callbacks stand, as a colour and a word.
pub(super) fn state(app: &apps::Shown, callbacks: &callback::Shown) -> (&'static str, &'static str) {
    if app.erasing {
        return ("bad", "being deleted");
    }
    if app.disabled {
        return ("idle", "switched off");
    }
    match callbacks.state {
        "unavailable" => ("bad", "unavailable"),
        "refusing" => ("bad", "refusing"),
        _ if app.callback.url.is_none() => ("idle", "no endpoint"),
        _ if app.callback.commands.is_empty() => ("idle", "nothing switched on"),
        _ if callbacks.parked > 0 => ("warn", "flowing, some parked"),
        _ => ("good", "flowing"),
    }
}

/// What people call it.
pub(super) fn name_of(app: &apps::Shown) -> String {
    if app.name.is_empty() { format!("App {}", app.sdkappid) } else { app.name.clone() }
}

/// A moment, for people and for programs.
#[derive(Clone, Copy)]
pub(super) struct Moment(pub(super) Timestamp);

impl Moment {
    /// Without JavaScript it is read in UTC.
    fn text(self) -> String {
        format!("{} UTC", time(Some(self.0.0)))
    }

    fn iso(self) -> String {
        format!("{}Z", time(Some(self.0.0)).replace(' ', "T"))
    }
}

/// It writes its own element, of digits alone.
impl askama::filters::HtmlSafe for Moment {}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<time datetime=\"{}\">{}</time>", self.iso(), self.text())
    }
}

/// A duration, rounded for people.
pub(super) fn took(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{:.1} ms", micros as f64 / 1e3),
        10_000..1_000_000 => format!("{} ms", micros / 1_000),
        1_000_000..60_000_000 => format!("{:.1} s", micros as f64 / 1e6),
        _ => ago(micros / 1_000_000),
    }
}

/// Seconds, rounded for people.
pub(super) fn ago(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// A whole number with its thousands apart.
pub(super) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub(super) fn show(page: &impl Template) -> Response<Body> {
    show_with(StatusCode::OK, page)
}

pub(super) fn show_with(status: StatusCode, page: &impl Template) -> Response<Body> {
    let text = page.render().expect("what a page shows can be written to a string");
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

/// For a script of a page.
pub(super) fn json(value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(value.to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// After a change: leads to the page at `path`, which says what was done.
pub(super) fn then(console: &Console, visit: &Visit, to: &str, said: Said) -> Response<Body> {
    let path = to.split(['#', '?']).next().unwrap_or_default();
    console.sessions.say(visit.session, path, said);
    Redirect::to(to).into_response()
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    frame: Frame,
    status: u16,
    message: &'a str,
}

pub(super) fn problem(visit: &Visit, problem: &Problem) -> Response<Body> {
    let Problem { status, message, .. } = problem;
    let frame = Frame::new(visit, "", "That did not work");
    show_with(*status, &ProblemPage { frame, status: status.as_u16(), message })
}

pub(super) async fn missing() -> Trouble {
    Problem::new(StatusCode::NOT_FOUND, "There is no such page. The link may be of an older version.").into()
}

pub(super) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response<Body> {
    match ASSETS.iter().find(|(known, _)| *known == name) {
        Some((name, bytes)) => pages::embedded(name, bytes, &headers),
        None => (StatusCode::NOT_FOUND, "there is no such file; the console is at /console\n").into_response(),
    }
}

/// Sets on every answer what protects whoever reads it. Pages are kept nowhere.
pub(super) async fn guard(request: Request, next: Next) -> Response<Body> {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_rounded_for_people() {
        for (micros, expected) in [
            (0, "0 µs"),
            (999, "999 µs"),
            (1_340, "1.3 ms"),
            (45_600, "45 ms"),
            (1_250_000, "1.2 s"),
            (90_000_000, "90 s"),
            (600_000_000, "10 min"),
            (200_000_000_000, "2 days"),
        ] {
            assert_eq!(took(micros), expected);
        }
        let numbers = [0, 999, 1_000, 1_234_567].map(number);
        assert_eq!(numbers, ["0", "999", "1,000", "1,234,567"]);
    }
}
