//! Resumable uploads: a checkpoint, reconciled with what the service has and the file holds.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use futures_util::{FutureExt, TryStreamExt};

use super::Upload;
use super::checkpoint::{Checkpoint, Claim, FinishSent, Found};
use super::multipart::{plan, send_parts};
use super::recheck::hashed;
use super::session::{Part, Parts, Session};
use super::settle::{self, Begun, Question};
use crate::blocking;
use crate::engine::Engine;
use crate::error::{CallbackState, Error, ObjectState, Report, Result, Status};
use crate::etag::{BLOCK_SIZE, EtagHasher, Verdict};
use crate::operation::Operation;
use crate::protocol::rerun::{Sent, longest_run, may_still_run};
use crate::protocol::settle::{Outcome, Why};
use crate::service::ListedPart;
use crate::source::{Content, Identity};

/// Between two looks at an upload whose finish may still run.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

const FILE_CHANGED: &str = "the file changed since the checkpoint; the upload started afresh";

/// Written on threads that may block.
type SharedClaim = Arc<Mutex<Claim>>;

/// What the checkpoint leads to.
enum Start {
    /// Go on with an upload, whose finish may have been sent.
    Resume(Session, Option<FinishSent>),
    /// Begin anew, and why. `open`: a finish of an earlier run may still store the object.
    Afresh { note: Option<String>, open: bool },
    /// An earlier run had finished it.
    Over(Result<Report>),
}

impl Start {
    /// Begin anew; no finish of an earlier run is open.
    fn afresh(note: Option<String>) -> Self {
        Self::Afresh { note, open: false }
    }
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
    let (session, finish, note, open) = match start {
        Start::Resume(session, finish) => {
            let open = session.is_lost();
            (session, finish, None, open)
        }
        Start::Afresh { note, open } => {
            let begun = Session::begin(engine, upload, operation).await;
            let session = begun.map_err(|error| in_doubt(error, upload, open))?;
            (session, None, note, open)
        }
        Start::Over(result) => {
            over(&claim);
            return result;
        }
    };
    let resumed = session.parts().len() as u32;
    let mut checkpoint = checkpoint(engine, upload, &identity, &session);
    // Once a finish may have been sent, that stays true of this upload.
    checkpoint.finishing = finish.is_some();
    checkpoint.finish = finish;
    let saved = operation.work(save(&claim, &checkpoint)).await;
    if let Err(error) = saved.and_then(|saved| saved) {
        let error = in_doubt(error, upload, open);
        return Err(match session.is_lost() {
            true => kept(&session, error),
            false => session.abandon(error, operation).await,
        });
    }
    let recorded = AtomicBool::new(false);
    let result = async {
        let sent = send_parts(&session, upload, operation).await;
        sent.map_err(|error| session.name_in(error))?;
        let policy = upload.policy.as_ref();
        let about_to_send = || {
            let mut checkpoint = checkpoint.clone();
            // An earlier one that may still run keeps its policy.
            let earlier = session.is_lost() && finish.is_some_and(|finish| finish.policy);
            checkpoint.finishing = true;
            checkpoint.finish = Some(sent_now(engine, &session, policy.is_some() || earlier));
            recorded.store(true, Relaxed);
            let claim = &claim;
            let saving = async move { operation.work(save(claim, &checkpoint)).await? };
            saving.boxed()
        };
        session
            .finish(policy, Some(&about_to_send), operation)
            .await
    };
    let result = result.await;
    let mut result = result.map_err(|error| in_doubt(error, upload, open));
    let report = match &mut result {
        Ok(report) => report,
        Err(error) => error.report_mut(),
    };
    report.parts_resumed = resumed;
    report.note = report.note.take().or(note);
    let refused = report.object == ObjectState::NotStored;
    if refused && recorded.load(Relaxed) {
        // No finish is open, so the next run need not wait for one.
        checkpoint.finishing = false;
        checkpoint.finish = None;
        let _ = operation.clean_up(save(&claim, &checkpoint)).await;
    }
    conclude(result, &claim, &session, operation).await
}

/// What the checkpoint says of a finish that is about to be sent. Connecting comes before it, and a finish is small
/// enough to leave at once.
fn sent_now(engine: &Engine, session: &Session, policy: bool) -> FinishSent {
    let config = engine.service.config();
    let lasts = config.connect_timeout + longest_run(config.response_timeout);
    FinishSent {
        policy,
        at: session.service_time(),
        lasts_ms: milliseconds(lasts),
    }
}

/// Keeps or drops upload and checkpoint, as the result demands.
async fn conclude(
    result: Result<Report>,
    claim: &SharedClaim,
    session: &Session,
    operation: &Arc<Operation>,
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
    if error.status() == Status::FileChanged {
        over(claim);
        return Err(session.abandon(error, operation).await);
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

fn kept(session: &Session, mut error: Error) -> Error {
    error.add("what was uploaded is kept: run it again with the same resume_path to go on");
    session.name_in(error)
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
        Found::Nothing => return Ok(Start::afresh(None)),
        Found::Damaged(why) => {
            let note = format!("the checkpoint was damaged ({why}); the upload started afresh");
            return Ok(Start::afresh(Some(note)));
        }
        Found::Checkpoint(checkpoint) => *checkpoint,
    };
    let asked = unbegun(engine, upload, identity);
    if !checkpoint.same_object(&asked) {
        let error = Error::argument(format!(
            "the checkpoint is of another upload, to key {:?} of bucket {} at {}; use one resume_path for each upload",
            checkpoint.key, checkpoint.bucket, checkpoint.endpoint
        ));
        // The same object may have another address.
        let same = (&checkpoint.bucket, &checkpoint.key) == (&asked.bucket, &asked.key);
        return Err(in_doubt(error, upload, same && checkpoint.finishing));
    }
    let session = Session::known(engine.clone(), &checkpoint);
    let count = upload.content.size().div_ceil(checkpoint.part_size);
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let config = engine.service.config();
    let twice = config.may_run_twice(upload.policy.is_some());
    let finish = earlier_finish(engine, &checkpoint);
    let changed = checkpoint.file != *identity;
    // Whatever the file holds by now: a finish that may still run may fire the callback of this upload.
    let fires = finish.is_some_and(|finish| finish.policy) && !twice;
    if changed && !fires {
        return Ok(changed_file(&session, operation).await);
    }
    let begun = Instant::now();
    loop {
        let upload_id = &checkpoint.upload_id;
        let listed = engine.service.list_parts(upload_id, count, operation).await;
        let (listed, date) = match listed {
            Ok(listed) => listed,
            Err(failure) if failure.upload_is_gone() => {
                return gone(engine, upload, &checkpoint, changed, operation).await;
            }
            Err(failure) => {
                let error = in_doubt(failure.error, upload, finish.is_some());
                return Err(kept(&session, error));
            }
        };
        let left = finish.map_or(Duration::ZERO, |finish| {
            let sent = Sent {
                at: finish.at,
                lasts: Duration::from_millis(finish.lasts_ms),
            };
            may_still_run(sent, date, begun.elapsed())
        });
        if let Some(finish) = finish.filter(|_| !left.is_zero()) {
            if fires {
                let waited = wait_before_next_look(&session, left, operation).await;
                waited.map_err(|error| session.name_in(in_doubt(error, upload, true)))?;
                continue;
            }
            session.set_lost(Begun::Date(finish.at));
        }
        if changed {
            return Ok(changed_file(&session, operation).await);
        }
        session.set_date(date);
        let verified = verified(&session, &upload.content, listed, upload.jobs);
        let verified = operation.work(verified).await.and_then(|verified| verified);
        *session.parts() = verified.map_err(|error| in_doubt(error, upload, session.is_lost()))?;
        return Ok(Start::Resume(session, finish));
    }
}

/// Of another file the parts are of no use to anybody.
async fn changed_file(session: &Session, operation: &Arc<Operation>) -> Start {
    let _ = operation.work(session.abort(operation)).await;
    Start::afresh(Some(FILE_CHANGED.to_owned()))
}

/// The finish that the run before may have sent.
fn earlier_finish(engine: &Engine, checkpoint: &Checkpoint) -> Option<FinishSent> {
    // The first version does not tell when, nor whether it had a policy.
    let untold = || FinishSent {
        policy: true,
        at: None,
        lasts_ms: milliseconds(longest_run(engine.service.config().response_timeout)),
    };
    checkpoint
        .finishing
        .then(|| checkpoint.finish.unwrap_or_else(untold))
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Waits until an earlier finish may have ended, or fails at once when the deadline does not allow that.
async fn wait_before_next_look(
    session: &Session,
    left: Duration,
    operation: &Arc<Operation>,
) -> Result<()> {
    if operation.time_left().is_none_or(|time| left < time) {
        return operation
            .work(tokio::time::sleep(left.min(LOOK_AGAIN)))
            .await;
    }
    let mut error = lost_finish(&session.key);
    error.add(format_args!(
        "it may still run for {} s; run again after that, or with a deadline (timeout_ms) that leaves time to wait",
        left.as_secs() + 1
    ));
    Err(error)
}

/// The error of a run that ends before it knows what became of an earlier run's finish, if that is `open`.
fn in_doubt(mut error: Error, upload: &Upload, open: bool) -> Error {
    let report = error.report_mut();
    if open && report.object == ObjectState::NotStored {
        report.object = ObjectState::Unknown;
        if upload.policy.is_some() {
            report.callback = CallbackState::Unknown;
        }
    }
    error
}

fn lost_finish(key: &str) -> Error {
    let what = format!(
        "an earlier run was finishing the upload of {key} when it ended, and its answer is lost"
    );
    Error::new(Status::NetworkError, what)
}

/// Of the parts that the service has, those with the file's content.
async fn verified(
    session: &Session,
    content: &Content,
    mut listed: std::collections::BTreeMap<u32, ListedPart>,
    jobs: usize,
) -> Result<Parts> {
    let parts = plan(content.size(), session.part_size)?.filter_map(|(number, range)| {
        let part = listed.remove(&number)?;
        (part.size == range.end - range.start).then_some((range, (number, part)))
    });
    hashed(content, parts, jobs)
        .try_filter_map(|(digest, (number, part))| {
            let same = digest.compare_part(&part.etag) == Verdict::Same;
            let ListedPart { etag, size } = part;
            let digest = Some(digest);
            std::future::ready(Ok(same.then_some((number, Part { etag, size, digest }))))
        })
        .try_collect()
        .await
}

/// The service does not know the upload any more. If its finish may have been sent, the object may
/// be stored and the callback fired: then it must not be uploaded again.
async fn gone(
    engine: &Engine,
    upload: &Upload,
    checkpoint: &Checkpoint,
    changed: bool,
    operation: &Arc<Operation>,
) -> Result<Start> {
    let note = match changed {
        true => FILE_CHANGED,
        false => {
            "the service no longer knows the upload of the checkpoint; the upload started afresh"
        }
    };
    let afresh = |open| Start::Afresh {
        note: Some(note.to_owned()),
        open,
    };
    if !checkpoint.finishing {
        return Ok(afresh(false));
    }
    // The object's ETag is defined over blocks of 4 MiB: parts of another size do not tell it.
    let digest = match checkpoint.part_size {
        BLOCK_SIZE => {
            let content = upload.content.clone();
            let digest =
                blocking::begin(move || content.digest(0..content.size(), EtagHasher::object()));
            let digest = operation.work(digest).await.and_then(|digest| digest);
            Some(digest.map_err(|error| in_doubt(error, upload, true))?)
        }
        _ => None,
    };
    let policy = upload.policy.is_some();
    let harmless = engine.service.config().may_run_twice(policy);
    let question = Question {
        key: &upload.key,
        upload_id: None,
        answered: None,
        session: false,
        begun: Begun::Date(checkpoint.finish.and_then(|finish| finish.at)),
        hasty: harmless,
    };
    let settled = settle::run(engine, question, digest.as_ref(), operation).await;
    let mut error = lost_finish(&upload.key);
    (error.report_mut().object, error.report_mut().callback) = settled.outcome.states(policy);
    settle::explain(&mut error, settled.outcome, policy);
    match (settled.outcome, settled.head) {
        (Outcome::Stored, Some(head)) => {
            let mut report = head.report();
            report.object = ObjectState::Stored;
            if !policy {
                return Ok(Start::Over(Ok(report)));
            }
            error.report_mut().etag = report.etag;
            Ok(Start::Over(Err(error)))
        }
        _ if harmless => Ok(afresh(true)),
        // The file was not only touched: what the earlier run stored is other content.
        (Outcome::Unknown(Why::Another), _) if changed && digest.is_some() => Ok(afresh(true)),
        _ => {
            error.add("if it never appears, remove the checkpoint to upload afresh");
            Err(error)
        }
    }
}
