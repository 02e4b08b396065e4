//! How domain values stand in rows.

use rusqlite::{
    Row, ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};
use unsaid_protocol::{SdkAppId, UserId, callback::Platform};

use crate::{
    chat::{
        Direction, EventId, KeptEvent, Lane, MessageFlags, Origin, OwedEvent, RequestId, Standing, SyncKind, Tries,
    },
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
        u16::column_result(value).map(|bits| Self(MessageFlags::from_bits(bits)))
    }
}

/// The columns of the log, in the order in which [`kept`] reads them.
pub(super) const KEPT_COLUMNS: &str = "event.id, event.name, event.app, event.lane, event.number, event.command, \
                                       event.client_ip, event.platform, event.created_ms, event.body, event.request";

/// The columns of the outbox that follow them where an event is read with its place.
pub(super) const OWED_COLUMNS: &str = "o.place, o.previous, o.replay, o.attempts, o.refusals, o.unavailable_since_ms, \
                                       o.age_from_ms, o.due_ms";

/// Reads [`KEPT_COLUMNS`].
pub(super) fn kept(row: &Row<'_>, standing: Standing) -> rusqlite::Result<KeptEvent> {
    let text = |column: usize| row.get_ref(column).and_then(|value| Ok(value.as_str()?));
    let broken = |column: usize, what: &str| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, what.into())
    };
    let client_ip = text(6)?.parse().map_err(|_| broken(6, "no address"))?;
    let platform = Platform::from_name(text(7)?).ok_or_else(|| broken(7, "no platform"))?;
    Ok(KeptEvent {
        row: row.get(0)?,
        id: EventId(row.get(1)?),
        app: row.get::<_, Sql<SdkAppId>>(2)?.0,
        lane: Lane(row.get(3)?),
        number: row.get(4)?,
        command: text(5)?.parse().map_err(|_| broken(5, "no callback command"))?,
        origin: Origin { client_ip, platform, request: RequestId::of_number(row.get(10)?) },
        created: Timestamp(row.get(8)?),
        body: row.get::<_, Vec<u8>>(9)?.into(),
        standing,
    })
}

/// Reads the tries of [`OWED_COLUMNS`].
pub(super) fn tries(row: &Row<'_>) -> rusqlite::Result<Tries> {
    let unavailable_since = row.get::<_, Option<i64>>(16)?.map(Timestamp);
    Ok(Tries { attempts: row.get(14)?, refusals: row.get(15)?, unavailable_since })
}

/// Reads [`KEPT_COLUMNS`] and [`OWED_COLUMNS`].
pub(super) fn owed(row: &Row<'_>) -> rusqlite::Result<OwedEvent> {
    let KeptEvent { id, app, lane, number, command, body, origin, created, .. } = kept(row, Standing::Delivered)?;
    Ok(OwedEvent {
        id,
        app,
        lane,
        place: row.get(11)?,
        number,
        previous: row.get(12)?,
        command,
        body,
        origin,
        created,
        age_from: Timestamp(row.get(17)?),
        replay: row.get(13)?,
        tries: tries(row)?,
        due: Timestamp(row.get(18)?),
    })
}
