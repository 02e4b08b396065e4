//! Fuzzing: libFuzzer hands bytes to one of the server's targets. `cargo xtask fuzz` builds and runs it.
//!
//! `UNSAID_FUZZ_TARGET` names the target; the arguments are libFuzzer's.

#![no_main]

use std::{cell::RefCell, env};

use unsaid::fuzz::{Reader, TARGETS, Target};

thread_local! {
    static READER: RefCell<Reader> = RefCell::new(named().open());
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    READER.with_borrow_mut(|read| read(bytes));
});

fn named() -> Target {
    let name = env::var("UNSAID_FUZZ_TARGET").unwrap_or_default();
    Target::named(&name).unwrap_or_else(|| {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        panic!("UNSAID_FUZZ_TARGET must be one of {}, not {name:?}", names.join(", "))
    })
}
