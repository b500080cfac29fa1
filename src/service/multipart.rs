//! The calls of a multipart upload: initiate, part, finish, abort, list.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use serde::Deserialize;

use super::{Call, Failure, Payload, Reply, Service, What, query_value};
use crate::operation::Operation;
use crate::policy::PutPolicy;
use crate::source::Chunks;

/// Parts of BlkSize must fit memory when the host holds them; the service's own value is 4 MiB.
pub(crate) const LARGEST_PART: u64 = 1 << 30;

/// Parts that are listed at a time.
const PAGE: u32 = 1000;

/// More than any ETag that can be compared.
const LONGEST_ETAG: usize = 64;

/// More than any upload id; it goes into every URL.
const LONGEST_UPLOAD_ID: usize = 1 << 10;

/// An upload that the service has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Initiated {
    pub(crate) upload_id: String,
    /// Bytes of every part but the last.
    pub(crate) part_size: u64,
}

/// A part that the service has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedPart {
    pub(crate) etag: String,
    pub(crate) size: u64,
}

/// Where an upload goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) key: &'a str,
    pub(crate) upload_id: &'a str,
}

#[derive(Deserialize)]
struct InitiateAnswer {
    #[serde(rename = "UploadId", default)]
    upload_id: String,
    #[serde(rename = "BlkSize", default)]
    part_size: i64,
}

#[derive(Deserialize)]
struct ListAnswer {
    #[serde(rename = "Parts", default)]
    parts: Vec<PartAnswer>,
    #[serde(rename = "IsTruncated", default)]
    is_truncated: bool,
    #[serde(rename = "NextPartNumberMarker", default)]
    next_marker: Option<i64>,
}

#[derive(Deserialize)]
struct PartAnswer {
    #[serde(rename = "PartNum")]
    number: u32,
    #[serde(rename = "Etag", default)]
    etag: String,
    #[serde(rename = "Size", default)]
    size: u64,
}

impl Service {
    /// Begins an upload. The answer of the service is never trusted with our memory.
    pub(crate) async fn initiate(
        &self,
        key: &str,
        content_type: &str,
        headers: &[(String, String)],
        operation: &Arc<Operation>,
    ) -> Result<(Initiated, Reply), Failure> {
        let mut call = Call::new("InitiateMultipartUpload", Method::POST, key);
        call.query = "uploads".to_owned();
        call.names = true;
        call.content_type = Some(content_type);
        call.headers = headers;
        let reply = self.call(&call, Payload::none, operation).await?;
        let (upload_id, why) = match initiated(&reply.body) {
            Ok(initiated) => return Ok((initiated, reply)),
            Err(unusable) => unusable,
        };
        let mut error = reply.protocol_error(&What(self, &call), why);
        if let Some(upload_id) = upload_id {
            let target = Target {
                key,
                upload_id: &upload_id,
            };
            let aborting = Box::pin(self.abort(target, operation));
            let aborted = operation.clean_up(aborting).await;
            let remains = !matches!(aborted, Some(Ok(_)));
            error.report_mut().upload_id = remains.then_some(upload_id);
        }
        Err(Failure::protocol(error))
    }

    /// Sends one part.
    pub(crate) async fn upload_part(
        &self,
        target: Target<'_>,
        part_number: u32,
        content_md5: Option<&str>,
        content: impl Fn() -> Chunks,
        operation: &Arc<Operation>,
    ) -> Result<Reply, Failure> {
        let mut call = Call::new("UploadPart", Method::PUT, target.key);
        call.query = format!(
            "partNumber={part_number}&uploadId={}",
            query_value(target.upload_id)
        );
        call.content_md5 = content_md5;
        let payload = || Payload::Content(content());
        self.call(&call, payload, operation).await
    }

    /// Joins the parts to the object; with a policy, the answer is the callback's.
    pub(crate) async fn finish(
        &self,
        target: Target<'_>,
        etags: &str,
        policy: Option<&PutPolicy>,
        operation: &Arc<Operation>,
    ) -> Result<Reply, Failure> {
        let mut call = Call::new("FinishMultipartUpload", Method::POST, target.key);
        call.query = format!("uploadId={}", query_value(target.upload_id));
        call.content_type = Some("text/plain");
        call.policy = policy;
        let body = Bytes::copy_from_slice(etags.as_bytes());
        let payload = || Payload::Protocol(body.clone());
        self.call(&call, payload, operation).await
    }

    /// Drops an upload and its parts.
    pub(crate) async fn abort(
        &self,
        target: Target<'_>,
        operation: &Arc<Operation>,
    ) -> Result<Reply, Failure> {
        let mut call = Call::new("AbortMultipartUpload", Method::DELETE, target.key);
        call.query = format!("uploadId={}", query_value(target.upload_id));
        self.call(&call, Payload::none, operation).await
    }

    /// Whether the service still has the upload: an error, [`Failure::is_unknown`] or not, if it
    /// does not say so.
    pub(crate) async fn upload_exists(
        &self,
        upload_id: &str,
        operation: &Arc<Operation>,
    ) -> Result<(), Failure> {
        self.list_page(upload_id, None, 1, operation)
            .await
            .map(drop)
    }

    /// Of the upload's first `count` parts those that the service has, by number. However much
    /// the service lists, no more is kept.
    pub(crate) async fn list_parts(
        &self,
        upload_id: &str,
        count: u32,
        operation: &Arc<Operation>,
    ) -> Result<BTreeMap<u32, ListedPart>, Failure> {
        let mut parts = BTreeMap::new();
        // The marker means "greater than": a first page with marker 0 would lose part 0.
        let mut marker = None;
        for _ in 0..=count {
            let page = self.list_page(upload_id, marker, PAGE, operation).await?;
            for PartAnswer { number, etag, size } in page.parts {
                let etag = etag.trim_matches('"').to_owned();
                if number < count && etag.len() <= LONGEST_ETAG {
                    parts.insert(number, ListedPart { etag, size });
                }
            }
            let next = page.next_marker.and_then(|next| u32::try_from(next).ok());
            match next.filter(|next| page.is_truncated && marker.is_none_or(|last| *next > last)) {
                Some(next) if next < count => marker = Some(next),
                _ => break,
            }
        }
        Ok(parts)
    }

    async fn list_page(
        &self,
        upload_id: &str,
        marker: Option<u32>,
        most: u32,
        operation: &Arc<Operation>,
    ) -> Result<ListAnswer, Failure> {
        let mut call = Call::new("ListParts", Method::GET, "");
        call.query = format!(
            "muploadpart&uploadId={}&max-parts={most}",
            query_value(upload_id)
        );
        if let Some(marker) = marker {
            call.query
                .push_str(&format!("&part-number-marker={marker}"));
        }
        let reply = self.call(&call, Payload::none, operation).await?;
        serde_json::from_slice(&reply.body).map_err(|cause| {
            let why = format_args!("not with a list of parts: {cause}");
            Failure::protocol(reply.protocol_error(&What(self, &call), why))
        })
    }
}

/// What can be used of the answer; else why not, with the upload that is to be dropped.
fn initiated(body: &[u8]) -> Result<Initiated, (Option<String>, String)> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let InitiateAnswer {
        upload_id,
        part_size,
    } = serde_path_to_error::deserialize(&mut json).map_err(|cause| {
        let why = format!("not with an upload id and a part size: {cause}");
        (None, why)
    })?;
    if upload_id.is_empty() {
        return Err((None, "its UploadId is missing or empty".to_owned()));
    }
    if upload_id.len() > LONGEST_UPLOAD_ID || !upload_id.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return Err((None, "its UploadId is not one".to_owned()));
    }
    match u64::try_from(part_size) {
        Ok(part_size @ 1..=LARGEST_PART) => Ok(Initiated {
            upload_id,
            part_size,
        }),
        _ => Err((
            Some(upload_id),
            format!(
                "its BlkSize is {part_size}, which is not a usable part size (1 to {LARGEST_PART} bytes)"
            ),
        )),
    }
}
