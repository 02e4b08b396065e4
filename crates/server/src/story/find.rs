//! Finding attempts: by event through its index; by anything else backwards in time, a bounded piece at a time.

use rusqlite::{Connection, Row, params};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;
use unsaid_protocol::SdkAppId;

use crate::{chat::EventId, clock::Timestamp};

/// Which attempts. What is not set holds for all.
#[derive(Clone, Debug)]
pub struct Filter {
    pub app: SdkAppId,
    /// The account, or both accounts with a tab between them where lanes are conversations.
    pub lane: Option<String>,
    pub msg_key: Option<String>,
    pub command: Option<String>,
    /// `delivered`, `refused`, `unavailable`, or the name of one outcome.
    pub outcome: Option<String>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// Only what stands before this record.
    pub before: Option<i64>,
    pub limit: u32,
}

/// An attempt, as it was taken down.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Attempt")]
pub struct Found {
    pub record: i64,
    pub at_ms: i64,
    pub event: String,
    pub lane: String,
    pub command: String,
    pub class: String,
    pub outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msg_key: Option<String>,
    /// Its number, its phases in microseconds, the address, the status, what was sent and what came back.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub detail: Box<RawValue>,
}

#[derive(Clone, Debug, Default)]
pub struct Page {
    pub attempts: Vec<Found>,
    /// What to ask for as `before`; none if everything was looked at.
    pub next: Option<i64>,
}

/// Records that one call looks at.
const LOOK_AT_MAX: u32 = 50_000;

const COLUMNS: &str = "id, at_ms, event, lane, command, class, outcome, msg_key, detail";

pub(super) fn of_event(connection: &Connection, app: SdkAppId, id: &EventId) -> rusqlite::Result<Vec<Found>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM attempt WHERE event = ?1 AND app = ?2 ORDER BY id"))?
        .query_map(params![id.0, app.0], found)?
        .collect()
}

pub(super) fn find(connection: &Connection, filter: &Filter) -> rusqlite::Result<Page> {
    let before = filter.before.unwrap_or(i64::MAX);
    let transaction = connection.unchecked_transaction()?;
    let last: Option<i64> = transaction
        .prepare_cached(
            "SELECT min(id) FROM (SELECT id FROM attempt WHERE id < ?1 ORDER BY id DESC LIMIT ?2)
             HAVING count(*) = ?2",
        )?
        .query_row(params![before, LOOK_AT_MAX], |row| row.get(0))
        .or_else(|error| if error == rusqlite::Error::QueryReturnedNoRows { Ok(None) } else { Err(error) })?;
    let mut statement = transaction.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM attempt
         WHERE id < ?1 AND id >= ?2 AND app = ?3 AND (?4 IS NULL OR lane = ?4) AND (?5 IS NULL OR msg_key = ?5)
         AND (?6 IS NULL OR command = ?6) AND (?7 IS NULL OR class = ?7 OR outcome = ?7)
         AND at_ms >= ?8 AND at_ms <= ?9 ORDER BY id DESC LIMIT ?10"
    ))?;
    let attempts = statement.query_map(
        params![
            before,
            last.unwrap_or(0),
            filter.app.0,
            filter.lane,
            filter.msg_key,
            filter.command,
            filter.outcome,
            filter.since.unwrap_or(Timestamp(i64::MIN)).0,
            filter.until.unwrap_or(Timestamp(i64::MAX)).0,
            filter.limit
        ],
        found,
    )?;
    let attempts = attempts.collect::<rusqlite::Result<Vec<_>>>()?;
    let full = attempts.len() >= filter.limit as usize;
    let next = if full { attempts.last().map(|found| found.record) } else { last };
    Ok(Page { attempts, next })
}

fn found(row: &Row<'_>) -> rusqlite::Result<Found> {
    let detail: String = row.get(8)?;
    let detail = RawValue::from_string(detail)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(8, rusqlite::types::Type::Text, Box::new(error)))?;
    Ok(Found {
        record: row.get(0)?,
        at_ms: row.get(1)?,
        event: row.get(2)?,
        lane: row.get(3)?,
        command: row.get(4)?,
        class: row.get(5)?,
        outcome: row.get(6)?,
        msg_key: row.get(7)?,
        detail,
    })
}
