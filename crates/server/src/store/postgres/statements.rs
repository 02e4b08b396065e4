//! The rows that a batch reads and writes whole: accounts, conversations, counts. Many at a time, in the order of their keys,
//! so that writers that want the same rows wait for each other instead of blocking each other.

use std::collections::BTreeMap;

use tokio_postgres::{Row, types::ToSql};
use unsaid_protocol::{SdkAppId, UserId};

use super::{
    link::{Bulk, Link, params},
    row::{Columns as _, Sql},
};
use crate::chat::{Account, Backlog, Conversation, Fault, LaneCounter, Pair, Side};

/// Whether rows are read to be changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lock {
    No,
    ForUpdate,
}

pub(super) type AccountKey = (SdkAppId, UserId);
pub(super) type ConversationKey = (SdkAppId, Pair);

/// The columns of an account, in the order in which [`account`] reads them.
pub(super) const ACCOUNT_COLUMNS: &str = "serial, unread, lane_place, lane_last, sync_number, life, deleted, kicked_s";

pub(super) fn account(row: &Row, column: usize) -> Result<Account, Fault> {
    Ok(Account {
        serial: row.at(column)?,
        unread: row.at(column + 1)?,
        lane: LaneCounter { place: row.at(column + 2)?, last: row.at(column + 3)? },
        sync_number: row.at(column + 4)?,
        life: row.at(column + 5)?,
        deleted: row.at(column + 6)?,
        kicked_s: row.number(column + 7)?,
    })
}

/// Locks accounts in the order of their names; [`locked_account`] reads what comes.
pub(super) fn lock_accounts(keys: &[AccountKey]) -> Bulk<'_> {
    let apps: Vec<_> = keys.iter().map(|(app, _)| i64::from(app.0)).collect();
    let names: Vec<_> = keys.iter().map(|(_, user)| user.as_str()).collect();
    Bulk {
        sql: "SELECT a.serial, a.unread, a.lane_place, a.lane_last, a.sync_number, a.life, a.deleted, a.kicked_s,
                     a.app, a.name
              FROM unnest($1::bigint[], $2::text[]) AS k (app, name)
                   JOIN account AS a ON a.app = k.app AND a.name = k.name
              ORDER BY a.app, a.name FOR NO KEY UPDATE OF a",
        columns: vec![Box::new(apps), Box::new(names)],
    }
}

pub(super) fn locked_account(row: &Row) -> Result<(AccountKey, Account), Fault> {
    Ok(((row.at::<Sql<SdkAppId>>(8)?.0, row.user(9)?), account(row, 0)?))
}

/// Their keys, and what a batch changes of them.
pub(super) fn update_accounts<'a>(accounts: &[(&'a AccountKey, Account)]) -> Bulk<'a> {
    let mut numbers: [Vec<i64>; 7] = Default::default();
    let (mut names, mut deleted) = (Vec::new(), Vec::new());
    for ((app, user), account) in accounts {
        let Account { serial: _, unread, lane, sync_number, life, deleted: is_deleted, kicked_s } = account;
        let row = [i64::from(app.0), *unread, lane.place, lane.last, *sync_number, *life, i64::from(*kicked_s)];
        numbers.iter_mut().zip(row).for_each(|(column, number)| column.push(number));
        names.push(user.as_str());
        deleted.push(*is_deleted);
    }
    let mut columns = boxed(numbers);
    columns.push(Box::new(names));
    columns.push(Box::new(deleted));
    Bulk {
        sql: "UPDATE account AS a
              SET unread = v.unread, lane_place = v.lane_place, lane_last = v.lane_last, sync_number = v.sync_number,
                  life = v.life, deleted = v.deleted, kicked_s = v.kicked_s
              FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
                          $7::bigint[], $8::text[], $9::boolean[])
                  AS v (app, unread, lane_place, lane_last, sync_number, life, kicked_s, name, deleted)
              WHERE a.app = v.app AND a.name = v.name",
        columns,
    }
}

/// The columns of a conversation, in the order in which [`conversation`] reads them.
const CONVERSATION_COLUMNS: &str = "c.app, c.low, c.high, c.position, c.lane_place, c.lane_last,
    c.low_unread, c.low_read_position, c.low_life, c.low_cleared_position, c.low_last_time,
    c.high_unread, c.high_read_position, c.high_life, c.high_cleared_position, c.high_last_time";

pub(super) fn conversation(row: &Row) -> Result<(ConversationKey, Conversation), Fault> {
    let side = |column: usize| {
        Ok::<_, Fault>(Side {
            unread: row.at(column)?,
            read_position: row.at(column + 1)?,
            life: row.at(column + 2)?,
            cleared_position: row.at(column + 3)?,
            last_time_s: row.number(column + 4)?,
        })
    };
    let conversation = Conversation {
        position: row.at(3)?,
        lane: LaneCounter { place: row.at(4)?, last: row.at(5)? },
        low: side(6)?,
        high: side(11)?,
    };
    Ok(((row.at::<Sql<SdkAppId>>(0)?.0, Pair { low: row.user(1)?, high: row.user(2)? }), conversation))
}

pub(super) fn read_conversations(
    link: &Link,
    keys: &[ConversationKey],
    lock: Lock,
) -> Result<Vec<(ConversationKey, Conversation)>, Fault> {
    let (apps, lows, highs) = pair_columns(keys.iter());
    let lock = match lock {
        Lock::No => "",
        Lock::ForUpdate => "FOR NO KEY UPDATE OF c",
    };
    let sql = format!(
        "SELECT {CONVERSATION_COLUMNS} FROM unnest($1::bigint[], $2::text[], $3::text[]) AS k (app, low, high)
              JOIN conversation AS c ON c.app = k.app AND c.low = k.low AND c.high = k.high
         ORDER BY c.app, c.low, c.high {lock}"
    );
    link.rows(&sql, params![apps, lows, highs])?.iter().map(conversation).collect()
}

/// Locks conversations in the order of their names; [`conversation`] reads what comes.
pub(super) fn lock_conversations(keys: &[ConversationKey]) -> Bulk<'_> {
    let (apps, lows, highs) = pair_columns(keys.iter());
    Bulk {
        sql: "SELECT c.app, c.low, c.high, c.position, c.lane_place, c.lane_last,
                     c.low_unread, c.low_read_position, c.low_life, c.low_cleared_position, c.low_last_time,
                     c.high_unread, c.high_read_position, c.high_life, c.high_cleared_position, c.high_last_time
              FROM unnest($1::bigint[], $2::text[], $3::text[]) AS k (app, low, high)
                   JOIN conversation AS c ON c.app = k.app AND c.low = k.low AND c.high = k.high
              ORDER BY c.app, c.low, c.high FOR NO KEY UPDATE OF c",
        columns: vec![Box::new(apps), Box::new(lows), Box::new(highs)],
    }
}

fn conversation_columns<'a>(conversations: &[(&'a ConversationKey, Conversation)]) -> Vec<Box<dyn ToSql + Sync + 'a>> {
    let (apps, lows, highs) = pair_columns(conversations.iter().map(|(key, _)| *key));
    let mut numbers: [Vec<i64>; 13] = Default::default();
    for (_, Conversation { position, low, high, lane }) in conversations {
        let row = [
            *position,
            lane.place,
            lane.last,
            low.unread,
            low.read_position,
            low.life,
            low.cleared_position,
            i64::from(low.last_time_s),
            high.unread,
            high.read_position,
            high.life,
            high.cleared_position,
            i64::from(high.last_time_s),
        ];
        numbers.iter_mut().zip(row).for_each(|(column, number)| column.push(number));
    }
    let mut columns: Vec<Box<dyn ToSql + Sync + 'a>> = vec![Box::new(apps), Box::new(lows), Box::new(highs)];
    columns.extend(boxed(numbers));
    columns
}

pub(super) fn update_conversations<'a>(conversations: &[(&'a ConversationKey, Conversation)]) -> Bulk<'a> {
    Bulk {
        sql: "UPDATE conversation AS c
              SET position = v.position, lane_place = v.lane_place, lane_last = v.lane_last,
                  low_unread = v.low_unread, low_read_position = v.low_read_position, low_life = v.low_life,
                  low_cleared_position = v.low_cleared_position, low_last_time = v.low_last_time,
                  high_unread = v.high_unread, high_read_position = v.high_read_position, high_life = v.high_life,
                  high_cleared_position = v.high_cleared_position, high_last_time = v.high_last_time
              FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                          $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[],
                          $14::bigint[], $15::bigint[], $16::bigint[])
                  AS v (app, low, high, position, lane_place, lane_last,
                        low_unread, low_read_position, low_life, low_cleared_position, low_last_time,
                        high_unread, high_read_position, high_life, high_cleared_position, high_last_time)
              WHERE c.app = v.app AND c.low = v.low AND c.high = v.high",
        columns: conversation_columns(conversations),
    }
}

/// Whoever makes the same conversation at the same time runs into its key.
pub(super) fn insert_conversations<'a>(conversations: &[(&'a ConversationKey, Conversation)]) -> Bulk<'a> {
    Bulk {
        sql: "INSERT INTO conversation (app, low, high, position, lane_place, lane_last,
                  low_unread, low_read_position, low_life, low_cleared_position, low_last_time,
                  high_unread, high_read_position, high_life, high_cleared_position, high_last_time)
              SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
                          $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[],
                          $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[])",
        columns: conversation_columns(conversations),
    }
}

pub(super) fn pair_columns<'a>(
    keys: impl Iterator<Item = &'a ConversationKey> + Clone,
) -> (Vec<i64>, Vec<&'a str>, Vec<&'a str>) {
    (
        keys.clone().map(|(app, _)| i64::from(app.0)).collect(),
        keys.clone().map(|(_, pair)| pair.low.as_str()).collect(),
        keys.map(|(_, pair)| pair.high.as_str()).collect(),
    )
}

pub(super) fn boxed<'a, const COUNT: usize>(numbers: [Vec<i64>; COUNT]) -> Vec<Box<dyn ToSql + Sync + 'a>> {
    numbers.into_iter().map(|column| Box::new(column) as Box<dyn ToSql + Sync + 'a>).collect()
}

pub(super) fn is_blocked(link: &Link, app: SdkAppId, user: &UserId, other: &UserId) -> Result<bool, Fault> {
    let sql = "SELECT 1 FROM blocked WHERE app = $1 AND name = $2 AND other = $3";
    Ok(link.row(sql, params![Sql(app), Sql(user), Sql(other)])?.is_some())
}

pub(super) fn count_blocked(link: &Link, app: SdkAppId, user: &UserId) -> Result<u32, Fault> {
    let sql = "SELECT count(*) FROM blocked WHERE app = $1 AND name = $2";
    link.row(sql, params![Sql(app), Sql(user)])?.map_or(Ok(0), |row| row.number(0))
}

pub(super) fn block(link: &Link, app: SdkAppId, user: &UserId, other: &UserId, since_s: u32) -> Result<(), Fault> {
    let sql = "INSERT INTO blocked (app, name, other, since) VALUES ($1, $2, $3, $4)";
    link.execute(sql, params![Sql(app), Sql(user), Sql(other), Sql(since_s)]).map(drop)
}

/// Takes one off the list, or all.
pub(super) fn unblock(link: &Link, app: SdkAppId, user: &UserId, other: Option<&UserId>) -> Result<(), Fault> {
    match other {
        Some(other) => {
            let sql = "DELETE FROM blocked WHERE app = $1 AND name = $2 AND other = $3";
            link.execute(sql, params![Sql(app), Sql(user), Sql(other)])
        }
        None => link.execute("DELETE FROM blocked WHERE app = $1 AND name = $2", params![Sql(app), Sql(user)]),
    }
    .map(drop)
}

/// What waits and what is parked, of each app: the sums over all writers.
pub(super) fn read_backlogs(link: &Link) -> Result<BTreeMap<SdkAppId, Backlog>, Fault> {
    let rows = link.rows(
        "SELECT app, sum(waiting)::bigint, sum(waiting_bytes)::bigint, sum(parked)::bigint FROM backlog GROUP BY app",
        params![],
    )?;
    rows.iter().map(|row| Ok((row.at::<Sql<SdkAppId>>(0)?.0, backlog(row, 1)?))).collect()
}

/// Those of some apps; [`backlog_of`] reads what comes.
pub(super) fn backlogs_of<'a>(apps: Vec<i64>) -> Bulk<'a> {
    Bulk {
        sql: "SELECT app, sum(waiting)::bigint, sum(waiting_bytes)::bigint, sum(parked)::bigint FROM backlog
              WHERE app = ANY($1) GROUP BY app",
        columns: vec![Box::new(apps)],
    }
}

pub(super) fn backlog_of(row: &Row) -> Result<(SdkAppId, Backlog), Fault> {
    Ok((row.at::<Sql<SdkAppId>>(0)?.0, backlog(row, 1)?))
}

fn backlog(row: &Row, column: usize) -> Result<Backlog, Fault> {
    let count = |column: usize| Ok::<_, Fault>(row.at::<i64>(column)?.max(0).cast_unsigned());
    Ok(Backlog { waiting: count(column)?, waiting_bytes: count(column + 1)?, parked: count(column + 2)? })
}

/// What a batch adds to the counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Delta {
    pub(super) waiting: i64,
    pub(super) waiting_bytes: i64,
    pub(super) parked: i64,
}

/// Adds to the counts of a writer's own slot.
pub(super) fn count<'a>(slot: i64, deltas: &BTreeMap<SdkAppId, Delta>) -> Bulk<'a> {
    let mut numbers: [Vec<i64>; 4] = Default::default();
    for (app, Delta { waiting, waiting_bytes, parked }) in deltas {
        let row = [i64::from(app.0), *waiting, *waiting_bytes, *parked];
        numbers.iter_mut().zip(row).for_each(|(column, number)| column.push(number));
    }
    let mut columns = boxed(numbers);
    columns.push(Box::new(slot));
    Bulk {
        sql: "INSERT INTO backlog (app, waiting, waiting_bytes, parked, slot)
              SELECT v.*, $5::bigint FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) AS v
              ON CONFLICT (app, slot) DO UPDATE SET waiting = backlog.waiting + excluded.waiting,
                  waiting_bytes = backlog.waiting_bytes + excluded.waiting_bytes,
                  parked = backlog.parked + excluded.parked",
        columns,
    }
}
