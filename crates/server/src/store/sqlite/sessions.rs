//! Sessions as rows.

use rusqlite::{Connection, Row, params};
use unsaid_protocol::{SdkAppId, UserId, callback::Platform};

use super::row::Sql;
use crate::{
    chat::{Session, SessionId, SessionKey},
    clock::Timestamp,
};

/// Those of an account, the one that logged in first first.
pub(super) fn of(connection: &Connection, app: SdkAppId, user: &UserId) -> rusqlite::Result<Vec<Session>> {
    connection
        .prepare_cached(
            "SELECT id, platform, client_ip, since_ms, resumes FROM session WHERE app = ?1 AND user = ?2
             ORDER BY since_ms, id",
        )?
        .query_map(params![Sql(app), Sql(user)], |row| session(row, 0))?
        .collect()
}

/// Along the key, behind `after`.
pub(super) fn all(
    connection: &Connection,
    after: Option<&SessionKey>,
    sessions_max: u32,
) -> rusqlite::Result<Vec<(SessionKey, Session)>> {
    let (app, user, id) = after.map_or((0, "", ""), |(app, user, id)| (app.0, user.as_str(), &*id.0));
    connection
        .prepare_cached(
            "SELECT app, user, id, platform, client_ip, since_ms, resumes FROM session
             WHERE (app, user, id) > (?1, ?2, ?3) ORDER BY app, user, id LIMIT ?4",
        )?
        .query_map(params![app, user, id, sessions_max], |row| {
            let session = session(row, 2)?;
            let (app, user) = (row.get::<_, Sql<SdkAppId>>(0)?.0, row.get::<_, Sql<UserId>>(1)?.0);
            Ok(((app, user, session.id.clone()), session))
        })?
        .collect()
}

pub(super) fn write(connection: &Connection, app: SdkAppId, user: &UserId, session: &Session) -> rusqlite::Result<()> {
    let Session { id, platform, client_ip, since, resumes } = session;
    let resumes = resumes.as_ref().map_or("", |session| &*session.0);
    connection
        .prepare_cached(
            "INSERT INTO session (app, user, id, platform, client_ip, since_ms, resumes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![Sql(app), Sql(user), &*id.0, platform.as_str(), client_ip.to_string(), since.0, resumes])
        .map(drop)
}

pub(super) fn remove(
    connection: &Connection,
    app: SdkAppId,
    user: &UserId,
    session: &SessionId,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM session WHERE app = ?1 AND user = ?2 AND id = ?3")?
        .execute(params![Sql(app), Sql(user), &*session.0])
        .map(drop)
}

fn session(row: &Row<'_>, column: usize) -> rusqlite::Result<Session> {
    let id: String = row.get(column)?;
    let (platform, client_ip): (String, String) = (row.get(column + 1)?, row.get(column + 2)?);
    let resumes: String = row.get(column + 4)?;
    let broken = |column: usize, what: &str| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, what.into())
    };
    Ok(Session {
        id: SessionId(id.into()),
        platform: Platform::from_name(&platform).ok_or_else(|| broken(column + 1, "no platform"))?,
        client_ip: client_ip.parse().map_err(|_| broken(column + 2, "no address"))?,
        since: Timestamp(row.get(column + 3)?),
        resumes: (!resumes.is_empty()).then(|| SessionId(resumes.into())),
    })
}
