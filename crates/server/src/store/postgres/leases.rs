//! Leases: which of the servers that share the database delivers what, judged by the database's clock.
//!
//! A member's lease is one row, so that a renewal writes one. A member whose lease has ended is marked as gone under that row's
//! lock, and only then are its shards free; so it cannot renew a lease that somebody has already ended. Who settles what came of
//! attempts holds the rows of their shards until its commit ([`others`]), so a shard cannot change hands in between.

use std::{sync::Arc, time::Duration};

use unsaid_protocol::SdkAppId;

use super::{
    glance,
    link::{Link, params},
    reader::Readers,
    row::{Columns as _, Sql},
};
use crate::{
    chat::{Fault, Later, SessionKey},
    clock::Clock,
    cluster::{Glance, Leases, MemberId, Renewal, Renewed, Shard, ShardSet, fair},
};

/// The leases of one member, on a connection of their own: they must not wait for anything else.
#[derive(Debug)]
pub(super) struct PostgresLeases {
    member: MemberId,
    asked: Readers,
    /// For what has time.
    readers: Arc<Readers>,
    clock: Clock,
}

impl PostgresLeases {
    pub(super) fn new(member: MemberId, asked: Readers, readers: Arc<Readers>, clock: Clock) -> Self {
        Self { member, asked, readers, clock }
    }

    fn transact<T, Q>(&self, change: Q) -> Later<'_, T>
    where
        T: Send + 'static,
        Q: Fn(&Link, &str) -> Result<T, Fault> + Send + 'static,
    {
        let member = self.member.clone();
        self.asked.read(move |link| {
            link.run("BEGIN ISOLATION LEVEL READ COMMITTED")?;
            let done = change(link, &member.0).and_then(|done| link.run("COMMIT").map(|()| done));
            if done.is_err() && !link.is_lost() {
                link.run("ROLLBACK")?;
            }
            done
        })
    }
}

impl Leases for PostgresLeases {
    fn renew(&self, renewal: Renewal) -> Later<'_, Renewed> {
        self.transact(move |link, member| renew(link, member, &renewal))
    }

    fn member(&self) -> MemberId {
        self.member.clone()
    }

    fn end(&self, ended: MemberId) -> Later<'_, ()> {
        self.transact(move |link, _| {
            let ended = &*ended.0;
            let sql = "UPDATE member SET gone = true, until = least(until, clock_timestamp()) WHERE id = $1";
            link.execute(sql, params![ended])?;
            free(link, &[ended.to_owned()])
        })
    }

    fn say_back(&self, app: SdkAppId) -> Later<'_, ()> {
        self.transact(move |link, _| {
            let sql = "INSERT INTO back (app, number, said) VALUES ($1, 1, clock_timestamp())
                       ON CONFLICT (app) DO UPDATE SET number = back.number + 1, said = clock_timestamp()";
            link.execute(sql, params![Sql(app)]).map(drop)
        })
    }

    fn glance(&self, sessions: Vec<SessionKey>) -> Later<'_, Vec<Glance>> {
        let now = self.clock.now();
        self.readers.read(move |link| glance::glance(link, &sessions, now))
    }
}

/// Which of the shards somebody else holds. They stay as they are until the transaction ends.
pub(super) fn others(link: &Link, member: &str, shards: &ShardSet) -> Result<ShardSet, Fault> {
    let numbers: Vec<_> = shards.iter().map(|shard| i64::from(shard.0)).collect();
    let sql = "SELECT shard, holder FROM lease WHERE shard = ANY($1) ORDER BY shard FOR SHARE";
    let holders = link.rows(sql, params![numbers])?;
    let mut others = ShardSet::EMPTY;
    for row in holders {
        let holder: &str = row.at(1)?;
        if !holder.is_empty() && holder != member {
            others.insert(shard(row.at(0)?)?);
        }
    }
    Ok(others)
}

fn renew(link: &Link, member: &str, renewal: &Renewal) -> Result<Renewed, Fault> {
    let Renewal { lease, session_return, hand_back, tells } = renewal;
    let term = stay(link, member, *lease, *tells)?;
    let hand_back: Vec<_> = hand_back.iter().map(|shard| i64::from(shard.0)).collect();
    if !hand_back.is_empty() {
        link.execute("UPDATE lease SET holder = '' WHERE holder = $1 AND shard = ANY($2)", params![member, hand_back])?;
    }
    bury(link, member, *session_return)?;
    let sql = "SELECT count(*), count(*) FILTER (WHERE id < $1), bool_and(tells) FROM member WHERE NOT gone";
    let counted = link.row(sql, params![member])?;
    let counted = counted.map_or(Ok((1, 0, false)), |row| Ok((row.at(0)?, row.at(1)?, row.at(2)?)))?;
    let (members, rank, all_tell) = (number(counted.0), number(counted.1), counted.2);
    let held = claim(link, member, fair(members, rank))?;
    let version = link.row("SELECT version FROM apps_version", params![])?;
    let settings_version = version.map_or(Ok(0), |row| row.at(0))?;
    let sql = "SELECT app, number FROM back WHERE said > clock_timestamp() - interval '30 s'";
    let back = link.rows(sql, params![])?;
    let back = back.iter().map(|row| Ok((row.at::<Sql<SdkAppId>>(0)?.0, row.at(1)?))).collect::<Result<_, Fault>>()?;
    Ok(Renewed { held, term, members, rank, all_tell, settings_version, back })
}

/// Its lease begins anew; one that has ended, or that somebody has ended, takes along what it held. Answers its term.
fn stay(link: &Link, member: &str, lease: Duration, tells: bool) -> Result<u64, Fault> {
    let sql = "SELECT until > clock_timestamp() AND NOT gone, term FROM member WHERE id = $1 FOR UPDATE";
    let found = link.row(sql, params![member])?;
    let (lasted, term) = found.map_or(Ok((false, 0)), |row| Ok((row.at(0)?, row.at::<i64>(1)?)))?;
    let term = if lasted { term } else { term + 1 };
    if !lasted {
        free(link, &[member.to_owned()])?;
    }
    let sql = "INSERT INTO member (id, term, until, gone, tells)
               VALUES ($1, $2, clock_timestamp() + $3 * interval '1 s', false, $4)
               ON CONFLICT (id) DO UPDATE
               SET term = excluded.term, until = excluded.until, gone = false, tells = excluded.tells";
    link.execute(sql, params![member, term, lease.as_secs_f64(), tells])?;
    Ok(term.unsigned_abs())
}

/// Members whose lease has ended are gone, and what they held is free. Those that are gone for long are forgotten. One whose row
/// somebody else has in hand is left to that one.
fn bury(link: &Link, member: &str, session_return: Duration) -> Result<(), Fault> {
    let sql = "UPDATE member SET gone = true WHERE id IN (
                   SELECT id FROM member WHERE NOT gone AND until <= clock_timestamp() AND id <> $1 FOR UPDATE SKIP LOCKED)
               RETURNING id";
    let gone = link.rows(sql, params![member])?;
    let gone: Vec<String> = gone.iter().map(|row| row.at(0)).collect::<Result<_, _>>()?;
    if !gone.is_empty() {
        tracing::warn!(?gone, "servers were silent for longer than their lease; what they delivered is taken over");
        free(link, &gone)?;
    }
    let sql = "WITH forgotten AS (
                   DELETE FROM member WHERE id IN (
                       SELECT id FROM member WHERE gone AND until < clock_timestamp() - $1 * interval '1 s' AND id <> $2
                       FOR UPDATE SKIP LOCKED)
                   RETURNING id)
               DELETE FROM mark WHERE member IN (SELECT id FROM forgotten)";
    link.execute(sql, params![session_return.as_secs_f64(), member]).map(drop)
}

fn free(link: &Link, members: &[String]) -> Result<(), Fault> {
    let sql = "UPDATE lease SET holder = '' WHERE shard IN (
                   SELECT shard FROM lease WHERE holder = ANY($1) ORDER BY shard FOR UPDATE)";
    link.execute(sql, params![members]).map(drop)
}

/// Takes of what is free, up to the fair part. Answers all that is held.
fn claim(link: &Link, member: &str, fair: usize) -> Result<ShardSet, Fault> {
    let sql = "UPDATE lease SET holder = $1 WHERE shard IN (
                   SELECT shard FROM lease WHERE holder = '' ORDER BY shard
                   LIMIT greatest(0, $2 - (SELECT count(*) FROM lease WHERE holder = $1)) FOR UPDATE SKIP LOCKED)";
    link.execute(sql, params![member, i64::try_from(fair).unwrap_or(i64::MAX)])?;
    let held = link.rows("SELECT shard FROM lease WHERE holder = $1", params![member])?;
    held.iter().map(|row| shard(row.at(0)?)).collect()
}

fn number(count: i64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn shard(number: i64) -> Result<Shard, Fault> {
    u8::try_from(number).map(Shard).map_err(|_| Fault::Failed("a shard that no server writes".into()))
}
