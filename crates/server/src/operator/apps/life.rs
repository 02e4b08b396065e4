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
    Shown, save,
};
use crate::apps::App;

/// How long one request goes on erasing.
const ERASE_TIME: Duration = Duration::from_secs(1);

pub(in crate::operator) async fn enable(
    State(operator): State<Arc<Operator>>,
    caller: Caller,
    Named(app): Named<u32>,
) -> Result<Response<Body>, Problem> {
    let _making = operator.making.lock().await;
    let app = App { disabled: false, ..App::clone(&*operator.changeable(app)?) };
    save(&operator, &app, caller.note("app.enable", Some(app.sdkappid), "")).await?;
    Ok(json(StatusCode::OK, &Shown::new(&app)))
}

/// It keeps its data and answers nobody. What it is owed is parked (rule C11).
pub(in crate::operator) async fn disable(
    State(operator): State<Arc<Operator>>,
    caller: Caller,
    Named(app): Named<u32>,
) -> Result<Response<Body>, Problem> {
    let _making = operator.making.lock().await;
    let app = App { disabled: true, ..App::clone(&*operator.changeable(app)?) };
    save(&operator, &app, caller.note("app.disable", Some(app.sdkappid), "")).await?;
    Ok(json(StatusCode::OK, &Shown::new(&app)))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::operator) struct Confirmation {
    /// The app's number once more: everything that it has is gone for good.
    confirm: u32,
}

/// What was erased so far.
#[derive(Serialize, JsonSchema)]
pub(in crate::operator) struct Erased {
    erased: u64,
    /// Whether the app is gone. If not, the same request goes on; so does the server, every hour.
    done: bool,
}

/// It is switched off at once, and then erased piece by piece, with what it is owed: callbacks tell of messages, and there are
/// none any more.
pub(in crate::operator) async fn delete(
    State(operator): State<Arc<Operator>>,
    caller: Caller,
    Named(sdkappid): Named<u32>,
    Asked(Confirmation { confirm }): Asked<Confirmation>,
) -> Result<Response<Body>, Problem> {
    if confirm != sdkappid {
        let message = format!("confirm is {confirm}, but the app is {sdkappid}: send its number to confirm");
        return Err(Problem::new(StatusCode::CONFLICT, message));
    }
    let _making = operator.making.lock().await;
    let app = operator.app(sdkappid)?;
    if !app.erasing {
        let app = App { disabled: true, erasing: true, ..App::clone(&*operator.changeable(sdkappid)?) };
        let note = caller.note("app.delete", Some(app.sdkappid), app.name.clone());
        operator.chat.save_app_noted(app, note).await?;
        tracing::warn!(app = %sdkappid, "an app is being deleted on the operator's word");
    }
    let (mut erased, began) = (0, operator.clock.instant());
    while operator.clock.instant() - began < ERASE_TIME {
        let piece = operator.chat.erase_app(app.sdkappid).await?;
        erased += piece;
        if piece == 0 {
            return Ok(json(StatusCode::OK, &Erased { erased, done: true }));
        }
    }
    Ok(json(StatusCode::ACCEPTED, &Erased { erased, done: false }))
}
