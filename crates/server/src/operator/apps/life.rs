//! The life of an app: switched off, switched on, deleted with all that it has.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::State,
    http::{Response, StatusCode},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    super::{
        Operator, Problem,
        admit::Caller,
        ask::{Asked, Named},
        json,
    },
    Shown,
};
use crate::apps::App;

/// How long one request goes on erasing.
const ERASE_TIME: Duration = Duration::from_secs(1);

pub(in crate::operator) async fn enable(
    State(operator): State<Arc<Operator>>,
    caller: Caller,
    Named(app): Named<u32>,
) -> Result<Response<Body>, Problem> {
    Ok(json(StatusCode::OK, &operator.enable_app(&caller, app).await?))
}

pub(in crate::operator) async fn disable(
    State(operator): State<Arc<Operator>>,
    caller: Caller,
    Named(app): Named<u32>,
) -> Result<Response<Body>, Problem> {
    Ok(json(StatusCode::OK, &operator.disable_app(&caller, app).await?))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confirmation {
    /// The app's number once more: everything that it has is gone for good.
    pub(crate) confirm: u32,
}

/// What was erased so far.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Erased {
    erased: u64,
    /// Whether the app is gone. If not, the same request goes on; so does the server, every hour.
    pub(crate) done: bool,
}

pub(in crate::operator) async fn delete(
    State(operator): State<Arc<Operator>>,
    caller: Caller,
    Named(sdkappid): Named<u32>,
    Asked(Confirmation { confirm }): Asked<Confirmation>,
) -> Result<Response<Body>, Problem> {
    let erased = operator.delete_app(&caller, sdkappid, confirm).await?;
    Ok(json(if erased.done { StatusCode::OK } else { StatusCode::ACCEPTED }, &erased))
}

impl Operator {
    pub(crate) async fn enable_app(&self, caller: &Caller, app: u32) -> Result<Shown, Problem> {
        let _making = self.making.lock().await;
        let app = App { disabled: false, ..App::clone(&*self.changeable(app)?) };
        self.save(&app, caller.note("app.enable", Some(app.sdkappid), "")).await?;
        Ok(Shown::new(&app))
    }

    /// It keeps its data and answers nobody. What it is owed is parked (rule C11).
    pub(crate) async fn disable_app(&self, caller: &Caller, app: u32) -> Result<Shown, Problem> {
        let _making = self.making.lock().await;
        let app = App { disabled: true, ..App::clone(&*self.changeable(app)?) };
        self.save(&app, caller.note("app.disable", Some(app.sdkappid), "")).await?;
        Ok(Shown::new(&app))
    }

    /// It is switched off at once, and then erased piece by piece, with what it is owed: callbacks tell of messages, and
    /// there are none any more.
    pub(crate) async fn delete_app(&self, caller: &Caller, sdkappid: u32, confirm: u32) -> Result<Erased, Problem> {
        if confirm != sdkappid {
            let message = format!("confirm is {confirm}, but the app is {sdkappid}: send its number to confirm");
            return Err(Problem::new(StatusCode::CONFLICT, message));
        }
        let _making = self.making.lock().await;
        let app = self.app(sdkappid)?;
        if !app.erasing {
            let app = App { disabled: true, erasing: true, ..App::clone(&*self.changeable(sdkappid)?) };
            let note = caller.note("app.delete", Some(app.sdkappid), app.name.clone());
            self.chat.save_app_noted(app, note).await?;
            tracing::warn!(app = %sdkappid, "an app is being deleted on the operator's word");
        }
        let (mut erased, began) = (0, self.clock.instant());
        while self.clock.instant() - began < ERASE_TIME {
            let piece = self.chat.erase_app(app.sdkappid).await?;
            erased += piece;
            if piece == 0 {
                return Ok(Erased { erased, done: true });
            }
        }
        Ok(Erased { erased, done: false })
    }
}
