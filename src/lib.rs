//! libus3: uploads to UCloud US3 object storage, with upload callbacks (put policies).
//!
//! Data flows one way: `ffi → client → upload → service → network`, with `source` feeding
//! `upload`. Everything below `ffi` is an ordinary Rust library that does not know C exists.
//!
//! | module | what it is for |
//! |---|---|
//! | [`client`] | what a host holds: configuration, connections and the threads that work |
//! | `engine` | the service and the threads, shared by a client and what it hands out |
//! | [`task`] | an upload that runs while the host does something else |
//! | `host` | threads on which the host's callbacks and readers run |
//! | [`upload`] | the strategies: one PutFile, or multipart with one or many parts in flight |
//! | `service` | the wire: requests, answers, and the one place that sends and classifies |
//! | [`source`] | where the bytes come from: a file, memory or a reader |
//! | [`config`] | fields, the JSON file, validation |
//! | [`policy`] | put policies: check, compact, encode, build |
//! | [`sign`] | string to sign → Authorization |
//! | [`etag`] | the streaming US3 ETag |
//! | `protocol` | from evidence about requests to what is known of them, without I/O |
//! | `hashing` | ETags of what is being sent, beside the threads that drive sockets |
//! | [`mime`] | the content type when the caller gives none |
//! | `operation` | deadline, cancellation and cost of one operation |
//! | `events` | what goes to the log |
//! | `blocking` | work that may block, beside the threads that drive sockets |
//! | `crew` | threads that are started for work that takes its time, and end without it |
//! | `runtimes` | the threads that drive sockets and timers |
//! | `end` | an end that is told once and waited for in several ways |
//! | `sync` | locks and threads, those of the standard library or of a model checker |
//! | `threads` | whether a thread is the library's own, and what that means |
//! | `panics` | a mistake of the library's becomes an error |
//! | [`error`] | errors, statuses and the report of an operation |
//! | `ffi` | the C border and the only unsafe code |

pub mod client;
pub mod config;
pub mod content;
mod engine;
pub mod error;
#[allow(unsafe_code)]
mod ffi;
pub mod operation;
pub mod protocol;
mod runtime;
mod service;
pub mod upload;

/// The C border for the fuzz targets, which call it as a C host does. C has include/us3.h.
#[doc(hidden)]
pub mod border {
    pub use crate::ffi::{
        us3_client, us3_client_new, us3_config, us3_config_init, us3_header, us3_result,
        us3_result_clear, us3_result_describe, us3_result_init, us3_set_logger, us3_status,
        us3_string_free, us3_upload, us3_upload_request, us3_upload_request_init,
    };
}
