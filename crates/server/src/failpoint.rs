//! Points at which a test lets the process die. They are there only in a build with the feature `failpoints`, which the load
//! tool asks for and `unsaid` does not; and nothing dies at one that was not armed, which no command of `unsaid` does.
//!
//! They are the one state of the process, for what they end is the process.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use rustix::process::{Signal, getpid, kill_process};

/// All of a transaction was said to the database, but for its end.
pub static BEFORE_COMMIT: Failpoint = Failpoint(AtomicU32::new(0));

/// The transaction is durable, and nobody was told.
pub static AFTER_COMMIT: Failpoint = Failpoint(AtomicU32::new(0));

/// How many passes are left until the process dies; 0: it does not.
#[derive(Debug)]
pub struct Failpoint(AtomicU32);

impl Failpoint {
    /// The process dies at the pass of that number, counted from now on, by 1.
    pub fn arm(&self, pass: u32) {
        self.0.store(pass, Ordering::Relaxed);
    }

    pub(crate) fn pass(&self) {
        let left = self.0.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if left == Ok(1) {
            die();
        }
    }
}

/// As if somebody else had killed it: nothing is flushed, dropped or said.
fn die() -> ! {
    kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
    loop {
        thread::park();
    }
}
