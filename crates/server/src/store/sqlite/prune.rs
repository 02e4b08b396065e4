//! Which conversations have messages that nobody keeps any more.

use rusqlite::{Connection, params};
use unsaid_protocol::{SdkAppId, UserId};

use super::row::Sql;
use crate::chat::{Pair, Prunable};

/// The conversations behind `after` in which something is to be erased, among so many; and behind which to go on. All
/// conversations are walked through like this, so one in which nothing was cleared costs its row and those of its accounts.
pub(super) fn prunable(
    connection: &Connection,
    app: SdkAppId,
    after: Option<&Pair>,
    before_s: u32,
    conversations_max: u32,
) -> rusqlite::Result<Prunable> {
    let cleared = |side: &str| {
        format!(
            "coalesce((SELECT iif(a.life = c.{side}_life, c.{side}_cleared_position, c.position)
                       FROM account AS a WHERE a.app = ?1 AND a.user = c.{side} AND a.deleted = 0), {})",
            i64::MAX
        )
    };
    let sql = format!(
        "SELECT c.low, c.high, min({}, {}) FROM conversation AS c
         WHERE c.app = ?1 AND (c.low, c.high) > (?2, ?3) ORDER BY c.low, c.high LIMIT ?4",
        cleared("low"),
        cleared("high")
    );
    let transaction = connection.unchecked_transaction()?;
    let mut conversations = transaction.prepare_cached(&sql)?;
    let mut old = transaction.prepare_cached(
        "SELECT 1 FROM message INDEXED BY message_by_time WHERE app = ?1 AND low = ?2 AND high = ?3 AND time < ?4",
    )?;
    let mut cleared = transaction.prepare_cached(
        "SELECT 1 FROM message INDEXED BY message_by_position
         WHERE app = ?1 AND low = ?2 AND high = ?3 AND position <= ?4",
    )?;
    let (low, high) = after.map_or(("", ""), |pair| (pair.low.as_str(), pair.high.as_str()));
    let rows = conversations.query_map(params![Sql(app), low, high, conversations_max], |row| {
        let pair = Pair { low: row.get::<_, Sql<UserId>>(0)?.0, high: row.get::<_, Sql<UserId>>(1)?.0 };
        Ok((pair, row.get::<_, i64>(2)?))
    })?;
    let (mut prunable, mut count) = (Prunable::default(), 0);
    for row in rows {
        let (pair, position) = row?;
        let of_pair = (Sql(app), Sql(&pair.low), Sql(&pair.high));
        // Times and positions begin at 1.
        let is_old = before_s > 0 && old.exists(params![of_pair.0, of_pair.1, of_pair.2, before_s])?;
        if is_old || position > 0 && cleared.exists(params![of_pair.0, of_pair.1, of_pair.2, position])? {
            prunable.pairs.push(pair.clone());
        }
        (prunable.next, count) = (Some(pair), count + 1);
    }
    prunable.next = prunable.next.filter(|_| count == conversations_max);
    Ok(prunable)
}
