//! Settings that may change while the server runs.

use std::sync::Arc;

use arc_swap::ArcSwap;

/// A setting as it stands now. Clones see the same one.
#[derive(Debug)]
pub struct Live<T>(Arc<ArcSwap<T>>);

impl<T> Live<T> {
    pub fn new(value: T) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(value)))
    }

    /// What holds from now on for whoever asks once: two questions may have two answers.
    pub fn now(&self) -> Arc<T> {
        self.0.load_full()
    }

    pub fn put(&self, value: T) {
        self.0.store(Arc::new(value));
    }
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
