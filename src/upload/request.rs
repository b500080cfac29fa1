//! What a host asks for when it uploads.

use std::path::PathBuf;
use std::time::Duration;

use crate::content::Source;
use crate::protocol::policy::PutPolicy;

/// Parts in flight when the caller does not say.
pub const DEFAULT_JOBS: i32 = 10;

/// How the content travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// PutFile up to 16 MiB, multipart above.
    #[default]
    Auto,
    /// One PutFile, at most 512 MiB.
    Put,
    /// Multipart; an empty object is one PutFile.
    Multipart,
}

/// Everything an upload can want.
#[derive(Clone, Debug)]
pub struct UploadRequest {
    /// Where the bytes come from.
    pub source: Source,
    /// The object's name: 1 to 1023 bytes, no `.` or `..` segment.
    pub key: String,
    /// How the content travels.
    pub mode: Mode,
    /// None or empty: detected.
    pub mime_type: Option<String>,
    /// The callback to fire once the object is stored.
    pub policy: Option<PutPolicy>,
    /// Parts in flight; below 1 is 1, above 256 is 256.
    pub jobs: i32,
    /// STANDARD, IA or ARCHIVE; None is the bucket's own.
    pub storage_class: Option<String>,
    /// `X-Ufile-Meta-<name>: <value>`, 8 KiB in all.
    pub metadata: Vec<(String, String)>,
    /// A checkpoint file: a multipart upload that fails is kept, and the next run with the same
    /// checkpoint sends only what is missing. Needs a file.
    pub resume_path: Option<PathBuf>,
    /// One deadline over the whole upload, retries and clean-up included; None for none.
    pub timeout: Option<Duration>,
}

impl UploadRequest {
    /// The source under a key; everything else has its default.
    pub fn new(source: Source, key: impl Into<String>) -> Self {
        Self {
            source,
            key: key.into(),
            mode: Mode::Auto,
            mime_type: None,
            policy: None,
            jobs: DEFAULT_JOBS,
            storage_class: None,
            metadata: Vec::new(),
            resume_path: None,
            timeout: None,
        }
    }
}
