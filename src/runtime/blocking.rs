//! Runs work that may block on the disk, or take long, on threads other than those that drive sockets. Only
//! if no thread can be started does it run on those.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use tokio::task::{JoinHandle, spawn_blocking};

use crate::error::Result;
use crate::runtime::panics;
use crate::runtime::sync::unpoisoned;

/// Work that was begun. A panic in it becomes an error.
#[derive(Debug)]
pub(crate) enum Blocking<T> {
    Elsewhere(JoinHandle<Option<Result<T>>>),
    /// None once the result was taken.
    Done(Option<Result<T>>),
}

/// Begins the work. Must be called within a runtime.
pub(crate) fn begin<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Blocking<T> {
    // The runtime panics when it cannot start a thread, and keeps the closure that it was given.
    let work = Arc::new(Mutex::new(Some(work)));
    let shared = work.clone();
    let begun = panics::catch(move || spawn_blocking(move || do_once(&shared)));
    match begun {
        Ok(thread) => Blocking::Elsewhere(thread),
        Err(_) => Blocking::Done(do_once(&work)),
    }
}

fn do_once<T>(work: &Mutex<Option<impl FnOnce() -> Result<T>>>) -> Option<Result<T>> {
    let work = unpoisoned(work.lock()).take()?;
    Some(panics::catch(work).flatten())
}

impl<T> Unpin for Blocking<T> {}

impl<T> Future for Blocking<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let done = match &mut *self {
            Self::Elsewhere(thread) => ready!(Pin::new(thread).poll(cx)).ok().flatten(),
            Self::Done(done) => done.take(),
        };
        // The runtime ended before the work ran: there is no result.
        Poll::Ready(done.unwrap_or_else(|| Err(panics::died())))
    }
}
