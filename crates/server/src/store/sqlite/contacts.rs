//! What is asked about accounts: which there are, with whom they talk, whom they have blocked.

use rusqlite::{Connection, OptionalExtension, Row, params};
use unsaid_protocol::{SdkAppId, UserId};

use super::{row::Sql, statements};
use crate::chat::{Direction, Pair, Recent};

/// The life and the total of an account that is there.
pub(super) fn live(connection: &Connection, app: SdkAppId, user: &UserId) -> rusqlite::Result<Option<(i64, i64)>> {
    connection
        .prepare_cached("SELECT life, unread FROM account WHERE app = ?1 AND user = ?2 AND deleted = 0")?
        .query_row(params![Sql(app), Sql(user)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

pub(super) fn unread(connection: &Connection, app: SdkAppId, user: &UserId) -> rusqlite::Result<Option<i64>> {
    Ok(live(connection, app, user)?.map(|(_, unread)| unread))
}

/// Whether it is there, or was: the row of one that is deleted stays.
pub(super) fn was_imported(connection: &Connection, app: SdkAppId, user: &UserId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM account WHERE app = ?1 AND user = ?2")?
        .exists(params![Sql(app), Sql(user)])
}

/// Which of them are there.
pub(super) fn exist(connection: &Connection, app: SdkAppId, users: &[UserId]) -> rusqlite::Result<Vec<bool>> {
    let transaction = connection.unchecked_transaction()?;
    users.iter().map(|user| Ok(live(&transaction, app, user)?.is_some())).collect()
}

pub(super) fn unread_from(
    connection: &Connection,
    app: SdkAppId,
    user: &UserId,
    peers: &[UserId],
) -> rusqlite::Result<Vec<Option<i64>>> {
    let transaction = connection.unchecked_transaction()?;
    // No conversation has noted anything of a life that is none.
    let life = live(&transaction, app, user)?.map_or(-1, |(life, _)| life);
    let count = |peer: &UserId| {
        if live(&transaction, app, peer)?.is_none() {
            return Ok(None);
        }
        let (pair, direction) = Pair::of(peer, user);
        let side = match direction {
            Direction::LowToHigh => "high",
            Direction::HighToLow => "low",
        };
        let sql = format!(
            "SELECT {side}_unread FROM conversation WHERE app = ?1 AND low = ?2 AND high = ?3 AND {side}_life = ?4"
        );
        let unread = transaction
            .prepare_cached(&sql)?
            .query_row(params![Sql(app), Sql(&pair.low), Sql(&pair.high), life], |row| row.get(0))
            .optional()?;
        Ok(Some(unread.unwrap_or(0)))
    };
    peers.iter().map(count).collect()
}

/// Along the key, and along `conversation_by_high`: as much work as the account has conversations. The index is named, for
/// left to itself SQLite walks all conversations of the app: it takes the key to hold the whole row, and the index not.
const UNREAD_CONVERSATIONS: &str = "
    SELECT low, high FROM conversation WHERE app = ?1 AND low = ?2 AND low_unread > 0
    UNION
    SELECT low, high FROM conversation INDEXED BY conversation_by_high
    WHERE app = ?1 AND high = ?2 AND high_unread > 0";

pub(super) fn unread_conversations(
    connection: &Connection,
    app: SdkAppId,
    user: &UserId,
) -> rusqlite::Result<Vec<Pair>> {
    let pair = |row: &Row<'_>| Ok(Pair { low: row.get::<_, Sql<UserId>>(0)?.0, high: row.get::<_, Sql<UserId>>(1)?.0 });
    connection.prepare_cached(UNREAD_CONVERSATIONS)?.query_map(params![Sql(app), Sql(user)], pair)?.collect()
}

/// The conversations of an account's list. Who writes to oneself is on the high side.
const RECENT: &str = "
    SELECT high, low_last_time FROM conversation
    WHERE app = ?1 AND low = ?2 AND high <> ?2 AND low_life = ?3 AND low_last_time > 0
    UNION ALL
    SELECT low, high_last_time FROM conversation INDEXED BY conversation_by_high
    WHERE app = ?1 AND high = ?2 AND high_life = ?3 AND high_last_time > 0";

pub(super) fn recent(connection: &Connection, app: SdkAppId, user: &UserId) -> rusqlite::Result<Option<Vec<Recent>>> {
    let transaction = connection.unchecked_transaction()?;
    let Some((life, _)) = live(&transaction, app, user)? else {
        return Ok(None);
    };
    let mut statement = transaction.prepare_cached(RECENT)?;
    let recent = statement.query_map(params![Sql(app), Sql(user), life], |row| {
        Ok(Recent { peer: row.get::<_, Sql<UserId>>(0)?.0, last_time_s: row.get(1)? })
    })?;
    recent.collect::<rusqlite::Result<Vec<_>>>().map(Some)
}

/// With the second since when.
pub(super) fn blocklist(connection: &Connection, app: SdkAppId, user: &UserId) -> rusqlite::Result<Vec<(UserId, u32)>> {
    connection
        .prepare_cached("SELECT other, since FROM blocked WHERE app = ?1 AND user = ?2 ORDER BY other")?
        .query_map(params![Sql(app), Sql(user)], |row| Ok((row.get::<_, Sql<UserId>>(0)?.0, row.get(1)?)))?
        .collect()
}

/// Of each of the others, whether it is blocked, and whether it blocks.
pub(super) fn blocks(
    connection: &Connection,
    app: SdkAppId,
    user: &UserId,
    others: &[UserId],
) -> rusqlite::Result<Vec<(bool, bool)>> {
    let transaction = connection.unchecked_transaction()?;
    let both = |other: &UserId| {
        let blocked = statements::is_blocked(&transaction, app, user, other)?;
        Ok((blocked, statements::is_blocked(&transaction, app, other, user)?))
    };
    others.iter().map(both).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::schema;

    #[test]
    fn r6_the_conversations_of_an_account_are_found_without_those_of_others() {
        let mut connection = Connection::open_in_memory().expect("memory");
        schema::migrate(&mut connection).expect("an empty store can be migrated");
        for (sql, unbound) in [(UNREAD_CONVERSATIONS, 2), (RECENT, 3)] {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("SQL");
            let unbound = rusqlite::params_from_iter(vec![None::<i64>; unbound]);
            let steps = statement.query_map(unbound, |row| row.get::<_, String>(3)).expect("a plan");
            let steps: Vec<_> =
                steps.map(|step| step.expect("a step")).filter(|step| step.contains("conversation")).collect();
            assert_eq!(steps.len(), 2, "{steps:?}");
            for (step, both) in steps.iter().zip(["(app=? AND low=?", "(app=? AND high=?)"]) {
                assert!(step.starts_with("SEARCH") && step.contains(both), "{steps:?}");
            }
        }
    }
}
