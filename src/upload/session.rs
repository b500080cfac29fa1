//! One multipart upload at the service: its parts by number, and the calls that send, finish and abort.
//!
//! The remaining work is a value, the set of parts that are missing from [`Parts`]. So the same code starts
//! and resumes an upload.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::checkpoint::Checkpoint;
use super::settle::{Begun, Moment};
use super::store::{Request, Store, Storing};
use super::verify::differs;
use super::{Plan, Upload};

use crate::content::{Content, ReadOutcome};
use crate::engine::Run;
use crate::error::{Error, ObjectState, Report, Result, report_of};
use crate::protocol::etag::{BLOCK_SIZE, ContentDigest, EtagHasher};
use crate::protocol::policy::PutPolicy;
use crate::runtime::blocking;
use crate::runtime::sync::unpoisoned;
use crate::service::{Failure, Initiated, Reply, Tries, UploadRef};

/// A part that the service has.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) etag: String,
    pub(super) size: u64,
    /// None when verification is off.
    pub(super) digest: Option<ContentDigest>,
}

/// The parts that the service has, by number.
pub(super) type Parts = BTreeMap<u32, Part>;

/// An upload that the service has begun.
pub(super) struct Session {
    pub(super) key: String,
    pub(super) upload_id: String,
    /// Bytes of every part but the last.
    pub(super) part_size: u64,
    parts: Mutex<Parts>,
    /// The last Date of the service, and when it was received. Only the last one counts, because the
    /// monotonic clock stops while the machine sleeps.
    date: Mutex<Option<(u64, Moment)>>,
    /// When the first finish began whose outcome is unknown.
    lost: Mutex<Option<Begun>>,
}

impl Session {
    /// Begins the multipart upload of a request.
    pub(super) async fn begin(run: &Run, upload: &Upload) -> Result<Self> {
        let Plan { key, headers, .. } = &*upload.plan;
        let begun = Self::initiate(run, key, &upload.mime_type, headers).await;
        begun.map(|(session, _)| session)
    }

    /// Asks the service to begin an upload.
    pub(super) async fn initiate(
        run: &Run,
        key: &str,
        mime_type: &str,
        headers: &[(String, String)],
    ) -> Result<(Self, Report)> {
        let service = run.service();
        let initiated = service
            .initiate(key, mime_type, headers, &run.operation)
            .await;
        let (
            Initiated {
                upload_id,
                part_size,
            },
            reply,
        ) = initiated?;
        let mut report = reply.report();
        report.upload_id = Some(upload_id.clone());
        let session = Self {
            key: key.to_owned(),
            upload_id,
            part_size,
            parts: Mutex::default(),
            date: Mutex::new(told_now(reply.date("date"))),
            lost: Mutex::default(),
        };
        Ok((session, report))
    }

    /// The upload of an earlier run, with no part known yet.
    pub(super) fn known(checkpoint: &Checkpoint) -> Self {
        Self {
            key: checkpoint.key.clone(),
            upload_id: checkpoint.upload_id.clone(),
            part_size: checkpoint.part_size,
            parts: Mutex::default(),
            date: Mutex::default(),
            lost: Mutex::default(),
        }
    }

    /// An upload that another handle or process began, with the parts that the service has. That process may have sent
    /// a finish whose outcome nobody here knows, as if a finish of this session were lost.
    pub(super) fn adopted(target: UploadRef<'_>, part_size: u64, parts: Parts) -> Self {
        Self {
            key: target.key.to_owned(),
            upload_id: target.upload_id.to_owned(),
            part_size,
            parts: Mutex::new(parts),
            date: Mutex::default(),
            lost: Mutex::new(Some(Begun::now())),
        }
    }

    /// A finish of an earlier run is lost, which began then.
    pub(super) fn set_lost(&self, begun: Begun) {
        *self.lost() = Some(begun);
    }

    /// Whether a finish was sent whose outcome is unknown.
    pub(super) fn is_lost(&self) -> bool {
        self.lost().is_some()
    }

    /// Remembers a Date that was received just now.
    pub(super) fn set_date(&self, date: Option<u64>) {
        if let Some(told) = told_now(date) {
            *self.date() = Some(told);
        }
    }

    fn date(&self) -> MutexGuard<'_, Option<(u64, Moment)>> {
        unpoisoned(self.date.lock())
    }

    /// The present time by the service's clock, in seconds since 1970, if an answer had a Date.
    pub(super) fn service_time(&self) -> Option<u64> {
        let (date, told) = (*self.date())?;
        Some(date + told.elapsed().as_secs())
    }

    pub(super) fn parts(&self) -> MutexGuard<'_, Parts> {
        unpoisoned(self.parts.lock())
    }

    /// Sends one part and remembers its ETag.
    pub(super) async fn send_part(
        &self,
        number: u32,
        content: &Content,
        range: Range<u64>,
        run: &Run,
    ) -> Result<Report> {
        let config = run.config();
        let size = range.end - range.start;
        let verify = config.verify_etag;
        let loaded;
        let (content, range, md5) = if config.verify_upload_md5 {
            let md5;
            let loading = load_with_md5(content.clone(), range);
            (loaded, md5) = run.operation.work(loading).await??;
            (&loaded, 0..size, Some(md5))
        } else {
            (content, range, None)
        };
        let read = ReadOutcome::default();
        let chunks = || content.part(range.clone(), verify.then(EtagHasher::part), &read);
        let service = run.service();
        let reply = service
            .upload_part(
                self.target(),
                number,
                md5.as_deref(),
                chunks,
                &run.operation,
            )
            .await?;
        self.set_date(reply.date("date"));
        let digest = read.digest().await?;
        let etag = self.check_part(number, &reply, digest.as_ref())?;
        run.operation.count_part(size);
        self.parts().insert(number, Part { etag, size, digest });
        Ok(reply.report())
    }

    fn check_part(
        &self,
        number: u32,
        reply: &Reply,
        digest: Option<&ContentDigest>,
    ) -> Result<String> {
        let what = format!("UploadPart {number} of {}", self.key);
        let Some(etag) = reply.etag() else {
            return Err(reply.protocol_error(&what, "without an ETag for the part"));
        };
        // The finish sends the ETags as a list with commas.
        if !etag.chars().all(|c| c.is_ascii_graphic() && c != ',') {
            return Err(reply.protocol_error(&what, "with an ETag that no list can hold"));
        }
        match digest.and_then(|digest| digest.part_etag(&etag)) {
            Some(expected) if expected != etag => {
                Err(differs(&what, &etag, &expected, reply.report()))
            }
            _ => Ok(etag),
        }
    }

    /// Joins the parts, in the order of their numbers, which is that of the map. `about_to_send` is called
    /// before each request.
    pub(super) async fn finish<'a>(
        &'a self,
        policy: Option<&'a PutPolicy>,
        about_to_send: Option<&'a AboutToSend<'a>>,
        run: &'a Run,
    ) -> Result<Report> {
        let parts = self.parts().clone();
        let etags: Vec<&str> = parts.values().map(|part| part.etag.as_str()).collect();
        let etags = Bytes::from(etags.join(","));
        let begun = Begun::now();
        let store = Store {
            run,
            storing: Storing {
                what: &format!("FinishMultipartUpload {}", self.key),
                key: &self.key,
                policy: policy.is_some(),
                upload_id: Some(&self.upload_id),
                lost: *self.lost(),
            },
            request: FinishRequest {
                run,
                session: self,
                etags,
                policy,
                about_to_send,
                digest: self.object_digest(run, &parts),
            },
        };
        let result = Box::pin(store.run()).await;
        if report_of(&result).object == ObjectState::Unknown {
            self.lost().get_or_insert(begun);
        }
        result.map(|mut report| {
            report.upload_id = Some(self.upload_id.clone());
            report
        })
    }

    fn lost(&self) -> MutexGuard<'_, Option<Begun>> {
        unpoisoned(self.lost.lock())
    }

    /// The digest of the object. Its ETag is defined over blocks of 4 MiB, so it cannot be computed from
    /// parts of another size.
    fn object_digest(&self, run: &Run, parts: &Parts) -> Option<ContentDigest> {
        let verify = run.config().verify_etag;
        if self.part_size != BLOCK_SIZE || !verify {
            return None;
        }
        let digests: Option<Vec<&ContentDigest>> =
            parts.values().map(|part| part.digest.as_ref()).collect();
        ContentDigest::concat(digests?)
    }

    /// The ETag of the object that a finish stores, if it can be computed from the parts.
    pub(super) fn object_etag(&self, run: &Run) -> Option<String> {
        let digest = self.object_digest(run, &self.parts());
        digest.map(|digest| digest.object_etag())
    }

    /// Ends a failed finish whose upload nobody keeps. If the finish was refused, the upload is aborted. If
    /// the finish may still run, the upload is left alone, and its id is reported.
    pub(super) async fn finish_or_abandon(
        &self,
        policy: Option<&PutPolicy>,
        run: &Run,
    ) -> Result<Report> {
        match self.finish(policy, None, run).await {
            Err(error) if error.report().object == ObjectState::NotStored => {
                Err(self.abandon(error, run).await)
            }
            result => result,
        }
    }

    /// Aborts the upload. Success also if the service no longer knows it: an earlier attempt whose answer
    /// was lost may have aborted it.
    pub(super) async fn abort(&self, run: &Run) -> Result<Report> {
        let aborted = run.service().abort(self.target(), &run.operation).await;
        let mut report = match aborted {
            Ok(reply) => reply.report(),
            Err(failure) if failure.upload_is_gone() => failure.error.report().clone(),
            Err(failure) => return Err(failure.error),
        };
        report.upload_id = Some(self.upload_id.clone());
        Ok(report)
    }

    /// Cleans up after `error`, which stays the reported error. If the upload remains, the error names it.
    pub(super) async fn abandon(&self, mut error: Error, run: &Run) -> Error {
        let aborted = run.operation.clean_up(Box::pin(self.abort(run))).await;
        error.report_mut().upload_id = None;
        if !matches!(aborted, Some(Ok(_))) {
            error = self.name_in(error);
            error.add(left_behind(&self.upload_id));
        }
        error
    }

    /// Adds to an error that the upload still exists.
    pub(super) fn name_in(&self, mut error: Error) -> Error {
        error.report_mut().upload_id = Some(self.upload_id.clone());
        error
    }

    pub(super) fn target(&self) -> UploadRef<'_> {
        UploadRef {
            key: &self.key,
            upload_id: &self.upload_id,
        }
    }
}

/// The note about an unusable upload that could not be aborted.
pub(super) fn left_behind(upload_id: &str) -> String {
    format!("the multipart upload {upload_id} could not be aborted and still holds its parts")
}

fn told_now(date: Option<u64>) -> Option<(u64, Moment)> {
    Some((date?, Moment::now()))
}

/// Called before a finish is sent.
pub(super) type AboutToSend<'a> = dyn Fn() -> BoxFuture<'a, Result<()>> + Sync + 'a;

struct FinishRequest<'a> {
    run: &'a Run,
    session: &'a Session,
    etags: Bytes,
    policy: Option<&'a PutPolicy>,
    about_to_send: Option<&'a AboutToSend<'a>>,
    /// From the digests of the parts, which were computed during the sending.
    digest: Option<ContentDigest>,
}

impl Request for FinishRequest<'_> {
    async fn send(&self, tries: &mut Tries) -> std::result::Result<Reply, Failure> {
        if let Some(about_to_send) = self.about_to_send {
            about_to_send().await.map_err(Failure::unsent)?;
        }
        let service = self.run.service();
        let (target, etags) = (self.session.target(), self.etags.clone());
        service
            .finish(target, etags, self.policy, tries, &self.run.operation)
            .await
    }

    async fn digest_sent(&self) -> Result<Option<ContentDigest>> {
        Ok(self.digest.clone())
    }
}

async fn load_with_md5(content: Content, range: Range<u64>) -> Result<(Content, String)> {
    blocking::begin(move || {
        let loaded = content.with(content.load(range)?);
        let md5 = loaded.md5()?;
        Ok((loaded, md5))
    })
    .await
}

#[cfg(test)]
mod tests;
