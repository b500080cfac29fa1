//! Threads: those that drive sockets, an elastic pool for work that may block, and those on which the
//! host's code runs. This module knows nothing of uploads.

pub(crate) mod blocking;
pub(crate) mod event_loops;
pub(crate) mod host_threads;
pub(crate) mod own_threads;
pub(crate) mod panics;
pub(crate) mod sync;
pub(crate) mod thread_pool;
