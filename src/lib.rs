//! libus3: uploads to UCloud US3 object storage, with upload callbacks (put policies).
//!
//! The library is made for C, and `include/us3.h` is its manual. This crate is the same engine for Rust.
//!
//! ```
//! use us3::{CallbackState, Client, Config, PutPolicy, Source, UploadRequest};
//!
//! # fn main() -> us3::Result<()> {
//! # let options = us3_emulator::Options { log: false, ..Default::default() };
//! # let (public_key, private_key) = (options.public_key.clone(), options.private_key.clone());
//! # let bucket = options.bucket.clone();
//! # let service = us3_emulator::Emulator::start(options).expect("a local US3");
//! let mut config = Config::new(public_key, private_key.into(), bucket);
//! config.endpoint = Some(format!("http://{}", service.address()));
//! let client = Client::new(config)?;
//!
//! let mut request = UploadRequest::new(Source::Memory("hello".into()), "greeting.txt");
//! let report = client.upload(request.clone())?;
//! assert_eq!(report.callback, CallbackState::NotRequested);
//!
//! // A callback service that does not listen: the object is stored, and the error says the rest.
//! request.policy = Some(PutPolicy::build("http://127.0.0.1:1/", "name=greeting.txt", None, &[])?);
//! let error = client.upload(request).unwrap_err();
//! assert_eq!(error.report().callback, CallbackState::NotDelivered);
//! # Ok(())
//! # }
//! ```
//!
//! Calls go one way: `ffi → client → upload → service → network`; `content` provides the bytes.
//! `docs/architecture.md` is the map.

pub use client::{Client, FileInfo, OnUnfinished, Unfinished};
pub use config::Config;
pub use content::{Reader, Source};
pub use error::{CallbackState, Error, ObjectState, Report, Result, Status};
pub use operation::Progress;
pub use operation::task::{Task, Watch};
pub use protocol::policy::PutPolicy;
pub use upload::{Mode, Multipart, UploadRequest};

// Public for the tests only.
#[doc(hidden)]
pub mod client;
#[doc(hidden)]
pub mod config;
#[doc(hidden)]
pub mod content;
mod engine;
#[doc(hidden)]
pub mod error;
#[allow(unsafe_code)]
mod ffi;
#[doc(hidden)]
pub mod operation;
#[doc(hidden)]
pub mod protocol;
mod runtime;
mod service;
#[doc(hidden)]
pub mod upload;

/// The C functions, for the fuzz targets, which call them as a C host does. C programs use include/us3.h.
#[doc(hidden)]
pub mod border {
    pub use crate::ffi::{
        us3_client, us3_client_new, us3_config, us3_config_init, us3_header, us3_result,
        us3_result_clear, us3_result_describe, us3_result_init, us3_set_logger, us3_status,
        us3_string_free, us3_upload, us3_upload_request, us3_upload_request_init,
    };
}
