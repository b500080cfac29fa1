//! Decides whether to resume the upload of an earlier run: compares the checkpoint with this run's request,
//! the file, and the parts at the service.

use std::time::Duration;

use tokio::time::Instant;

use super::Upload;
use super::checkpoint::{Changes, Checkpoint, FILE_CHANGED, FinishSent, Found};
use super::recheck::verified;
use super::session::Session;
use super::settle::{self, Begun, Question};
use crate::engine::Run;
use crate::error::{CallbackState, Error, ObjectState, Report, Result, Status};
use crate::protocol::etag::{BLOCK_SIZE, ContentDigest, EtagHasher, EtagMatch};
use crate::protocol::rerun::{longest_run, may_still_run};
use crate::protocol::settle::{Outcome, Why};
use crate::runtime::blocking;
use crate::service::{Failure, Reply};

/// The pause between two checks of an upload whose finish may still run.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

const FORGOTTEN: &str =
    "the service no longer knows the upload of the checkpoint; the upload started afresh";

/// The decision.
pub(super) enum ResumeDecision {
    /// Resume an upload. Its finish may have been sent.
    Resume(Session, Option<FinishSent>),
    /// Begin a new upload.
    Afresh {
        /// The reason.
        note: Option<String>,
        /// A finish of an earlier run may still store the object; if so, with this run's content.
        open: bool,
        /// The checkpoint's upload, if it could not be aborted.
        left: Option<String>,
    },
    /// An earlier run finished the upload.
    Over(Result<Report>),
}

impl ResumeDecision {
    /// Begin a new upload; nothing of an earlier run is left.
    fn afresh(note: Option<String>) -> Self {
        Self::Afresh {
            note,
            open: false,
            left: None,
        }
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
        // The same bucket may be reached by another address.
        let same = (&checkpoint.bucket, &checkpoint.key) == (&asked.bucket, &asked.key);
        return Err(in_doubt(error, upload, same && checkpoint.finishing));
    }
    let earlier = Earlier {
        run,
        upload,
        session: Session::known(&checkpoint),
        finish: earlier_finish(run, &checkpoint),
        changes: Changes::since(&checkpoint, asked),
        begun: Instant::now(),
        digest: None,
    };
    Box::pin(earlier.decide()).await
}

/// The state of an earlier run's upload, while this run decides.
struct Earlier<'a> {
    run: &'a Run,
    upload: &'a Upload,
    session: Session,
    finish: Option<FinishSent>,
    changes: Changes,
    /// When this run began to look.
    begun: Instant,
    /// The file's digest, once it was computed.
    digest: Option<ContentDigest>,
}

impl Earlier<'_> {
    async fn decide(mut self) -> Result<ResumeDecision> {
        let Self { run, upload, .. } = self;
        let (service, operation) = (run.service(), &run.operation);
        let twice = run.config().may_run_twice(upload.plan.policy.is_some());
        // Whatever the file holds by now: a finish that may still run may fire the callback of this upload.
        let fires = self.finish.as_ref().is_some_and(|finish| finish.policy) && !twice;
        let count = upload.content.size().div_ceil(self.session.part_size);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        loop {
            if let (Some(why), None) = (self.changes.of_no_use, &self.finish) {
                return self.drop_upload(why).await;
            }
            let upload_id = &self.session.upload_id;
            let (listed, date) = match service.list_parts(upload_id, count, operation).await {
                Ok(listed) => listed,
                Err(failure) if failure.upload_is_gone() => match self.gone().await? {
                    Some(decision) => return Ok(decision),
                    None => continue,
                },
                Err(failure) => return Err(self.kept(failure.error, self.finish.is_some())),
            };
            let left = self.finish_may_run(date);
            if !left.is_zero() && fires {
                let waited = self.wait_before_next_look(left).await;
                waited.map_err(|error| self.session.name_in(error))?;
                continue;
            }
            if let Some(why) = self.changes.of_no_use {
                match self.start_over(why, left).await? {
                    Some(decision) => return Ok(decision),
                    None => continue,
                }
            }
            if let Some(finish) = self.finish.as_ref().filter(|_| !left.is_zero()) {
                self.session.set_lost(Begun::Date(finish.at));
            }
            self.session.set_date(date);
            let count = listed.len();
            let verified = verified(&self.session, &upload.content, listed, upload.plan.jobs);
            let verified = operation.work(verified).await.and_then(|verified| verified);
            let verified =
                verified.map_err(|error| in_doubt(error, upload, self.session.is_lost()))?;
            if self.changes.file_differs && verified.len() < count {
                self.changes.of_no_use = Some(FILE_CHANGED);
                continue;
            }
            *self.session.parts() = verified;
            return Ok(ResumeDecision::Resume(self.session, self.finish));
        }
    }

    /// How long the earlier finish may still run, at this Date of the service; zero when it cannot run any
    /// more.
    fn finish_may_run(&self, date: Option<u64>) -> Duration {
        self.finish.as_ref().map_or(Duration::ZERO, |finish| {
            may_still_run(finish.at, finish.lasts(), date, self.begun.elapsed())
        })
    }

    /// Waits until the earlier finish can no longer run. Fails at once if the deadline does not allow that.
    async fn wait_before_next_look(&self, left: Duration) -> Result<()> {
        let operation = &self.run.operation;
        if operation.time_left().is_none_or(|time| left < time) {
            let waited = operation.work(tokio::time::sleep(left.min(LOOK_AGAIN)));
            return waited
                .await
                .map_err(|error| in_doubt(error, self.upload, true));
        }
        let mut error = lost_finish(&self.session.key);
        error.add(format_args!(
            "it may still run for {} s; run again after that, or with a deadline (timeout_ms) that leaves time to wait",
            left.as_secs() + 1
        ));
        Err(in_doubt(error, self.upload, true))
    }

    fn kept(&self, error: Error, open: bool) -> Error {
        kept(&self.session, in_doubt(error, self.upload, open))
    }

    async fn abort(&self) -> Result<std::result::Result<Reply, Failure>> {
        let operation = &self.run.operation;
        let abort = self.run.service().abort(self.session.target(), operation);
        operation.work(Box::pin(abort)).await
    }

    /// Aborts an upload that this run cannot use, and whose finish can no longer run.
    async fn drop_upload(&self, why: &str) -> Result<ResumeDecision> {
        let aborted = self
            .abort()
            .await
            .map_err(|error| self.kept(error, false))?;
        let left = aborted.is_err_and(|failure| !failure.upload_is_gone());
        Ok(ResumeDecision::Afresh {
            note: Some(why.to_owned()),
            open: false,
            left: left.then(|| self.session.upload_id.clone()),
        })
    }

    /// Aborts an upload that this run cannot use. Its finish may still run for the time `left`, and would
    /// then replace what this run stores. Only an abort that finds the upload prevents that. Returns None
    /// after a pause: check again.
    async fn start_over(&mut self, why: &str, left: Duration) -> Result<Option<ResumeDecision>> {
        if left.is_zero() {
            return self.drop_upload(why).await.map(Some);
        }
        match self.abort().await.map_err(|error| self.kept(error, true))? {
            Ok(_) => Ok(Some(ResumeDecision::afresh(Some(why.to_owned())))),
            Err(failure) if failure.upload_is_gone() => self.gone().await,
            Err(_) => {
                let waited = self.wait_before_next_look(left).await;
                waited.map_err(|error| self.session.name_in(error))?;
                Ok(None)
            }
        }
    }

    /// The service no longer knows the upload. If its finish may have been sent, the object may be stored
    /// and its callback fired, so it must not be uploaded again. Returns None after a pause: check again.
    async fn gone(&mut self) -> Result<Option<ResumeDecision>> {
        let note = self.changes.of_no_use.unwrap_or(FORGOTTEN);
        let Some(finish) = self.finish.clone() else {
            return Ok(Some(ResumeDecision::afresh(Some(note.to_owned()))));
        };
        let afresh = |open| ResumeDecision::Afresh {
            note: Some(note.to_owned()),
            open,
            left: None,
        };
        let Self { run, upload, .. } = *self;
        let Changes { headers_differ, .. } = self.changes;
        let digest = self.digest().await?;
        let etag = finish.etag.as_deref();
        let content = etag.zip(digest.as_ref());
        let content = content.map(|(etag, digest)| digest.compare_object(etag));
        let other_content = content == Some(EtagMatch::Different);
        let same_content = match content {
            Some(EtagMatch::Same) => true,
            Some(EtagMatch::Different) => false,
            Some(EtagMatch::Incomparable) | None => !self.changes.file_differs,
        };
        let policy = upload.plan.policy.is_some();
        let harmless = run.config().may_run_twice(policy);
        let question = Question {
            key: &upload.plan.key,
            upload_id: None,
            answered: None,
            session: false,
            begun: Begun::Date(finish.at),
            one_look: harmless,
        };
        let settled = settle::run(run, question, digest.as_ref()).await;
        let (outcome, head) = (settled.outcome, settled.head);
        let date = head.as_ref().and_then(|head| head.date("date"));
        // The object of the finish is stored.
        let ended = match (outcome, etag) {
            (Outcome::Stored | Outcome::Unknown(Why::Another), Some(etag)) => {
                head.as_ref().and_then(Reply::etag).as_deref() == Some(etag)
            }
            (Outcome::Stored, None) => true,
            _ => false,
        };
        let same = same_content && !headers_differ;
        let mut error = lost_finish(&upload.plan.key);
        (error.report_mut().object, error.report_mut().callback) = outcome.states(policy);
        settle::explain(&mut error, outcome, policy);
        let decision = match (outcome, head) {
            // It was stored with another content type, storage class or metadata than this run asks for.
            (Outcome::Stored, _) if headers_differ && !policy => afresh(true),
            (Outcome::Stored, Some(head)) => {
                let mut report = head.report();
                report.object = ObjectState::Stored;
                if policy {
                    error.report_mut().etag = report.etag;
                    if headers_differ {
                        error.add(
                            "it has the content type, storage class and metadata of the earlier run",
                        );
                    }
                    ResumeDecision::Over(Err(error))
                } else {
                    ResumeDecision::Over(Ok(report))
                }
            }
            _ if harmless => afresh(same),
            // The callback for this content was never requested: the earlier run had other content.
            (Outcome::Unknown(Why::Another), _) if other_content => afresh(false),
            _ => {
                error.add("if it never appears, remove the checkpoint to upload afresh");
                return Err(error);
            }
        };
        if same || ended {
            return Ok(Some(decision));
        }
        // The finish may still replace the present object, or the object that this run stores.
        let date = match date {
            None => self.service_date().await,
            date => date,
        };
        let left = self.finish_may_run(date);
        if left.is_zero() {
            return Ok(Some(decision));
        }
        self.wait_before_next_look(left).await.map(|()| None)
    }

    /// The digest of the whole file. The object's ETag is defined over blocks of 4 MiB, so it cannot be
    /// computed from parts of another size.
    async fn digest(&mut self) -> Result<Option<ContentDigest>> {
        if self.digest.is_none() && self.session.part_size == BLOCK_SIZE {
            let content = self.upload.content.clone();
            let digest =
                blocking::begin(move || content.digest(0..content.size(), EtagHasher::object()));
            let digest = self
                .run
                .operation
                .work(digest)
                .await
                .and_then(|digest| digest);
            self.digest = Some(digest.map_err(|error| in_doubt(error, self.upload, true))?);
        }
        Ok(self.digest.clone())
    }

    /// The service's Date, from a request that changes nothing.
    async fn service_date(&self) -> Option<u64> {
        let service = self.run.service();
        let asked = service.any_upload(&self.session.key, &self.run.operation);
        asked.await.ok()?.date("date")
    }
}

/// The finish that the run before may have sent.
fn earlier_finish(run: &Run, checkpoint: &Checkpoint) -> Option<FinishSent> {
    // The first format version contains neither the time of the finish nor whether it had a policy.
    let untold = || {
        let lasts = longest_run(run.config().response_timeout);
        FinishSent::new(true, None, lasts, None)
    };
    checkpoint
        .finishing
        .then(|| checkpoint.finish.clone().unwrap_or_else(untold))
}

/// The error of a run that ends while it is unknown (`open`) whether an earlier run's finish has run.
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

/// The error of a run whose upload the next run can resume.
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

#[cfg(test)]
mod tests;
