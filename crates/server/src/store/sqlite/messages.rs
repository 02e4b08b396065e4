//! Messages as rows: one statement each, along the key that names a message, its time, or its position.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Row, params};
use unsaid_protocol::{MsgKey, SdkAppId, UserId};

use super::{prepared::Prepared, row::Sql};
use crate::{
    chat::{Content, Direction, Message, MessageFlags, MessageName, Pair, ReadUpTo, Repeat},
    clock::Timestamp,
};

/// Where the sender gave none, the row has 0.
pub(super) fn client_time_s(column: u32, key: MsgKey) -> u32 {
    if column == 0 { key.time } else { column }
}

/// Without what it says.
pub(super) fn read(
    prepared: &Prepared<'_>,
    app: SdkAppId,
    pair: &Pair,
    key: MsgKey,
) -> rusqlite::Result<Option<Message>> {
    prepared
        .statement(
            "SELECT direction, position, flags, client_time FROM message
             WHERE app = ?1 AND low = ?2 AND high = ?3 AND seq = ?4 AND random = ?5 AND time = ?6",
        )?
        .query_row(params![Sql(app), Sql(&pair.low), Sql(&pair.high), key.seq, key.random, key.time], |row| {
            Ok(Message {
                direction: row.get::<_, Sql<Direction>>(0)?.0,
                key,
                position: row.get(1)?,
                flags: row.get::<_, Sql<MessageFlags>>(2)?.0,
                client_time_s: client_time_s(row.get(3)?, key),
                recalled_by: None,
                content: Content::default(),
            })
        })
        .optional()
}

pub(super) fn repeats(
    prepared: &Prepared<'_>,
    app: SdkAppId,
    pair: &Pair,
    (seq, random): (u32, u32),
    since_s: u32,
) -> rusqlite::Result<Vec<Repeat>> {
    prepared
        .statement(
            "SELECT time, direction, content_hash FROM message
             WHERE app = ?1 AND low = ?2 AND high = ?3 AND seq = ?4 AND random = ?5 AND time >= ?6 ORDER BY time",
        )?
        .query_map(params![Sql(app), Sql(&pair.low), Sql(&pair.high), seq, random, since_s], |row| {
            let direction = row.get::<_, Sql<Direction>>(1)?.0;
            Ok(Repeat { time_s: row.get(0)?, direction, content_hash: row.get(2)? })
        })?
        .collect()
}

pub(super) fn insert(prepared: &Prepared<'_>, app: SdkAppId, pair: &Pair, message: &Message) -> rusqlite::Result<()> {
    let Message { direction, key, position, flags, client_time_s, recalled_by: _, content } = message;
    prepared
        .statement(
            "INSERT INTO message (app, low, high, seq, random, time, direction, position, flags, content_hash,
                                  types, custom_data, body, push_info, client_time)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )?
        .execute(params![
            Sql(app),
            Sql(&pair.low),
            Sql(&pair.high),
            key.seq,
            key.random,
            key.time,
            Sql(*direction),
            position,
            flags.bits(),
            content.hash,
            content.types,
            content.custom_data,
            content.body,
            content.push_info,
            if *client_time_s == key.time { 0 } else { *client_time_s }
        ])
        .map(drop)
}

/// Makes a message a tombstone; with `audit_until` a copy of what it said is kept until then.
pub(super) fn entomb(
    prepared: &Prepared<'_>,
    name: &MessageName,
    by: &UserId,
    audit_until: Option<Timestamp>,
) -> rusqlite::Result<()> {
    let (pair, _) = Pair::of(&name.from, &name.to);
    let MsgKey { seq, random, time } = name.key;
    let (app, low, high) = (Sql(name.app), Sql(&pair.low), Sql(&pair.high));
    if let Some(until) = audit_until {
        prepared
            .statement(
                "INSERT INTO audit_copy (erase_ms, app, low, high, seq, random, time, custom_data, body)
                 SELECT ?7, app, low, high, seq, random, time, custom_data, body FROM message
                 WHERE app = ?1 AND low = ?2 AND high = ?3 AND seq = ?4 AND random = ?5 AND time = ?6",
            )?
            .execute(params![app, low, high, seq, random, time, until.0])?;
    }
    prepared
        .statement(
            "UPDATE message SET flags = flags | ?8, custom_data = '', body = '', push_info = '',
                                recalled_by = ?7
             WHERE app = ?1 AND low = ?2 AND high = ?3 AND seq = ?4 AND random = ?5 AND time = ?6",
        )?
        .execute(params![app, low, high, seq, random, time, Sql(by), MessageFlags::RECALLED.bits()])
        .map(drop)
}

/// Walks `message_by_position` back from the newest message to the first one that the time covers, so it costs as much as
/// there is left unread.
pub(super) fn read_up_to(
    prepared: &Prepared<'_>,
    app: SdkAppId,
    pair: &Pair,
    (direction, mark): (Direction, i64),
    time_s: u32,
) -> rusqlite::Result<ReadUpTo> {
    let mut statement = prepared.statement(
        "SELECT position, time, flags FROM message
         WHERE app = ?1 AND low = ?2 AND high = ?3 AND position > ?4 AND direction = ?5
         ORDER BY position DESC",
    )?;
    let mut rows = statement.query(params![Sql(app), Sql(&pair.low), Sql(&pair.high), mark, Sql(direction)])?;
    let mut unread_after = 0;
    while let Some(row) = rows.next()? {
        let flags = row.get::<_, Sql<MessageFlags>>(2)?.0;
        if row.get::<_, u32>(1)? <= time_s && !flags.contains(MessageFlags::HISTORY) {
            return Ok(ReadUpTo { position: row.get(0)?, unread_after });
        }
        unread_after += i64::from(flags.counts());
    }
    Ok(ReadUpTo { position: mark, unread_after })
}

pub(super) fn read_content(
    prepared: &Prepared<'_>,
    app: SdkAppId,
    pair: &Pair,
    key: MsgKey,
) -> rusqlite::Result<Content> {
    prepared
        .statement(
            "SELECT body, custom_data, types, push_info, content_hash FROM message
             WHERE app = ?1 AND low = ?2 AND high = ?3 AND seq = ?4 AND random = ?5 AND time = ?6",
        )?
        .query_row(params![Sql(app), Sql(&pair.low), Sql(&pair.high), key.seq, key.random, key.time], |row| {
            Ok(Content {
                body: row.get(0)?,
                custom_data: row.get(1)?,
                types: row.get(2)?,
                push_info: row.get(3)?,
                hash: row.get(4)?,
            })
        })
}

/// The hash stays, so that a repeat of the send is still recognised.
pub(super) fn write_content(
    prepared: &Prepared<'_>,
    app: SdkAppId,
    pair: &Pair,
    key: MsgKey,
    content: &Content,
) -> rusqlite::Result<()> {
    let (MsgKey { seq, random, time }, Content { body, custom_data, types, .. }) = (key, content);
    prepared
        .statement(
            "UPDATE message SET body = ?7, custom_data = ?8, types = ?9
             WHERE app = ?1 AND low = ?2 AND high = ?3 AND seq = ?4 AND random = ?5 AND time = ?6",
        )?
        .execute(params![Sql(app), Sql(&pair.low), Sql(&pair.high), seq, random, time, body, custom_data, types])
        .map(drop)
}

pub(super) fn add_flags(
    prepared: &Prepared<'_>,
    app: SdkAppId,
    pair: &Pair,
    key: MsgKey,
    flags: MessageFlags,
) -> rusqlite::Result<()> {
    let MsgKey { seq, random, time } = key;
    prepared
        .statement(
            "UPDATE message SET flags = flags | ?7
             WHERE app = ?1 AND low = ?2 AND high = ?3 AND seq = ?4 AND random = ?5 AND time = ?6",
        )?
        .execute(params![Sql(app), Sql(&pair.low), Sql(&pair.high), seq, random, time, flags.bits()])
        .map(drop)
}

/// Erases the first messages by time of before a second, and the first ones by position up to one; says what they were.
pub(super) fn erase(
    prepared: &Prepared<'_>,
    app: SdkAppId,
    pair: &Pair,
    (before_s, up_to_position): (u32, i64),
    messages_max: u32,
) -> rusqlite::Result<Vec<Message>> {
    let columns = "direction, seq, random, time, position, flags FROM message INDEXED BY";
    let mut old = prepared.prepare_cached(&format!(
        "SELECT {columns} message_by_time WHERE app = ?1 AND low = ?2 AND high = ?3 AND time < ?4
         ORDER BY time, seq, position LIMIT ?5"
    ))?;
    let mut cleared = prepared.prepare_cached(&format!(
        "SELECT {columns} message_by_position WHERE app = ?1 AND low = ?2 AND high = ?3 AND position <= ?4
         ORDER BY position LIMIT ?5"
    ))?;
    let message = |row: &Row<'_>| {
        let key = MsgKey { seq: row.get(1)?, random: row.get(2)?, time: row.get(3)? };
        Ok(Message {
            direction: row.get::<_, Sql<Direction>>(0)?.0,
            key,
            position: row.get(4)?,
            flags: row.get::<_, Sql<MessageFlags>>(5)?.0,
            client_time_s: key.time,
            recalled_by: None,
            content: Content::default(),
        })
    };
    let of_pair = (Sql(app), Sql(&pair.low), Sql(&pair.high));
    let old = old.query_map(params![of_pair.0, of_pair.1, of_pair.2, before_s, messages_max], message)?;
    let mut found: BTreeMap<i64, Message> = BTreeMap::new();
    for message in old {
        let message = message?;
        found.insert(message.position, message);
    }
    let rest = messages_max.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
    for message in cleared.query_map(params![of_pair.0, of_pair.1, of_pair.2, up_to_position, rest], message)? {
        let message = message?;
        found.insert(message.position, message);
    }
    for message in found.values() {
        erase_one(prepared, app, pair, message.key)?;
    }
    Ok(found.into_values().collect())
}

pub(super) fn erase_one(prepared: &Prepared<'_>, app: SdkAppId, pair: &Pair, key: MsgKey) -> rusqlite::Result<()> {
    let MsgKey { seq, random, time } = key;
    prepared
        .statement(
            "DELETE FROM message WHERE app = ?1 AND low = ?2 AND high = ?3 AND seq = ?4 AND random = ?5 AND time = ?6",
        )?
        .execute(params![Sql(app), Sql(&pair.low), Sql(&pair.high), seq, random, time])
        .map(drop)
}
