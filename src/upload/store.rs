//! A PutFile or finish, sent until it is known what became of it.
//!
//! A 2xx is checked against the content. Anything else is judged by `protocol::verdict`; what is in doubt is
//! settled, and sent again only when it did not run, or may run twice.

use std::sync::Arc;
use std::time::Duration;

use super::settle::{self, Begun, Question, Settled};
use crate::engine::Engine;
use crate::error::{CallbackState, Error, ObjectState, Report, Result, Status};
use crate::etag::{ContentDigest, Verdict as Compared};
use crate::operation::Operation;
use crate::protocol::settle::{Object, Outcome};
use crate::protocol::verdict::{Known, Verdict, after_a_lost_one, is_of_the_callback_service};
use crate::service::{CORRECT_THE_ADDRESS, Failure, Reply, Tries};

/// What is to be stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Storing<'a> {
    /// The operation and the key, for messages.
    pub(super) what: &'a str,
    pub(super) key: &'a str,
    /// It carries a policy.
    pub(super) policy: bool,
    /// It is a finish of this upload.
    pub(super) upload_id: Option<&'a str>,
    /// When an earlier finish of the upload began that is lost.
    pub(super) lost: Option<Begun>,
}

/// The request, and the digest of its content.
pub(super) trait Request: Sync {
    /// Sends it once.
    fn send(
        &self,
        tries: &mut Tries,
    ) -> impl Future<Output = std::result::Result<Reply, Failure>> + Send;
    /// The digest of what was sent; None when it was not, or cannot be, computed.
    fn digest_sent(&self) -> impl Future<Output = Result<Option<ContentDigest>>> + Send;
    /// The same, computed anew if need be.
    fn digest(&self) -> impl Future<Output = Option<ContentDigest>> + Send;
}

/// A request at the service, and what is asked about it.
pub(super) struct Store<'a, R> {
    pub(super) engine: &'a Engine,
    pub(super) storing: Storing<'a>,
    pub(super) request: R,
    pub(super) operation: &'a Arc<Operation>,
}

impl<R: Request> Store<'_, R> {
    /// Sends until it is known what became of it, or until nothing more can be known.
    pub(super) async fn run(&self) -> Result<Report> {
        let config = self.engine.service.config();
        let twice = !self.storing.policy || config.callback_at_least_once;
        let mut tries = Tries::default();
        let mut lost = self.storing.lost;
        loop {
            let begun = Begun::now();
            let sent = match self.request.send(&mut tries).await {
                Ok(reply) => self.accept(reply, lost.unwrap_or(begun)).await,
                Err(failure) => Err(Box::new(Rejected::Failed(failure))),
            };
            let mut failure = match sent.map_err(|rejected| *rejected) {
                Ok(report) => return Ok(report),
                Err(Rejected::Wrong(error)) => return Err(error),
                Err(Rejected::Failed(failure)) => failure,
            };
            if let Known::Stored(callback) = together(&failure, lost) {
                match self
                    .callback_failed(failure, callback, lost.unwrap_or(begun))
                    .await
                {
                    Rejected::Wrong(error) => return Err(error),
                    Rejected::Failed(contradicted) => failure = contradicted,
                }
            }
            let known = failure.verdict.known;
            if self.again(&mut failure, twice, &mut tries).await {
                if known != Known::NotRun {
                    lost = lost.or(Some(begun));
                }
                continue;
            }
            let outcome = self.settle(failure, lost, begun).await;
            match outcome {
                Settlement::End(result) => return *result,
                Settlement::DidNotRun(mut failure) => {
                    // Known only now, and therefore not sent again above.
                    if twice || !self.again(&mut failure, false, &mut tries).await {
                        return Err(failure.error);
                    }
                }
            }
        }
    }

    async fn again(&self, failure: &mut Failure, twice: bool, tries: &mut Tries) -> bool {
        let service = &self.engine.service;
        service.again(failure, twice, tries, self.operation).await
    }

    /// A 2xx: what is stored must be what was sent.
    async fn accept(
        &self,
        reply: Reply,
        begun: Begun,
    ) -> std::result::Result<Report, Box<Rejected>> {
        let mut report = reply.report();
        report.object = ObjectState::Stored;
        if self.storing.policy {
            report.callback = CallbackState::Delivered;
        }
        let wrong = |error| Box::new(Rejected::Wrong(error));
        let digest = match self.request.digest_sent().await {
            Ok(digest) => digest,
            // It is stored, but nobody can tell whether as sent.
            Err(mut error) => {
                *error.report_mut() = report;
                return Err(wrong(error));
            }
        };
        if report.etag.is_some() || !self.engine.service.config().verify_etag {
            self.compare(&report, digest.as_ref()).map_err(wrong)?;
            return Ok(report);
        }
        match self.look(begun).await {
            Look::Etag(etag) => {
                report.etag = Some(etag);
                self.compare(&report, digest.as_ref()).map_err(wrong)?;
            }
            Look::Absent => return Err(Box::new(Rejected::Failed(self.contradicted(&reply)))),
            Look::Nothing(why) => {
                report.note = Some(format!("the answer has no ETag to compare, and {why}"));
            }
        }
        Ok(report)
    }

    /// Asks HEAD once for the ETag of what a request has stored that began then.
    async fn look(&self, begun: Begun) -> Look {
        let (service, key) = (&self.engine.service, self.storing.key);
        let asked = service.head_once(key, self.operation);
        match self.operation.settle(Duration::ZERO, asked).await {
            Some(Ok(reply)) if settle::seen(&reply, begun, None) == Object::Older => Look::Absent,
            Some(Ok(reply)) => match reply.etag() {
                Some(etag) => Look::Etag(etag),
                None => Look::Nothing("HEAD tells none either".to_owned()),
            },
            Some(Err(failure)) => match failure.answer {
                Some(answer) if answer.status == 404 && !failure.html => Look::Absent,
                Some(answer) => Look::Nothing(format!(
                    "HEAD was refused with {} (the token may lack READ)",
                    answer.status
                )),
                None => Look::Nothing("HEAD was not answered".to_owned()),
            },
            None => Look::Nothing("no time was left to ask HEAD".to_owned()),
        }
    }

    /// The service says "stored", and HEAD says "not there", or shows what was there before.
    fn contradicted(&self, reply: &Reply) -> Failure {
        let what = &self.storing.what;
        Failure::lost(reply.protocol_error(what, "HEAD finds no object of this request"))
    }

    /// Holds the ETag of what is stored against the content.
    fn compare(&self, report: &Report, digest: Option<&ContentDigest>) -> Result<()> {
        let verify = self.engine.service.config().verify_etag;
        let (Some(etag), Some(digest), true) = (&report.etag, digest, verify) else {
            return Ok(());
        };
        let Compared::Different { expected } = digest.compare_object(etag) else {
            return Ok(());
        };
        let mut error = differs(self.storing.what, etag, &expected, report.clone());
        error.add("what is stored is not what was sent, so delete it and upload again");
        Err(error)
    }

    /// 599: the object is stored, its callback failed. The host is told to keep the object, so it must be the
    /// right one.
    async fn callback_failed(
        &self,
        failure: Failure,
        callback: CallbackState,
        begun: Begun,
    ) -> Rejected {
        let mut error = failure.error;
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
        match self.look(begun).await {
            Look::Etag(etag) => {
                error.report_mut().etag = Some(etag);
                let digest = self.request.digest_sent().await.ok().flatten();
                match self.compare(error.report(), digest.as_ref()) {
                    Ok(()) => Rejected::Wrong(error),
                    Err(differs) => Rejected::Wrong(differs),
                }
            }
            Look::Absent => {
                error.add("but HEAD finds no object of this request");
                error.set_status(Status::ProtocolError);
                Rejected::Failed(Failure::lost(error))
            }
            Look::Nothing(why) => {
                error.report_mut().note = Some(format!("what is stored was not compared: {why}"));
                Rejected::Wrong(error)
            }
        }
    }

    /// Finds out what became of a request that is not simply sent again.
    async fn settle(&self, failure: Failure, lost: Option<Begun>, begun: Begun) -> Settlement {
        let known = together(&failure, lost);
        if known == Known::NotRun {
            return Settlement::End(Box::new(Err(self.did_not_run(failure, true).error)));
        }
        let question = Question {
            key: self.storing.key,
            upload_id: self.storing.upload_id,
            answered: failure.refusal().filter(|_| known == Known::Answered),
            begun: lost.unwrap_or(begun),
            hasty: false,
        };
        let digest = self.request.digest().await;
        let settled = settle::run(self.engine, question, digest.as_ref(), self.operation).await;
        if settled.outcome == Outcome::NotRun {
            return Settlement::DidNotRun(self.did_not_run(failure, settled.upload_may_exist));
        }
        Settlement::End(Box::new(self.conclude(failure, settled)))
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

    /// The states, and the upload that may still exist.
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

/// What is known of this request, and of the earlier one that is lost.
fn together(failure: &Failure, lost: Option<Begun>) -> Known {
    match lost {
        Some(_) => after_a_lost_one(failure.verdict.known),
        None => failure.verdict.known,
    }
}

/// An answer that is no success after all.
enum Rejected {
    /// The error to be told.
    Wrong(Error),
    /// What is to be judged and settled.
    Failed(Failure),
}

/// What HEAD tells of a stored object.
enum Look {
    Etag(String),
    Absent,
    /// Nothing to compare, and why.
    Nothing(String),
}

/// What became of a request.
enum Settlement {
    End(Box<Result<Report>>),
    /// It did not run, and may be sent again.
    DidNotRun(Failure),
}

/// The service holds other bytes than were sent.
pub(super) fn differs(what: &str, answered: &str, expected: &str, report: Report) -> Error {
    let mut error = Error::new(
        Status::IntegrityError,
        format!(
            "{what}: the service answered ETag {answered}, but the content sent has {expected}"
        ),
    );
    *error.report_mut() = report;
    error
}
