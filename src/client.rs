//! The client that a host holds: configuration, connections and the threads that do the work.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::config::Config;
use crate::engine::{Engine, Run, Threads};
use crate::error::{ObjectState, Report, Result};
use crate::operation::prepared::Prepared;
use crate::operation::task::{Caller, How, Task, TaskStarter, Watch, Watched};
use crate::protocol::keys::{check_key, check_prefix, check_upload_id};
use crate::runtime::own_threads;
use crate::runtime::panics;
pub use crate::service::{FileInfo, Unfinished};
use crate::service::{Marker, UploadRef};
use crate::upload::{self, Multipart, Plan, UploadRequest};

/// Called on a library thread with one unfinished upload after the other; `Break` ends the list.
pub type OnUnfinished = Box<dyn FnMut(&Unfinished) -> ControlFlow<()> + Send>;

/// A client of one bucket, to be shared by any number of threads.
///
/// Every method except [`Client::start`] blocks until its operation has ended. The client's own threads do
/// the work. Dropping the client cancels what is still running and waits for these threads; in a callback
/// it does not wait.
pub struct Client {
    engine: Arc<Engine>,
    _threads: Threads,
}

impl Client {
    /// Checks the configuration and starts the threads; sends nothing.
    ///
    /// # Errors
    /// `InvalidConfig` names the member that is wrong.
    pub fn new(config: Config) -> Result<Self> {
        let (engine, threads) = Engine::start(config)?;
        Ok(Self {
            engine,
            _threads: threads,
        })
    }

    /// Uploads and waits for the end.
    ///
    /// # Errors
    /// Every status but `Ok`; the error's report tells whether the object is stored and whether
    /// its callback ran.
    pub fn upload(&self, request: UploadRequest) -> Result<Report> {
        own_threads::check_may_block()?;
        let (task, start) = self.prepare(request.plan()?, Watched::default(), Caller::Waits);
        start.run();
        task.wait(None).unwrap_or_else(|| Err(panics::died()))
    }

    /// Starts an upload and returns at once. The task reports every failure, also invalid arguments. At
    /// most `max_concurrent_uploads` uploads run; the others wait in a queue.
    pub fn start(&self, request: UploadRequest, watch: Watch) -> Task {
        let (task, start) = match request.plan() {
            Ok(plan) => self.prepare(plan, watch.into(), Caller::GoesOn),
            Err(error) => self
                .engine
                .prepare(None, watch.into(), |_| async { Err(error) }),
        };
        start.run();
        task
    }

    /// An upload that is not started yet, and what starts it: for a caller that needs the task before its
    /// callbacks run.
    pub(crate) fn prepare(
        &self,
        plan: Plan,
        watched: Watched,
        caller: Caller,
    ) -> (Task, TaskStarter) {
        let permit = self.engine.queue.join();
        let timeout = plan.timeout;
        let plan = Arc::new(plan);
        // The caller's own thread opens the file, which saves two thread switches. Exception: an upload
        // with a deadline, or with an on_progress that can cancel it, must be able to end while the disk
        // does not answer.
        let endless = timeout.is_none() && watched.watch.on_progress.is_none();
        let may_block = matches!(caller, Caller::Waits) && endless && permit.is_granted();
        let opened = upload::open_early(&plan, &self.engine, may_block);
        self.engine.prepare(timeout, watched, |run| async move {
            upload::run(&run, permit, plan, opened).await
        })
    }

    /// Begins a multipart upload that the caller drives part by part. A missing or empty `mime_type` is
    /// detected from the key.
    ///
    /// # Errors `InvalidArgument` before anything is sent; otherwise the failure of the service or the
    /// network.
    pub fn initiate(&self, key: &str, mime_type: Option<&str>) -> Result<(Multipart, Report)> {
        self.prepare_initiate(key, mime_type, How::waited_for())?
            .wait()
    }

    /// The same, ready to run.
    pub(crate) fn prepare_initiate(
        &self,
        key: &str,
        mime_type: Option<&str>,
        how: How,
    ) -> Result<Prepared<Multipart>> {
        Multipart::prepare(&self.engine, key, mime_type, how)
    }

    /// Goes on by hand with an upload that was left behind, with the parts that the service has of it.
    ///
    /// # Errors
    /// `InvalidArgument` before anything is sent, and when the upload is another key's; `ServiceError` with HTTP
    /// status 404 when the service knows no such upload, and with 403 when the token may not LIST.
    pub fn open(&self, key: &str, upload_id: &str) -> Result<(Multipart, Report)> {
        self.prepare_open(key, upload_id, How::waited_for())?.wait()
    }

    /// The same, ready to run.
    pub(crate) fn prepare_open(
        &self,
        key: &str,
        upload_id: &str,
        how: How,
    ) -> Result<Prepared<Multipart>> {
        Multipart::prepare_open(&self.engine, key, upload_id, how)
    }

    /// Tells of every unfinished upload whose key begins with `prefix`, until `on_upload` breaks off. It is called on
    /// a library thread.
    ///
    /// # Errors
    /// As the service or the network fails, also after some were told of.
    pub fn list_uploads(&self, prefix: &str, on_upload: OnUnfinished) -> Result<Report> {
        let listing = self.prepare_list_uploads(prefix, on_upload, How::waited_for())?;
        let ((), report) = listing.wait()?;
        Ok(report)
    }

    /// The same, ready to run.
    pub(crate) fn prepare_list_uploads(
        &self,
        prefix: &str,
        on_upload: OnUnfinished,
        how: How,
    ) -> Result<Prepared<()>> {
        check_prefix(prefix)?;
        // It waits for no turn, nor does another for its: the host's function may take as long as it likes.
        let how = How {
            caller: Caller::Waits,
            ..how
        };
        let name = ("GetMultiUploadId", prefix);
        let prefix = prefix.to_owned();
        let work = async move |run: Run| list_uploads(&run, &prefix, on_upload).await;
        Ok(self.engine.prepare_small(name, how, work))
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// `ServiceError` with HTTP status 404 when there is none.
    pub fn delete(&self, key: &str) -> Result<Report> {
        let ((), report) = self.prepare_delete(key, How::waited_for())?.wait()?;
        Ok(report)
    }

    /// The same, ready to run.
    pub(crate) fn prepare_delete(&self, key: &str, how: How) -> Result<Prepared<()>> {
        check_key(key)?;
        let name = ("DeleteFile", key);
        let key = key.to_owned();
        let work = async move |run: Run| delete(&run, &key).await;
        Ok(self.engine.prepare_small(name, how, work))
    }

    /// Aborts an unfinished multipart upload by its id, whichever call or process began it. The id is
    /// [`Report::upload_id`] of the operation that left it behind.
    ///
    /// # Errors
    /// `InvalidArgument` before anything is sent; `ServiceError` with HTTP status 404 when the service
    /// knows no such upload, unless an earlier try of this call may have aborted it.
    pub fn abort_upload(&self, key: &str, upload_id: &str) -> Result<Report> {
        let aborting = self.prepare_abort_upload(key, upload_id, How::waited_for())?;
        let ((), report) = aborting.wait()?;
        Ok(report)
    }

    /// The same, ready to run.
    pub(crate) fn prepare_abort_upload(
        &self,
        key: &str,
        upload_id: &str,
        how: How,
    ) -> Result<Prepared<()>> {
        check_key(key)?;
        check_upload_id(upload_id)?;
        let name = ("AbortMultipartUpload", key);
        let (key, upload_id) = (key.to_owned(), upload_id.to_owned());
        let work = async move |run: Run| {
            let target = UploadRef {
                key: &key,
                upload_id: &upload_id,
            };
            abort_upload(&run, target).await
        };
        Ok(self.engine.prepare_small(name, how, work))
    }

    /// Asks for an object's size, type and ETag.
    ///
    /// # Errors
    /// `ServiceError` with HTTP status 404 when there is none.
    pub fn head(&self, key: &str) -> Result<(FileInfo, Report)> {
        self.prepare_head(key, How::waited_for())?.wait()
    }

    /// The same, ready to run.
    pub(crate) fn prepare_head(&self, key: &str, how: How) -> Result<Prepared<FileInfo>> {
        check_key(key)?;
        let name = ("HeadFile", key);
        let key = key.to_owned();
        let work = async move |run: Run| head(&run, &key).await;
        Ok(self.engine.prepare_small(name, how, work))
    }
}

async fn list_uploads(
    run: &Run,
    prefix: &str,
    mut on_upload: OnUnfinished,
) -> Result<((), Report)> {
    let Run { engine, operation } = run;
    let mut after: Option<Marker> = None;
    loop {
        let listing = engine
            .service
            .list_uploads(prefix, after.as_ref(), operation);
        let (page, reply) = listing.await?;
        let call = move || (page.uploads.iter().try_for_each(&mut on_upload), on_upload);
        let (wish, back) = engine.host.call(call).await.ok_or_else(panics::died)?;
        on_upload = back;
        after = page.next;
        if wish.is_break() || after.is_none() {
            return Ok(((), reply.report()));
        }
    }
}

async fn delete(run: &Run, key: &str) -> Result<((), Report)> {
    match run.engine.service.delete(key, &run.operation).await {
        Ok(reply) => Ok(((), reply.report())),
        // An earlier try whose answer was lost has deleted it.
        Err(failure) if failure.an_earlier_try_may_have_succeeded() => {
            Ok(((), failure.error.report().clone()))
        }
        Err(failure) => Err(failure.error),
    }
}

async fn abort_upload(run: &Run, target: UploadRef<'_>) -> Result<((), Report)> {
    let mut report = match run.engine.service.abort(target, &run.operation).await {
        Ok(reply) => reply.report(),
        // The answer to an earlier attempt was lost: that attempt aborted the upload.
        Err(failure) if failure.an_earlier_try_may_have_succeeded() => {
            failure.error.report().clone()
        }
        Err(failure) => return Err(failure.error),
    };
    report.upload_id = Some(target.upload_id.to_owned());
    Ok(((), report))
}

async fn head(run: &Run, key: &str) -> Result<(FileInfo, Report)> {
    let reply = run.service().head(key, &run.operation).await?;
    let Some(info) = FileInfo::of(&reply) else {
        let what = format!("HeadFile {key}");
        return Err(reply.protocol_error(&what, "without a usable Content-Length"));
    };
    let mut report = reply.report();
    report.object = ObjectState::Stored;
    Ok((info, report))
}
