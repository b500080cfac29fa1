//! Work that may block on the disk, or take long, beside the threads that drive sockets; on them only
//! when the process may have no more threads.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use tokio::task::{JoinHandle, spawn_blocking};

use crate::error::Result;
use crate::runtime::panics;
use crate::runtime::sync::unpoisoned;

/// Work that was begun; its panic is an error.
#[derive(Debug)]
pub(crate) enum Blocking<T> {
    Elsewhere(JoinHandle<Option<Result<T>>>),
    /// None once it was told.
    Done(Option<Result<T>>),
}

/// Begins the work. Within a runtime.
pub(crate) fn begin<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Blocking<T> {
    // The runtime panics when it gets no thread, and keeps what it was given.
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
        // Nothing comes of work that the end of the runtime kept from running.
        Poll::Ready(done.unwrap_or_else(|| Err(panics::died())))
    }
}
