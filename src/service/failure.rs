//! A failed request: the error, and what is known of the request.

use std::time::Duration;

use crate::error::Error;
use crate::protocol::verdict::{self, Answer, End, Evidence, Known, Verdict};

/// A failed request.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) error: Error,
    pub(crate) verdict: Verdict,
    /// The answer, if there was one.
    pub(crate) answer: Option<Answer>,
    /// The service's message says that the upload does not exist, or no longer.
    pub(super) gone: bool,
    /// The answer is a gateway's page.
    pub(crate) page: bool,
    /// An earlier attempt may have run.
    pub(super) lost_before: bool,
    pub(super) retry_after: Option<Duration>,
    /// The connection had been idle, and broke before a byte of an answer.
    pub(super) stale: bool,
}

impl Failure {
    fn new(error: Error, verdict: Verdict, answer: Option<Answer>) -> Self {
        Self {
            error,
            verdict,
            answer,
            gone: false,
            page: false,
            lost_before: false,
            retry_after: None,
            stale: false,
        }
    }

    pub(crate) fn judged(error: Error, evidence: Evidence) -> Self {
        let answer = match evidence.end {
            End::Answered(answer) => Some(answer),
            _ => None,
        };
        Self::new(error, verdict::judge(&evidence), answer)
    }

    /// A failure without an answer; `known` is what is known of the request.
    fn known(error: Error, known: Known) -> Self {
        let transient = false;
        Self::new(error, Verdict { known, transient }, None)
    }

    /// The request was never sent.
    pub(crate) fn unsent(error: Error) -> Self {
        Self::known(error, Known::NotRun)
    }

    /// The request may have run, and may still be running.
    pub(crate) fn lost(error: Error) -> Self {
        Self::known(error, Known::Lost)
    }

    /// Whether the service itself says that it does not know the upload.
    pub(crate) fn upload_is_gone(&self) -> bool {
        self.gone
    }

    /// Whether the last attempt was answered 404, and an earlier attempt whose answer was lost may be the
    /// reason.
    pub(crate) fn an_earlier_try_may_have_succeeded(&self) -> bool {
        self.lost_before && self.error.report().http_status == 404
    }

    /// Status and RetCode of an answer in US3's form.
    pub(crate) fn refusal(&self) -> Option<(u16, i32)> {
        self.answer.and_then(|answer| answer.refusal())
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}
