//! What is asked about accounts: which there are, with whom they talk, whom they have blocked. Each answer is one statement,
//! so it is of one moment.

use std::collections::HashMap;

use unsaid_protocol::{SdkAppId, UserId};

use super::{
    link::{Link, params},
    row::{Columns as _, Sql},
    statements::{self, ACCOUNT_COLUMNS},
};
use crate::chat::{Direction, Fault, Pair, Person, Recent};

/// As many as there are columns of an account come first.
const NICK: usize = 8;

fn names(users: &[UserId]) -> Vec<&str> {
    users.iter().map(UserId::as_str).collect()
}

pub(super) fn unread(link: &Link, app: SdkAppId, user: &UserId) -> Result<Option<i64>, Fault> {
    let sql = "SELECT unread FROM account WHERE app = $1 AND name = $2 AND NOT deleted";
    link.row(sql, params![Sql(app), Sql(user)])?.map(|row| row.at(0)).transpose()
}

/// Accounts, deleted or not, with their names and faces.
pub(super) fn people(link: &Link, app: SdkAppId, users: &[UserId]) -> Result<Vec<Option<Person>>, Fault> {
    let sql = format!(
        "SELECT {ACCOUNT_COLUMNS}, nick, face_url, name FROM unnest($2::text[]) AS asked (user_name)
             CROSS JOIN LATERAL (SELECT * FROM account WHERE app = $1 AND name = asked.user_name LIMIT 1) AS found"
    );
    let mut found = HashMap::new();
    for row in link.rows(&sql, params![Sql(app), names(users)])? {
        let account = statements::account(&row, 0)?;
        let person = Person { account, nick: row.written(NICK)?, face_url: row.written(NICK + 1)? };
        found.insert(row.user(NICK + 2)?, person);
    }
    Ok(users.iter().map(|user| found.get(user).cloned()).collect())
}

/// Which of them are there.
pub(super) fn exist(link: &Link, app: SdkAppId, users: &[UserId]) -> Result<Vec<bool>, Fault> {
    let people = people(link, app, users)?;
    Ok(people.into_iter().map(|person| person.is_some_and(|person| !person.account.deleted)).collect())
}

/// No conversation has noted anything of a life that is none. Each row is found by its key: with LIMIT, nothing is joined in
/// another way.
pub(super) fn unread_from(
    link: &Link,
    app: SdkAppId,
    user: &UserId,
    peers: &[UserId],
) -> Result<Vec<Option<i64>>, Fault> {
    let pairs: Vec<_> = peers.iter().map(|peer| Pair::of(peer, user)).collect();
    let lows: Vec<_> = pairs.iter().map(|(pair, _)| pair.low.as_str()).collect();
    let highs: Vec<_> = pairs.iter().map(|(pair, _)| pair.high.as_str()).collect();
    let is_high: Vec<_> = pairs.iter().map(|(_, direction)| *direction == Direction::LowToHigh).collect();
    let rows = link.rows(
        "SELECT peer.name IS NOT NULL,
                coalesce(CASE WHEN asked.is_high THEN CASE WHEN c.high_life = me.life THEN c.high_unread END
                              ELSE CASE WHEN c.low_life = me.life THEN c.low_unread END END, 0)
         FROM unnest($3::text[], $4::text[], $5::text[], $6::boolean[]) WITH ORDINALITY
                  AS asked (peer, low, high, is_high, nth)
              LEFT JOIN LATERAL (SELECT name FROM account WHERE app = $1 AND name = asked.peer AND NOT deleted LIMIT 1)
                  AS peer ON true
              LEFT JOIN LATERAL (SELECT life FROM account WHERE app = $1 AND name = $2 AND NOT deleted LIMIT 1) AS me ON true
              LEFT JOIN LATERAL (SELECT * FROM conversation WHERE app = $1 AND low = asked.low AND high = asked.high LIMIT 1)
                  AS c ON true
         ORDER BY asked.nth",
        params![Sql(app), Sql(user), names(peers), lows, highs, is_high],
    )?;
    rows.iter().map(|row| Ok(if row.at(0)? { Some(row.at(1)?) } else { None })).collect()
}

/// Along the key, and along `conversation_by_high`: as much work as the account has conversations.
pub(super) fn unread_conversations(link: &Link, app: SdkAppId, user: &UserId) -> Result<Vec<Pair>, Fault> {
    let rows = link.rows(
        "SELECT low, high FROM conversation WHERE app = $1 AND low = $2 AND low_unread > 0
         UNION
         SELECT low, high FROM conversation WHERE app = $1 AND high = $2 AND high_unread > 0
         ORDER BY low, high",
        params![Sql(app), Sql(user)],
    )?;
    rows.iter().map(|row| Ok(Pair { low: row.user(0)?, high: row.user(1)? })).collect()
}

/// The conversations of an account's list. Who writes to oneself is on the high side.
pub(super) fn recent(link: &Link, app: SdkAppId, user: &UserId) -> Result<Option<Vec<Recent>>, Fault> {
    let rows = link.rows(
        "SELECT me.name, list.peer, list.last_time
         FROM account AS me LEFT JOIN LATERAL (
             SELECT high AS peer, low_last_time AS last_time FROM conversation
             WHERE app = $1 AND low = $2 AND high <> $2 AND low_life = me.life AND low_last_time > 0
             UNION ALL
             SELECT low, high_last_time FROM conversation
             WHERE app = $1 AND high = $2 AND high_life = me.life AND high_last_time > 0
         ) AS list ON true
         WHERE me.app = $1 AND me.name = $2 AND NOT me.deleted",
        params![Sql(app), Sql(user)],
    )?;
    if rows.is_empty() {
        return Ok(None);
    }
    let mut recent = Vec::new();
    for row in rows {
        if let Some(Sql(peer)) = row.at::<Option<Sql<UserId>>>(1)? {
            recent.push(Recent { peer, last_time_s: row.number(2)? });
        }
    }
    Ok(Some(recent))
}

/// With the second since when.
pub(super) fn blocklist(link: &Link, app: SdkAppId, user: &UserId) -> Result<Vec<(UserId, u32)>, Fault> {
    let sql = "SELECT other, since FROM blocked WHERE app = $1 AND name = $2 ORDER BY other";
    let rows = link.rows(sql, params![Sql(app), Sql(user)])?;
    rows.iter().map(|row| Ok((row.user(0)?, row.number(1)?))).collect()
}

/// Of each of the others, whether it is blocked, and whether it blocks.
pub(super) fn blocks(link: &Link, app: SdkAppId, user: &UserId, others: &[UserId]) -> Result<Vec<(bool, bool)>, Fault> {
    let rows = link.rows(
        "SELECT (SELECT true FROM blocked AS b WHERE b.app = $1 AND b.name = $2 AND b.other = asked.other) IS NOT NULL,
                (SELECT true FROM blocked AS b WHERE b.app = $1 AND b.name = asked.other AND b.other = $2) IS NOT NULL
         FROM unnest($3::text[]) WITH ORDINALITY AS asked (other, nth) ORDER BY asked.nth",
        params![Sql(app), Sql(user), names(others)],
    )?;
    rows.iter().map(|row| Ok((row.at(0)?, row.at(1)?))).collect()
}
