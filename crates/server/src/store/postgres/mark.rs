//! What became of a transaction whose answer was lost.
//!
//! PostgreSQL's own name of a transaction does not tell: after a crash, names that the disk has not heard of are given anew, so the
//! commit of another would pass for ours. So each writer has a row, and writes the number of each of its transactions there, with
//! the rest of it. Whoever reads that row under its lock reads what was committed last, for the lock is held until the end.

use std::thread;

use super::{
    link::{Bulk, Link, Target, params},
    row::Columns as _,
};
use crate::{chat::Fault, clock::Clock, limits};

/// Whose transaction it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Author<'a> {
    /// Which server.
    pub(super) member: &'a str,
    /// Which of its writers.
    pub(super) writer: i64,
    /// Which of the writer's transactions.
    pub(super) number: i64,
    /// The row in which it counts.
    pub(super) slot: i64,
}

/// A transaction that may have been committed.
pub(super) struct Unknown {
    pub(super) number: i64,
    pub(super) process: Process,
}

/// The process of PostgreSQL that serves a connection. Numbers are given anew, so it is known by when it began, too.
#[derive(Clone, Debug)]
pub(super) struct Process {
    id: i32,
    began: String,
}

/// What became of a transaction.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    Committed,
    Aborted,
}

/// How often it is asked before the process is ended that may still be at it.
const ASKED_IN_PEACE: u32 = 2;

/// Makes sure that there is a row, and answers the slot and the process of this connection.
pub(super) fn begin(link: &Link, member: &str, writer: i64) -> Result<(i64, Process), Fault> {
    let sql = "INSERT INTO mark (member, writer, number) VALUES ($1, $2, 0) ON CONFLICT (member, writer) DO NOTHING";
    link.execute(sql, params![member, writer])?;
    let sql =
        "SELECT nextval('backlog_slot'), pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()";
    let row = link.row(sql, params![])?.ok_or_else(|| Fault::Failed("a connection has no process".into()))?;
    Ok((row.at(0)?, Process { id: row.at(1)?, began: row.at(2)? }))
}

/// Marks the transaction, and answers the version of the apps and the first of the rows of the log that it may take.
pub(super) fn mark<'a>(author: &Author<'a>) -> Bulk<'a> {
    Bulk {
        sql: "INSERT INTO mark (member, writer, number) VALUES ($1, $2, $3)
              ON CONFLICT (member, writer) DO UPDATE SET number = excluded.number
              RETURNING (SELECT version FROM apps_version), nextval('event_row')",
        columns: vec![Box::new(author.member), Box::new(author.writer), Box::new(author.number)],
    }
}

/// Asks until it is known. An error if it is not for long.
pub(super) fn outcome(
    target: &Target,
    (member, writer): (&str, i64),
    unknown: &Unknown,
    clock: &Clock,
) -> Result<Outcome, Fault> {
    let began = clock.instant();
    let mut asked = 0;
    loop {
        let found = Link::connect(target).and_then(|link| {
            asked += 1;
            // A connection that only we know to be gone would hold its transaction open for long.
            if asked > ASKED_IN_PEACE {
                end(&link, &unknown.process)?;
            }
            link.run("SET lock_timeout = '500ms'")?;
            let sql = "SELECT number FROM mark WHERE member = $1 AND writer = $2 FOR UPDATE";
            link.row(sql, params![member, writer])?.map(|row| row.at::<i64>(0)).transpose()
        });
        match found {
            Ok(Some(number)) if number == unknown.number => return Ok(Outcome::Committed),
            Ok(Some(_)) => return Ok(Outcome::Aborted),
            Err(_) if clock.instant() - began < limits::POSTGRES_OUTCOME_MAX => {
                thread::sleep(limits::POSTGRES_RETRY_PAUSE);
            }
            Ok(None) | Err(_) => {
                let text = "the connection to PostgreSQL was lost during a commit, and it cannot be asked what became of \
                            it: this command may be stored; look before you send it again";
                return Err(Fault::Failed(text.into()));
            }
        }
    }
}

fn end(link: &Link, process: &Process) -> Result<(), Fault> {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2";
    link.rows(sql, params![process.id, process.began]).map(drop)
}
