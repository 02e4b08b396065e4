//! Backups: beginning one, seeing which there are and how far the one is that is being made, and deleting one.

use std::{str::FromStr, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::State,
    http::{Response, StatusCode},
};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Operator, Problem, admit::Caller, ask::Named, json};
use crate::backups::{Backup, BackupError, BackupName, BackupState};

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Stage {
    Running,
    Done,
    Failed,
}

/// A backup in `data_dir/backups`.
#[derive(Serialize, JsonSchema)]
pub(super) struct Shown {
    name: String,
    state: Stage,
    /// How many bytes it has so far.
    bytes: u64,
    /// How many it will have, about.
    bytes_expected: u64,
    /// Of the last one since the start of the server.
    took_ms: Option<u64>,
    /// Why it has failed, and what to do.
    problem: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct BackupList {
    backups: Vec<Shown>,
}

impl From<Backup> for Shown {
    fn from(Backup { name, state }: Backup) -> Self {
        let milliseconds = |took: Duration| u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let (state, bytes, bytes_expected, took_ms, problem) = match state {
            BackupState::Running { copied_bytes, store_bytes } => {
                (Stage::Running, copied_bytes, store_bytes, None, None)
            }
            BackupState::Done { bytes, took } => (Stage::Done, bytes, bytes, took.map(milliseconds), None),
            BackupState::Failed { why } => (Stage::Failed, 0, 0, None, Some(why)),
        };
        Self { name: name.to_string(), state, bytes, bytes_expected, took_ms, problem }
    }
}

pub(super) async fn list(State(operator): State<Arc<Operator>>) -> Result<Response<Body>, Problem> {
    let backups = operator.backups.list()?.into_iter().map(Shown::from).collect();
    Ok(json(StatusCode::OK, &BackupList { backups }))
}

pub(super) async fn show(
    State(operator): State<Arc<Operator>>,
    Named(name): Named<String>,
) -> Result<Response<Body>, Problem> {
    let name = BackupName::from_str(&name)?;
    let backup = operator.backups.find(&name).ok_or(BackupError::None)?;
    Ok(json(StatusCode::OK, &Shown::from(backup)))
}

/// A large one takes minutes: it is answered as soon as it has begun.
pub(super) async fn create(State(operator): State<Arc<Operator>>, caller: Caller) -> Result<Response<Body>, Problem> {
    let _making = operator.making.lock().await;
    let name = operator.backups.admit()?;
    operator.chat.noted(caller.note("backup.create", None, name.to_string()), None).await?;
    Ok(json(StatusCode::ACCEPTED, &Shown::from(operator.backups.begin(name))))
}

pub(super) async fn delete(
    State(operator): State<Arc<Operator>>,
    caller: Caller,
    Named(name): Named<String>,
) -> Result<Response<Body>, Problem> {
    let name = BackupName::from_str(&name)?;
    let _making = operator.making.lock().await;
    match operator.backups.find(&name).ok_or(BackupError::None)?.state {
        BackupState::Running { .. } => return Err(BackupError::Busy(name).into()),
        BackupState::Done { .. } | BackupState::Failed { .. } => {}
    }
    operator.chat.noted(caller.note("backup.delete", None, name.to_string()), None).await?;
    Ok(json(StatusCode::OK, &Shown::from(operator.backups.delete(&name)?)))
}

impl From<BackupError> for Problem {
    fn from(error: BackupError) -> Self {
        let status = match &error {
            BackupError::OfPostgres | BackupError::Busy(_) | BackupError::TooMany(_) => StatusCode::CONFLICT,
            BackupError::NoRoom { .. } => StatusCode::INSUFFICIENT_STORAGE,
            BackupError::None => StatusCode::NOT_FOUND,
            BackupError::Folder { .. } => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.to_string())
    }
}
