//! What the store on PostgreSQL alone can promise: what becomes of commands when connections are lost, and when others work on
//! the same tables. These tests need a server: `cargo xtask postgres` starts one, or `UNSAID_TEST_POSTGRES` says where one is.

use std::env;

use tokio_postgres::NoTls;

/// A schema of a test's own, which goes with it.
pub(super) struct Database {
    server: String,
    schema: String,
}

impl Database {
    pub(super) fn new() -> Self {
        let server = env::var("UNSAID_TEST_POSTGRES")
            .expect("UNSAID_TEST_POSTGRES has the address of a PostgreSQL server; `cargo xtask postgres` sets it");
        let entropy = crate::clock::Entropy::system().expect("the system has randomness");
        let schema = format!("unsaid_test_{:016x}", entropy.next_u64());
        let database = Self { server, schema };
        database.run(&format!("CREATE SCHEMA {}", database.schema));
        database
    }

    /// Its address, as a server is given it.
    pub(super) fn url(&self) -> String {
        let sign = if self.server.contains('?') { '&' } else { '?' };
        format!("{}{sign}options=-csearch_path%3D{}&application_name={}", self.server, self.schema, self.schema)
    }

    /// Runs statements beside the store.
    pub(super) fn run(&self, sql: &str) {
        let url = self.server.clone();
        let sql = sql.to_owned();
        // On a thread of its own, for a test may be within a runtime.
        let thread = std::thread::spawn(move || {
            block_on_io(async {
                let (client, connection) = tokio_postgres::connect(&url, NoTls).await.expect("PostgreSQL answers");
                let connection = tokio::spawn(connection);
                client.batch_execute(&sql).await.expect("PostgreSQL does it");
                drop(client);
                connection.await.expect("no panic").expect("it ends well");
            });
        });
        thread.join().expect("no panic");
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.run(&format!("DROP SCHEMA {} CASCADE", self.schema));
    }
}

fn block_on_io<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime without threads").block_on(future)
}
