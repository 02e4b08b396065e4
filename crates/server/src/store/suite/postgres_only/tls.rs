//! TLS to PostgreSQL: what each `sslmode` believes, and what is said where it does not.
//!
//! The server is given a certificate, and listens on loopback, too; `cargo xtask postgres` starts one that does.

use unsaid_testkit::{Authority, Identity};

use super::{Database, Kind, World, database};
use crate::{
    chat::{NoDevices, Store},
    clock,
    store::{
        hints,
        postgres::{Postgres, PostgresOptions},
    },
};

/// Puts a certificate in place, with the server's own hands, for its key has to be its own.
fn use_certificate(database: &Database, Identity { cert_pem, key_pem }: &Identity) {
    for (file, pem) in [("unsaid-test.crt", cert_pem), ("unsaid-test.key", key_pem)] {
        let lines = format!("SELECT unnest(string_to_array('{pem}', chr(10)))");
        database.run(&format!("COPY ({lines}) TO PROGRAM 'umask 077; cat > {file}'"));
    }
    for setting in ["ssl_cert_file = 'unsaid-test.crt'", "ssl_key_file = 'unsaid-test.key'", "ssl = on"] {
        database.run(&format!("ALTER SYSTEM SET {setting}"));
    }
    database.run("SELECT pg_reload_conf()");
    while database.run("SHOW ssl") != ["on"] {
        std::thread::yield_now();
    }
}

/// Opens a store, and tells whether its connections are encrypted; or what was said instead.
fn encrypted(world: &World, host: &str, options: &str) -> Result<bool, String> {
    let database = database(world);
    let port = database.run("SHOW port").remove(0);
    let server = format!("postgres://postgres@{host}:{port}/postgres?{options}");
    let address = database.address_at(&server);
    let (sender, _receiver) = hints(std::sync::Arc::new(NoDevices));
    let around = clock::World { clock: world.clock.clone(), entropy: world.entropy.clone() };
    let options = PostgresOptions { address, writers: 1, metrics: crate::metrics::Metrics::new().store };
    let store = Postgres::open(&options, &around, &sender).map_err(|error| error.to_string())?;
    super::block_on(async { store.erase_audit_copies(clock::Timestamp(0)).await.expect("it can be written to") });
    let ours = database.run(&format!(
        "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
         WHERE application_name = '{}' AND client_addr IS NOT NULL",
        database.schema
    ));
    assert_eq!(ours.len(), 1, "{ours:?}");
    super::block_on(store.close()).expect("it closes");
    Ok(ours[0] == "t")
}

#[test]
#[ignore = "it needs PostgreSQL: `cargo xtask postgres` runs it"]
fn each_sslmode_believes_whom_it_says() {
    let (world, folder) = (World::new(Kind::Postgres), tempfile::tempdir().expect("a folder"));
    let (ours, other) = (Authority::new(), Authority::new());
    let file = |name: &str, authority: &Authority| {
        let path = folder.path().join(name);
        std::fs::write(&path, authority.ca_pem()).expect("writable");
        path.display().to_string().replace('/', "%2F")
    };
    let (ca, wrong_ca) = (file("ca.pem", &ours), file("wrong.pem", &other));
    use_certificate(database(&world), &ours.issue(&["localhost"], &[]));

    let refused = |host: &str, options: &str, says: &str| {
        let error = encrypted(&world, host, options).expect_err(options);
        assert!(error.contains(says), "{host} {options}: {error}");
    };
    for (host, options, expect) in [
        ("localhost", String::new(), true),
        ("localhost", "sslmode=disable".to_owned(), false),
        ("127.0.0.1", "sslmode=require".to_owned(), true),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={ca}"), true),
        ("localhost", format!("sslmode=verify-full&sslrootcert={ca}"), true),
    ] {
        assert_eq!(encrypted(&world, host, &options), Ok(expect), "{host} {options}");
    }
    refused("127.0.0.1", &format!("sslmode=verify-full&sslrootcert={ca}"), "for another name");
    refused("localhost", &format!("sslmode=verify-full&sslrootcert={wrong_ca}"), "sslrootcert");
    refused("localhost", &format!("sslmode=verify-ca&sslrootcert={wrong_ca}"), "sslrootcert");
    refused("localhost", &format!("sslmode=require&sslrootcert={wrong_ca}"), "sslrootcert");
    refused("localhost", "sslmode=verify-full", "sslrootcert");
    refused("localhost", "sslmode=verify-full&sslrootcert=none.pem", "none.pem cannot be read");

    for setting in ["ssl", "ssl_cert_file", "ssl_key_file"] {
        database(&world).run(&format!("ALTER SYSTEM RESET {setting}"));
    }
    database(&world).run("SELECT pg_reload_conf()");
    while database(&world).run("SHOW ssl") != ["off"] {
        std::thread::yield_now();
    }
    assert_eq!(encrypted(&world, "localhost", ""), Ok(false), "it stays on this machine");
    refused("localhost", "sslmode=require", "does not support TLS");
}
