//! What an earlier run left of a resumable upload, and whether to go on with it: the checkpoint, reconciled with what
//! the service has and the file holds.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;

use super::Upload;
use super::checkpoint::{Checkpoint, FinishSent, Found};
use super::layout::parts_of;
use super::recheck::hashed;
use super::session::{Part, Parts, Session};
use super::settle::{self, Begun, Question};
use crate::content::Content;
use crate::engine::Run;
use crate::error::{CallbackState, Error, ObjectState, Report, Result, Status};
use crate::protocol::etag::{BLOCK_SIZE, EtagHasher, EtagMatch};
use crate::protocol::rerun::{Sent, longest_run, may_still_run};
use crate::protocol::settle::{Outcome, Why};
use crate::runtime::blocking;
use crate::service::ListedPart;

/// Between two looks at an upload whose finish may still run.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

const FILE_CHANGED: &str = "the file changed since the checkpoint; the upload started afresh";
const HEADERS_CHANGED: &str = "the content type, storage class or metadata changed since the checkpoint; the upload started afresh";
const FORGOTTEN: &str =
    "the service no longer knows the upload of the checkpoint; the upload started afresh";

/// What the checkpoint leads to.
pub(super) enum ResumeDecision {
    /// Go on with an upload, whose finish may have been sent.
    Resume(Session, Option<FinishSent>),
    /// Begin anew, and why. `open`: a finish of an earlier run may still store the object.
    Afresh { note: Option<String>, open: bool },
    /// An earlier run had finished it.
    Over(Result<Report>),
}

impl ResumeDecision {
    /// Begin anew; no finish of an earlier run is open.
    fn afresh(note: Option<String>) -> Self {
        Self::Afresh { note, open: false }
    }
}

/// Reconciles a checkpoint with this run's request, the file and the service.
pub(super) async fn decide(
    run: &Run,
    upload: &Upload,
    asked: &Checkpoint,
    found: Found,
) -> Result<ResumeDecision> {
    let checkpoint = match found {
        Found::Nothing => return Ok(ResumeDecision::afresh(None)),
        Found::Damaged(why) => {
            let note = format!("the checkpoint was damaged ({why}); the upload started afresh");
            return Ok(ResumeDecision::afresh(Some(note)));
        }
        Found::Checkpoint(checkpoint) => *checkpoint,
    };
    if !checkpoint.same_object(asked) {
        let error = Error::argument(format!(
            "the checkpoint is of another upload, to key {:?} of bucket {} at {}; use one resume_path for each upload",
            checkpoint.key, checkpoint.bucket, checkpoint.endpoint
        ));
        // The same object may have another address.
        let same = (&checkpoint.bucket, &checkpoint.key) == (&asked.bucket, &asked.key);
        return Err(in_doubt(error, upload, same && checkpoint.finishing));
    }
    let session = Session::known(&checkpoint);
    let count = upload.content.size().div_ceil(checkpoint.part_size);
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let config = run.engine.service.config();
    let twice = config.may_run_twice(upload.plan.policy.is_some());
    let finish = earlier_finish(run, &checkpoint);
    let now = Now::of(&checkpoint, asked);
    // Whatever the file holds by now: a finish that may still run may fire the callback of this upload.
    let fires = finish.is_some_and(|finish| finish.policy) && !twice;
    if let Some(why) = now.of_no_use.filter(|_| !fires) {
        return Ok(start_over(&session, why, run).await);
    }
    let begun = Instant::now();
    loop {
        let upload_id = &checkpoint.upload_id;
        let listed = run
            .engine
            .service
            .list_parts(upload_id, count, &run.operation)
            .await;
        let (listed, date) = match listed {
            Ok(listed) => listed,
            Err(failure) if failure.upload_is_gone() => {
                return gone(run, upload, &checkpoint, now).await;
            }
            Err(failure) => {
                let error = in_doubt(failure.error, upload, finish.is_some());
                return Err(kept(&session, error));
            }
        };
        let left = finish.map_or(Duration::ZERO, |finish| {
            let sent = Sent {
                at: finish.at,
                lasts: finish.lasts(),
            };
            may_still_run(sent, date, begun.elapsed())
        });
        if let Some(finish) = finish.filter(|_| !left.is_zero()) {
            if fires {
                let waited = wait_before_next_look(&session, left, run).await;
                waited.map_err(|error| session.name_in(in_doubt(error, upload, true)))?;
                continue;
            }
            session.set_lost(Begun::Date(finish.at));
        }
        if let Some(why) = now.of_no_use {
            return Ok(start_over(&session, why, run).await);
        }
        session.set_date(date);
        let count = listed.len();
        let verified = verified(&session, &upload.content, listed, upload.plan.jobs);
        let verified = run
            .operation
            .work(verified)
            .await
            .and_then(|verified| verified);
        let verified = verified.map_err(|error| in_doubt(error, upload, session.is_lost()))?;
        if now.file_differs && verified.len() < count {
            return Ok(start_over(&session, FILE_CHANGED, run).await);
        }
        *session.parts() = verified;
        return Ok(ResumeDecision::Resume(session, finish));
    }
}

/// How this run's request and file are told from those of the checkpoint.
#[derive(Clone, Copy)]
struct Now {
    /// Why the upload of the checkpoint is of no use to anybody.
    of_no_use: Option<&'static str>,
    /// Content type, storage class or metadata are others.
    headers_differ: bool,
    /// It is another file, or was written to, or its file system tells other numbers than before. If its content is
    /// that of the parts, this makes no difference.
    file_differs: bool,
}

impl Now {
    fn of(checkpoint: &Checkpoint, asked: &Checkpoint) -> Self {
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

/// Aborts the upload of the checkpoint.
async fn start_over(session: &Session, why: &str, run: &Run) -> ResumeDecision {
    let _ = run.operation.work(session.abort(run)).await;
    ResumeDecision::afresh(Some(why.to_owned()))
}

/// The finish that the run before may have sent.
fn earlier_finish(run: &Run, checkpoint: &Checkpoint) -> Option<FinishSent> {
    // The first version does not tell when, nor whether it had a policy.
    let untold = || {
        let lasts = longest_run(run.engine.service.config().response_timeout);
        FinishSent::new(true, None, lasts)
    };
    checkpoint
        .finishing
        .then(|| checkpoint.finish.unwrap_or_else(untold))
}

/// Waits until an earlier finish may have ended, or fails at once when the deadline does not allow that.
async fn wait_before_next_look(session: &Session, left: Duration, run: &Run) -> Result<()> {
    if run.operation.time_left().is_none_or(|time| left < time) {
        return run
            .operation
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
pub(super) fn in_doubt(mut error: Error, upload: &Upload, open: bool) -> Error {
    let report = error.report_mut();
    if open && report.object == ObjectState::NotStored {
        report.object = ObjectState::Unknown;
        if upload.plan.policy.is_some() {
            report.callback = CallbackState::Unknown;
        }
    }
    error
}

/// The error of a run whose upload the next run can go on with.
pub(super) fn kept(session: &Session, mut error: Error) -> Error {
    error.add("what was uploaded is kept: run it again with the same resume_path to go on");
    session.name_in(error)
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
    mut listed: BTreeMap<u32, ListedPart>,
    jobs: usize,
) -> Result<Parts> {
    let parts = parts_of(content.size(), session.part_size)?.filter_map(|(number, range)| {
        let part = listed.remove(&number)?;
        (part.size == range.end - range.start).then_some((range, (number, part)))
    });
    hashed(content, parts, jobs)
        .try_filter_map(|(digest, (number, part))| {
            let same = digest.compare_part(&part.etag) == EtagMatch::Same;
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
    run: &Run,
    upload: &Upload,
    checkpoint: &Checkpoint,
    now: Now,
) -> Result<ResumeDecision> {
    let afresh = |open| ResumeDecision::Afresh {
        note: Some(now.of_no_use.unwrap_or(FORGOTTEN).to_owned()),
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
            let digest = run.operation.work(digest).await.and_then(|digest| digest);
            Some(digest.map_err(|error| in_doubt(error, upload, true))?)
        }
        _ => None,
    };
    let policy = upload.plan.policy.is_some();
    let harmless = run.engine.service.config().may_run_twice(policy);
    let question = Question {
        key: &upload.plan.key,
        upload_id: None,
        answered: None,
        session: false,
        begun: Begun::Date(checkpoint.finish.and_then(|finish| finish.at)),
        one_look: harmless,
    };
    let settled = settle::run(run, question, digest.as_ref()).await;
    let mut error = lost_finish(&upload.plan.key);
    (error.report_mut().object, error.report_mut().callback) = settled.outcome.states(policy);
    settle::explain(&mut error, settled.outcome, policy);
    match (settled.outcome, settled.head) {
        // What it is stored with is not what this run asks for.
        (Outcome::Stored, _) if now.headers_differ && !policy => Ok(afresh(true)),
        (Outcome::Stored, Some(head)) => {
            let mut report = head.report();
            report.object = ObjectState::Stored;
            if !policy {
                return Ok(ResumeDecision::Over(Ok(report)));
            }
            error.report_mut().etag = report.etag;
            if now.headers_differ {
                error.add("it has the content type, storage class and metadata of the earlier run");
            }
            Ok(ResumeDecision::Over(Err(error)))
        }
        _ if harmless => Ok(afresh(true)),
        // The file was not only touched: what the earlier run stored is other content.
        (Outcome::Unknown(Why::Another), _) if now.file_differs && digest.is_some() => {
            Ok(afresh(true))
        }
        _ => {
            error.add("if it never appears, remove the checkpoint to upload afresh");
            Err(error)
        }
    }
}
