//! The calls of a multipart upload: initiate, part, finish, abort, list.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use serde::Deserialize;

use super::call::query_value;
use super::secrets::masked;
use super::{Call, Failure, Payload, Reply, Service, Tries};
use crate::content::Chunks;
use crate::operation::Operation;
use crate::protocol::keys::check_upload_id;
use crate::protocol::policy::PutPolicy;

/// The largest accepted BlkSize: a part must fit into memory. The service's own value is 4 MiB.
pub(crate) const LARGEST_PART: u64 = 1 << 30;

/// Parts per page of ListParts.
pub(super) const PAGE: u32 = 1000;

/// The longest accepted ETag of a part: longer than any ETag that can be compared.
pub(super) const LONGEST_ETAG: usize = 64;

/// A multipart upload that the service has begun.
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

/// The object and the headers of a new multipart upload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UploadRef<'a> {
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
pub(super) struct PartAnswer {
    #[serde(rename = "PartNum")]
    pub(super) number: u32,
    #[serde(rename = "Etag", default)]
    pub(super) etag: String,
    #[serde(rename = "Size", default)]
    pub(super) size: u64,
}

impl Service {
    /// Begins an upload. The part size in the answer is checked, so that the service cannot exhaust the
    /// memory.
    pub(crate) async fn initiate(
        &self,
        key: &str,
        content_type: &str,
        headers: &[(String, String)],
        operation: &Arc<Operation>,
    ) -> Result<(Initiated, Reply), Failure> {
        let mut call = Call::new("InitiateMultipartUpload", Method::POST, key);
        call.query = "uploads".to_owned();
        call.creates_upload = true;
        call.content_type = Some(content_type);
        call.headers = headers;
        let reply = self.call(&call, Payload::none, operation).await?;
        let own = self.secrets_of(&call);
        let secret = |upload_id: &str| masked(upload_id, &[&self.secrets, &own]) != upload_id;
        let (upload_id, why) = match initiated(&reply.body, secret) {
            Ok(initiated) => return Ok((initiated, reply)),
            Err(unusable) => unusable,
        };
        let mut error = self.protocol_error(&call, &reply, why);
        if let Some(upload_id) = upload_id {
            let target = UploadRef {
                key,
                upload_id: &upload_id,
            };
            let aborting = Box::pin(self.abort(target, operation));
            let aborted = operation.clean_up(aborting).await;
            let remains = !matches!(aborted, Some(Ok(_)));
            error.report_mut().upload_id = remains.then_some(upload_id);
        }
        Err(Failure::lost(error))
    }

    /// Sends one part.
    pub(crate) async fn upload_part(
        &self,
        target: UploadRef<'_>,
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

    /// Joins the parts into the object, with one request. With a policy, the answer is that of the callback
    /// service.
    pub(crate) async fn finish(
        &self,
        target: UploadRef<'_>,
        etags: Bytes,
        policy: Option<&PutPolicy>,
        tries: &mut Tries,
        operation: &Arc<Operation>,
    ) -> Result<Reply, Failure> {
        let mut call = Call::new("FinishMultipartUpload", Method::POST, target.key);
        call.query = format!("uploadId={}", query_value(target.upload_id));
        call.content_type = Some("text/plain");
        call.policy = policy;
        call.stores = true;
        self.try_once(&call, Payload::Protocol(etags), tries, operation)
            .await
    }

    /// Aborts an upload.
    pub(crate) async fn abort(
        &self,
        target: UploadRef<'_>,
        operation: &Arc<Operation>,
    ) -> Result<Reply, Failure> {
        let mut call = Call::new("AbortMultipartUpload", Method::DELETE, target.key);
        call.query = format!("uploadId={}", query_value(target.upload_id));
        self.call(&call, Payload::none, operation).await
    }

    /// Asks whether the service still has the upload, with one request. Fails if it does not; see
    /// [`Failure::upload_is_gone`].
    pub(crate) async fn upload_exists(
        &self,
        upload_id: &str,
        operation: &Arc<Operation>,
    ) -> Result<(), Failure> {
        let call = list_parts(upload_id, None, 1);
        let reply = self.call_once(&call, operation).await?;
        self.listed(&call, &reply).map(drop)
    }

    /// Asks for one unfinished upload whose key begins with this, with one request. Only the way in which
    /// the service refuses it matters, not the answer.
    pub(crate) async fn any_upload(
        &self,
        prefix: &str,
        operation: &Arc<Operation>,
    ) -> Result<Reply, Failure> {
        let mut call = Call::new("GetMultiUploadId", Method::GET, "");
        call.query = format!("muploadid&prefix={}&limit=1", query_value(prefix));
        self.call_once(&call, operation).await
    }

    /// The parts that the service has, by number, and the service's Date. Only numbers below `count` are
    /// kept, however many parts the service lists.
    pub(crate) async fn list_parts(
        &self,
        upload_id: &str,
        count: u32,
        operation: &Arc<Operation>,
    ) -> Result<(BTreeMap<u32, ListedPart>, Option<u64>), Failure> {
        let mut parts = BTreeMap::new();
        let mut date = None;
        // The marker means "greater than": a first page with marker 0 would lose part 0.
        let mut marker = None;
        for _ in 0..=count {
            let call = list_parts(upload_id, marker, PAGE);
            let reply = self.call(&call, Payload::none, operation).await?;
            let page = self.listed(&call, &reply)?;
            date = reply.date("date").or(date);
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
        Ok((parts, date))
    }

    fn listed(&self, call: &Call<'_>, reply: &Reply) -> Result<ListAnswer, Failure> {
        serde_json::from_slice(&reply.body).map_err(|cause| {
            let why = format_args!("not with a list of parts: {cause}");
            Failure::lost(self.protocol_error(call, reply, why))
        })
    }
}

pub(super) fn list_parts(upload_id: &str, marker: Option<u32>, most: u32) -> Call<'static> {
    let mut call = Call::new("ListParts", Method::GET, "");
    let upload_id = query_value(upload_id);
    call.query = format!("muploadpart&uploadId={upload_id}&max-parts={most}");
    if let Some(marker) = marker {
        call.query
            .push_str(&format!("&part-number-marker={marker}"));
    }
    call
}

/// Checks the answer to initiate. If it is unusable, the error says why and names the upload, if there is
/// one, which must be aborted. `is_secret` says whether an id repeats a secret of the request: ids go into
/// messages, logs and checkpoints.
fn initiated(
    body: &[u8],
    is_secret: impl Fn(&str) -> bool,
) -> Result<Initiated, (Option<String>, String)> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let InitiateAnswer {
        upload_id,
        part_size,
    } = serde_path_to_error::deserialize(&mut json).map_err(|cause| {
        let why = format!("not with an upload id and a part size: {cause}");
        (None, why)
    })?;
    if check_upload_id(&upload_id).is_err() {
        let why = "its UploadId is not one of 1 to 1024 visible ASCII characters";
        return Err((None, why.to_owned()));
    }
    if is_secret(&upload_id) {
        let why = "its UploadId repeats the signature, the token or the private key of the request";
        return Err((None, why.to_owned()));
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
