//! Configurations, and the addresses in them.

use std::fs;

use super::{Config, Sources};
use crate::{bus, fuzz::Reader, store::postgres::PostgresAddress};

/// A configuration file, or the address of a database or of a bus. What is wrong is named; what is right is right at once.
pub(crate) fn open() -> Reader {
    let folder = tempfile::tempdir().expect("a folder");
    Box::new(move |bytes| {
        let path = folder.path().join("unsaid.toml");
        let Ok(text) = std::str::from_utf8(bytes) else { return };
        check_addresses(text);
        // What a file names is read, and that may be a device without an end.
        if text.contains("file") || text.contains('\\') {
            return;
        }
        fs::write(&path, text).expect("it is writable");
        let sources = Sources { file: Some(path), ..Sources::default() };
        let loaded = Config::load(&sources);
        let (examined, problems) = Config::examine(&sources);
        assert_eq!(loaded.is_ok(), problems.is_empty(), "{problems:?}");
        assert!(problems.iter().all(|problem| !problem.to_string().is_empty()));
        // A file that is right is right again, and then differs in nothing.
        if let (Ok(loaded), Some(examined)) = (loaded, examined) {
            assert_eq!(loaded.settings.differing_from(&examined.settings), [""; 0]);
            assert_eq!(loaded.apps, examined.apps);
        }
    })
}

fn check_addresses(text: &str) {
    if let Ok(address) = text.parse::<PostgresAddress>() {
        assert!(!address.to_string().is_empty());
        assert_eq!(format!("{address:?}"), address.to_string(), "what it is written as is not shown");
    }
    if let Ok(servers) = bus::servers(text) {
        assert!(!servers.is_empty());
    }
}
