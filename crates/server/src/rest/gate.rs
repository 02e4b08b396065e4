//! The gate: who calls, and on behalf of which app (rest 1.6, steps 1 to 10).

use std::sync::Arc;

use axum::http::request::Parts;
use unsaid_protocol::{UserId, callback::Platform, error};

use super::{Rest, request::Query};
use crate::{
    apps::App,
    chat::{ChatError, Origin, Refusal, RequestId},
    listener::client_ip,
};

/// Who has passed.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) app: Arc<App>,
    pub(super) admin: UserId,
    pub(super) origin: Origin,
}

pub(super) fn admit(rest: &Rest, request: RequestId, head: &Parts) -> Result<Caller, ChatError> {
    let (app, admin) = identify(rest, head).map_err(ChatError::Refused)?;
    let client_ip = client_ip(head, &rest.trusted_proxies.now());
    Ok(Caller { app, admin, origin: Origin { client_ip, platform: Platform::RestApi, request } })
}

fn identify(rest: &Rest, head: &Parts) -> Result<(Arc<App>, UserId), Refusal> {
    let refuse = |code, info: String| Err(Refusal::new(code, info));
    let query = Query::parse(head.uri.query().unwrap_or_default())?;
    let sdkappid = query.sdkappid.as_deref().filter(|text| !text.is_empty());
    let Some(sdkappid) = sdkappid else {
        return refuse(error::SDKAPPID_MISSING, "sdkappid is missing in the query".to_owned());
    };
    let Some(app) = sdkappid.parse().ok().and_then(|sdkappid| rest.apps.get(sdkappid)) else {
        return refuse(error::SDKAPPID_INVALID, "sdkappid names no app of this server".to_owned());
    };
    if app.disabled {
        return refuse(error::APP_DISABLED, format!("app {sdkappid} is disabled"));
    }
    let identifier = query.identifier.as_deref();
    let usersig = query.usersig.as_deref().unwrap_or_default();
    let now_s = u64::from(rest.clock.now().seconds());
    rest.identities.verify(&app, identifier, usersig, now_s)?;
    let admin = app.admins.iter().find(|admin| identifier == Some(admin.as_str())).cloned();
    match admin {
        Some(admin) => Ok((app, admin)),
        None => refuse(error::NOT_ADMIN, "identifier is not an admin of this app".to_owned()),
    }
}
