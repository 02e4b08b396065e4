//! Messages as rows: one statement each, along the key that names a message, its time, or its position. Whoever changes a
//! conversation's messages has locked its row (`batch.rs`).

use std::collections::BTreeMap;

use tokio_postgres::{Row, types::ToSql};
use unsaid_protocol::{MsgKey, SdkAppId, UserId};

use super::{
    link::{Bulk, Link, params},
    row::{self, Columns as _, Sql, Text},
    statements::{ConversationKey, boxed, pair_columns},
};
use crate::{
    chat::{Content, Direction, Fault, Message, MessageFlags, MessageName, Pair, ReadUpTo, Repeat},
    clock::Timestamp,
};

/// Without what it says.
pub(super) fn read(link: &Link, app: SdkAppId, pair: &Pair, key: MsgKey) -> Result<Option<Message>, Fault> {
    let MsgKey { seq, random, time } = key;
    let row = link.row(
        "SELECT direction, position, flags, client_time FROM message
         WHERE app = $1 AND low = $2 AND high = $3 AND seq = $4 AND random = $5 AND time = $6",
        params![Sql(app), Sql(&pair.low), Sql(&pair.high), Sql(seq), Sql(random), Sql(time)],
    )?;
    row.map(|row| bare(&row, 0, key)).transpose()
}

/// Reads direction, position, flags and the sender's clock, from that column on.
pub(super) fn bare(row: &Row, column: usize, key: MsgKey) -> Result<Message, Fault> {
    Ok(Message {
        direction: row.at::<Sql<Direction>>(column)?.0,
        key,
        position: row.at(column + 1)?,
        flags: row.at::<Sql<MessageFlags>>(column + 2)?.0,
        client_time_s: row::client_time_s(row.number(column + 3)?, key),
        recalled_by: None,
        content: Content::default(),
    })
}

pub(super) fn repeats(
    link: &Link,
    app: SdkAppId,
    pair: &Pair,
    (seq, random): (u32, u32),
    since_s: u32,
) -> Result<Vec<Repeat>, Fault> {
    let rows = link.rows(
        "SELECT time, direction, content_hash FROM message
         WHERE app = $1 AND low = $2 AND high = $3 AND seq = $4 AND random = $5 AND time >= $6 ORDER BY time",
        params![Sql(app), Sql(&pair.low), Sql(&pair.high), Sql(seq), Sql(random), Sql(since_s)],
    )?;
    rows.iter().map(|row| repeat(row, 0)).collect()
}

/// Reads time, direction and hash, from that column on.
pub(super) fn repeat(row: &Row, column: usize) -> Result<Repeat, Fault> {
    let direction = row.at::<Sql<Direction>>(column + 1)?.0;
    Ok(Repeat { time_s: row.number(column)?, direction, content_hash: row.at(column + 2)? })
}

/// Keeps a copy of what a message says until then.
pub(super) fn copy_for_audit(link: &Link, name: &MessageName, until: Timestamp) -> Result<(), Fault> {
    let (pair, _) = Pair::of(&name.from, &name.to);
    let MsgKey { seq, random, time } = name.key;
    link.execute(
        "INSERT INTO audit_copy (erase_ms, app, low, high, seq, random, time, custom_data, body)
         SELECT $7, app, low, high, seq, random, time, custom_data, body FROM message
         WHERE app = $1 AND low = $2 AND high = $3 AND seq = $4 AND random = $5 AND time = $6",
        params![Sql(name.app), Sql(&pair.low), Sql(&pair.high), Sql(seq), Sql(random), Sql(time), Sql(until)],
    )
    .map(drop)
}

/// The latest message that the time covers, and what is unread behind it, along `message_by_position`: as much work as there
/// is left unread.
pub(super) fn read_up_to(
    link: &Link,
    app: SdkAppId,
    pair: &Pair,
    (direction, mark): (Direction, i64),
    time_s: u32,
) -> Result<ReadUpTo, Fault> {
    let row = link.row(
        "WITH covered (position) AS (
             SELECT coalesce((SELECT position FROM message
                              WHERE app + 2 = $1::bigint + 2 AND low = $2 AND high = $3 AND position > $4 AND direction = $5
                                    AND time <= $6 AND flags & $7 = 0
                              ORDER BY position DESC LIMIT 1), $4)
         )
         SELECT covered.position,
                (SELECT count(*) FROM message
                 WHERE app + 2 = $1::bigint + 2 AND low = $2 AND high = $3 AND position > covered.position AND direction = $5
                       AND flags & $8 = $9)
         FROM covered",
        params![
            Sql(app),
            Sql(&pair.low),
            Sql(&pair.high),
            mark,
            Sql(direction),
            Sql(time_s),
            Sql(MessageFlags::HISTORY),
            Sql(MessageFlags::COUNTED.with(MessageFlags::RECALLED).with(MessageFlags::DELETED_BY_RECIPIENT)),
            Sql(MessageFlags::COUNTED),
        ],
    )?;
    let row = row.ok_or_else(|| Fault::Failed("a sum has no row".into()))?;
    Ok(ReadUpTo { position: row.at(0)?, unread_after: row.at(1)? })
}

pub(super) fn read_content(link: &Link, app: SdkAppId, pair: &Pair, key: MsgKey) -> Result<Content, Fault> {
    let MsgKey { seq, random, time } = key;
    let row = link.row(
        "SELECT body, custom_data, types, push_info, content_hash FROM message
         WHERE app = $1 AND low = $2 AND high = $3 AND seq = $4 AND random = $5 AND time = $6",
        params![Sql(app), Sql(&pair.low), Sql(&pair.high), Sql(seq), Sql(random), Sql(time)],
    )?;
    let row = row.ok_or_else(|| Fault::Failed("a message that was found is gone".into()))?;
    Ok(Content {
        body: row.written(0)?,
        custom_data: row.written(1)?,
        types: row.written(2)?,
        push_info: row.written(3)?,
        hash: row.at(4)?,
    })
}

/// The hash stays, so that a repeat of the send is still recognised.
pub(super) fn write_content(
    link: &Link,
    app: SdkAppId,
    pair: &Pair,
    key: MsgKey,
    content: &Content,
) -> Result<(), Fault> {
    let (MsgKey { seq, random, time }, Content { body, custom_data, types, .. }) = (key, content);
    let name = (Sql(app), Sql(&pair.low), Sql(&pair.high));
    link.execute(
        "UPDATE message SET body = $7, custom_data = $8, types = $9
         WHERE app = $1 AND low = $2 AND high = $3 AND seq = $4 AND random = $5 AND time = $6",
        params![
            name.0,
            name.1,
            name.2,
            Sql(seq),
            Sql(random),
            Sql(time),
            Text(body.as_str()),
            Text(custom_data.as_str()),
            Text(types.as_str())
        ],
    )
    .map(drop)
}

pub(super) fn add_flags(
    link: &Link,
    app: SdkAppId,
    pair: &Pair,
    key: MsgKey,
    flags: MessageFlags,
) -> Result<(), Fault> {
    let MsgKey { seq, random, time } = key;
    link.execute(
        "UPDATE message SET flags = flags | $7
         WHERE app = $1 AND low = $2 AND high = $3 AND seq = $4 AND random = $5 AND time = $6",
        params![Sql(app), Sql(&pair.low), Sql(&pair.high), Sql(seq), Sql(random), Sql(time), Sql(flags)],
    )
    .map(drop)
}

/// Erases the first messages by time of before a second, and the first ones by position up to one; says what they were.
pub(super) fn erase(
    link: &Link,
    app: SdkAppId,
    pair: &Pair,
    (before_s, up_to_position): (u32, i64),
    messages_max: u32,
) -> Result<Vec<Message>, Fault> {
    let mut found: BTreeMap<i64, Message> = BTreeMap::new();
    let mut note = |rows: Vec<Row>| {
        rows.iter().try_for_each(|row| {
            let key = MsgKey { seq: row.number(4)?, random: row.number(5)?, time: row.number(6)? };
            let message = bare(row, 0, key)?;
            found.insert(message.position, Message { client_time_s: key.time, ..message });
            Ok(())
        })?;
        Ok::<_, Fault>(i64::from(messages_max) - found.len() as i64)
    };
    let columns = "direction, position, flags, client_time, seq, random, time FROM message";
    let (low, high) = (Sql(&pair.low), Sql(&pair.high));
    let rest = note(link.rows(
        &format!(
            "SELECT {columns} WHERE app + 1 = $1::bigint + 1 AND low = $2 AND high = $3 AND time < $4
             ORDER BY time, seq, position LIMIT $5"
        ),
        params![Sql(app), low, high, Sql(before_s), i64::from(messages_max)],
    )?)?;
    note(link.rows(
        &format!(
            "SELECT {columns} WHERE app + 2 = $1::bigint + 2 AND low = $2 AND high = $3 AND position <= $4
             ORDER BY position LIMIT $5"
        ),
        params![Sql(app), low, high, up_to_position, rest.max(0)],
    )?)?;
    let positions: Vec<i64> = found.keys().copied().collect();
    link.execute(
        "DELETE FROM message WHERE ctid = ANY(ARRAY(
             SELECT found.ctid FROM unnest($4::bigint[]) AS v (position) CROSS JOIN LATERAL
                 (SELECT ctid FROM message WHERE app + 2 = $1::bigint + 2 AND low = $2 AND high = $3
                                                 AND position = v.position LIMIT 1) AS found))",
        params![Sql(app), low, high, positions],
    )?;
    Ok(found.into_values().collect())
}

pub(super) fn erase_one(link: &Link, app: SdkAppId, pair: &Pair, key: MsgKey) -> Result<(), Fault> {
    let MsgKey { seq, random, time } = key;
    link.execute(
        "DELETE FROM message WHERE app = $1 AND low = $2 AND high = $3 AND seq = $4 AND random = $5 AND time = $6",
        params![Sql(app), Sql(&pair.low), Sql(&pair.high), Sql(seq), Sql(random), Sql(time)],
    )
    .map(drop)
}

/// The account that took a message back, as [`super::writes`] keeps it.
#[derive(Clone, Debug)]
pub(super) struct Entombed {
    pub(super) app: SdkAppId,
    pub(super) pair: Pair,
    pub(super) key: MsgKey,
    pub(super) by: UserId,
}

/// A message of a conversation.
pub(super) type Named = (ConversationKey, MsgKey);

/// The numbers that repeats of a send share.
pub(super) type Numbered = (ConversationKey, u32, u32);

/// Messages by their names; [`named_row`] reads what comes.
pub(super) fn named<'a>(names: impl Iterator<Item = &'a Named> + Clone) -> Bulk<'a> {
    let (apps, lows, highs) = pair_columns(names.clone().map(|(key, _)| key));
    let mut numbers: [Vec<i64>; 3] = Default::default();
    for (_, MsgKey { seq, random, time }) in names {
        numbers.iter_mut().zip([seq, random, time]).for_each(|(column, number)| column.push(i64::from(*number)));
    }
    let mut columns: Vec<Box<dyn ToSql + Sync + 'a>> = vec![Box::new(apps), Box::new(lows), Box::new(highs)];
    columns.extend(boxed(numbers));
    Bulk {
        sql: "SELECT m.direction, m.position, m.flags, m.client_time, m.seq, m.random, m.time, m.app, m.low, m.high
              FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])
                       AS k (app, low, high, seq, random, time)
                   JOIN message AS m ON m.app = k.app AND m.low = k.low AND m.high = k.high
                                        AND m.seq = k.seq AND m.random = k.random AND m.time = k.time",
        columns,
    }
}

pub(super) fn named_row(row: &Row) -> Result<(Named, Message), Fault> {
    let key = MsgKey { seq: row.number(4)?, random: row.number(5)?, time: row.number(6)? };
    let pair = Pair { low: row.user(8)?, high: row.user(9)? };
    Ok((((row.at::<Sql<SdkAppId>>(7)?.0, pair), key), bare(row, 0, key)?))
}

/// Messages with those numbers from a second on, in the order of their time; [`repeated_row`] reads what comes.
pub(super) fn repeated<'a>(numbers_of: impl Iterator<Item = &'a Numbered> + Clone, since_s: u32) -> Bulk<'a> {
    let (apps, lows, highs) = pair_columns(numbers_of.clone().map(|(key, _, _)| key));
    let mut numbers: [Vec<i64>; 2] = Default::default();
    for (_, seq, random) in numbers_of {
        numbers.iter_mut().zip([seq, random]).for_each(|(column, number)| column.push(i64::from(*number)));
    }
    let mut columns: Vec<Box<dyn ToSql + Sync + 'a>> = vec![Box::new(apps), Box::new(lows), Box::new(highs)];
    columns.extend(boxed(numbers));
    columns.push(Box::new(i64::from(since_s)));
    Bulk {
        sql: "SELECT m.time, m.direction, m.content_hash, m.app, m.low, m.high, m.seq, m.random
              FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])
                       AS k (app, low, high, seq, random)
                   JOIN message AS m ON m.app = k.app AND m.low = k.low AND m.high = k.high
                                        AND m.seq = k.seq AND m.random = k.random AND m.time >= $6
              ORDER BY m.time",
        columns,
    }
}

pub(super) fn repeated_row(row: &Row) -> Result<(Numbered, Repeat), Fault> {
    let pair = Pair { low: row.user(4)?, high: row.user(5)? };
    Ok((((row.at::<Sql<SdkAppId>>(3)?.0, pair), row.number(6)?, row.number(7)?), repeat(row, 0)?))
}
