//! Bare commits: durable transactions of one table, where the server's store is, with the settings of the server.

use std::{path::Path, time::Duration};

use anyhow::Context;
use rusqlite::Connection;
use tokio_postgres::NoTls;
use unsaid::limits::STORE_BATCH_COMMANDS_MAX;

use crate::{clock, setup::StorePlace};

/// As many commands share a transaction of the server at most.
pub(crate) const GROUP_ROWS: usize = STORE_BATCH_COMMANDS_MAX;

const ALONE: Duration = Duration::from_secs(2);
const GROUPED: Duration = Duration::from_secs(1);

/// About what the log of events holds of a recall.
const ROW_BYTES: usize = 256;

/// Rows a second.
pub(super) struct Rates {
    pub(super) alone: f64,
    pub(super) grouped: f64,
}

pub(super) async fn measure(place: StorePlace<'_>) -> anyhow::Result<Rates> {
    match place {
        StorePlace::Folder(folder) => {
            let folder = folder.to_owned();
            tokio::task::spawn_blocking(move || in_folder(&folder)).await.context("a thread")?
        }
        StorePlace::Postgres(url) => in_postgres(url).await,
    }
}

/// In a database of its own beside the server's, so on the same disk.
fn in_folder(folder: &Path) -> anyhow::Result<Rates> {
    let temporary = tempfile::Builder::new().prefix("bare-").tempdir_in(folder).context("a folder for it")?;
    let connection = Connection::open(temporary.path().join("bare.db"))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch("CREATE TABLE bare (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT")?;
    Ok(Rates { alone: commit_for(&connection, ALONE, 1)?, grouped: commit_for(&connection, GROUPED, GROUP_ROWS)? })
}

fn commit_for(connection: &Connection, time: Duration, rows_at_once: usize) -> anyhow::Result<f64> {
    let row = [b'x'; ROW_BYTES];
    let began = clock::now();
    let mut rows = 0;
    while clock::now() - began < time {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let mut insert = connection.prepare_cached("INSERT INTO bare (body) VALUES (?1)")?;
        for _ in 0..rows_at_once {
            insert.execute([&row[..]])?;
        }
        drop(insert);
        connection.execute_batch("COMMIT")?;
        rows += rows_at_once;
    }
    Ok(rows as f64 / (clock::now() - began).as_secs_f64())
}

/// In a table of its own, over one connection.
async fn in_postgres(url: &str) -> anyhow::Result<Rates> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.context("PostgreSQL")?;
    let connection = tokio::spawn(connection);
    client.batch_execute("DROP TABLE IF EXISTS load_bare; CREATE TABLE load_bare (body BYTEA NOT NULL)").await?;
    let alone = commit_in_postgres(&client, ALONE, 1).await?;
    let grouped = commit_in_postgres(&client, GROUPED, GROUP_ROWS).await?;
    client.batch_execute("DROP TABLE load_bare").await?;
    drop(client);
    // How it ends does not matter any more.
    let _ = connection.await;
    Ok(Rates { alone, grouped })
}

async fn commit_in_postgres(
    client: &tokio_postgres::Client,
    time: Duration,
    rows_at_once: usize,
) -> anyhow::Result<f64> {
    let rows_at_once_i32 = i32::try_from(rows_at_once).context("so many rows")?;
    let insert = "INSERT INTO load_bare SELECT $1::bytea FROM generate_series(1, $2)";
    let insert = client.prepare(insert).await?;
    let row = vec![b'x'; ROW_BYTES];
    let began = clock::now();
    let mut rows = 0;
    while clock::now() - began < time {
        client.execute(&insert, &[&row, &rows_at_once_i32]).await?;
        rows += rows_at_once;
    }
    Ok(rows as f64 / (clock::now() - began).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_durable_and_leave_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let connection = Connection::open(folder.path().join("bare.db")).expect("opens");
        connection.execute_batch("CREATE TABLE bare (id INTEGER PRIMARY KEY, body BLOB NOT NULL)").expect("made");
        let rate = commit_for(&connection, Duration::from_millis(20), 3).expect("commits");
        let rows: u32 = connection.query_row("SELECT count(*) FROM bare", [], |row| row.get(0)).expect("counted");
        assert!(rate > 0.0 && rows > 0 && rows.is_multiple_of(3), "{rate} {rows}");
    }
}
