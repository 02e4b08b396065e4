//! Waiting that ends: with what was waited for, or with a panic that says what that was.

use std::{future::Future, panic::Location, time::Duration};

use tokio::time::timeout;

/// Far longer than anything here takes, and short enough for a person to wait.
pub const WAIT_MAX: Duration = Duration::from_secs(10);

/// The result of `future`, which `what` names. Panics in the caller's name after [`WAIT_MAX`].
#[track_caller]
pub fn bounded<F: Future>(what: impl FnOnce() -> String, future: F) -> impl Future<Output = F::Output> {
    let caller = Location::caller();
    async move {
        match timeout(WAIT_MAX, future).await {
            Ok(output) => output,
            Err(_) => panic!("{caller}: waited {} s in vain for {}", WAIT_MAX.as_secs(), what()),
        }
    }
}
