//! The strategy "put": the whole content in one PutFile request.

use std::fmt::Write;

use md5::{Digest, Md5};

use super::Upload;
use super::store::{Request, Store, Storing};
use crate::content::{Content, ReadOutcome};
use crate::engine::Run;
use crate::error::{Error, Report, Result};
use crate::protocol::etag::{ContentDigest, EtagHasher};
use crate::runtime::blocking;
use crate::service::{Failure, Put, Reply, Tries};

/// The largest content of one PutFile, a limit of the service: 512 MiB.
pub const MAX_PUT_SIZE: u64 = 512 << 20;

/// Refuses content that is too large for PutFile, before anything is sent.
pub(super) fn check_size(content: &Content) -> Result<()> {
    if content.size() <= MAX_PUT_SIZE {
        return Ok(());
    }
    Err(Error::argument(format!(
        "{} has {} bytes, and one PutFile takes at most {MAX_PUT_SIZE} (512 MiB); upload it in parts, with AsyncMPutWithPolicy, MPutWithPolicy or AsyncUploadWithPolicy",
        content.describe(),
        content.size()
    )))
}

/// Sends the upload as one PutFile.
pub(super) async fn run(run: &Run, upload: &Upload) -> Result<Report> {
    check_size(&upload.content)?;
    run.operation.set_total(upload.content.size(), 1);
    let md5 = match run.engine.service.config().verify_upload_md5 {
        true => Some(run.operation.work(content_md5(&upload.content)).await??),
        false => None,
    };
    let put = Put {
        key: &upload.plan.key,
        content_type: &upload.mime_type,
        content_md5: md5.as_deref(),
        headers: &upload.plan.headers,
        policy: upload.plan.policy.as_ref(),
    };
    let verify = run.engine.service.config().verify_etag;
    let store = Store {
        run,
        storing: Storing {
            what: &format!("PutFile {}", upload.plan.key),
            key: &upload.plan.key,
            policy: upload.plan.policy.is_some(),
            upload_id: None,
            lost: None,
        },
        request: PutRequest {
            run,
            put,
            content: &upload.content,
            verify,
            read: ReadOutcome::default(),
        },
    };
    Box::pin(store.run()).await
}

struct PutRequest<'a> {
    run: &'a Run,
    put: Put<'a>,
    content: &'a Content,
    /// Whether the content is hashed while it is sent.
    verify: bool,
    read: ReadOutcome,
}

impl Request for PutRequest<'_> {
    async fn send(&self, tries: &mut Tries) -> std::result::Result<Reply, Failure> {
        let hasher = self.verify.then(EtagHasher::object);
        let chunks = self.content.whole(hasher, &self.read);
        let service = &self.run.engine.service;
        let reply = service
            .put(self.put, chunks, tries, &self.run.operation)
            .await?;
        self.run.operation.count_part(self.content.size());
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

/// Content-MD5, lower-case hex. Only this option reads the content twice, because the header comes before
/// the body.
async fn content_md5(content: &Content) -> Result<String> {
    let content = content.clone();
    blocking::begin(move || {
        let mut md5 = Md5::new();
        content.for_each_piece(0..content.size(), |piece| md5.update(piece))?;
        Ok(hex(&md5.finalize()))
    })
    .await
}

/// Lower-case hex, as in Content-MD5.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
