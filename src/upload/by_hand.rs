//! An upload that the host drives part by part.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use super::adopt::adopt;
use super::layout::MAX_PARTS;
use super::plan::given_type;
use super::session::Session;
use crate::content::{Content, Source};
use crate::engine::{Engine, Run};
use crate::error::{CallbackState, Error, ObjectState, Report, Result, report_of};
use crate::operation::prepared::Prepared;
use crate::operation::task::How;
use crate::protocol::keys;
use crate::protocol::mime;
use crate::protocol::policy::PutPolicy;
use crate::runtime::sync::unpoisoned;
use crate::service::UploadRef;

/// A multipart upload in progress that the host drives. Parts may be sent from any thread in any order.
/// When it is dropped, the upload stays at the service.
#[must_use = "an upload that is neither finished nor aborted stays with the service"]
pub struct Multipart {
    engine: Arc<Engine>,
    session: Arc<Session>,
    /// An empty content; the parts share its buffers and hashing.
    content: Content,
    progress: Progress,
}

/// The state of the host's calls. Clones share it.
#[derive(Clone, Debug, Default)]
struct Progress(Arc<Mutex<PartsInFlight>>);

#[derive(Debug, Default)]
struct PartsInFlight {
    /// The sizes of the parts that are being sent.
    in_flight: BTreeMap<u32, u64>,
    /// The upload is being finished, or is finished or aborted: no part is accepted any more.
    closed: Option<&'static str>,
}

impl Progress {
    fn lock(&self) -> MutexGuard<'_, PartsInFlight> {
        unpoisoned(self.0.lock())
    }
}

/// A part is being sent until this is dropped.
struct PartInFlight {
    progress: Progress,
    number: u32,
}

impl Drop for PartInFlight {
    fn drop(&mut self) {
        self.progress.lock().in_flight.remove(&self.number);
    }
}

/// The upload is being finished or aborted until this is dropped; then parts may come again, unless it has ended.
struct Closing {
    progress: Progress,
    ended: Option<&'static str>,
}

impl Closing {
    /// A method, so that a closure that calls it captures the whole value, and not a copy of its member.
    fn end(&mut self, how: Option<&'static str>) {
        self.ended = how;
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.progress.lock().closed = self.ended;
    }
}

impl Multipart {
    /// InitiateMultipartUpload, ready to run.
    pub(crate) fn prepare(
        engine: &Arc<Engine>,
        key: &str,
        mime_type: Option<&str>,
        how: How,
    ) -> Result<Prepared<Self>> {
        keys::check_key(key)?;
        let given = given_type(mime_type.map(str::to_owned))?;
        let mime_type = given.unwrap_or_else(|| type_of_key(key));
        let name = ("InitiateMultipartUpload", key);
        let key = key.to_owned();
        let work = async move |run: Run| {
            let (session, report) = Session::initiate(&run, &key, &mime_type, &[]).await?;
            Ok((Self::of(&run.engine, session)?, report))
        };
        Ok(engine.prepare_small(name, how, work))
    }

    /// Opens an unfinished upload, ready to run.
    pub(crate) fn prepare_open(
        engine: &Arc<Engine>,
        key: &str,
        upload_id: &str,
        how: How,
    ) -> Result<Prepared<Self>> {
        keys::check_key(key)?;
        keys::check_upload_id(upload_id)?;
        let name = ("ListParts", key);
        let (key, upload_id) = (key.to_owned(), upload_id.to_owned());
        let work = async move |run: Run| {
            let target = UploadRef {
                key: &key,
                upload_id: &upload_id,
            };
            let (session, report) = adopt(&run, target).await?;
            Ok((Self::of(&run.engine, session)?, report))
        };
        Ok(engine.prepare_small(name, how, work))
    }

    fn of(engine: &Arc<Engine>, session: Session) -> Result<Self> {
        let hashing = engine.hashing.clone();
        Ok(Self {
            engine: engine.clone(),
            session: Arc::new(session),
            content: Content::open(&Source::Memory(Bytes::new()), hashing)?,
            progress: Progress::default(),
        })
    }

    /// The upload id.
    pub fn upload_id(&self) -> &str {
        &self.session.upload_id
    }

    /// Bytes in every part but the last.
    pub fn part_size(&self) -> u64 {
        self.session.part_size
    }

    /// Bytes of a part that the service has; None without one of this number.
    pub fn part_len(&self, number: u32) -> Option<u64> {
        self.session.parts().get(&number).map(|part| part.size)
    }

    /// Sends one part, numbered from 0; a part sent before is replaced. Blocks. When it returns,
    /// the library no longer reads `data`, but the last clone may be dropped a moment later.
    ///
    /// # Errors `InvalidArgument` for a number above 999,999, an empty or too long part, a second short
    /// part, a part beyond the short one, one that is being sent by another thread, or an upload that has
    /// ended. Otherwise the failure of the service or the network; the upload continues.
    pub fn upload_part(&self, part_number: u32, data: Bytes) -> Result<Report> {
        let sending = self.prepare_part(part_number, data, How::waited_for())?;
        let ((), report) = sending.wait()?;
        Ok(report)
    }

    /// The same, ready to run.
    pub(crate) fn prepare_part(&self, number: u32, data: Bytes, how: How) -> Result<Prepared<()>> {
        let size = data.len() as u64;
        let in_flight = self.begin_part(number, size)?;
        let content = self.content.with(data);
        let session = self.session.clone();
        let work = async move |run: Run| {
            let _in_flight = in_flight;
            let sent = session.send_part(number, &content, 0..size, &run);
            Ok(((), sent.await?))
        };
        Ok(self.prepare_small("UploadPart", how, work))
    }

    /// Joins the parts into the object and fires the callback. Blocks. After a failure that did not store
    /// the object it can be called again, with the same or another policy; no part is sent again.
    ///
    /// # Errors `InvalidArgument` when a part is missing or still being sent, or the upload has ended.
    /// Otherwise the failure of the service or the network; the report has the upload id.
    pub fn finish(&self, policy: Option<PutPolicy>) -> Result<Report> {
        let ((), report) = self.prepare_finish(policy, How::waited_for())?.wait()?;
        Ok(report)
    }

    /// The same, ready to run.
    pub(crate) fn prepare_finish(
        &self,
        policy: Option<PutPolicy>,
        how: How,
    ) -> Result<Prepared<()>> {
        let mut closing = self.close("is being finished already")?;
        let requested = policy.is_some();
        let session = self.session.clone();
        self.check_parts()
            .map_err(|error| unfinished(&session, requested, error))?;
        let work = async move |run: Run| {
            let result = session.finish(policy.as_ref(), None, &run).await;
            let stored = report_of(&result).object == ObjectState::Stored;
            closing.end((result.is_ok() || stored).then_some("is finished"));
            let report = result.map_err(|error| unfinished(&session, requested, error))?;
            Ok(((), report))
        };
        Ok(self.prepare_small("FinishMultipartUpload", how, work))
    }

    /// Aborts the upload. Blocks.
    ///
    /// # Errors `InvalidArgument` while parts are being sent or when the upload has ended. Otherwise the
    /// failure of the service or the network; it can be called again.
    pub fn abort(&self) -> Result<Report> {
        let ((), report) = self.prepare_abort(How::waited_for())?.wait()?;
        Ok(report)
    }

    /// The same, ready to run.
    pub(crate) fn prepare_abort(&self, how: How) -> Result<Prepared<()>> {
        let mut closing = self.close("is being aborted already")?;
        let session = self.session.clone();
        let work = async move |run: Run| {
            let report = session.abort(&run).await?;
            closing.end(Some("is aborted"));
            Ok(((), report))
        };
        Ok(self.prepare_small("AbortMultipartUpload", how, work))
    }

    fn prepare_small<F>(
        &self,
        what: &'static str,
        how: How,
        work: impl FnOnce(Run) -> F + Send + 'static,
    ) -> Prepared<()>
    where
        F: Future<Output = Result<((), Report)>> + Send + 'static,
    {
        let name = (what, self.session.key.as_str());
        self.engine.prepare_small(name, how, work)
    }

    fn begin_part(&self, number: u32, size: u64) -> Result<PartInFlight> {
        let mut progress = self.progress.lock();
        self.check_part(&progress, number, size).map_err(|why| {
            let key = &self.session.key;
            Error::argument(format!("part {number} of {key}: {why}"))
        })?;
        progress.in_flight.insert(number, size);
        Ok(PartInFlight {
            progress: self.progress.clone(),
            number,
        })
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
            return Err("it is being sent already".to_owned());
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

    /// Lets no part begin any more; fails while some are under way.
    fn close(&self, how: &'static str) -> Result<Closing> {
        let mut progress = self.progress.lock();
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
        Ok(Closing {
            progress: self.progress.clone(),
            ended: None,
        })
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

/// A finish that failed, with what is known of the upload as a whole.
fn unfinished(session: &Session, requested: bool, mut error: Error) -> Error {
    let report = error.report_mut();
    // Nothing was sent, but what became of an earlier finish is open.
    if session.is_lost() && report.object == ObjectState::NotStored {
        report.object = ObjectState::Unknown;
        if requested {
            report.callback = CallbackState::Unknown;
        }
    }
    report.callback_did_not_run(requested);
    error
}

/// There is no content to look at yet.
fn type_of_key(key: &str) -> String {
    let known = mime::of_name(Path::new(key));
    known.unwrap_or(mime::UNKNOWN).to_owned()
}

#[cfg(test)]
mod tests;
