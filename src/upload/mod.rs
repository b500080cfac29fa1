//! The strategies: one PutFile, or multipart with one or many parts in flight.

mod checkpoint;
mod claim;
mod earlier_run;
mod multipart;
mod put;
mod recheck;
mod resume;
mod session;
mod settle;
mod store;
mod stream;
mod verify;

pub use multipart::Multipart;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::content::hashing::Hashing;
use crate::content::{Content, Source};
use crate::engine::Engine;
use crate::error::{Error, Report, Result};
use crate::operation::Operation;
use crate::operation::events;
use crate::operation::queue::Turn;
use crate::protocol::mime;
use crate::protocol::policy::PutPolicy;
use crate::protocol::{headers, keys};
use crate::runtime::blocking;

/// Parts in flight when the caller does not say.
pub const DEFAULT_JOBS: i32 = 10;

/// Parts in flight at most.
pub const MAX_JOBS: i32 = 256;

/// The largest content of one PutFile, a limit of the service: 512 MiB.
pub const MAX_PUT_SIZE: u64 = 512 << 20;

/// Up to here one request is quicker than the three or more of a multipart upload.
pub(crate) const AUTO_PUT_SIZE: u64 = 16 << 20;

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

    /// The same wherever the process goes: its paths mean what they mean now.
    pub(crate) fn anchored(mut self) -> Self {
        let anchored = |path: &Path| std::path::absolute(path).ok();
        if let Source::File(path) = &mut self.source
            && let Some(absolute) = anchored(path)
        {
            *path = absolute;
        }
        if let Some(path) = &mut self.resume_path
            && let Some(absolute) = anchored(path)
        {
            *path = absolute;
        }
        self
    }

    /// Looks for what no upload can succeed with; touches neither disk nor network.
    ///
    /// # Errors
    /// `InvalidArgument` names the member that is wrong.
    pub fn check(&self) -> Result<()> {
        check(self).map(|_| ())
    }
}

/// A request that was checked, with its content opened.
struct Upload {
    content: Content,
    key: String,
    mime_type: String,
    /// Storage class and metadata.
    headers: Vec<(String, String)>,
    policy: Option<PutPolicy>,
    jobs: usize,
}

/// Runs an upload to its end, once its turn has come. What is open already is not opened again.
pub(crate) async fn run(
    engine: &Arc<Engine>,
    turn: Turn,
    request: UploadRequest,
    opened: Option<Opened>,
    operation: &Arc<Operation>,
) -> Result<Report> {
    let requested = request.policy.is_some();
    let event = events::Upload::begins(&request.key, request.mode, requested);
    let result = run_checked(engine, turn, request, opened, operation).await;
    event.ends(operation, &result);
    result.map_err(|mut error| {
        error.report_mut().callback_did_not_run(requested);
        error
    })
}

async fn run_checked(
    engine: &Arc<Engine>,
    turn: Turn,
    request: UploadRequest,
    opened: Option<Opened>,
    operation: &Arc<Operation>,
) -> Result<Report> {
    let headers = check(&request)?;
    let _slot = operation.work(turn.come()).await?;
    operation.begin_running();
    if let Source::Reader(_) = request.source {
        return Box::pin(stream::run(engine, request, headers, operation)).await;
    }
    let mode = request.mode;
    let resume_path = request.resume_path.clone();
    let upload = match opened {
        Some(Opened(upload)) => upload?,
        None => {
            let hashing = engine.hashing.clone();
            operation.work(open(request, headers, hashing)).await??
        }
    };
    let size = upload.content.size();
    let put = match mode {
        Mode::Put => true,
        Mode::Multipart => size == 0,
        Mode::Auto => size == 0 || (size <= AUTO_PUT_SIZE && resume_path.is_none()),
    };
    // In boxes, so that the one that runs is made where it stays.
    match resume_path {
        _ if put => Box::pin(put::run(engine, &upload, operation)).await,
        Some(path) => Box::pin(resume::run(engine, &upload, &path, operation)).await,
        None => Box::pin(multipart::run(engine, &upload, operation)).await,
    }
}

fn check(request: &UploadRequest) -> Result<Vec<(String, String)>> {
    keys::check_key(&request.key)?;
    if request.resume_path.is_some() && request.mode == Mode::Put {
        return Err(Error::argument(
            "resume_path goes with a multipart upload: one PutFile cannot be resumed",
        ));
    }
    if let Source::Reader(_) = request.source {
        stream::check(request)?;
    }
    if let Some(mime_type) = &request.mime_type {
        headers::check_mime_type(mime_type)?;
    }
    headers::of(request.storage_class.as_deref(), &request.metadata)
}

/// A request whose file was opened before it runs, or could not be.
pub(crate) struct Opened(Result<Upload>);

/// Opens the file, if it is one. Blocks on the disk.
pub(crate) fn open_file(request: &UploadRequest, engine: &Engine) -> Option<Opened> {
    let Source::File(_) = request.source else {
        return None;
    };
    // What is wrong with the request is told when it runs.
    let headers = check(request).ok()?;
    let hashing = engine.hashing.clone();
    Some(Opened(opened(request.clone(), headers, hashing)))
}

async fn open(
    request: UploadRequest,
    headers: Vec<(String, String)>,
    hashing: Hashing,
) -> Result<Upload> {
    match request.source {
        // Nothing to wait for.
        Source::Memory(_) => opened(request, headers, hashing),
        _ => blocking::begin(move || opened(request, headers, hashing)).await,
    }
}

fn opened(
    request: UploadRequest,
    headers: Vec<(String, String)>,
    hashing: Hashing,
) -> Result<Upload> {
    let content = Content::open(&request.source, hashing)?;
    if request.mode == Mode::Put {
        put::check_size(&content)?;
    }
    let mime_type = match request.mime_type {
        Some(given) if !given.is_empty() => given,
        _ => detect(&content, &request.key)?,
    };
    Ok(Upload {
        content,
        key: request.key,
        mime_type,
        headers,
        policy: request.policy,
        jobs: request.jobs.clamp(1, MAX_JOBS) as usize,
    })
}

fn detect(content: &Content, key: &str) -> Result<String> {
    let head = content.head(mime::HEAD_LEN)?;
    let complete = head.len() as u64 == content.size();
    let name = content.path().unwrap_or(key.as_ref());
    Ok(mime::detect(&head, complete, Some(name)))
}
