//! Sessions as rows.

use std::collections::{BTreeSet, HashMap};

use tokio_postgres::Row;
use unsaid_protocol::{SdkAppId, UserId, callback::Platform};

use super::{
    link::{Link, params},
    row::{Columns as _, Sql, Text},
};
use crate::{
    chat::{Fault, Session, SessionId, SessionKey},
    clock::Timestamp,
};

/// Those of each of the accounts, the one that logged in first first.
pub(super) fn of(link: &Link, app: SdkAppId, users: &[UserId]) -> Result<Vec<Vec<Session>>, Fault> {
    let names: BTreeSet<_> = users.iter().map(UserId::as_str).collect();
    let names: Vec<_> = names.into_iter().collect();
    let rows = link.rows(
        "SELECT name, id, platform, client_ip, since_ms, resumes FROM unnest($2::text[]) AS asked (user_name)
             CROSS JOIN LATERAL (SELECT * FROM session WHERE app = $1 AND name = asked.user_name OFFSET 0) AS found
         ORDER BY name, since_ms, id",
        params![Sql(app), names],
    )?;
    let mut found: HashMap<UserId, Vec<Session>> = HashMap::new();
    for row in rows {
        found.entry(row.user(0)?).or_default().push(session(&row, 1)?);
    }
    Ok(users.iter().map(|user| found.get(user).cloned().unwrap_or_default()).collect())
}

/// Along the key, behind `after`; without those that are connected to another member, and those of one that is not gone for
/// long.
pub(super) fn all(
    link: &Link,
    member: &str,
    after: Option<&SessionKey>,
    sessions_max: u32,
) -> Result<Vec<(SessionKey, Session)>, Fault> {
    let (app, user, id) = after.map_or((0, "", ""), |(app, user, id)| (app.0, user.as_str(), &*id.0));
    let rows = link.rows(
        "SELECT app, name, id, platform, client_ip, since_ms, resumes FROM session
         WHERE (app, name, id) > ($1, $2, $3)
         AND NOT EXISTS (SELECT FROM member WHERE member.id = session.member AND member.id <> $5)
         ORDER BY app, name, id LIMIT $4",
        params![Sql(app), user, id, i64::from(sessions_max), member],
    )?;
    let keyed = |row: &Row| {
        let session = session(row, 2)?;
        Ok(((row.at::<Sql<SdkAppId>>(0)?.0, row.user(1)?, session.id.clone()), session))
    };
    rows.iter().map(keyed).collect()
}

/// It is connected to this member.
pub(super) fn write(link: &Link, member: &str, app: SdkAppId, user: &UserId, session: &Session) -> Result<(), Fault> {
    let Session { id, platform, client_ip, since, resumes } = session;
    let resumes = resumes.as_ref().map_or("", |session| &*session.0);
    link.execute(
        "INSERT INTO session (app, name, id, platform, client_ip, since_ms, resumes, member)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![
            Sql(app),
            Sql(user),
            &*id.0,
            platform.as_str(),
            client_ip.to_string(),
            Sql(*since),
            Text(resumes),
            member
        ],
    )
    .map(drop)
}

pub(super) fn remove(link: &Link, app: SdkAppId, user: &UserId, session: &SessionId) -> Result<(), Fault> {
    let sql = "DELETE FROM session WHERE app = $1 AND name = $2 AND id = $3";
    link.execute(sql, params![Sql(app), Sql(user), &*session.0]).map(drop)
}

fn session(row: &Row, column: usize) -> Result<Session, Fault> {
    let resumes = row.written(column + 4)?;
    Ok(Session {
        id: SessionId(row.at::<&str>(column)?.into()),
        platform: row.parsed(column + 1, Platform::from_name)?,
        client_ip: row.parsed(column + 2, |text| text.parse().ok())?,
        since: row.at::<Sql<Timestamp>>(column + 3)?.0,
        resumes: (!resumes.is_empty()).then(|| SessionId(resumes.into())),
    })
}
