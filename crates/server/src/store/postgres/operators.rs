//! What is kept for operators: tokens, and the audit log.

use tokio_postgres::Row;
use unsaid_protocol::SdkAppId;

use super::{
    link::{Link, params},
    row::{Columns as _, Sql, Text},
};
use crate::{
    chat::{AuditEntry, AuditFilter, AuditPage, Fault, Note, Role, Token},
    clock::Timestamp,
    limits,
};

/// In the order in which they were made. There are few.
pub(super) fn tokens(link: &Link) -> Result<Vec<Token>, Fault> {
    let sql = "SELECT id, name, role, digest, created_ms, created_by FROM token ORDER BY created_ms, id";
    let token = |row: &Row| {
        Ok(Token {
            id: row.at(0)?,
            name: row.written(1)?,
            role: row.parsed(2, Role::from_name)?,
            digest: row
                .at::<Vec<u8>>(3)?
                .try_into()
                .map_err(|_| Fault::Failed("a digest has another length".into()))?,
            created: row.at::<Sql<Timestamp>>(4)?.0,
            created_by: row.written(5)?,
        })
    };
    link.rows(sql, params![])?.iter().map(token).collect()
}

pub(super) fn save_token(link: &Link, token: &Token) -> Result<(), Fault> {
    let Token { id, name, role, digest, created, created_by } = token;
    let (name, created_by) = (Text(name.as_str()), Text(created_by.as_str()));
    link.execute(
        "INSERT INTO token (id, name, role, digest, created_ms, created_by) VALUES ($1, $2, $3, $4, $5, $6)",
        params![*id, name, role.as_str(), &digest[..], Sql(*created), created_by],
    )
    .map(drop)
}

pub(super) fn remove_token(link: &Link, id: &str) -> Result<(), Fault> {
    link.execute("DELETE FROM token WHERE id = $1", params![id]).map(drop)
}

pub(super) fn add_note(link: &Link, at: Timestamp, note: &Note) -> Result<(), Fault> {
    let Note { actor, client_ip, action, app, what } = note;
    let (actor, what) = (Text(actor.as_str()), Text(what.as_str()));
    link.execute(
        "INSERT INTO audit (at_ms, actor, client_ip, action, app, what) VALUES ($1, $2, $3, $4, $5, $6)",
        params![Sql(at), actor, client_ip.to_string(), *action, Sql(app.map_or(0, |app| app.0)), what],
    )
    .map(drop)
}

/// The oldest ones, along the key.
pub(super) fn erase_notes(link: &Link, before: Timestamp) -> Result<u64, Fault> {
    let sql = "DELETE FROM audit WHERE at_ms < $1 AND id IN (SELECT id FROM audit ORDER BY id LIMIT $2)";
    link.execute(sql, params![Sql(before), i64::from(limits::AUDIT_ERASE_ROWS)])
}

/// Backwards along the key; a bounded number of rows is looked at, piece by piece.
pub(super) fn audit(link: &Link, filter: &AuditFilter) -> Result<AuditPage, Fault> {
    let (mut page, mut looked_at) = (AuditPage::default(), 0);
    let mut before = filter.before.unwrap_or(i64::MAX);
    while looked_at < limits::AUDIT_PAGE_ROWS {
        let rows = link.rows(
            "SELECT id, at_ms, actor, client_ip, action, app, what FROM audit WHERE id < $1 ORDER BY id DESC LIMIT $2",
            params![before, PIECE_ROWS],
        )?;
        for row in &rows {
            if page.entries.len() >= filter.entries_max as usize || looked_at >= limits::AUDIT_PAGE_ROWS {
                page.next = Some(before);
                return Ok(page);
            }
            let entry = entry(row)?;
            (before, looked_at) = (entry.id, looked_at + 1);
            if filter.covers(&entry) {
                page.entries.push(entry);
            }
        }
        if (rows.len() as i64) < PIECE_ROWS {
            let full = page.entries.len() >= filter.entries_max as usize;
            page.next = full.then_some(before);
            return Ok(page);
        }
    }
    page.next = Some(before);
    Ok(page)
}

const PIECE_ROWS: i64 = 1000;

fn entry(row: &Row) -> Result<AuditEntry, Fault> {
    let app = row.number(5)?;
    Ok(AuditEntry {
        id: row.at(0)?,
        at: row.at::<Sql<Timestamp>>(1)?.0,
        actor: row.written(2)?,
        client_ip: row.at(3)?,
        action: row.at(4)?,
        app: (app != 0).then_some(SdkAppId(app)),
        what: row.written(6)?,
    })
}
