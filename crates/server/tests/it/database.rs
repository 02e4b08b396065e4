//! A place in PostgreSQL for a server of a test: a schema of its own, which goes with it.

use std::env;

use tokio_postgres::{NoTls, SimpleQueryMessage};
use unsaid::{clock::Entropy, config::StoreSettings};

/// Where `cargo xtask postgres` says that a server is.
const ADDRESS: &str = "UNSAID_TEST_POSTGRES";

/// If it is set, the servers of all tests store there, instead of in their folders.
const STORE: &str = "UNSAID_TEST_STORE";

/// Leaves out a test of what only the embedded store has.
pub(crate) fn left_out_on_postgres(why: &str) -> bool {
    let is_left_out = env::var_os(STORE).is_some();
    if is_left_out {
        eprintln!("skipped on PostgreSQL: {why}");
    }
    is_left_out
}

pub(crate) struct Database {
    server: String,
    schema: String,
}

impl Database {
    pub(crate) fn new() -> Self {
        let server = env::var(ADDRESS);
        Self::at(server.expect("UNSAID_TEST_POSTGRES is the address of a PostgreSQL; `cargo xtask postgres` sets it"))
    }

    /// For a test that runs on either store.
    pub(crate) fn if_wanted() -> Option<Self> {
        env::var(STORE).ok().map(Self::at)
    }

    fn at(server: String) -> Self {
        let entropy = Entropy::system().expect("the system has randomness");
        let database = Self { server, schema: format!("unsaid_test_{:016x}", entropy.next_u64()) };
        database.run(&format!("CREATE SCHEMA {}", database.schema));
        database
    }

    /// Its address, as an operator writes it.
    pub(crate) fn url(&self) -> String {
        let sign = if self.server.contains('?') { '&' } else { '?' };
        format!("{}{sign}options=-csearch_path%3D{}&application_name={}", self.server, self.schema, self.schema)
    }

    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    pub(crate) fn store(&self) -> StoreSettings {
        StoreSettings::Postgres(Box::new(self.url().parse().expect("an address of PostgreSQL")))
    }

    /// Runs statements beside the server.
    pub(crate) fn run(&self, sql: &str) -> Vec<String> {
        let answer = self.try_run(sql).expect("PostgreSQL does it");
        answer
            .into_iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                SimpleQueryMessage::CommandComplete(_) | SimpleQueryMessage::RowDescription(_) | _ => None,
            })
            .collect()
    }

    fn try_run(&self, sql: &str) -> Result<Vec<SimpleQueryMessage>, tokio_postgres::Error> {
        let (server, sql) = (self.server.clone(), sql.to_owned());
        // On a thread of its own, for a test is within a runtime.
        let asking = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("the system gives a runtime").block_on(async {
                let (client, connection) = tokio_postgres::connect(&server, NoTls).await?;
                let connection = tokio::spawn(connection);
                let answer = client.simple_query(&sql).await?;
                drop(client);
                connection.await.expect("no panic")?;
                Ok(answer)
            })
        });
        asking.join().expect("no panic")
    }

    /// Waits until no server is connected any more; PostgreSQL learns a little later that one has gone.
    pub(crate) fn wait_until_unused(&self) {
        let sql = format!("SELECT pid FROM pg_stat_activity WHERE application_name = '{}'", self.schema);
        while !self.run(&sql).is_empty() {
            std::thread::yield_now();
        }
    }

    /// Whether any row of any table has this text.
    pub(crate) fn keeps(&self, text: &str) -> bool {
        let schema = &self.schema;
        let tables = self.run(&format!("SELECT tablename FROM pg_tables WHERE schemaname = '{schema}'"));
        assert!(tables.len() > 10, "the tables of the store: {tables:?}");
        let rows = tables.iter().flat_map(|table| {
            self.run(&format!("SET bytea_output = escape; SELECT row::text FROM {schema}.{table} AS row"))
        });
        rows.into_iter().any(|row| row.contains(text))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let dropped = self.try_run(&format!("DROP SCHEMA {} CASCADE", self.schema));
        assert!(dropped.is_ok() || std::thread::panicking(), "{dropped:?}");
    }
}
