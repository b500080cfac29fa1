//! Calls on whole objects: PutFile, HeadFile, DeleteFile.

use std::sync::Arc;

use http::Method;

use super::{Call, Failure, Payload, Reply, Service, Tries};
use crate::content::Chunks;
use crate::operation::Operation;
use crate::protocol::policy::PutPolicy;

/// The answer of HeadFile.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileInfo {
    /// Bytes.
    pub size: u64,
    /// Seconds since 1970-01-01 UTC; None when the service does not say.
    pub last_modified: Option<i64>,
    /// Without quotes.
    pub etag: Option<String>,
    /// The type it was stored with.
    pub mime_type: Option<String>,
}

/// A PutFile request without its body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Put<'a> {
    pub(crate) key: &'a str,
    pub(crate) content_type: &'a str,
    /// Lower-case hex.
    pub(crate) content_md5: Option<&'a str>,
    pub(crate) headers: &'a [(String, String)],
    pub(crate) policy: Option<&'a PutPolicy>,
}

impl Service {
    /// Stores an object, with one request. With a policy, the answer is that of the callback service.
    pub(crate) async fn put(
        &self,
        put: Put<'_>,
        content: Chunks,
        tries: &mut Tries,
        operation: &Arc<Operation>,
    ) -> Result<Reply, Failure> {
        let mut call = Call::new("PutFile", Method::PUT, put.key);
        call.content_type = Some(put.content_type);
        call.content_md5 = put.content_md5;
        call.headers = put.headers;
        call.policy = put.policy;
        call.stores = true;
        self.try_once(&call, Payload::Content(content), tries, operation)
            .await
    }

    /// Asks for an object's metadata.
    pub(crate) async fn head(
        &self,
        key: &str,
        operation: &Arc<Operation>,
    ) -> Result<Reply, Failure> {
        let call = Call::new("HeadFile", Method::HEAD, key);
        self.call(&call, Payload::none, operation).await
    }

    /// Asks for an object's metadata, with one request.
    pub(crate) async fn head_once(
        &self,
        key: &str,
        operation: &Arc<Operation>,
    ) -> Result<Reply, Failure> {
        let call = Call::new("HeadFile", Method::HEAD, key);
        self.call_once(&call, operation).await
    }

    /// Deletes an object.
    pub(crate) async fn delete(
        &self,
        key: &str,
        operation: &Arc<Operation>,
    ) -> Result<Reply, Failure> {
        let call = Call::new("DeleteFile", Method::DELETE, key);
        self.call(&call, Payload::none, operation).await
    }
}

impl FileInfo {
    /// Reads the answer to HeadFile; None without a usable size.
    pub(crate) fn of(reply: &Reply) -> Option<Self> {
        Some(Self {
            size: reply.header("content-length")?.trim().parse().ok()?,
            last_modified: reply
                .date("last-modified")
                .and_then(|seconds| i64::try_from(seconds).ok()),
            etag: reply.etag(),
            mime_type: reply.header("content-type").map(str::to_owned),
        })
    }
}
