//! PutFile: the whole content in one request.

use std::fmt::Write;
use std::sync::Arc;

use md5::{Digest, Md5};

use super::store::{Request, Store, Storing};
use super::{MAX_PUT_SIZE, Upload};
use crate::content::{Content, Outcome};
use crate::engine::Engine;
use crate::error::{Error, Report, Result};
use crate::operation::Operation;
use crate::protocol::etag::{ContentDigest, EtagHasher};
use crate::runtime::blocking;
use crate::service::{Failure, Put, Reply, Tries};

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
    let store = Store {
        engine,
        storing: Storing {
            what: &format!("PutFile {}", upload.key),
            key: &upload.key,
            policy: upload.policy.is_some(),
            upload_id: None,
            lost: None,
        },
        request: PutRequest {
            engine,
            put,
            content: &upload.content,
            verify,
            read: Outcome::default(),
            operation,
        },
        operation,
    };
    Box::pin(store.run()).await
}

struct PutRequest<'a> {
    engine: &'a Engine,
    put: Put<'a>,
    content: &'a Content,
    /// Whether the content is hashed while it is sent.
    verify: bool,
    read: Outcome,
    operation: &'a Arc<Operation>,
}

impl Request for PutRequest<'_> {
    async fn send(&self, tries: &mut Tries) -> std::result::Result<Reply, Failure> {
        let hasher = self.verify.then(EtagHasher::object);
        let chunks = self.content.whole(hasher, &self.read);
        let service = &self.engine.service;
        let reply = service.put(self.put, chunks, tries, self.operation).await?;
        self.operation.count_part(self.content.size());
        Ok(reply)
    }

    async fn digest_sent(&self) -> Result<Option<ContentDigest>> {
        self.read.digest().await
    }

    async fn digest(&self) -> Option<ContentDigest> {
        if let Ok(Some(digest)) = self.read.digest().await {
            return Some(digest);
        }
        let content = self.content.clone();
        blocking::begin(move || content.digest(0..content.size(), EtagHasher::object()))
            .await
            .ok()
    }
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
