//! Making a UserSig for an account. Whoever has it speaks as that account, so every one is noted.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{Response, StatusCode},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unsaid_protocol::{UserId, usersig};

use super::{Operator, Problem, admit::Caller, ask::Named, body, json};
use crate::apps::schema::UserName;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUserSig {
    #[schemars(with = "UserName")]
    account: UserId,
    /// For how long it is valid, in seconds: a day unless set, at most 180 days.
    #[serde(default = "day")]
    #[schemars(range(min = 1, max = 15_552_000))]
    expire_s: u64,
}

const EXPIRE_MAX_S: u64 = 180 * 86_400;

fn day() -> u64 {
    86_400
}

#[derive(Serialize, JsonSchema)]
pub(super) struct UserSig {
    account: String,
    usersig: String,
    /// When it expires, in seconds since 1970.
    expires_s: u64,
}

pub(super) async fn make(
    State(operator): State<Arc<Operator>>,
    caller: Caller,
    Named(app): Named<u32>,
    body: Body,
) -> Result<Response<Body>, Problem> {
    let app = operator.app(app)?;
    let NewUserSig { account, expire_s } = body::read(body).await?;
    if !(1..=EXPIRE_MAX_S).contains(&expire_s) {
        let message = format!("expire_s: is {expire_s}, but must be from 1 to {EXPIRE_MAX_S} (180 days)");
        return Err(Problem::unprocessable(message));
    }
    let note = caller.note("usersig.make", Some(app.sdkappid), format!("account {account}, {expire_s} s"));
    operator.chat.noted(note, None).await?;
    let time_s = u64::from(operator.clock.now().seconds());
    let key = app.keys.first().expect("an app has a key");
    let order = usersig::Order { sdkappid: app.sdkappid, identifier: &account, time_s, expire_s, userbuf: None };
    let usersig = usersig::make(key.secret.expose(), order);
    Ok(json(StatusCode::CREATED, &UserSig { account: account.to_string(), usersig, expires_s: time_s + expire_s }))
}
