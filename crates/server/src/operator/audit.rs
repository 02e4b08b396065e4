//! The audit log, for reading.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{Response, StatusCode},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unsaid_protocol::SdkAppId;

use super::{
    Operator, Problem,
    ask::{self, Asked},
    json,
};
use crate::{
    chat::{AuditEntry, AuditFilter, AuditPage},
    clock::Timestamp,
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// The name of the token that was used.
    pub(crate) actor: Option<String>,
    /// As `app.create`, or `app` for everything that begins so.
    pub(crate) action: Option<String>,
    pub(crate) app: Option<u32>,
    pub(crate) since_ms: Option<i64>,
    pub(crate) until_ms: Option<i64>,
    /// From the page before.
    #[schemars(regex(pattern = r"^[0-9]{1,18}$"))]
    pub(crate) next: Option<String>,
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) limit: Option<u32>,
}

/// Who did what, when and from where.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Shown {
    pub(crate) id: i64,
    #[schemars(with = "i64")]
    pub(crate) at_ms: Timestamp,
    /// The name of the token.
    pub(crate) actor: String,
    pub(crate) client_ip: String,
    pub(crate) action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) app: Option<u32>,
    /// Names of what it was done to: settings, accounts, events; never a secret.
    pub(crate) what: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct AuditLog {
    pub(crate) entries: Vec<Shown>,
    /// To be asked for as `next`; none if this is the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

pub(super) async fn list(
    State(operator): State<Arc<Operator>>,
    Asked(which): Asked<Which>,
) -> Result<Response<Body>, Problem> {
    Ok(json(StatusCode::OK, &operator.read_audit(which).await?))
}

impl Operator {
    pub(crate) async fn read_audit(&self, which: Which) -> Result<AuditLog, Problem> {
        let Which { actor, action, app, since_ms, until_ms, next, limit } = which;
        let filter = AuditFilter {
            actor,
            action,
            app: app.map(SdkAppId),
            since: since_ms.map(Timestamp),
            until: until_ms.map(Timestamp),
            before: ask::number(next.as_deref())?,
            entries_max: ask::page(limit)?,
        };
        let AuditPage { entries, next } = self.chat.store().audit(filter).await?;
        let entries = entries.into_iter().map(Shown::from).collect();
        Ok(AuditLog { entries, next: next.map(|next| next.to_string()) })
    }
}

impl From<AuditEntry> for Shown {
    fn from(entry: AuditEntry) -> Self {
        let AuditEntry { id, at, actor, client_ip, action, app, what } = entry;
        Self { id, at_ms: at, actor, client_ip, action, app: app.map(|app| app.0), what }
    }
}
