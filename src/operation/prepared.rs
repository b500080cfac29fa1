//! An operation that is ready to run, and what it brings besides its report, such as what HeadFile tells.

use std::sync::{Arc, Mutex, MutexGuard};

use super::task::{Task, TaskStarter};
use crate::error::{Report, Result};
use crate::runtime::own_threads;
use crate::runtime::panics;
use crate::runtime::sync::unpoisoned;

/// An operation that is ready to run, and where to find what it brings. Dropping it ends it with an error.
pub(crate) struct Prepared<T> {
    pub(crate) task: Task,
    pub(crate) starter: TaskStarter,
    pub(crate) value: Brought<T>,
}

impl<T> Prepared<T> {
    /// Runs it and waits for its end.
    pub(crate) fn wait(self) -> Result<(T, Report)> {
        own_threads::check_may_block()?;
        self.starter.run();
        let ended = self.task.wait(None);
        let report = ended.unwrap_or_else(|| Err(panics::died()))?;
        let value = self.value.take().ok_or_else(panics::died)?;
        Ok((value, report))
    }
}

/// What an operation brings: put there by the operation, taken by the host. Empty until the operation has succeeded. Clones share the value.
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
