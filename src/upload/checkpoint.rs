//! The content of a checkpoint: which upload it is, and of which file. It contains no secret. The list of
//! parts is not in it: the service knows them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Upload;
use crate::content::Identity;
use crate::protocol::etag::EtagHasher;
use crate::service::LARGEST_PART;

/// The format version. It changes when an older library must not read a newer checkpoint.
const VERSION: u32 = 2;

/// The first format version, which lacks the time of the finish.
const FIRST_VERSION: u32 = 1;

/// The most bytes that are read: more than any checkpoint, because the file may be anything.
pub(super) const MAX_LEN: u64 = 64 << 10;

pub(super) const FILE_CHANGED: &str =
    "the file changed since the checkpoint; the upload started afresh";
const HEADERS_CHANGED: &str = "the content type, storage class or metadata changed since the checkpoint; the upload started afresh";

/// An upload that can go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    version: u32,
    /// Scheme and authority of the service.
    pub(super) endpoint: String,
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) file: Identity,
    /// A digest of the content type, the storage class and the metadata of the upload. Earlier checkpoints
    /// lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    begun_with: Option<String>,
    pub(super) part_size: u64,
    pub(super) upload_id: String,
    /// The finish may have been sent.
    pub(super) finishing: bool,
    /// The finish. Checkpoints of the first version lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) finish: Option<FinishSent>,
}

/// A finish that may have been sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FinishSent {
    /// It carries a policy.
    pub(super) policy: bool,
    /// The time by the service's Date header, in seconds since 1970; None when no answer had a Date.
    pub(super) at: Option<u64>,
    /// Milliseconds after `at` until the finish can no longer run.
    lasts_ms: u64,
    /// The ETag of the object that the finish stores. None when it cannot be computed: the part size is not
    /// that of the ETag's blocks, or there are no digests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) etag: Option<String>,
}

impl FinishSent {
    pub(super) fn new(
        policy: bool,
        at: Option<u64>,
        lasts: Duration,
        etag: Option<String>,
    ) -> Self {
        Self {
            policy,
            at,
            lasts_ms: u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX),
            etag,
        }
    }

    /// The time after `at` until the finish can no longer run.
    pub(super) fn lasts(&self) -> Duration {
        Duration::from_millis(self.lasts_ms)
    }
}

impl Checkpoint {
    /// The checkpoint of an upload that has not begun.
    pub(super) fn new(endpoint: String, bucket: &str, upload: &Upload, file: Identity) -> Self {
        Self {
            version: VERSION,
            endpoint,
            bucket: bucket.to_owned(),
            key: upload.plan.key.clone(),
            file,
            begun_with: Some(digest_of_headers(upload)),
            part_size: 0,
            upload_id: String::new(),
            finishing: false,
            finish: None,
        }
    }

    /// Whether both checkpoints are about the same object.
    pub(super) fn same_object(&self, other: &Self) -> bool {
        (&self.endpoint, &self.bucket, &self.key) == (&other.endpoint, &other.bucket, &other.key)
    }

    /// Whether content type, storage class and metadata are the same, as far as both checkpoints have them.
    pub(super) fn same_headers(&self, other: &Self) -> bool {
        let told = self.begun_with.as_ref().zip(other.begun_with.as_ref());
        told.is_none_or(|(ours, theirs)| ours == theirs)
    }
}

/// A digest of the headers: metadata may be private and long, and a digest shows every difference. The
/// order of the metadata and the case of names do not matter.
fn digest_of_headers(upload: &Upload) -> String {
    let headers = upload.plan.headers.iter();
    let mut lines: Vec<_> = headers
        .map(|(name, value)| format!("{}: {value}\n", name.to_ascii_lowercase()))
        .collect();
    lines.push(format!("content-type: {}\n", upload.mime_type));
    lines.sort_unstable();
    let mut hasher = EtagHasher::object();
    lines.iter().for_each(|line| hasher.update(line.as_bytes()));
    hasher.finish().object_etag()
}

/// How this run's request and file are told from those of the checkpoint.
#[derive(Clone, Copy)]
pub(super) struct Changes {
    /// Why the upload of the checkpoint is of no use to anybody.
    pub(super) of_no_use: Option<&'static str>,
    /// Content type, storage class or metadata are others.
    pub(super) headers_differ: bool,
    /// It is another file, or was written to, or its file system tells other numbers than before. If its content is
    /// that of the parts, this makes no difference.
    pub(super) file_differs: bool,
}

impl Changes {
    pub(super) fn since(checkpoint: &Checkpoint, asked: &Checkpoint) -> Self {
        let headers_differ = !checkpoint.same_headers(asked);
        let of_no_use = match () {
            () if checkpoint.file.size() != asked.file.size() => Some(FILE_CHANGED),
            () if headers_differ => Some(HEADERS_CHANGED),
            () => None,
        };
        Self {
            of_no_use,
            headers_differ,
            file_differs: !checkpoint.file.is_same(&asked.file),
        }
    }
}

/// What a claimed file held.
#[derive(Debug)]
pub(super) enum Found {
    Nothing,
    Checkpoint(Box<Checkpoint>),
    /// It is not a checkpoint, for this reason. Its content was kept in a file beside it.
    Damaged(String),
}

/// Reads a checkpoint from the content of a file that is not empty.
pub(super) fn parse(text: &[u8]) -> Found {
    match serde_json::from_slice::<Checkpoint>(text) {
        Ok(read) if !(FIRST_VERSION..=VERSION).contains(&read.version) => {
            Found::Damaged(format!("it is of version {}", read.version))
        }
        Ok(read) if !(1..=LARGEST_PART).contains(&read.part_size) || read.upload_id.is_empty() => {
            Found::Damaged("it names no upload".to_owned())
        }
        Ok(read) => Found::Checkpoint(Box::new(read)),
        Err(cause) => Found::Damaged(cause.to_string()),
    }
}
