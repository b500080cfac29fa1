//! Resumable uploads: a checkpoint, reconciled with what the service has and the file holds.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::Upload;
use super::checkpoint::{Checkpoint, Claim, Found};
use super::multipart::{missing, send_parts};
use super::session::{Part, Parts, Session};
use super::settle::{self, Lost};
use crate::blocking;
use crate::engine::Engine;
use crate::error::{Error, ObjectState, Report, Result, Status};
use crate::etag::{EtagHasher, Verdict};
use crate::operation::Operation;
use crate::service::{Failure, ListedPart};
use crate::source::{Content, Identity};

/// Written on threads that may block.
type SharedClaim = Arc<Mutex<Claim>>;

/// What the checkpoint leads to.
enum Start {
    /// Go on with an upload, whose finish may have been sent.
    Resume(Session, bool),
    /// Begin anew, and why.
    Afresh(Option<String>),
    /// An earlier run had finished it.
    Over(Result<Report>),
}

/// Sends what the service does not have yet, and joins the parts. After a failure the upload is
/// kept for the next run with the same checkpoint.
pub(super) async fn run(
    engine: &Arc<Engine>,
    upload: &Upload,
    path: &Path,
    operation: &Arc<Operation>,
) -> Result<Report> {
    let Some(identity) = upload.content.identity() else {
        return Err(Error::argument(
            "resume_path needs a file_path: other sources cannot be read again by a later run",
        ));
    };
    let (claim, found) = operation
        .work(take(path.to_owned(), identity.clone()))
        .await??;
    let start = look(engine, upload, &identity, found, operation).await?;
    let (session, finishing, note) = match start {
        Start::Resume(session, finishing) => (session, finishing, None),
        Start::Afresh(note) => {
            let session = Session::begin(engine, upload, operation).await?;
            (session, false, note)
        }
        Start::Over(result) => {
            over(&claim);
            return result;
        }
    };
    let resumed = session.parts().len() as u32;
    let mut checkpoint = checkpoint(engine, upload, &identity, &session);
    // Once a finish may have been sent, that stays true of this upload.
    checkpoint.finishing = finishing;
    let saved = operation.work(save(&claim, &checkpoint)).await;
    if let Err(error) = saved.and_then(|saved| saved) {
        return Err(session.abandon(error, operation).await);
    }
    let result = async {
        let kept = |error| session.name_in(error);
        let sent = send_parts(&session, upload, operation).await;
        sent.map_err(kept)?;
        checkpoint.finishing = true;
        let saved = operation.work(save(&claim, &checkpoint)).await;
        saved.and_then(|saved| saved).map_err(kept)?;
        session.finish(upload.policy.as_ref(), operation).await
    };
    let mut result = result.await;
    let report = match &mut result {
        Ok(report) => report,
        Err(error) => error.report_mut(),
    };
    report.parts_resumed = resumed;
    report.note = note;
    conclude(result, &claim, &session, operation).await
}

/// Keeps or drops upload and checkpoint, as the result demands.
async fn conclude(
    result: Result<Report>,
    claim: &SharedClaim,
    session: &Session,
    operation: &Arc<Operation>,
) -> Result<Report> {
    let mut error = match result {
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
    if error.status() == Status::FileChanged {
        over(claim);
        return Err(session.abandon(error, operation).await);
    }
    if error.report().upload_id.is_some() {
        error.add("what was uploaded is kept: run it again with the same resume_path to go on");
    }
    Err(error)
}

fn checkpoint(
    engine: &Engine,
    upload: &Upload,
    identity: &Identity,
    session: &Session,
) -> Checkpoint {
    let mut checkpoint = unbegun(engine, upload, identity);
    checkpoint.part_size = session.part_size;
    checkpoint.upload_id = session.upload_id.clone();
    checkpoint
}

fn unbegun(engine: &Engine, upload: &Upload, identity: &Identity) -> Checkpoint {
    let service = &engine.service;
    let bucket = &service.config().bucket_name;
    Checkpoint::new(service.address(), bucket, &upload.key, identity.clone())
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

/// There is nothing to resume any more.
fn over(claim: &SharedClaim) {
    lock(claim).forget();
}

fn lock(claim: &SharedClaim) -> MutexGuard<'_, Claim> {
    claim
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

async fn look(
    engine: &Arc<Engine>,
    upload: &Upload,
    identity: &Identity,
    found: Found,
    operation: &Arc<Operation>,
) -> Result<Start> {
    let checkpoint = match found {
        Found::Nothing => return Ok(Start::Afresh(None)),
        Found::Damaged(why) => {
            let note = format!("the checkpoint was damaged ({why}); the upload started afresh");
            return Ok(Start::Afresh(Some(note)));
        }
        Found::Checkpoint(checkpoint) => *checkpoint,
    };
    if !checkpoint.same_object(&unbegun(engine, upload, identity)) {
        return Err(Error::argument(format!(
            "the checkpoint is of another upload, to key {:?} of bucket {} at {}; use one resume_path for each upload",
            checkpoint.key, checkpoint.bucket, checkpoint.endpoint
        )));
    }
    let session = Session::known(engine.clone(), &checkpoint);
    if checkpoint.file != *identity {
        // Its parts are of no use to anybody.
        let _ = operation.work(session.abort(operation)).await;
        let note = "the file changed since the checkpoint; the upload started afresh";
        return Ok(Start::Afresh(Some(note.to_owned())));
    }
    let count = upload.content.size().div_ceil(checkpoint.part_size);
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    match engine
        .service
        .list_parts(&checkpoint.upload_id, count, operation)
        .await
    {
        Ok(listed) => {
            let verified = verified(&session, &upload.content, listed, upload.jobs);
            let parts = operation.work(verified).await??;
            *session.parts() = parts;
            Ok(Start::Resume(session, checkpoint.finishing))
        }
        Err(failure) if failure.is_unknown() => gone(engine, upload, &checkpoint, operation).await,
        Err(failure) => Err(failure.error),
    }
}

/// Of the parts that the service has, those with the file's content.
async fn verified(
    session: &Session,
    content: &Content,
    mut listed: std::collections::BTreeMap<u32, ListedPart>,
    jobs: usize,
) -> Result<Parts> {
    let plan = missing(content.size(), session.part_size, &Parts::new())?;
    let candidates = plan.into_iter().filter_map(|(number, range)| {
        let part = listed.remove(&number)?;
        (part.size == range.end - range.start).then_some((number, range, part))
    });
    stream::iter(candidates)
        .map(|(number, range, part)| async move {
            let content = content.clone();
            let digest = blocking::begin(move || content.digest(range, EtagHasher::part())).await?;
            let same = digest.compare_part(&part.etag) == Verdict::Same;
            let ListedPart { etag, size } = part;
            let digest = Some(digest);
            Ok(same.then_some((number, Part { etag, size, digest })))
        })
        .buffer_unordered(jobs)
        .try_filter_map(|verified| std::future::ready(Ok(verified)))
        .try_collect()
        .await
}

/// The service does not know the upload any more. If its finish may have been sent, the object may
/// be stored and the callback fired: then it must not be uploaded again.
async fn gone(
    engine: &Engine,
    upload: &Upload,
    checkpoint: &Checkpoint,
    operation: &Arc<Operation>,
) -> Result<Start> {
    let note =
        "the service no longer knows the upload of the checkpoint; the upload started afresh";
    let afresh = Start::Afresh(Some(note.to_owned()));
    if !checkpoint.finishing {
        return Ok(afresh);
    }
    let lost = Lost {
        key: &upload.key,
        policy: upload.policy.is_some(),
        upload_id: Some(&checkpoint.upload_id),
        size: upload.content.size(),
    };
    let content = upload.content.clone();
    let digest = blocking::begin(move || content.digest(0..content.size(), EtagHasher::object()));
    let digest = operation.work(digest).await??;
    let what = format!(
        "an earlier run was finishing the upload of {} when it ended, and its answer is lost",
        upload.key
    );
    let mut error = Error::new(Status::NetworkError, what);
    error.report_mut().upload_id = Some(checkpoint.upload_id.clone());
    let failure = Failure::lost(error);
    let settled = settle::run(engine, lost, failure, async || Some(digest), operation).await;
    let harmless = upload.policy.is_none() || engine.service.config().callback_at_least_once;
    match settled {
        Err(error) if error.report().object == ObjectState::Stored => Ok(Start::Over(Err(error))),
        Err(_) if harmless => Ok(afresh),
        Err(mut error) => {
            error.add("if it never appears, remove the checkpoint to upload afresh");
            Err(error)
        }
        Ok(report) => Ok(Start::Over(Ok(report))),
    }
}
