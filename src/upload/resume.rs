//! The strategy "resume": sends the missing parts, and decides when the checkpoint is written, so that at
//! every moment it has what the next run needs.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::FutureExt;

use super::Upload;
use super::checkpoint::{Checkpoint, FinishSent, Found};
use super::claim::Claim;
use super::earlier_run::{ResumeDecision, decide, in_doubt, kept};
use super::parts::send_parts;
use super::session::{Session, left_behind};
use crate::content::Identity;
use crate::engine::Run;
use crate::error::{Error, ObjectState, Report, Result, Status, report_of_mut};
use crate::protocol::rerun::longest_run;
use crate::runtime::blocking;
use crate::runtime::sync::unpoisoned;

/// The claimed checkpoint file, shared with the threads that may block on the disk.
type SharedClaim = Arc<Mutex<Claim>>;

/// Sends the missing parts and joins all parts. After a failure the upload is kept for the next run with
/// the same checkpoint.
pub(super) async fn run(run: &Run, upload: &Upload, path: &Path) -> Result<Report> {
    let Some(identity) = upload.content.identity() else {
        return Err(Error::argument(
            "resume_path needs a file_path: other sources cannot be read again by a later run",
        ));
    };
    let (claim, found) = run
        .operation
        .work(take(path.to_owned(), identity.clone()))
        .await??;
    let mut checkpoint = unbegun(run, upload, identity);
    let start = decide(run, upload, &checkpoint, found).await?;
    let resumes = matches!(start, ResumeDecision::Resume(..));
    let (session, finish, note, open) = match start {
        ResumeDecision::Resume(session, finish) => {
            let open = session.is_lost();
            (session, finish, None, open)
        }
        ResumeDecision::Afresh { note, open, left } => {
            let session = match Session::begin(run, upload).await {
                Ok(session) => session,
                Err(error) => return Err(not_begun(error, upload, open, left, &claim)),
            };
            let note = joined([note, left.as_deref().map(left_behind), None]);
            (session, None, note, open)
        }
        ResumeDecision::Over(result) => {
            over(&claim);
            return result;
        }
    };
    let resumed = session.parts().len() as u32;
    checkpoint.part_size = session.part_size;
    checkpoint.upload_id = session.upload_id.clone();
    // Never reset for this upload: once a finish may have been sent, that stays true.
    checkpoint.finishing = finish.is_some();
    checkpoint.finish = finish.clone();
    let saved = run.operation.work(save(&claim, &checkpoint)).await;
    if let Err(error) = saved.and_then(|saved| saved) {
        let mut error = in_doubt(error, upload, open);
        error.report_mut().note = note;
        // The existing checkpoint already has this upload's id.
        return Err(match resumes {
            true => kept(&session, error),
            false => session.abandon(error, run).await,
        });
    }
    let recorded = AtomicBool::new(false);
    let result = async {
        let sent = send_parts(&session, upload, run).await;
        sent.map_err(|error| session.name_in(error))?;
        let policy = upload.plan.policy.as_ref();
        let about_to_send = || {
            let mut checkpoint = checkpoint.clone();
            // An earlier finish that may still run stays in the checkpoint: whether it had a policy, and
            // whether it may store other content.
            let earlier = finish.as_ref().filter(|_| session.is_lost());
            let mut now = sent_now(run, &session, policy.is_some());
            if let Some(earlier) = earlier {
                now.policy |= earlier.policy;
                now.etag = now.etag.filter(|etag| Some(etag) == earlier.etag.as_ref());
            }
            checkpoint.finishing = true;
            checkpoint.finish = Some(now);
            recorded.store(true, Relaxed);
            let claim = &claim;
            let saving = async move { run.operation.work(save(claim, &checkpoint)).await? };
            saving.boxed()
        };
        session.finish(policy, Some(&about_to_send), run).await
    };
    let result = result.await;
    let mut result = result.map_err(|error| in_doubt(error, upload, open));
    let report = report_of_mut(&mut result);
    report.parts_resumed = resumed;
    report.note = joined([report.note.take(), note, lock(&claim).note()]);
    let refused = report.object == ObjectState::NotStored;
    if refused && recorded.load(Relaxed) {
        // No finish can be running, so the next run need not wait.
        checkpoint.finishing = false;
        checkpoint.finish = None;
        let _ = run.operation.clean_up(save(&claim, &checkpoint)).await;
    }
    conclude(result, &claim, &session, run).await
}

/// The checkpoint's entry for a finish that is about to be sent. Its time limit includes connecting; a
/// finish is small enough to be sent at once.
fn sent_now(run: &Run, session: &Session, policy: bool) -> FinishSent {
    let config = run.config();
    let lasts = config.connect_timeout + longest_run(config.response_timeout);
    let etag = session.object_etag(run);
    FinishSent::new(policy, session.service_time(), lasts, etag)
}

/// The error of a run that could not begin a new upload. `left`: the checkpoint's upload, which could not
/// be aborted.
fn not_begun(
    error: Error,
    upload: &Upload,
    open: bool,
    left: Option<String>,
    claim: &SharedClaim,
) -> Error {
    let mut error = in_doubt(error, upload, open);
    match left {
        Some(left) => {
            error.add(left_behind(&left));
            error.report_mut().upload_id.get_or_insert(left);
        }
        // The checkpoint's upload no longer exists, and its finish can no longer run.
        None if !open => over(claim),
        None => {}
    }
    error
}

fn joined(notes: [Option<String>; 3]) -> Option<String> {
    let notes: Vec<_> = notes.into_iter().flatten().collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}

/// Keeps or removes upload and checkpoint, depending on the result.
async fn conclude(
    result: Result<Report>,
    claim: &SharedClaim,
    session: &Session,
    run: &Run,
) -> Result<Report> {
    let error = match result {
        Ok(report) => {
            over(claim);
            return Ok(report);
        }
        Err(error) => error,
    };
    if error.report().object == ObjectState::Stored {
        over(claim);
        return Err(error);
    }
    // The next run must know about an earlier finish that may still run.
    if error.status() == Status::FileChanged && !session.is_lost() {
        over(claim);
        return Err(session.abandon(error, run).await);
    }
    let gone = error.report().upload_id.is_none();
    if gone && error.report().object == ObjectState::NotStored {
        over(claim);
    }
    Err(match gone {
        true => error,
        false => kept(session, error),
    })
}

/// The checkpoint of this request, before its upload has begun.
fn unbegun(run: &Run, upload: &Upload, file: Identity) -> Checkpoint {
    let service = run.service();
    let bucket = &service.config().bucket_name;
    Checkpoint::new(service.address(), bucket, upload, file)
}

async fn take(path: PathBuf, source: Identity) -> Result<(SharedClaim, Found)> {
    blocking::begin(move || {
        let (claim, found) = Claim::take(&path, &source)?;
        Ok((Arc::new(Mutex::new(claim)), found))
    })
    .await
}

async fn save(claim: &SharedClaim, checkpoint: &Checkpoint) -> Result<()> {
    let (claim, checkpoint) = (claim.clone(), checkpoint.clone());
    blocking::begin(move || lock(&claim).write(&checkpoint)).await
}

/// Removes the checkpoint: there is nothing to resume.
fn over(claim: &SharedClaim) {
    lock(claim).forget();
}

fn lock(claim: &SharedClaim) -> MutexGuard<'_, Claim> {
    unpoisoned(claim.lock())
}
