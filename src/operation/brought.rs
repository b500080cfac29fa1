//! What an operation brings besides its report, such as what HeadFile tells: put there by the operation, taken by the host.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::runtime::sync::unpoisoned;

/// Empty until the operation has succeeded. Clones share the value.
#[derive(Debug)]
pub(crate) struct Brought<T>(Arc<Mutex<Option<T>>>);

impl<T> Brought<T> {
    pub(crate) fn put(&self, value: T) {
        *self.lock() = Some(value);
    }

    /// Leaves nothing behind.
    pub(crate) fn take(&self) -> Option<T> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<T>> {
        unpoisoned(self.0.lock())
    }
}

impl<T: Clone> Brought<T> {
    /// Leaves the value there.
    pub(crate) fn look(&self) -> Option<T> {
        self.lock().clone()
    }
}

impl<T> Default for Brought<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Brought<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
