//! Checks that the stored bytes are the bytes that were sent, by ETag.

use std::time::Duration;

use super::settle::{self, Begun};
use crate::engine::Run;
use crate::error::{Error, Report, Result, Status};
use crate::protocol::etag::{ContentDigest, EtagMatch};
use crate::protocol::settle::Object;

/// What HEAD says about a stored object.
pub(super) enum Look {
    Etag(String),
    /// There is no object, or it is older than the request.
    Absent,
    /// It has an ETag of another form, which cannot be compared.
    Foreign(String),
    /// HEAD gave no ETag, for this reason.
    NoEtag(String),
}

/// The note about an ETag that cannot be compared.
pub(super) const FOREIGN: &str = "HEAD tells one of another form";

/// Asks HEAD once for the ETag of the object that a request has stored. `begun` is the beginning of the
/// request.
pub(super) async fn look(
    run: &Run,
    key: &str,
    begun: Begun,
    digest: Option<&ContentDigest>,
) -> Look {
    // Web servers and portals have ETags of other forms.
    let foreign = |etag: &str| {
        digest.is_some_and(|digest| digest.compare_object(etag) == EtagMatch::Incomparable)
    };
    let head = run.service().head_once(key, &run.operation);
    match run.operation.settle(Duration::ZERO, head).await {
        Some(Ok(reply)) => match (settle::seen(&reply, begun, None), reply.etag()) {
            (Object::NoAnswer, _) => Look::NoEtag("a gateway answered HEAD".to_owned()),
            (Object::Older, _) => Look::Absent,
            (_, Some(etag)) if foreign(&etag) => Look::Foreign(etag),
            (_, Some(etag)) => Look::Etag(etag),
            (_, None) => Look::NoEtag("HEAD tells none either".to_owned()),
        },
        Some(Err(failure)) => match settle::refused(&failure) {
            Object::Absent => Look::Absent,
            Object::Refused(status) => Look::NoEtag(format!(
                "HEAD was refused with {status}; the token may lack READ"
            )),
            _ => Look::NoEtag("HEAD was not answered".to_owned()),
        },
        None => Look::NoEtag("no time was left to ask HEAD".to_owned()),
    }
}

/// Compares the ETag of the stored object with the content, as far as both are known. `what` names the
/// request.
pub(super) fn compare(what: &str, report: &Report, digest: Option<&ContentDigest>) -> Result<()> {
    let (Some(etag), Some(digest)) = (&report.etag, digest) else {
        return Ok(());
    };
    if digest.compare_object(etag) != EtagMatch::Different {
        return Ok(());
    }
    let mut error = differs(what, etag, &digest.object_etag(), report.clone());
    error.add("what is stored is not what was sent, so delete it and upload again");
    Err(error)
}

/// The error: the service has stored other bytes than were sent.
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
