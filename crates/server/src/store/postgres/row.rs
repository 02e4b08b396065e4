//! How domain values stand in rows.
//!
//! PostgreSQL has no unsigned numbers, so what is one here is a `bigint` there; and its `text` cannot hold U+0000, so what
//! people write is `bytea`.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::{
    Row,
    types::{FromSql, IsNull, ToSql, Type, to_sql_checked},
};
use unsaid_protocol::{MsgKey, SdkAppId, UserId, callback::Platform};

use crate::{
    chat::{
        Content, Direction, EventId, Fault, KeptEvent, Lane, Message, MessageFlags, Origin, OwedEvent, RequestId,
        Standing, SyncKind, Tries,
    },
    clock::Timestamp,
};

/// A domain value as PostgreSQL keeps it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sql<T>(pub(super) T);

/// What people wrote.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<T>(pub(super) T);

type Boxed = Box<dyn Error + Sync + Send>;

/// Writes and reads a domain value as one of PostgreSQL's.
macro_rules! as_column {
    ($($domain:ty as $column:ty: $write:expr, $read:expr;)*) => {
        $(
            impl ToSql for Sql<$domain> {
                fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Boxed> {
                    let write: fn($domain) -> $column = $write;
                    write(self.0).to_sql(kind, out)
                }

                fn accepts(kind: &Type) -> bool {
                    <$column as ToSql>::accepts(kind)
                }

                to_sql_checked!();
            }

            impl<'a> FromSql<'a> for Sql<$domain> {
                fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Boxed> {
                    let read: fn($column) -> Option<$domain> = $read;
                    let value = <$column as FromSql<'a>>::from_sql(kind, raw)?;
                    read(value).map(Self).ok_or_else(|| "a value that no server writes".into())
                }

                fn accepts(kind: &Type) -> bool {
                    <$column as FromSql<'a>>::accepts(kind)
                }
            }
        )*
    };
}

as_column! {
    SdkAppId as i64: |app| i64::from(app.0), |number| u32::try_from(number).ok().map(SdkAppId);
    u32 as i64: i64::from, |number| u32::try_from(number).ok();
    Direction as i16: direction_number, direction_of;
    SyncKind as i16: |kind| i16::try_from(kind.number()).expect("small"), |number| SyncKind::from_number(number.into());
    MessageFlags as i16: |flags| flags.bits().cast_signed(), |bits| Some(MessageFlags::from_bits(bits.cast_unsigned()));
    Timestamp as i64: |moment| moment.0, |ms| Some(Timestamp(ms));
}

pub(super) fn direction_number(direction: Direction) -> i16 {
    match direction {
        Direction::LowToHigh => 0,
        Direction::HighToLow => 1,
    }
}

fn direction_of(number: i16) -> Option<Direction> {
    [Direction::LowToHigh, Direction::HighToLow].into_iter().find(|direction| direction_number(*direction) == number)
}

impl ToSql for Sql<&UserId> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Boxed> {
        self.0.as_str().to_sql(kind, out)
    }

    fn accepts(kind: &Type) -> bool {
        <&str as ToSql>::accepts(kind)
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Sql<UserId> {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Boxed> {
        let name = <&str as FromSql<'a>>::from_sql(kind, raw)?;
        UserId::new(name).map(Self).map_err(|error| error.to_string().into())
    }

    fn accepts(kind: &Type) -> bool {
        <&str as FromSql<'_>>::accepts(kind)
    }
}

impl ToSql for Text<&str> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Boxed> {
        self.0.as_bytes().to_sql(kind, out)
    }

    fn accepts(kind: &Type) -> bool {
        <&[u8] as ToSql>::accepts(kind)
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Text<String> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Boxed> {
        Ok(Self(std::str::from_utf8(raw)?.to_owned()))
    }

    fn accepts(kind: &Type) -> bool {
        <&[u8] as FromSql<'_>>::accepts(kind)
    }
}

/// Reads columns. What cannot be read was written by no server.
pub(super) trait Columns {
    fn at<'a, T: FromSql<'a>>(&'a self, column: usize) -> Result<T, Fault>;

    fn number(&self, column: usize) -> Result<u32, Fault> {
        Ok(self.at::<Sql<u32>>(column)?.0)
    }

    fn user(&self, column: usize) -> Result<UserId, Fault> {
        Ok(self.at::<Sql<UserId>>(column)?.0)
    }

    fn written(&self, column: usize) -> Result<String, Fault> {
        Ok(self.at::<Text<String>>(column)?.0)
    }

    /// A name that the server has given, parsed.
    fn parsed<T>(&self, column: usize, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Fault> {
        let text: &str = self.at(column)?;
        parse(text).ok_or_else(|| Fault::Failed(format!("column {column} has a text that no server writes").into()))
    }
}

impl Columns for Row {
    fn at<'a, T: FromSql<'a>>(&'a self, column: usize) -> Result<T, Fault> {
        self.try_get(column).map_err(|error| Fault::Failed(error.to_string().into()))
    }
}

/// The columns of a whole message, in the order in which [`message`] reads them.
pub(super) const MESSAGE_COLUMNS: &str =
    "direction, seq, random, time, position, flags, types, custom_data, body, push_info, client_time, recalled_by";

pub(super) fn message(row: &Row) -> Result<Message, Fault> {
    let key = MsgKey { seq: row.number(1)?, random: row.number(2)?, time: row.number(3)? };
    Ok(Message {
        direction: row.at::<Sql<Direction>>(0)?.0,
        key,
        position: row.at(4)?,
        flags: row.at::<Sql<MessageFlags>>(5)?.0,
        client_time_s: client_time_s(row.number(10)?, key),
        recalled_by: UserId::new(row.at::<&str>(11)?).ok(),
        content: Content {
            types: row.written(6)?,
            custom_data: row.written(7)?,
            body: row.written(8)?,
            push_info: row.written(9)?,
            hash: 0,
        },
    })
}

/// Where the sender gave none, the row has 0.
pub(super) fn client_time_s(column: u32, key: MsgKey) -> u32 {
    if column == 0 { key.time } else { column }
}

/// The columns of the log, in the order in which [`kept`] reads them.
pub(super) const KEPT_COLUMNS: &str = "event.id, event.name, event.app, event.lane, event.number, event.command, \
                                       event.client_ip, event.platform, event.created_ms, event.body, event.request";

/// The columns of the outbox that follow them where an event is read with its place.
pub(super) const OWED_COLUMNS: &str = "o.place, o.previous, o.replay, o.attempts, o.refusals, o.unavailable_since_ms, \
                                       o.age_from_ms, o.due_ms";

/// Reads [`KEPT_COLUMNS`].
pub(super) fn kept(row: &Row, standing: Standing) -> Result<KeptEvent, Fault> {
    Ok(KeptEvent {
        row: row.at(0)?,
        id: EventId(row.at(1)?),
        app: row.at::<Sql<SdkAppId>>(2)?.0,
        lane: Lane(row.at(3)?),
        number: row.at(4)?,
        command: row.parsed(5, |text| text.parse().ok())?,
        origin: Origin {
            client_ip: row.parsed(6, |text| text.parse().ok())?,
            platform: row.parsed(7, Platform::from_name)?,
            request: RequestId::of_number(row.at(10)?),
        },
        created: row.at::<Sql<Timestamp>>(8)?.0,
        body: row.at::<Vec<u8>>(9)?.into(),
        standing,
    })
}

/// Reads attempts, refusals and since when the receiver was found unavailable, from that column on.
pub(super) fn tries(row: &Row, column: usize) -> Result<Tries, Fault> {
    let unavailable_since = row.at::<Option<i64>>(column + 2)?.map(Timestamp);
    Ok(Tries { attempts: row.number(column)?, refusals: row.number(column + 1)?, unavailable_since })
}

/// Reads [`KEPT_COLUMNS`] and [`OWED_COLUMNS`].
pub(super) fn owed(row: &Row) -> Result<OwedEvent, Fault> {
    let KeptEvent { id, app, lane, number, command, body, origin, created, .. } = kept(row, Standing::Delivered)?;
    Ok(OwedEvent {
        id,
        app,
        lane,
        place: row.at(11)?,
        number,
        previous: row.at(12)?,
        command,
        body,
        origin,
        created,
        age_from: row.at::<Sql<Timestamp>>(17)?.0,
        replay: row.at(13)?,
        tries: tries(row, 14)?,
        due: row.at::<Sql<Timestamp>>(18)?.0,
    })
}
