//! Sends a PutFile or finish until its outcome is known. Decides whether a finish is sent again.
//!
//! A 2xx is compared with the content. `protocol::verdict` judges anything else. A request in doubt is
//! settled (`upload::settle`), and sent again only if it did not run, or may run twice.

use super::settle::{self, Begun, Question, Settled};
use super::verify::{self, FOREIGN, Look, compare};
use crate::engine::Run;
use crate::error::{CallbackState, Error, ObjectState, Report, Result, Status};
use crate::protocol::etag::{ContentDigest, EtagMatch};
use crate::protocol::settle::Outcome;
use crate::protocol::verdict::{Known, Verdict, after_a_lost_one, is_of_the_callback_service};
use crate::service::{CORRECT_THE_ADDRESS, Failure, Reply, Tries};

/// The request to send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Storing<'a> {
    /// The operation and the key, for messages.
    pub(super) what: &'a str,
    pub(super) key: &'a str,
    /// It carries a policy.
    pub(super) policy: bool,
    /// It is a finish of this upload.
    pub(super) upload_id: Option<&'a str>,
    /// When an earlier finish of the upload began whose outcome is unknown.
    pub(super) lost: Option<Begun>,
}

/// How to send the request, and the digest of its content.
pub(super) trait Request: Sync {
    /// Sends it once.
    fn send(
        &self,
        tries: &mut Tries,
    ) -> impl Future<Output = std::result::Result<Reply, Failure>> + Send;
    /// The digest of what was sent; None if it was not computed or cannot be computed.
    fn digest_sent(&self) -> impl Future<Output = Result<Option<ContentDigest>>> + Send;
    /// The same, computed anew if need be.
    fn digest(&self) -> impl Future<Output = Option<ContentDigest>> + Send {
        async { self.digest_sent().await.ok().flatten() }
    }
}

/// A request in progress.
pub(super) struct Store<'a, R> {
    pub(super) run: &'a Run,
    pub(super) storing: Storing<'a>,
    pub(super) request: R,
}

impl<R: Request> Store<'_, R> {
    /// Sends until the outcome is known, or until nothing more can be found out.
    pub(super) async fn run(&self) -> Result<Report> {
        let config = self.run.config();
        let twice = config.may_run_twice(self.storing.policy);
        let mut tries = Tries::default();
        let mut lost = self.storing.lost;
        loop {
            let begun = Begun::now();
            let mut failure = match self.attempt(&mut tries, lost, begun).await {
                Next::End(result) => return *result,
                Next::Doubt(failure) => failure,
            };
            let known = failure.verdict.known;
            if self.wait_to_retry(&mut failure, twice, &mut tries).await {
                if known != Known::NotRun {
                    lost = lost.or(Some(begun));
                }
                continue;
            }
            let mut failure = match self.settle(failure, lost, begun).await {
                Next::End(result) => return *result,
                Next::Doubt(failure) => failure,
            };
            // Only the questions showed that the request did not run, so it was not sent again above.
            if twice || !self.wait_to_retry(&mut failure, false, &mut tries).await {
                return Err(failure.error);
            }
        }
    }

    async fn wait_to_retry(&self, failure: &mut Failure, twice: bool, tries: &mut Tries) -> bool {
        let service = self.run.service();
        service
            .wait_to_retry(failure, twice, tries, &self.run.operation)
            .await
    }

    /// Sends one request, and compares the stored object with the content.
    async fn attempt(&self, tries: &mut Tries, lost: Option<Begun>, begun: Begun) -> Next {
        let since = lost.unwrap_or(begun);
        let failure = match self.request.send(tries).await {
            Ok(reply) => return self.accept(reply, since).await,
            Err(failure) => failure,
        };
        match together(&failure, lost) {
            Known::Stored(callback) => self.callback_failed(failure, callback, since).await,
            _ => Next::Doubt(failure),
        }
    }

    /// After a 2xx: the stored bytes must be the bytes that were sent.
    async fn accept(&self, reply: Reply, since: Begun) -> Next {
        let what = self.storing.what;
        let mut report = reply.report();
        report.object = ObjectState::Stored;
        if self.storing.policy {
            report.callback = CallbackState::Delivered;
        }
        let digest = match self.request.digest_sent().await {
            Ok(digest) => digest,
            // The object is stored, but it is unknown whether with the bytes that were sent.
            Err(mut error) => {
                *error.report_mut() = report;
                return Next::end(Err(error));
            }
        };
        let verify = self.run.config().verify_etag;
        if verify && !self.is_told_apart(report.etag.as_deref(), digest.as_ref()) {
            match self.look(since, digest.as_ref()).await {
                Look::Etag(etag) => report.etag = Some(etag),
                Look::Absent => {
                    let error = reply.protocol_error(&what, "HEAD finds no object of this request");
                    return Next::Doubt(Failure::lost(error));
                }
                Look::Foreign(etag) => {
                    report.etag = Some(etag);
                    report.note = Some(not_compared(FOREIGN));
                }
                Look::NoEtag(why) => report.note = Some(not_compared(&why)),
            }
        }
        Next::end(compare(what, &report, digest.as_ref().filter(|_| verify)).map(|()| report))
    }

    /// After a 599: the object is stored, its callback failed. The error advises the host to keep the
    /// object, so it must be the right one.
    async fn callback_failed(
        &self,
        failure: Failure,
        callback: CallbackState,
        since: Begun,
    ) -> Next {
        let mut error = failure.error;
        let verify = self.run.config().verify_etag;
        let digest = match verify {
            true => self.request.digest().await,
            false => None,
        };
        let (etag, note) = match self.look(since, digest.as_ref()).await {
            Look::Etag(etag) => (Some(etag), None),
            Look::Foreign(etag) => (Some(etag), Some(not_compared(FOREIGN))),
            Look::NoEtag(why) => (
                None,
                Some(format!("what is stored was not compared: {why}")),
            ),
            Look::Absent => {
                error.set_status(Status::ProtocolError);
                error.add("but HEAD finds no object of this request");
                return Next::Doubt(Failure::lost(error));
            }
        };
        error.set_status(Status::CallbackFailed);
        error.add(match callback {
            CallbackState::ReplyRefused => {
                "the object is stored and its callback ran, but US3 refused the reply; let the callback service answer strict JSON as application/json"
            }
            CallbackState::NotDelivered => {
                "the object is stored, but its callback service was not reached; repair it and tell it yourself: the object needs no second upload"
            }
            _ => {
                "the object is stored, but whether its callback ran is unknown; ask the callback service: the object needs no second upload"
            }
        });
        let report = error.report_mut();
        report.object = ObjectState::Stored;
        report.callback = callback;
        report.etag = etag;
        report.note = note;
        let same = compare(self.storing.what, error.report(), digest.as_ref());
        Next::end(same.and(Err(error)))
    }

    /// Whether the ETag of a success can be trusted. Portals send ETags of other forms, so with a policy an
    /// ETag that cannot be compared counts as missing.
    fn is_told_apart(&self, etag: Option<&str>, digest: Option<&ContentDigest>) -> bool {
        etag.is_some_and(|etag| {
            let comparable =
                |digest: &ContentDigest| digest.compare_object(etag) != EtagMatch::Incomparable;
            !self.storing.policy || digest.is_none_or(comparable)
        })
    }

    async fn look(&self, since: Begun, digest: Option<&ContentDigest>) -> Look {
        verify::look(self.run, self.storing.key, since, digest).await
    }

    /// Finds out whether a request ran that was not sent again. [`Next::Doubt`] returns the failure of a
    /// request that did not run, and may be sent again.
    async fn settle(&self, failure: Failure, lost: Option<Begun>, begun: Begun) -> Next {
        let known = together(&failure, lost);
        if known == Known::NotRun {
            return Next::end(Err(self.did_not_run(failure, true).error));
        }
        let question = Question {
            key: self.storing.key,
            upload_id: self.storing.upload_id,
            answered: failure.refusal().filter(|_| known == Known::Answered),
            session: failure.error.report().session_id.is_some(),
            begun: lost.unwrap_or(begun),
            one_look: false,
        };
        let digest = self.request.digest().await;
        let settled = settle::run(self.run, question, digest.as_ref()).await;
        if settled.outcome == Outcome::NotRun {
            return Next::Doubt(self.did_not_run(failure, settled.upload_may_exist));
        }
        Next::end(self.conclude(failure, settled))
    }

    fn did_not_run(&self, mut failure: Failure, upload_may_exist: bool) -> Failure {
        failure.verdict = Verdict {
            known: Known::NotRun,
            ..failure.verdict
        };
        self.tell(&mut failure.error, Outcome::NotRun, upload_may_exist);
        failure
    }

    /// The result of a request that may have run.
    fn conclude(&self, failure: Failure, settled: Settled) -> Result<Report> {
        let Settled {
            outcome,
            upload_may_exist,
            head,
        } = settled;
        if let (Outcome::Stored, false, Some(head)) = (outcome, self.storing.policy, &head) {
            let mut report = head.report();
            report.object = ObjectState::Stored;
            return Ok(report);
        }
        let Failure {
            mut error, answer, ..
        } = failure;
        if outcome == Outcome::Stored {
            error.report_mut().etag = head.and_then(|head| head.etag());
            if answer.is_some_and(is_of_the_callback_service) {
                error.set_status(Status::CallbackFailed);
            }
        }
        self.tell(&mut error, outcome, upload_may_exist);
        settle::explain(&mut error, outcome, self.storing.policy);
        Err(error)
    }

    /// Adds to an error the states, and the upload that may still exist.
    fn tell(&self, error: &mut Error, outcome: Outcome, upload_may_exist: bool) {
        let upload_id = self.storing.upload_id.filter(|_| upload_may_exist);
        let report = error.report_mut();
        (report.object, report.callback) = outcome.states(self.storing.policy);
        report.upload_id = upload_id.map(str::to_owned);
        let redirected = (300..400).contains(&report.http_status);
        if redirected && self.storing.policy && outcome != Outcome::Stored {
            error.add(format_args!(
                "if a gateway redirects, {CORRECT_THE_ADDRESS}"
            ));
        }
    }
}

fn not_compared(why: &str) -> String {
    format!("the answer has no ETag to compare, and {why}")
}

/// What is known of this request and of the earlier one whose outcome is unknown.
fn together(failure: &Failure, lost: Option<Begun>) -> Known {
    match lost {
        Some(_) => after_a_lost_one(failure.verdict.known),
        None => failure.verdict.known,
    }
}

/// What to do after a request.
enum Next {
    End(Box<Result<Report>>),
    /// Send the request again, or settle it.
    Doubt(Failure),
}

impl Next {
    fn end(result: Result<Report>) -> Self {
        Self::End(Box::new(result))
    }
}

#[cfg(test)]
mod tests;
