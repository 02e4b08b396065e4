//! Everything that reads foreign bytes, each with what it promises whatever they are: a target. Built for tests and for fuzzing
//! alone.
//!
//! `cargo xtask fuzz` looks for bytes that break such a promise; those that led it to new places are kept in `fuzz/corpus`, and
//! the tests here read them again (decision 28). A target that needs the inside of a room stands there, in its `fuzz.rs`.

mod operator;
mod rest;
mod usersig;

use std::time::Duration;

use crate::{bus, callback, clock::Clock, config, gateway};

/// One reader, and what it promises.
#[derive(Clone, Copy)]
pub struct Target {
    pub name: &'static str,
    open: fn() -> Reader,
}

/// Reads bytes, and panics where a promise is broken. What it needs for that lasts from one call to the next; what it reads
/// does not.
pub type Reader = Box<dyn FnMut(&[u8])>;

/// All of them, in the way of the data.
pub const TARGETS: [Target; 8] = [
    Target { name: "usersig", open: usersig::open },
    Target { name: "rest", open: rest::open },
    Target { name: "session", open: gateway::fuzz::open },
    Target { name: "operator", open: operator::open },
    Target { name: "element", open: rest::open_elements },
    Target { name: "answer", open: callback::fuzz::open },
    Target { name: "bus", open: bus::fuzz::open },
    Target { name: "config", open: config::fuzz::open },
];

/// The longest input. None of the edges reads more of a client at once, but for bodies of requests.
pub const INPUT_BYTES_MAX: usize = 64 * 1024;

/// How long reading one may take, on a slow machine and without optimisation.
const READ_MAX: Duration = Duration::from_millis(250);

/// Others may use this machine, too: only what is slow each time is slow.
const TRIES: usize = 5;

impl Target {
    /// The target of that name.
    pub fn named(name: &str) -> Option<Self> {
        TARGETS.into_iter().find(|target| target.name == name)
    }

    /// Its reader, which is also held to the time that one input may take.
    pub fn open(&self) -> Reader {
        let (mut reader, clock) = ((self.open)(), Clock::system());
        Box::new(move |bytes| {
            let mut quickest = Duration::MAX;
            for _ in 0..TRIES {
                let began = clock.instant();
                reader(bytes);
                quickest = quickest.min(clock.instant() - began);
                if quickest <= READ_MAX {
                    return;
                }
            }
            panic!("{} bytes take {quickest:?} to read", bytes.len());
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn what_is_kept_is_read_as_promised() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
        for target in TARGETS {
            let mut reader = target.open();
            let folder = corpus.join(target.name);
            let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
            let mut count = 0;
            for file in files {
                let path = file.expect("it is listed").path();
                println!("{}", path.display());
                reader(&fs::read(&path).expect("it is readable"));
                count += 1;
            }
            assert!(count > 0, "{} has no inputs", target.name);
        }
    }

    #[test]
    fn every_folder_of_inputs_has_its_target() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
        for folder in fs::read_dir(corpus).expect("there are inputs") {
            let name = folder.expect("it is listed").file_name();
            assert!(name.to_str().is_some_and(|name| Target::named(name).is_some()), "{name:?} is no target");
        }
    }
}
