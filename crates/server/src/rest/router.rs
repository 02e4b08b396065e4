//! Every route on one screen.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, Response, StatusCode, Uri, request::Parts},
    routing::any,
};
use tracing::Instrument;
use unsaid_protocol::error;

use super::{
    Rest,
    absent::absent,
    account, callback_back,
    command::{Call, Command},
    envelope::{self, Answer, Service},
    gate, get_ip_list, openim, recentcontact,
    request::Upload,
    sns,
};
use crate::{
    chat::{ChatError, Refusal, RequestId},
    spelling::nearest,
};

/// What the request is called in the log, in the stories, and to the receiver.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The routes of the listener for clients and REST.
pub fn router(rest: Arc<Rest>) -> Router {
    Router::new()
        .route("/v4/{*command}", any(answer))
        .route("/v4", any(answer))
        .route("/v4/", any(answer))
        .fallback(outside)
        .with_state(rest)
}

/// Whatever is not a route is no part of the API, so it is 404; what is called by mistake learns where the API is.
async fn outside(uri: Uri) -> Response<Body> {
    let info = format!("there is nothing at {}: commands are at /v4/{{service}}/{{command}}", uri.path());
    let mut response = envelope::refusal(&Refusal::new(error::UNKNOWN_COMMAND, info));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// The commands, in the order of the documentation.
pub const COMMANDS: &[&Command] = &[
    &account::account_import::COMMAND,
    &account::multiaccount_import::COMMAND,
    &account::account_check::COMMAND,
    &account::kick::COMMAND,
    &account::account_delete::COMMAND,
    &openim::query_online_status::COMMAND,
    &openim::query_online_status::OLDER,
    &openim::sendmsg::COMMAND,
    &openim::batchsendmsg::COMMAND,
    &openim::importmsg::COMMAND,
    &openim::admin_getroammsg::COMMAND,
    &openim::get_c2c_unread_msg_num::COMMAND,
    &openim::admin_set_msg_read::COMMAND,
    &openim::c2c_msg_read_receipt::COMMAND,
    &openim::modify_c2c_msg::COMMAND,
    &openim::delete_c2c_msg_ramble::COMMAND,
    &openim::admin_msgwithdraw::COMMAND,
    &recentcontact::get_list::COMMAND,
    &recentcontact::delete::COMMAND,
    &sns::black_list_add::COMMAND,
    &sns::black_list_add::DELETE,
    &sns::black_list_get::COMMAND,
    &sns::black_list_check::COMMAND,
    &get_ip_list::COMMAND,
    &callback_back::COMMAND,
];

/// The fixed order of checks is that of rest 1.6; the gate has the first ten.
async fn answer(State(rest): State<Arc<Rest>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let mut upload = Upload::new(body);
    let path = head.uri.path().strip_prefix("/v4").unwrap_or_default().trim_matches('/');
    let (service, name) = path.split_once('/').unwrap_or((path, ""));
    let (began, request) = (rest.clock.instant(), RequestId::draw(&rest.entropy));
    let place = COMMANDS.iter().position(|command| command.service == service && command.name == name);
    let command = place.map(|place| COMMANDS[place]).ok_or_else(|| unknown(service, name));
    // Of the level of errors, so that it is there for whatever is logged.
    let span = tracing::error_span!("rest", %request);
    let outcome = outcome(&rest, command, Incoming { request, head: &head, upload: &mut upload });
    let outcome = outcome.instrument(span.clone()).await;
    if let Err(ChatError::Failed(fault)) = &outcome {
        span.in_scope(|| tracing::error!(service, command = name, %fault, "a command failed"));
    }
    let rest_of_body = upload.drain().await;
    let service = Service::named(service);
    let (code, took) = (service.code(&outcome), rest.clock.instant() - began);
    rest.metrics.answered(place, code, took);
    let command = place.map_or("unknown", |place| COMMANDS[place].name);
    tracing::debug!(parent: &span, command, %code, took_ms = took.as_secs_f64() * 1e3, "a request was answered");
    let mut response = envelope::response(service, outcome, rest_of_body);
    let name = HeaderValue::from_str(&request.to_string()).expect("it is visible ASCII");
    response.headers_mut().insert(REQUEST_ID, name);
    response
}

/// What has come in.
struct Incoming<'a> {
    request: RequestId,
    head: &'a Parts,
    upload: &'a mut Upload,
}

async fn outcome(
    rest: &Rest,
    command: Result<&Command, ChatError>,
    incoming: Incoming<'_>,
) -> Result<Answer, ChatError> {
    let Incoming { request, head, upload } = incoming;
    let caller = gate::admit(rest, request, head)?;
    let get = head.method == Method::GET && command.as_ref().is_ok_and(|command| command.get);
    if head.method != Method::POST && !get {
        return Err(refuse(error::REQUEST_FORMAT, format!("{} is not accepted: use POST", head.method)));
    }
    let command = command?;
    rest.rates.take(caller.app.sdkappid, command).map_err(ChatError::Refused)?;
    let body = upload.read(&rest.settings.now(), head).await?;
    (command.answer)(Call { rest, caller: &caller, head, body: &body }).await
}

fn unknown(service: &str, name: &str) -> ChatError {
    let called = format!("/v4/{service}/{name}");
    let paths: Vec<_> = COMMANDS.iter().map(|command| format!("/v4/{}/{}", command.service, command.name)).collect();
    // Nobody meant a command by a path of kilobytes.
    let meant = nearest(&called, paths.iter().filter(|path| called.len() < 2 * path.len()));
    let why = match (absent(service, name), meant) {
        (Some(what), _) => format!("{what} are not part of Unsaid"),
        (None, Some(path)) => format!("is {path} meant?"),
        (None, None) => "groups, friends, profiles and push are not part of Unsaid".to_owned(),
    };
    refuse(error::UNKNOWN_COMMAND, format!("there is no command {called} on this server: check the URL; {why}"))
}

fn refuse(code: unsaid_protocol::ErrorCode, info: String) -> ChatError {
    ChatError::Refused(Refusal::new(code, info))
}
