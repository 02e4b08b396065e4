//! How far a phase is: a line on standard error that is written over, if a person may be looking.

use std::{
    io::{IsTerminal, Write},
    time::Duration,
};

use tokio::task::JoinHandle;

const PAUSE: Duration = Duration::from_millis(250);

/// Shown until it is dropped.
pub(crate) struct Progress(Option<JoinHandle<()>>);

impl Progress {
    /// `done` says how many of `total` are done.
    pub(crate) fn show(what: &'static str, total: u32, done: impl Fn() -> u32 + Send + 'static) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(None);
        }
        Self(Some(tokio::spawn(async move {
            loop {
                write(&format!("{what}: {} of {total}", done()));
                tokio::time::sleep(PAUSE).await;
            }
        })))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
            write("");
        }
    }
}

/// Over the line that is there. Whether it can be written does not matter to the run.
fn write(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = write!(stderr, "\r\x1b[K{text}").and_then(|()| stderr.flush());
}
