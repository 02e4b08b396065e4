//! How sessions stand: how far their accounts have come, and whether their rows are there.

use unsaid_protocol::UserId;

use super::{
    link::{Link, params},
    row::{Columns as _, Sql},
};
use crate::{
    chat::{EndReason, Fault, SessionKey},
    clock::Timestamp,
    cluster::Glance,
    limits,
};

/// In the order in which they are asked about. Each is found by its key, and the account and its other sessions by the beginning
/// of it.
///
/// A row that is gone says no more why. Another session that goes on with it has taken it over. If the app backend has just ended
/// the account's logins, or nobody is left, it was the app backend. Else another device has taken its place.
pub(super) fn glance(link: &Link, sessions: &[SessionKey], now: Timestamp) -> Result<Vec<Glance>, Fault> {
    let apps: Vec<_> = sessions.iter().map(|(app, _, _)| Sql(*app)).collect();
    let names: Vec<_> = sessions.iter().map(|(_, user, _)| UserId::as_str(user)).collect();
    let ids: Vec<_> = sessions.iter().map(|(_, _, session)| &*session.0).collect();
    let just_now_s = i64::from(now.minus(2 * limits::POLL_NET_PAUSE).seconds());
    let sql = "
        SELECT coalesce(account.sync_number, 0), session.id IS NOT NULL,
               session.id IS NULL AND EXISTS (
                   SELECT FROM session AS other WHERE other.app = asked.app AND other.name = asked.name
                   AND other.resumes = convert_to(asked.id, 'UTF8')),
               session.id IS NULL AND account.kicked_s < $4 AND EXISTS (
                   SELECT FROM session AS other WHERE other.app = asked.app AND other.name = asked.name)
        FROM unnest($1::bigint[], $2::text[], $3::text[]) WITH ORDINALITY AS asked (app, name, id, place)
        LEFT JOIN account ON account.app = asked.app AND account.name = asked.name
        LEFT JOIN session ON session.app = asked.app AND session.name = asked.name AND session.id = asked.id
        ORDER BY asked.place";
    let rows = link.rows(sql, params![apps, names, ids, just_now_s])?;
    let glances = rows.iter().map(|row| {
        let (is_there, is_resumed, is_displaced) = (row.at(1)?, row.at(2)?, row.at::<Option<bool>>(3)?);
        let ended = match (is_there, is_resumed, is_displaced) {
            (true, _, _) => None,
            (false, true, _) => Some(EndReason::Resumed),
            (false, false, Some(true)) => Some(EndReason::OtherLogin),
            (false, false, _) => Some(EndReason::AppBackend),
        };
        Ok(Glance { sync_number: row.at(0)?, ended })
    });
    glances.collect()
}
