//! An operation that is ready to run, and its value: what it returns besides the report, such as the answer of HeadFile.

use std::sync::{Arc, Mutex, MutexGuard};

use super::task::{Task, TaskStarter};
use crate::error::{Report, Result};
use crate::runtime::own_threads;
use crate::runtime::panics;
use crate::runtime::sync::unpoisoned;

/// An operation that is ready to run, and where its value will be. Dropping it ends the operation with an error.
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

/// The value of an operation. Empty until the operation has succeeded; the host takes it. Clones share
/// the value.
#[derive(Debug)]
pub(crate) struct Brought<T>(Arc<Mutex<Option<T>>>);

impl<T> Brought<T> {
    pub(crate) fn put(&self, value: T) {
        *self.lock() = Some(value);
    }

    /// Takes the value out.
    pub(crate) fn take(&self) -> Option<T> {
        self.lock().take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<T>> {
        unpoisoned(self.0.lock())
    }
}

impl<T: Clone> Brought<T> {
    /// A copy of the value, which stays.
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
