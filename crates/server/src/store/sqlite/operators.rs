//! What is kept for operators: tokens, and the audit log.

use rusqlite::{Connection, Row, params};
use unsaid_protocol::SdkAppId;

use crate::{
    chat::{AuditEntry, AuditFilter, AuditPage, Note, Role, Token},
    clock::Timestamp,
    limits,
};

/// In the order in which they were made. There are few.
pub(super) fn tokens(connection: &Connection) -> rusqlite::Result<Vec<Token>> {
    connection
        .prepare_cached("SELECT id, name, role, digest, created_ms, created_by FROM token ORDER BY created_ms, id")?
        .query_map([], |row| {
            let role: String = row.get(2)?;
            let unknown =
                || rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, "no role".into());
            Ok(Token {
                id: row.get(0)?,
                name: row.get(1)?,
                role: Role::from_name(&role).ok_or_else(unknown)?,
                digest: row.get(3)?,
                created: Timestamp(row.get(4)?),
                created_by: row.get(5)?,
            })
        })?
        .collect()
}

pub(super) fn save_token(connection: &Connection, token: &Token) -> rusqlite::Result<()> {
    let Token { id, name, role, digest, created, created_by } = token;
    connection
        .prepare_cached(
            "INSERT INTO token (id, name, role, digest, created_ms, created_by) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![id, name, role.as_str(), digest, created.0, created_by])
        .map(drop)
}

pub(super) fn remove_token(connection: &Connection, id: &str) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM token WHERE id = ?1")?.execute([id]).map(drop)
}

pub(super) fn add_note(connection: &Connection, at: Timestamp, note: &Note) -> rusqlite::Result<()> {
    let Note { actor, client_ip, action, app, what } = note;
    connection
        .prepare_cached(
            "INSERT INTO audit (at_ms, actor, client_ip, action, app, what) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![at.0, actor, client_ip.to_string(), action, app.map_or(0, |app| app.0), what])
        .map(drop)
}

/// The oldest ones, along the key.
pub(super) fn erase_notes(connection: &Connection, before: Timestamp) -> rusqlite::Result<u64> {
    let erased = connection
        .prepare_cached("DELETE FROM audit WHERE at_ms < ?1 AND id IN (SELECT id FROM audit ORDER BY id LIMIT ?2)")?
        .execute(params![before.0, limits::AUDIT_ERASE_ROWS])?;
    Ok(erased as u64)
}

/// Backwards along the key; a bounded number of rows is looked at.
pub(super) fn audit(connection: &Connection, filter: &AuditFilter) -> rusqlite::Result<AuditPage> {
    let mut statement = connection.prepare_cached(
        "SELECT id, at_ms, actor, client_ip, action, app, what FROM audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
    )?;
    let before = filter.before.unwrap_or(i64::MAX);
    let mut rows = statement.query(params![before, limits::AUDIT_PAGE_ROWS])?;
    let (mut page, mut looked_at, mut last) = (AuditPage::default(), 0, None);
    while page.entries.len() < filter.entries_max as usize
        && let Some(row) = rows.next()?
    {
        let entry = entry(row)?;
        (last, looked_at) = (Some(entry.id), looked_at + 1);
        if filter.covers(&entry) {
            page.entries.push(entry);
        }
    }
    let more = looked_at >= limits::AUDIT_PAGE_ROWS || page.entries.len() >= filter.entries_max as usize;
    page.next = last.filter(|_| more);
    Ok(page)
}

fn entry(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    let app: u32 = row.get(5)?;
    Ok(AuditEntry {
        id: row.get(0)?,
        at: Timestamp(row.get(1)?),
        actor: row.get(2)?,
        client_ip: row.get(3)?,
        action: row.get(4)?,
        app: (app != 0).then_some(SdkAppId(app)),
        what: row.get(6)?,
    })
}
