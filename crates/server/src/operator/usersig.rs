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
pub(crate) struct NewUserSig {
    #[schemars(with = "UserName")]
    pub(crate) account: UserId,
    /// For how long it is valid, in seconds: a day unless set, at most 180 days.
    #[serde(default = "day")]
    #[schemars(range(min = 1, max = 15_552_000))]
    pub(crate) expire_s: u64,
}

const EXPIRE_MAX_S: u64 = 180 * 86_400;

fn day() -> u64 {
    86_400
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct UserSig {
    pub(crate) account: String,
    pub(crate) usersig: String,
    /// When it expires, in seconds since 1970.
    pub(crate) expires_s: u64,
}

pub(super) async fn make(
    State(operator): State<Arc<Operator>>,
    caller: Caller,
    Named(app): Named<u32>,
    body: Body,
) -> Result<Response<Body>, Problem> {
    Ok(json(StatusCode::CREATED, &operator.make_usersig(&caller, app, body::read(body).await?).await?))
}

impl Operator {
    pub(crate) async fn make_usersig(&self, caller: &Caller, app: u32, new: NewUserSig) -> Result<UserSig, Problem> {
        let app = self.app(app)?;
        let NewUserSig { account, expire_s } = new;
        if !(1..=EXPIRE_MAX_S).contains(&expire_s) {
            let message = format!("expire_s: is {expire_s}, but must be from 1 to {EXPIRE_MAX_S} (180 days)");
            return Err(Problem::unprocessable(message));
        }
        let note = caller.note("usersig.make", Some(app.sdkappid), format!("account {account}, {expire_s} s"));
        self.chat.noted(note, None).await?;
        let time_s = u64::from(self.clock.now().seconds());
        let key = app.keys.first().expect("an app has a key");
        let order = usersig::Order { sdkappid: app.sdkappid, identifier: &account, time_s, expire_s, userbuf: None };
        let usersig = usersig::make(key.secret.expose(), order);
        Ok(UserSig { account: account.to_string(), usersig, expires_s: time_s + expire_s })
    }
}
