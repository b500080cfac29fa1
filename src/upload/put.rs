//! The strategy "put": the whole content in one PutFile request.

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
    let md5 = match run.config().verify_upload_md5 {
        true => {
            // The one case that reads the content twice: the header goes first.
            let content = upload.content.clone();
            let md5 = blocking::begin(move || content.md5());
            Some(run.operation.work(md5).await??)
        }
        false => None,
    };
    let put = Put {
        key: &upload.plan.key,
        content_type: &upload.mime_type,
        content_md5: md5.as_deref(),
        headers: &upload.plan.headers,
        policy: upload.plan.policy.as_ref(),
    };
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
            read: ReadOutcome::default(),
        },
    };
    Box::pin(store.run()).await
}

struct PutRequest<'a> {
    run: &'a Run,
    put: Put<'a>,
    content: &'a Content,
    read: ReadOutcome,
}

impl Request for PutRequest<'_> {
    async fn send(&self, tries: &mut Tries) -> std::result::Result<Reply, Failure> {
        let verify = self.run.config().verify_etag;
        let hasher = verify.then(EtagHasher::object);
        let chunks = self.content.whole(hasher, &self.read);
        let service = self.run.service();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;
    use crate::upload::tests::{Answer, FakeService, digest, memory, policy, usual};

    /// What PutFile's ETag and HEAD's are; what the host is told of it, and whether HEAD was asked.
    type Case = (
        &'static str,
        Option<&'static [u8]>,
        fn() -> Answer,
        (Status, bool, bool),
    );

    const ETAGS: [Case; 6] = [
        (
            "the content's",
            Some(b"content"),
            none,
            (Status::Ok, false, false),
        ),
        (
            "another",
            Some(b"other"),
            none,
            (Status::IntegrityError, false, false),
        ),
        (
            "none, and HEAD's is the content's",
            None,
            || Answer::object(b"content", 0),
            (Status::Ok, false, true),
        ),
        (
            "none, and HEAD's is another",
            None,
            || Answer::object(b"other", 0),
            (Status::IntegrityError, false, true),
        ),
        (
            "none, and HEAD is refused",
            None,
            || Answer::new(403, ""),
            (Status::Ok, true, true),
        ),
        (
            "none, and no object",
            None,
            none,
            (Status::ProtocolError, false, true),
        ),
    ];

    fn none() -> Answer {
        Answer::refused(404, -1)
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_is_compared_with_what_was_sent() {
        for (name, etag, head, expected) in ETAGS {
            let service = FakeService::new(move |asked| match (asked.operation, etag) {
                ("PutFile", Some(of)) => {
                    Answer::new(200, "{}").with("etag", &digest(of).object_etag())
                }
                ("PutFile", None) => Answer::new(200, "{}"),
                ("HeadFile", _) => head(),
                _ => usual(asked, 4),
            });
            let mut request = memory("content");
            request.policy = Some(policy());
            let result = service.upload(request).await;
            let status = result.as_ref().map_or_else(Error::status, |_| Status::Ok);
            let noted = crate::error::report_of(&result).note.is_some();
            let told = (status, noted, service.count("HeadFile") > 0);
            assert_eq!(told, expected, "{name}: {result:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn how_an_upload_travels_follows_from_mode_and_size() {
        use crate::upload::Mode::{Auto, Multipart, Put};
        for (mode, content, first) in [
            (Auto, "content", "PutFile"),
            (Put, "content", "PutFile"),
            (Multipart, "content", "InitiateMultipartUpload"),
            (Multipart, "", "PutFile"),
        ] {
            let service = FakeService::new(|asked| usual(asked, 4));
            let mut request = memory(content);
            request.mode = mode;
            service.upload(request).await.unwrap();
            assert_eq!(service.asked()[0], first, "{mode:?} {content:?}");
        }
    }
}
