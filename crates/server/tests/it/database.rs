//! A place in PostgreSQL for a server of a test: a schema of its own, which goes with it.

use std::env;

use tokio_postgres::NoTls;
use unsaid::{clock::Entropy, config::StoreSettings};

/// Where `cargo xtask postgres` says that a server is.
const ADDRESS: &str = "UNSAID_TEST_POSTGRES";

pub(crate) struct Database {
    server: String,
    schema: String,
}

impl Database {
    pub(crate) fn new() -> Self {
        let server = env::var(ADDRESS)
            .expect("UNSAID_TEST_POSTGRES has the address of a PostgreSQL server; `cargo xtask postgres` sets it");
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

    pub(crate) fn store(&self) -> StoreSettings {
        StoreSettings::Postgres(Box::new(self.url().parse().expect("an address of PostgreSQL")))
    }

    /// Runs statements beside the server.
    pub(crate) fn run(&self, sql: &str) {
        let (server, sql) = (self.server.clone(), sql.to_owned());
        // On a thread of its own, for a test is within a runtime.
        let ran = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("the system gives a runtime").block_on(async {
                let (client, connection) = tokio_postgres::connect(&server, NoTls).await.expect("PostgreSQL answers");
                let connection = tokio::spawn(connection);
                client.batch_execute(&sql).await.expect("PostgreSQL does it");
                drop(client);
                connection.await.expect("no panic").expect("it ends well");
            });
        });
        ran.join().expect("no panic");
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.run(&format!("DROP SCHEMA {} CASCADE", self.schema));
    }
}
