//! What a request left behind when its answer was lost.
//!
//! A PutFile or finish that failed without a refusal may have run. HEAD and the ETag tell whether
//! the object is stored; for a finish, whether the upload still exists is evidence too. Whether
//! the callback ran, nobody can tell.

use std::sync::Arc;

use crate::engine::Engine;
use crate::error::{CallbackState, Error, ObjectState, Report, Result, Status};
use crate::etag::{ContentDigest, Verdict};
use crate::operation::Operation;
use crate::service::{Failure, ObjectHead, Ran, Reply};

/// The request in question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lost<'a> {
    pub(super) key: &'a str,
    /// It carried a policy.
    pub(super) policy: bool,
    /// It was a finish of this upload.
    pub(super) upload_id: Option<&'a str>,
    /// Bytes of the object.
    pub(super) size: u64,
}

/// Turns a failed PutFile or finish into what is known: an error whose report says whether the
/// object is stored and whether the callback ran, or success when there was no callback and the
/// object turns out to be stored. An upload that may still exist is named. `digest` is asked for
/// only when it is needed.
pub(super) async fn run(
    engine: &Engine,
    lost: Lost<'_>,
    failure: Failure,
    digest: impl AsyncFnOnce() -> Option<ContentDigest>,
    operation: &Arc<Operation>,
) -> Result<Report> {
    let Failure { mut error, ran, .. } = failure;
    if error.status() == Status::CallbackFailed && lost.policy {
        error.report_mut().object = ObjectState::Stored;
        error.report_mut().callback = CallbackState::NotDelivered;
        return Err(error);
    }
    // An upload that the service does not know may have been finished before.
    let finished_before = lost.upload_id.is_some() && error.report().http_status == 404;
    if ran < Ran::Maybe && !finished_before {
        error.report_mut().object = ObjectState::NotStored;
        error.report_mut().upload_id = lost.upload_id.map(str::to_owned);
        return Err(error);
    }
    if ran == Ran::Yes && lost.policy {
        error.report_mut().object = ObjectState::Stored;
        error.report_mut().callback = CallbackState::Delivered;
        return Err(error);
    }
    let inquiry = inquire(engine, lost, digest, operation);
    let found = operation.clean_up(inquiry).await;
    let found = match found.unwrap_or(Found::Unsettled) {
        // The refused finish itself says that the upload is gone.
        Found::Absent | Found::AbsentSoFar if finished_before && ran < Ran::Maybe => Found::Absent,
        Found::Absent if lost.upload_id.is_some() => Found::Between,
        found => found,
    };
    match found {
        Found::Stored(reply) if !lost.policy => {
            let mut report = reply.report();
            report.object = ObjectState::Stored;
            Ok(report)
        }
        found => {
            if found.upload_may_exist() {
                error.report_mut().upload_id = lost.upload_id.map(str::to_owned);
            }
            Err(describe(error, &found, ran, lost.policy))
        }
    }
}

/// What the inquiry found.
enum Found {
    /// The object with exactly this content.
    Stored(Box<Reply>),
    /// The upload still exists, so its finish has not run.
    Unfinished,
    /// No object, or one with other content; an upload is gone.
    Absent,
    /// No object, or one with other content; whether the upload is gone, the service does not say.
    AbsentSoFar,
    /// As `Absent`, and the upload is gone as well: its finish may be at work between the two.
    Between,
    /// The evidence does not decide.
    Unsettled,
}

impl Found {
    fn upload_may_exist(&self) -> bool {
        matches!(
            self,
            Found::Unfinished | Found::AbsentSoFar | Found::Unsettled
        )
    }
}

async fn inquire(
    engine: &Engine,
    lost: Lost<'_>,
    digest: impl AsyncFnOnce() -> Option<ContentDigest>,
    operation: &Arc<Operation>,
) -> Found {
    let pending = match lost.upload_id {
        Some(upload_id) => pending(engine, upload_id, operation).await,
        None => None,
    };
    if pending == Some(true) {
        return Found::Unfinished;
    }
    let absent = match (lost.upload_id, pending) {
        (Some(_), None) => Found::AbsentSoFar,
        _ => Found::Absent,
    };
    let reply = match engine.service.head(lost.key, operation).await {
        Ok(reply) => reply,
        Err(failure) if failure.error.report().http_status == 404 => return absent,
        Err(_) => return Found::Unsettled,
    };
    let Some(object) = ObjectHead::of(&reply) else {
        return Found::Unsettled;
    };
    if object.size != lost.size {
        return absent;
    }
    let verdict = match (object.etag, digest().await) {
        (Some(etag), Some(digest)) => digest.compare_object(&etag),
        _ => Verdict::Incomparable,
    };
    match verdict {
        Verdict::Same => Found::Stored(Box::new(reply)),
        // The upload is gone, and an object of its size is there under its key. (Parts that are not
        // of 4 MiB do not tell the object's ETag.)
        Verdict::Incomparable if pending == Some(false) => Found::Stored(Box::new(reply)),
        Verdict::Incomparable => Found::Unsettled,
        Verdict::Different { .. } => absent,
    }
}

/// Whether the service still has the upload; None when it does not say.
async fn pending(engine: &Engine, upload_id: &str, operation: &Arc<Operation>) -> Option<bool> {
    match engine.service.upload_exists(upload_id, operation).await {
        Ok(()) => Some(true),
        Err(failure) if failure.is_unknown() => Some(false),
        Err(_) => None,
    }
}

fn describe(mut error: Error, found: &Found, ran: Ran, policy: bool) -> Error {
    let still = ran == Ran::MaybeStill;
    let (object, callback, finding) = match found {
        Found::Stored(_) => (
            ObjectState::Stored,
            CallbackState::Unknown,
            "the object is stored, but whether its callback ran is unknown; ask the callback service",
        ),
        // Somebody may still be working on it: this library, or a gateway, only stopped waiting.
        Found::Between => (
            ObjectState::Unknown,
            CallbackState::Unknown,
            "the upload is gone and the object is not there yet: the service may still be at work; ask with us3_head_file before uploading again",
        ),
        Found::AbsentSoFar => (
            ObjectState::Unknown,
            CallbackState::Unknown,
            "the object is not there yet, and the service did not say whether the upload still exists: it may be at work; ask with us3_head_file before finishing or uploading again",
        ),
        Found::Unfinished | Found::Absent if still => (
            ObjectState::Unknown,
            CallbackState::Unknown,
            "the object is not stored yet, but the service may still be at work; ask with us3_head_file before uploading again",
        ),
        Found::Unfinished => (
            ObjectState::NotStored,
            CallbackState::NotDelivered,
            "the object is not stored; the upload still exists and can be finished again",
        ),
        // The callback's service may have removed the object already.
        Found::Absent => (
            ObjectState::NotStored,
            CallbackState::Unknown,
            "the object is not stored; upload again",
        ),
        Found::Unsettled => (
            ObjectState::Unknown,
            CallbackState::Unknown,
            "whether the object is stored could not be found out; ask with us3_head_file before uploading again",
        ),
    };
    if let Found::Stored(reply) = found {
        error.report_mut().etag = reply.etag();
        if policy && ran == Ran::Maybe && is_of_the_callback(error.report().http_status) {
            error.set_status(Status::CallbackFailed);
        }
    }
    error.add(finding);
    error.report_mut().object = object;
    if policy {
        error.report_mut().callback = callback;
    }
    error
}

/// An answer with such a status, not in the service's form, to a request whose object is stored, is
/// the callback's own, handed through.
fn is_of_the_callback(http_status: u16) -> bool {
    matches!(http_status, 300..500) && !matches!(http_status, 404 | 408)
}
