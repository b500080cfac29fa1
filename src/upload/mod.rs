//! Runs an upload: chooses the strategy (PutFile, parts, stream or resume) and opens the source.

mod adopt;
mod by_hand;
mod checkpoint;
mod claim;
mod earlier_run;
mod layout;
mod parts;
mod plan;
mod put;
mod recheck;
mod request;
mod resume;
mod session;
mod settle;
mod store;
mod stream;
mod trusted;
mod verify;

pub use by_hand::Multipart;
pub use plan::MAX_JOBS;
pub(crate) use plan::Plan;
pub use put::MAX_PUT_SIZE;
pub use request::{DEFAULT_JOBS, Mode, UploadRequest};

use std::sync::Arc;

use crate::content::hashing::Hashing;
use crate::content::{Content, Source};
use crate::engine::{Engine, Run};
use crate::error::{Report, Result};
use crate::operation::events;
use crate::operation::queue::Permit;
use crate::protocol::mime;
use crate::runtime::blocking;

/// The largest content that US3_MODE_AUTO sends with one PutFile. Up to this size one request is faster
/// than the three or more of a multipart upload.
pub(crate) const AUTO_PUT_SIZE: u64 = 16 << 20;

/// A plan and its opened content.
struct Upload {
    plan: Arc<Plan>,
    content: Content,
    /// The content type, given or detected.
    mime_type: String,
}

/// Waits for the upload's turn in the queue, then runs it to its end. A source that is open already is not
/// opened again.
pub(crate) async fn run(
    run: &Run,
    permit: Permit,
    plan: Arc<Plan>,
    opened: Option<Opened>,
) -> Result<Report> {
    let requested = plan.policy.is_some();
    let event = events::UploadEvent::begins(&plan.key, plan.mode, requested);
    let result = run_in_turn(run, permit, plan.clone(), opened).await;
    event.ends(&run.operation, &result);
    result.map_err(|mut error| {
        error.report_mut().callback_did_not_run(requested);
        error
    })
}

async fn run_in_turn(
    run: &Run,
    permit: Permit,
    plan: Arc<Plan>,
    opened: Option<Opened>,
) -> Result<Report> {
    let _slot = run.operation.work(permit.granted()).await?;
    run.operation.announce_turn();
    if let Source::Reader(_) = plan.source {
        return Box::pin(stream::run(run, plan)).await;
    }
    let upload = match opened {
        Some(Opened(upload)) => upload?,
        None => {
            let (plan, hashing) = (plan.clone(), run.engine.hashing.clone());
            let opening = blocking::begin(move || open(plan, hashing));
            run.operation.work(opening).await??
        }
    };
    let size = upload.content.size();
    let put = match plan.mode {
        Mode::Put => true,
        Mode::Multipart => size == 0,
        Mode::Auto => size == 0 || (size <= AUTO_PUT_SIZE && plan.resume_path.is_none()),
    };
    // Boxed, so that the future of the chosen strategy is created on the heap.
    match &plan.resume_path {
        _ if put => Box::pin(put::run(run, &upload)).await,
        Some(path) => Box::pin(resume::run(run, &upload, path)).await,
        None => Box::pin(parts::run(run, &upload)).await,
    }
}

/// An upload whose content was opened before it runs, or could not be.
pub(crate) struct Opened(Result<Upload>);

/// Opens what can be opened before the upload runs: memory, and a file if this may block on the disk.
pub(crate) fn open_early(plan: &Arc<Plan>, engine: &Engine, may_block: bool) -> Option<Opened> {
    let opens = match plan.source {
        Source::Memory(_) => true,
        Source::File(_) => may_block,
        Source::Reader(_) => false,
    };
    opens.then(|| Opened(open(plan.clone(), engine.hashing.clone())))
}

fn open(plan: Arc<Plan>, hashing: Hashing) -> Result<Upload> {
    let content = Content::open(&plan.source, hashing)?;
    if plan.mode == Mode::Put {
        put::check_size(&content)?;
    }
    let mime_type = match &plan.mime_type {
        Some(given) => given.clone(),
        None => detect(&content, &plan.key)?,
    };
    Ok(Upload {
        plan,
        content,
        mime_type,
    })
}

fn detect(content: &Content, key: &str) -> Result<String> {
    let head = content.head(mime::HEAD_LEN)?;
    let complete = head.len() as u64 == content.size();
    let name = content.path().unwrap_or(key.as_ref());
    Ok(mime::detect(&head, complete, Some(name)))
}

#[cfg(test)]
mod tests;
