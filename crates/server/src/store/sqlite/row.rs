//! How domain values stand in rows.

use rusqlite::{
    Row, ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};
use unsaid_protocol::{SdkAppId, UserId, callback::Platform};

use crate::{
    chat::{Direction, EventId, Lane, MessageFlags, Origin, OwedEvent, SyncKind, Tries},
    clock::Timestamp,
};

/// A domain value as SQLite keeps it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sql<T>(pub(super) T);

impl ToSql for Sql<SdkAppId> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.0))
    }
}

impl FromSql for Sql<SdkAppId> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        u32::column_result(value).map(|number| Self(SdkAppId(number)))
    }
}

impl ToSql for Sql<&UserId> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.as_str()))
    }
}

impl FromSql for Sql<UserId> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        UserId::new(value.as_str()?).map(Self).map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}

impl ToSql for Sql<Direction> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(match self.0 {
            Direction::LowToHigh => 0,
            Direction::HighToLow => 1,
        }))
    }
}

impl FromSql for Sql<Direction> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_i64()? {
            0 => Ok(Self(Direction::LowToHigh)),
            1 => Ok(Self(Direction::HighToLow)),
            other => Err(FromSqlError::OutOfRange(other)),
        }
    }
}

impl FromSql for Sql<SyncKind> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        SyncKind::from_number(number).map(Self).ok_or(FromSqlError::OutOfRange(number))
    }
}

impl FromSql for Sql<MessageFlags> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        u8::column_result(value).map(|bits| Self(MessageFlags::from_bits(bits)))
    }
}

/// The columns of an event in the order in which [`event`] reads them.
pub(super) const EVENT_COLUMNS: &str = "app, lane, place, number, previous, id, command, client_ip, platform, created_ms, attempts, refusals, due_ms, body";

/// Reads the columns of [`EVENT_COLUMNS`].
pub(super) fn event(row: &Row<'_>) -> rusqlite::Result<OwedEvent> {
    let text = |column: usize| row.get_ref(column).and_then(|value| Ok(value.as_str()?));
    let broken = |column: usize, what: &str| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, what.into())
    };
    let platform = Platform::from_name(text(8)?).ok_or_else(|| broken(8, "no platform"))?;
    let client_ip = text(7)?.parse().map_err(|_| broken(7, "no address"))?;
    Ok(OwedEvent {
        app: row.get::<_, Sql<SdkAppId>>(0)?.0,
        lane: Lane(row.get(1)?),
        place: row.get(2)?,
        number: row.get(3)?,
        previous: row.get(4)?,
        id: EventId(row.get(5)?),
        command: text(6)?.parse().map_err(|_| broken(6, "no callback command"))?,
        origin: Origin { client_ip, platform },
        created: Timestamp(row.get(9)?),
        age_from: Timestamp(row.get(9)?),
        replay: false,
        tries: Tries { attempts: row.get(10)?, refusals: row.get(11)?, unavailable_since: None },
        due: Timestamp(row.get(12)?),
        body: row.get::<_, Vec<u8>>(13)?.into(),
    })
}
