//! An upload that the host drives part by part.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use super::layout::MAX_PARTS;
use super::plan::given_type;
use super::session::Session;
use crate::content::{Content, Source};
use crate::engine::{Engine, Run};
use crate::error::{CallbackState, Error, ObjectState, Report, Result};
use crate::protocol::keys;
use crate::protocol::mime;
use crate::protocol::policy::PutPolicy;
use crate::runtime::sync::unpoisoned;

/// A multipart upload in progress that the host drives. Parts may be sent from any thread in any order.
/// When it is dropped, the upload stays at the service.
#[must_use = "an upload that is neither finished nor aborted stays with the service"]
pub struct Multipart {
    engine: Arc<Engine>,
    session: Arc<Session>,
    /// An empty content; the parts share its buffers and hashing.
    content: Content,
    progress: Mutex<PartsInFlight>,
}

/// The state of the host's calls.
#[derive(Debug, Default)]
struct PartsInFlight {
    /// The sizes of the parts that are being sent.
    in_flight: BTreeMap<u32, u64>,
    /// The upload is being finished, or is finished or aborted: no part is accepted any more.
    closed: Option<&'static str>,
}

impl Multipart {
    pub(crate) async fn initiate(
        run: &Run,
        key: String,
        mime_type: Option<String>,
    ) -> Result<(Self, Report)> {
        keys::check_key(&key)?;
        let mime_type = given_type(mime_type)?.unwrap_or_else(|| type_of_key(&key));
        let (session, report) = Session::initiate(run, &key, &mime_type, &[]).await?;
        let hashing = run.engine.hashing.clone();
        let upload = Self {
            engine: run.engine.clone(),
            session: Arc::new(session),
            content: Content::open(&Source::Memory(Bytes::new()), hashing)?,
            progress: Mutex::default(),
        };
        Ok((upload, report))
    }

    /// The upload id.
    pub fn upload_id(&self) -> &str {
        &self.session.upload_id
    }

    /// Bytes in every part but the last.
    pub fn part_size(&self) -> u64 {
        self.session.part_size
    }

    /// Sends one part, numbered from 0. A part that was sent before is replaced. Blocks. After it returns,
    /// the library no longer reads `data`, but may drop the last clone a moment later.
    ///
    /// # Errors `InvalidArgument` for a number above 999,999, an empty or too long part, a second short
    /// part, a part beyond the short one, one that is being sent by another thread, or an upload that has
    /// ended. Otherwise the failure of the service or the network; the upload continues.
    pub fn upload_part(&self, part_number: u32, data: Bytes) -> Result<Report> {
        let size = data.len() as u64;
        self.begin_part(part_number, size)?;
        let content = self.content.with(data);
        let session = self.session.clone();
        let result = self.engine.wait(move |run| async move {
            let sent = session.send_part(part_number, &content, 0..size, &run);
            sent.await
        });
        self.progress().in_flight.remove(&part_number);
        result
    }

    /// Joins the parts into the object and fires the callback. Blocks. After a failure that did not store
    /// the object it can be called again, with the same or another policy; no part is sent again.
    ///
    /// # Errors `InvalidArgument` when a part is missing or still being sent, or the upload has ended.
    /// Otherwise the failure of the service or the network; the report has the upload id.
    pub fn finish(&self, policy: Option<PutPolicy>) -> Result<Report> {
        self.close("is being finished by another thread")?;
        let session = self.session.clone();
        let requested = policy.is_some();
        let result = self.check_parts().and_then(|()| {
            self.engine
                .wait(|run| async move { session.finish(policy.as_ref(), None, &run).await })
        });
        let stored = match &result {
            Ok(_) => true,
            Err(error) => error.report().object == ObjectState::Stored,
        };
        self.progress().closed = stored.then_some("is finished");
        result.map_err(|mut error| {
            let report = error.report_mut();
            // Nothing was sent now, but an earlier finish may have run.
            if self.session.is_lost() && report.object == ObjectState::NotStored {
                report.object = ObjectState::Unknown;
                if requested {
                    report.callback = CallbackState::Unknown;
                }
            }
            report.callback_did_not_run(requested);
            error
        })
    }

    /// Aborts the upload. Blocks.
    ///
    /// # Errors `InvalidArgument` while parts are being sent or when the upload has ended. Otherwise the
    /// failure of the service or the network; it can be called again.
    pub fn abort(&self) -> Result<Report> {
        self.close("is being aborted by another thread")?;
        let session = self.session.clone();
        let result = self
            .engine
            .wait(|run| async move { session.abort(&run).await });
        self.progress().closed = result.is_ok().then_some("is aborted");
        result
    }

    fn progress(&self) -> MutexGuard<'_, PartsInFlight> {
        unpoisoned(self.progress.lock())
    }

    fn begin_part(&self, number: u32, size: u64) -> Result<()> {
        let mut progress = self.progress();
        self.check_part(&progress, number, size).map_err(|why| {
            let key = &self.session.key;
            Error::argument(format!("part {number} of {key}: {why}"))
        })?;
        progress.in_flight.insert(number, size);
        Ok(())
    }

    fn check_part(
        &self,
        progress: &PartsInFlight,
        number: u32,
        size: u64,
    ) -> std::result::Result<(), String> {
        let part_size = self.part_size();
        if let Some(closed) = progress.closed {
            return Err(format!("the upload {closed}"));
        }
        if number >= MAX_PARTS {
            return Err(format!("part numbers go from 0 to {}", MAX_PARTS - 1));
        }
        if size == 0 {
            return Err("it is empty; an empty object is sent with PutFile".to_owned());
        }
        if size > part_size {
            return Err(format!(
                "it has {size} bytes; every part but the last must have exactly {part_size}, and the last no more"
            ));
        }
        if progress.in_flight.contains_key(&number) {
            return Err("another thread is sending it".to_owned());
        }
        let mut sizes: BTreeMap<u32, u64> = self.sizes();
        sizes.extend(&progress.in_flight);
        let shorter = |(_, size): &(&u32, &u64)| **size < part_size;
        if let Some((last, _)) = sizes.range(..number).find(shorter) {
            return Err(format!(
                "part {last} is shorter than {part_size} bytes and must be the last"
            ));
        }
        match sizes.range(number + 1..).next_back() {
            Some((highest, _)) if size < part_size => Err(format!(
                "it has {size} bytes; only the last part may have fewer than {part_size}, and part {highest} comes after it"
            )),
            _ => Ok(()),
        }
    }

    /// The sizes of the parts that the service has.
    fn sizes(&self) -> BTreeMap<u32, u64> {
        let parts = self.session.parts();
        parts
            .iter()
            .map(|(number, part)| (*number, part.size))
            .collect()
    }

    /// From now on no part may begin. Fails while parts are being sent.
    fn close(&self, how: &'static str) -> Result<()> {
        let mut progress = self.progress();
        let refuse = |why: String| {
            let (upload_id, key) = (self.upload_id(), &self.session.key);
            Err(Error::argument(format!(
                "the upload {upload_id} of {key} {why}"
            )))
        };
        if let Some(closed) = progress.closed {
            return refuse(closed.to_owned());
        }
        if let Some((number, _)) = progress.in_flight.first_key_value() {
            return refuse(format!("still sends part {number}; wait for it first"));
        }
        progress.closed = Some(how);
        Ok(())
    }

    /// Checks that no number from 0 to the highest is missing.
    fn check_parts(&self) -> Result<()> {
        self.check_gaps()
            .map_err(|error| self.session.name_in(error))
    }

    fn check_gaps(&self) -> Result<()> {
        let parts = self.session.parts();
        let key = &self.session.key;
        if parts.is_empty() {
            return Err(Error::argument(format!(
                "no part of {key} was uploaded; send parts first, or an empty object with PutFile"
            )));
        }
        match (0..)
            .zip(parts.keys())
            .find(|(expected, number)| expected != *number)
        {
            Some((absent, _)) => Err(Error::argument(format!(
                "part {absent} of {key} is missing; upload it, then finish again"
            ))),
            None => Ok(()),
        }
    }
}

/// Detects the type from the key, because there is no content yet.
fn type_of_key(key: &str) -> String {
    let known = mime::of_name(Path::new(key));
    known.unwrap_or(mime::UNKNOWN).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upload::tests::{Answer, Asked, FakeService, UPLOAD_ID, policy, usual};

    async fn begun(script: fn(&Asked) -> Answer) -> (Multipart, FakeService) {
        let settle = |config: &mut crate::config::Config| {
            config.settle_timeout = std::time::Duration::from_millis(1);
        };
        let service = FakeService::with(settle, script);
        let begun = Multipart::initiate(&service.run, "key".to_owned(), None).await;
        (begun.unwrap().0, service)
    }

    #[tokio::test]
    async fn parts_are_refused_that_finish_could_not_join() {
        let (upload, service) = begun(|asked| usual(asked, 4)).await;
        upload.upload_part(1, "bb".into()).unwrap();
        for (number, data, why) in [
            (0, "", "it is empty"),
            (0, "aaaaa", "must have exactly 4"),
            (0, "aaa", "part 1 comes after it"),
            (
                2,
                "cccc",
                "part 1 is shorter than 4 bytes and must be the last",
            ),
            (MAX_PARTS, "cccc", "part numbers go from 0 to 999999"),
        ] {
            let error = upload.upload_part(number, data.into()).unwrap_err();
            assert!(error.message().contains(why), "{number} {data:?}: {error}");
        }
        assert_eq!(service.count("UploadPart"), 1);
        let error = upload.finish(None).unwrap_err();
        assert!(
            error.message().contains("part 0 of key is missing"),
            "{error}"
        );
        assert_eq!(service.count("FinishMultipartUpload"), 0);
    }

    #[tokio::test]
    async fn a_finish_that_failed_leaves_the_upload_and_can_be_called_again() {
        let (upload, service) = begun(|asked| match (asked.operation, asked.before) {
            ("FinishMultipartUpload", 0) => Answer::refused(403, -148_643),
            _ => usual(asked, 4),
        })
        .await;
        upload.upload_part(0, "aaaa".into()).unwrap();
        let error = upload.finish(Some(policy())).unwrap_err();
        assert_eq!(error.report().upload_id.as_deref(), Some(UPLOAD_ID));
        assert_eq!(service.count("AbortMultipartUpload"), 0);
        upload.finish(Some(policy())).unwrap();
        let error = upload.upload_part(1, "b".into()).unwrap_err();
        assert!(error.message().contains("is finished"), "{error}");
    }

    /// Refused now, but the lost one may have stored the object.
    #[tokio::test]
    async fn after_a_lost_finish_one_that_is_refused_or_not_sent_leaves_the_object_unknown() {
        let (upload, _service) = begun(|asked| match (asked.operation, asked.before) {
            ("FinishMultipartUpload", 0) => Answer::Lost,
            ("FinishMultipartUpload", _) => Answer::refused(403, -148_643),
            _ => usual(asked, 4),
        })
        .await;
        // The third is not sent, because part 1 is missing.
        for part in [0, 0, 2] {
            upload.upload_part(part, "aaaa".into()).unwrap();
            let error = upload.finish(Some(policy())).unwrap_err();
            assert_eq!(error.report().object, ObjectState::Unknown, "{error}");
            assert_eq!(error.report().callback, CallbackState::Unknown, "{error}");
        }
    }
}
