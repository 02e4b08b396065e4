//! Reading the configuration again.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{Response, StatusCode},
};

use super::{Operator, Problem, admit::Caller, json};
use crate::reload::ReloadError;

/// The same as SIGHUP.
pub(super) async fn reload(State(operator): State<Arc<Operator>>, caller: Caller) -> Result<Response<Body>, Problem> {
    let reloaded = operator.reload.run().await?;
    // What stands in a file is changed by whoever may write it, whether or not this is noted.
    operator.chat.noted(caller.note("reload", None, reloaded.applied.join(", ")), None).await?;
    Ok(json(StatusCode::OK, &reloaded))
}

impl From<ReloadError> for Problem {
    fn from(error: ReloadError) -> Self {
        let status = match &error {
            ReloadError::Config(_) | ReloadError::Certificate(_) => StatusCode::UNPROCESSABLE_ENTITY,
            ReloadError::Apps(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.to_string())
    }
}
