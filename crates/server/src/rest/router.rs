//! Every route on one screen.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Response, request::Parts},
    routing::any,
};
use unsaid_protocol::error;

use super::{
    Rest, account_import, admin_getroammsg, admin_msgwithdraw, admin_set_msg_read, c2c_msg_read_receipt, callback_back,
    envelope::{self, Answer, Service},
    gate::{self, Caller},
    get_c2c_unread_msg_num, get_ip_list, modify_c2c_msg,
    request::Upload,
    sendmsg,
};
use crate::chat::{ChatError, Refusal};

/// The routes of the listener for clients and REST.
pub fn router(rest: Arc<Rest>) -> Router {
    Router::new()
        .route("/v4/{*command}", any(answer))
        .route("/v4", any(answer))
        .route("/v4/", any(answer))
        .with_state(rest)
}

/// The commands, by service and name (rest 3 to 5).
async fn dispatch(
    rest: &Rest,
    caller: &Caller,
    command: Command<'_>,
    head: &Parts,
    body: &[u8],
) -> Result<Answer, ChatError> {
    match (command.service, command.name) {
        ("im_open_login_svc", "account_import") => account_import::answer(rest, caller, body).await,

        ("openim", "sendmsg") => sendmsg::answer(rest, caller, body).await,
        ("openim", "admin_msgwithdraw") => admin_msgwithdraw::answer(rest, caller, body).await,
        ("openim", "admin_set_msg_read") => admin_set_msg_read::answer(rest, caller, body).await,
        ("openim", "get_c2c_unread_msg_num") => get_c2c_unread_msg_num::answer(rest, caller, body).await,
        ("openim", "admin_getroammsg") => admin_getroammsg::answer(rest, caller, body).await,

        ("openim", "modify_c2c_msg") => modify_c2c_msg::answer(rest, caller, body).await,
        ("openim", "c2c_msg_read_receipt") => c2c_msg_read_receipt::answer(rest, caller, body).await,

        ("ConfigSvc", "GetIPList") => get_ip_list::answer(rest, head),
        ("unsaid", "callback_back") => callback_back::answer(rest, caller).await,

        _ => Err(unknown(command)),
    }
}

/// The commands of [`dispatch`], for telling an unknown one before its body is read.
const COMMANDS: [(&str, &str); 10] = [
    ("im_open_login_svc", "account_import"),
    ("openim", "sendmsg"),
    ("openim", "admin_msgwithdraw"),
    ("openim", "admin_set_msg_read"),
    ("openim", "get_c2c_unread_msg_num"),
    ("openim", "admin_getroammsg"),
    ("openim", "modify_c2c_msg"),
    ("openim", "c2c_msg_read_receipt"),
    ("ConfigSvc", "GetIPList"),
    ("unsaid", "callback_back"),
];

/// A command as the path names it.
#[derive(Clone, Copy, Debug)]
struct Command<'a> {
    service: &'a str,
    name: &'a str,
}

/// The fixed order of checks is that of rest 1.6; the gate has the first ten.
async fn answer(State(rest): State<Arc<Rest>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let mut upload = Upload::new(body);
    let path = head.uri.path().strip_prefix("/v4").unwrap_or_default().trim_matches('/');
    let (service, name) = path.split_once('/').unwrap_or((path, ""));
    let command = Command { service, name };
    let outcome = async {
        let caller = gate::admit(&rest, &head)?;
        if head.method != axum::http::Method::POST {
            return Err(refuse(error::REQUEST_FORMAT, format!("{} is not accepted: use POST", head.method)));
        }
        if !COMMANDS.contains(&(service, name)) {
            return Err(unknown(command));
        }
        let body = upload.read(&rest.settings, &head).await?;
        dispatch(&rest, &caller, command, &head, &body).await
    };
    let outcome = outcome.await;
    if let Err(ChatError::Failed(fault)) = &outcome {
        tracing::error!(service, command = name, %fault, "a command failed");
    }
    let rest_of_body = upload.drain().await;
    envelope::response(Service::named(service), outcome, rest_of_body)
}

fn unknown(command: Command<'_>) -> ChatError {
    let Command { service, name } = command;
    refuse(error::UNKNOWN_COMMAND, format!("there is no command /v4/{service}/{name} on this server: check the URL"))
}

fn refuse(code: unsaid_protocol::ErrorCode, info: String) -> ChatError {
    ChatError::Refused(Refusal::new(code, info))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_those_that_are_dispatched() {
        let source = include_str!("router.rs");
        let arms = source.lines().filter(|line| line.trim_start().starts_with("(\"") && line.contains("=>"));
        let named =
            |line: &str| COMMANDS.iter().any(|(service, name)| line.contains(&format!("(\"{service}\", \"{name}\")")));
        assert_eq!(arms.inspect(|line| assert!(named(line), "{line}")).count(), COMMANDS.len());
    }
}
