//! PutFile: the whole content in one request.

use std::fmt::Write;
use std::sync::Arc;

use md5::{Digest, Md5};

use super::settle::{self, Lost};
use super::{MAX_PUT_SIZE, Upload};
use crate::blocking;
use crate::engine::Engine;
use crate::error::{CallbackState, Error, ObjectState, Report, Result, Status};
use crate::etag::{ContentDigest, EtagHasher, Verdict};
use crate::operation::Operation;
use crate::service::{Put, Reply};
use crate::source::{Content, Outcome};

/// Refuses what the service would refuse after half of it was sent.
pub(super) fn check_size(content: &Content) -> Result<()> {
    if content.size() <= MAX_PUT_SIZE {
        return Ok(());
    }
    Err(Error::argument(format!(
        "{} has {} bytes, and one PutFile takes at most {MAX_PUT_SIZE} (512 MiB); upload it in parts: us3_async_mput_with_policy, us3_mput_with_policy, us3_async_upload_with_policy, or us3_upload with US3_MODE_MPUT",
        content.describe(),
        content.size()
    )))
}

/// Sends the upload as one PutFile.
pub(super) async fn run(
    engine: &Engine,
    upload: &Upload,
    operation: &Arc<Operation>,
) -> Result<Report> {
    check_size(&upload.content)?;
    operation.set_total(upload.content.size(), 1);
    let md5 = match engine.service.config().verify_upload_md5 {
        true => Some(operation.work(content_md5(&upload.content)).await??),
        false => None,
    };
    let put = Put {
        key: &upload.key,
        content_type: &upload.mime_type,
        content_md5: md5.as_deref(),
        headers: &upload.headers,
        policy: upload.policy.as_ref(),
    };
    let verify = engine.service.config().verify_etag;
    let read = Outcome::default();
    let content = || {
        let hasher = verify.then(EtagHasher::object);
        let range = 0..upload.content.size();
        upload.content.chunks(range, hasher, &read)
    };
    match engine.service.put(put, content, operation).await {
        Ok(reply) => {
            operation.count_part(upload.content.size());
            stored(&reply, upload, read.digest().await)
        }
        Err(failure) => {
            let lost = Lost {
                key: &upload.key,
                policy: upload.policy.is_some(),
                upload_id: None,
                size: upload.content.size(),
            };
            let content = upload.content.clone();
            let digest = async move || match read.digest().await {
                Ok(Some(digest)) => Some(digest),
                _ => {
                    blocking::begin(move || content.digest(0..content.size(), EtagHasher::object()))
                        .await
                        .ok()
                }
            };
            Box::pin(settle::run(engine, lost, failure, digest, operation)).await
        }
    }
}

/// The service said yes: what it stored must be what was sent.
fn stored(reply: &Reply, upload: &Upload, digest: Result<Option<ContentDigest>>) -> Result<Report> {
    let what = format!("PutFile {}", upload.key);
    let policy = upload.policy.is_some();
    let known = digest.as_ref().ok().and_then(Option::as_ref);
    let report = accepted(reply, policy, &what, |etag| {
        known.map(|digest| digest.compare_object(etag))
    })?;
    match digest {
        Ok(_) => Ok(report),
        // It is stored, but nobody can tell whether as sent.
        Err(mut error) => {
            *error.report_mut() = report;
            Err(error)
        }
    }
}

/// The report of a 2xx answer to PutFile or finish. `compare` holds an ETag against the content.
pub(super) fn accepted(
    reply: &Reply,
    policy: bool,
    what: &str,
    compare: impl FnOnce(&str) -> Option<Verdict>,
) -> Result<Report> {
    let mut report = reply.report();
    report.object = ObjectState::Stored;
    if policy {
        report.callback = CallbackState::Delivered;
    }
    let Some(etag) = &report.etag else {
        // The answer to a policy is the callback's, which may come without an ETag.
        return if policy {
            Ok(report)
        } else {
            Err(without_etag(reply, what, report))
        };
    };
    match compare(etag) {
        Some(Verdict::Different { expected }) => {
            let mut error = differs(what, etag, &expected, report.clone());
            error.add("what is stored is not what was sent, so delete it and upload again");
            Err(error)
        }
        _ => Ok(report),
    }
}

fn without_etag(reply: &Reply, what: &str, report: Report) -> Error {
    let mut error = reply.protocol_error(&what, "without an ETag");
    *error.report_mut() = report;
    error
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

/// Content-MD5, lower-case hex. The one case that reads the content twice: the header goes first.
async fn content_md5(content: &Content) -> Result<String> {
    let content = content.clone();
    blocking::begin(move || {
        let mut md5 = Md5::new();
        content.for_each_piece(0..content.size(), |piece| md5.update(piece))?;
        Ok(hex(&md5.finalize()))
    })
    .await
}

/// Lower-case hex, as Content-MD5 wants it.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
