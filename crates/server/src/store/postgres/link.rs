//! One connection, asked from a thread of its own.
//!
//! The thread's small runtime does the I/O, so that whoever asks waits as for SQLite. Statements are prepared once. Several
//! can be sent at once ([`Link::pipeline`]), so that they share a round trip. What went wrong is kept ([`Link::trouble`]):
//! whether to try again is decided by its meaning.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    error::Error as _,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{SinkExt as _, TryStreamExt as _, future::try_join_all};
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};
use tokio_postgres::{
    Client, Config, Row, Statement,
    error::{Severity, SqlState},
    types::{ToSql, Type},
};

use super::{
    PostgresAddress,
    tls::{Connector, TlsError, advice},
};
use crate::{chat::Fault, limits};

/// The parameters of a statement.
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$(&$value as &(dyn tokio_postgres::types::ToSql + Sync)),*] as &[&(dyn tokio_postgres::types::ToSql + Sync)]
    };
}
pub(super) use params;

pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// What went wrong, as far as it matters for what is done next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Trouble {
    /// The connection is gone. What was sent last may have been carried out or not.
    Lost,
    /// Others stood in the way; the same may succeed now.
    Conflict,
    /// The tables are not there.
    Gone,
    /// The server has not said that it failed. What was sent last may have been carried out or not.
    Unclear,
    /// It would fail again.
    Other,
}

/// A statement with its parameters; most of them are whole columns, so that one statement is about many rows.
pub(super) struct Bulk<'a> {
    pub(super) sql: &'static str,
    pub(super) columns: Vec<Box<dyn ToSql + Sync + 'a>>,
}

/// Where connections go, and how.
#[derive(Clone)]
pub(super) struct Target {
    config: Config,
    connector: Connector,
}

impl Target {
    pub(super) fn of(address: &PostgresAddress) -> Result<Self, TlsError> {
        Ok(Self { config: address.config().clone(), connector: address.connector()? })
    }
}

/// A connection that is open, or was.
pub(super) struct Link {
    /// How long an answer may take; a server that was stopped gives none, and its connection stays.
    patience: Duration,
    runtime: Runtime,
    client: Client,
    statements: RefCell<HashMap<String, Statement>>,
    trouble: Cell<Option<Trouble>>,
}

/// Of every connection: what was answered is durable here, and nobody waits for ever for a lock or for us. A server that is
/// stopped in the middle of a batch holds its rows no longer than others wait for them. Plans are made once, when a table may
/// still be empty, so whatever suits a small table alone is ruled out: every statement relies on an index.
const SETTINGS: &str = "
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local');
    SET default_transaction_isolation = 'read committed';
    SET idle_in_transaction_session_timeout = '5s';
    SET lock_timeout = '10s';
    SET statement_timeout = '60s';
    SET jit = off; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
    SET enable_material = off; SET enable_bitmapscan = off";

impl Link {
    pub(super) fn connect(target: &Target) -> Result<Self, Fault> {
        let runtime = Builder::new_current_thread().enable_all().build().expect("the system gives a runtime");
        let Target { config, connector } = target;
        let connecting = async {
            let (client, connection) = config.connect(connector.clone()).await?;
            tokio::spawn(async move {
                // Whoever asks next is told of it.
                let _ = connection.await;
            });
            client.batch_execute(SETTINGS).await?;
            Ok(client)
        };
        let connected = runtime.block_on(async { timeout(limits::POSTGRES_LOGIN_MAX, connecting).await });
        let client = match connected {
            Ok(connected) => connected.map_err(|error| away(&error))?,
            Err(_) => return Err(Fault::Failed("PostgreSQL cannot be reached: it does not answer".into())),
        };
        let (statements, trouble) = (RefCell::default(), Cell::new(None));
        Ok(Self { patience: limits::POSTGRES_ANSWER_MAX, runtime, client, statements, trouble })
    }

    /// For what may take long.
    pub(super) fn patient(self) -> Self {
        Self { patience: limits::POSTGRES_MIGRATION_MAX, ..self }
    }

    pub(super) fn rows(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Fault> {
        let statement = self.prepare(sql)?;
        self.wait(self.client.query(&statement, params))
    }

    /// The first row, if there is one.
    pub(super) fn row(&self, sql: &str, params: Params<'_>) -> Result<Option<Row>, Fault> {
        Ok(self.rows(sql, params)?.into_iter().next())
    }

    /// Says how many rows it touched.
    pub(super) fn execute(&self, sql: &str, params: Params<'_>) -> Result<u64, Fault> {
        let statement = self.prepare(sql)?;
        self.wait(self.client.execute(&statement, params))
    }

    /// Sends all at once, and waits for all. They are carried out one after the other; where one fails, those behind it fail
    /// too, if a transaction is open.
    pub(super) fn pipeline(&self, statements: &[Bulk<'_>]) -> Result<Vec<Vec<Row>>, Fault> {
        let mut prepared = Vec::new();
        for Bulk { sql, columns } in statements {
            let columns: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|column| &**column).collect();
            prepared.push((self.prepare(sql)?, columns));
        }
        self.wait(try_join_all(prepared.iter().map(|(statement, columns)| self.client.query(statement, columns))))
    }

    /// Statements without parameters; none of them is prepared.
    pub(super) fn run(&self, sql: &str) -> Result<(), Fault> {
        self.wait(self.client.batch_execute(sql))
    }

    /// COPY FROM STDIN, in pieces until there is none. Where a piece cannot be had, none is kept. Says how many rows there were.
    pub(super) fn copy_in(
        &self,
        sql: &str,
        mut piece: impl FnMut() -> Result<Option<Bytes>, Fault>,
    ) -> Result<u64, Fault> {
        let sink = self.wait(self.client.copy_in(sql))?;
        let mut sink = pin!(sink);
        while let Some(piece) = piece()? {
            self.wait(sink.send(piece))?;
        }
        self.wait(sink.finish())
    }

    /// COPY TO STDOUT, row by row.
    pub(super) fn copy_out(&self, sql: &str, mut row: impl FnMut(&[u8])) -> Result<(), Fault> {
        self.wait(async {
            let mut rows = pin!(self.client.copy_out(sql).await?);
            while let Some(bytes) = rows.try_next().await? {
                row(&bytes);
            }
            Ok(())
        })
    }

    /// Of which types the columns are that a question answers.
    pub(super) fn types(&self, sql: &str) -> Result<Vec<Type>, Fault> {
        Ok(self.prepare(sql)?.columns().iter().map(|column| column.type_().clone()).collect())
    }

    /// What went wrong last.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.trouble.get()
    }

    pub(super) fn forget_trouble(&self) {
        self.trouble.set(None);
    }

    pub(super) fn is_lost(&self) -> bool {
        self.client.is_closed() || self.trouble.get() == Some(Trouble::Lost)
    }

    /// Notes that others have changed what this transaction relies on.
    pub(super) fn conflict(&self, what: &str) -> Fault {
        self.trouble.set(Some(Trouble::Conflict));
        Fault::Failed(Arc::from(what))
    }

    fn prepare(&self, sql: &str) -> Result<Statement, Fault> {
        if let Some(statement) = self.statements.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.wait(self.client.prepare(sql))?;
        self.statements.borrow_mut().insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    fn wait<T>(&self, work: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Fault> {
        match self.runtime.block_on(async { timeout(self.patience, work).await }) {
            Ok(answer) => answer.map_err(|error| self.fault(&error)),
            Err(_) => {
                self.trouble.set(Some(Trouble::Lost));
                Err(Fault::Failed("PostgreSQL has not answered in time".into()))
            }
        }
    }

    fn fault(&self, error: &tokio_postgres::Error) -> Fault {
        // What follows the first failure of a transaction says nothing new.
        if error.code() != Some(&SqlState::IN_FAILED_SQL_TRANSACTION) || self.trouble.get().is_none() {
            self.trouble.set(Some(trouble(error)));
        }
        fault(error)
    }
}

fn trouble(error: &tokio_postgres::Error) -> Trouble {
    let Some(answer) = error.as_db_error() else {
        let is_lost = error.is_closed() || error.source().is_some_and(|source| source.is::<std::io::Error>());
        return if is_lost { Trouble::Lost } else { Trouble::Unclear };
    };
    if matches!(answer.parsed_severity(), Some(Severity::Fatal | Severity::Panic)) {
        return Trouble::Lost;
    }
    let code = answer.code();
    let is = |codes: &[&SqlState]| codes.contains(&code);
    if is(&[&SqlState::T_R_SERIALIZATION_FAILURE, &SqlState::T_R_DEADLOCK_DETECTED])
        || is(&[&SqlState::UNIQUE_VIOLATION, &SqlState::LOCK_NOT_AVAILABLE])
    {
        Trouble::Conflict
    } else if is(&[&SqlState::UNDEFINED_TABLE, &SqlState::INVALID_SCHEMA_NAME, &SqlState::UNDEFINED_COLUMN]) {
        Trouble::Gone
    } else if is(&[&SqlState::ADMIN_SHUTDOWN, &SqlState::CRASH_SHUTDOWN, &SqlState::CANNOT_CONNECT_NOW])
        || is(&[&SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT, &SqlState::TOO_MANY_CONNECTIONS])
        || code.code().starts_with("08")
    {
        Trouble::Lost
    } else {
        Trouble::Other
    }
}

/// What a failure of PostgreSQL means to a caller. The message alone: its detail may tell values of rows.
fn fault(error: &tokio_postgres::Error) -> Fault {
    match error.as_db_error() {
        Some(error) if *error.code() == SqlState::DISK_FULL => Fault::Full,
        Some(error) => Fault::Failed(format!("PostgreSQL: {} ({})", error.message(), error.code().code()).into()),
        None => Fault::Failed(format!("the connection to PostgreSQL: {}", said(error)).into()),
    }
}

/// What a connection that cannot be made means to a caller.
fn away(error: &tokio_postgres::Error) -> Fault {
    match error.as_db_error() {
        Some(_) => fault(error),
        None => {
            let advice = advice(error).map_or_else(String::new, |advice| format!("; {advice}"));
            Fault::Failed(format!("PostgreSQL cannot be reached: {}{advice}", said(error)).into())
        }
    }
}

/// With its causes.
fn said(error: &tokio_postgres::Error) -> String {
    let (mut said, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        said = format!("{said}: {error}");
        cause = error.source();
    }
    said
}
