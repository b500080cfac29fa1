//! The request of an upload, as the host makes it.

use std::path::PathBuf;
use std::time::Duration;

use crate::content::Source;
use crate::protocol::policy::PutPolicy;

/// The default number of parts in flight.
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

/// The parameters of an upload.
#[derive(Clone, Debug)]
pub struct UploadRequest {
    /// The source of the bytes.
    pub source: Source,
    /// The object's key: 1 to 1023 bytes, without `.` and `..` segments.
    pub key: String,
    /// How the content travels.
    pub mode: Mode,
    /// The content type. None or empty: detected.
    pub mime_type: Option<String>,
    /// The put policy: the callback to fire once the object is stored.
    pub policy: Option<PutPolicy>,
    /// Parts in flight; below 1 is 1, above 256 is 256.
    pub jobs: i32,
    /// STANDARD, IA or ARCHIVE; None is the bucket's default.
    pub storage_class: Option<String>,
    /// `X-Ufile-Meta-<name>: <value>`, 8 KiB in all.
    pub metadata: Vec<(String, String)>,
    /// A checkpoint file: a multipart upload that fails is kept, and the next run with the same checkpoint
    /// sends only the missing parts. Requires a file as the source.
    pub resume_path: Option<PathBuf>,
    /// The limit for the whole upload, including retries and clean-up; None for no limit.
    pub timeout: Option<Duration>,
}

impl UploadRequest {
    /// A request with this source and key; everything else has its default.
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
