//! A service in memory, to which the strategies talk in their tests. A script says what it answers to each request; afterwards
//! it tells what it was asked, and when.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::BodyExt;
use tokio::time::Instant;

use super::{Upload, UploadRequest};
use crate::config::Config;
use crate::content::Source;
use crate::engine::{Engine, Run, Threads};
use crate::error::{Error, Report, Result, Status};
use crate::operation::Operation;
use crate::protocol::etag::{ContentDigest, EtagHasher};
use crate::protocol::policy::PutPolicy;
use crate::protocol::verdict::End;
use crate::service::{Body, Delivery, Exchanged, Failure, Reply, What, Wire};

/// The service's Date when a test begins, in seconds since 1970.
pub(super) const BEGIN: u64 = 1_700_000_000;

/// The id of every upload.
pub(super) const UPLOAD_ID: &str = "upload-1";

/// A request, as the service sees it.
pub(super) struct Asked {
    pub(super) operation: &'static str,
    /// How often this operation was asked for before.
    pub(super) before: usize,
    /// Of UploadPart.
    pub(super) part: usize,
    pub(super) body: Bytes,
}

/// What comes of a request.
pub(super) enum Answer {
    Reply(Reply),
    /// The connection breaks after the whole request.
    Lost,
    /// There is no connection.
    Unsent,
    After(Duration, Box<Answer>),
}

impl Answer {
    pub(super) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let session = HeaderValue::from_static("session-1");
        Self::Reply(Reply {
            status,
            headers: HeaderMap::from_iter([(HeaderName::from_static("x-sessionid"), session)]),
            body: body.into(),
            incomplete: None,
        })
    }

    /// A refusal in the service's form.
    pub(super) fn refused(status: u16, ret_code: i32) -> Self {
        let text = format!(r#"{{"RetCode":{ret_code},"ErrMsg":"no"}}"#);
        Self::new(status, text)
    }

    /// What HEAD tells of an object that was stored so many seconds before the test began.
    pub(super) fn object(content: &[u8], seconds_ago: u64) -> Self {
        let modified = date(BEGIN - seconds_ago);
        Self::new(200, "")
            .with("etag", &digest(content).object_etag())
            .with("last-modified", &modified)
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Self::Reply(reply) = &mut self {
            let value = HeaderValue::from_str(value).unwrap();
            reply.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    pub(super) fn after(self, ms: u64) -> Self {
        Self::After(Duration::from_millis(ms), Box::new(self))
    }
}

/// What a service without faults answers, whose parts have this size.
pub(super) fn usual(asked: &Asked, part_size: u64) -> Answer {
    let etag = digest(&asked.body).object_etag();
    match asked.operation {
        "InitiateMultipartUpload" => {
            let answer = format!(r#"{{"UploadId":"{UPLOAD_ID}","BlkSize":{part_size}}}"#);
            Answer::new(200, answer)
        }
        "PutFile" | "UploadPart" => Answer::new(200, "{}").with("etag", &etag),
        "FinishMultipartUpload" => Answer::new(200, "{}").with("etag", "joined"),
        "ListParts" => Answer::new(200, r#"{"Parts":[]}"#),
        "AbortMultipartUpload" => Answer::new(204, ""),
        "HeadFile" => Answer::refused(404, -1),
        _ => Answer::new(200, "{}"),
    }
}

type Script = dyn Fn(&Asked) -> Answer + Send + Sync;

/// The requests so far: when, in milliseconds since the test began, and what.
type Log = Arc<Mutex<Vec<(u128, String)>>>;

struct FakeWire {
    script: Box<Script>,
    begun: Instant,
    log: Log,
}

impl Wire for FakeWire {
    fn exchange<'a>(
        &'a self,
        what: What<'a>,
        request: http::Request<Body>,
        _: &'a Delivery,
        _: &'a Operation,
    ) -> BoxFuture<'a, Exchanged> {
        Box::pin(async move {
            let What(_, call) = what;
            let body = request.into_body().collect().await;
            let body = body
                .map_err(|error| Failure::judged(error, call.evidence(false, End::Unreadable)))?;
            let mut answer = (self.script)(&self.log(call.operation, &call.query, body.to_bytes()));
            while let Answer::After(pause, then) = answer {
                tokio::time::sleep(pause).await;
                answer = *then;
            }
            let failed = |through, end| {
                let error = Error::new(Status::NetworkError, what.to_string());
                Err(Failure::judged(error, call.evidence(through, end)))
            };
            match answer {
                Answer::Reply(mut reply) => {
                    let now = date(BEGIN + self.begun.elapsed().as_secs());
                    let now = HeaderValue::from_str(&now).unwrap();
                    reply.headers.entry("date").or_insert(now);
                    Ok((reply, true))
                }
                Answer::Lost => failed(true, End::Broken),
                _ => failed(false, End::NoConnection { transient: true }),
            }
        })
    }
}

impl FakeWire {
    fn log(&self, operation: &'static str, query: &str, body: Bytes) -> Asked {
        let part = query.strip_prefix("partNumber=");
        let part = part.and_then(|query| query.split('&').next()?.parse().ok());
        let more = match operation {
            "UploadPart" => format!(" {}", part.unwrap_or_default()),
            _ => String::new(),
        };
        let mut log = self.log.lock().unwrap();
        let same = log.iter().filter(|(_, what)| what.starts_with(operation));
        let before = same.count();
        log.push((
            self.begun.elapsed().as_millis(),
            operation.to_owned() + &more,
        ));
        Asked {
            operation,
            before,
            part: part.unwrap_or_default(),
            body,
        }
    }
}

/// An engine over a service in memory, with one operation.
pub(super) struct FakeService {
    pub(super) run: Run,
    log: Log,
    begun: Instant,
    threads: Option<Threads>,
}

impl FakeService {
    pub(super) fn new(script: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::with(|_| {}, script)
    }

    /// With other settings.
    pub(super) fn with(
        settings: impl FnOnce(&mut Config),
        script: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let mut config = Config::new("public", "private".into(), "bucket");
        config.endpoint = Some("http://127.0.0.1:1".to_owned());
        config.worker_threads = 1;
        settings(&mut config);
        let (mut engine, threads) = Engine::start(config).unwrap();
        let (log, begun) = (Log::default(), Instant::now());
        let fake = FakeWire {
            script: Box::new(script),
            begun,
            log: log.clone(),
        };
        Arc::get_mut(&mut engine).unwrap().service.wire = Box::new(fake);
        let operation = Arc::new(Operation::begin(None, Duration::ZERO));
        Self {
            run: Run { engine, operation },
            log,
            begun,
            threads: Some(threads),
        }
    }

    /// The whole way of an upload.
    pub(super) async fn upload(&self, request: UploadRequest) -> Result<Report> {
        let permit = self.run.engine.queue.join();
        let plan = Arc::new(request.plan()?);
        let opened = super::open_early(&plan, &self.run.engine, false);
        super::run(&self.run, permit, plan, opened).await
    }

    /// A request with its content opened, for one of the strategies.
    pub(super) fn opened(&self, request: UploadRequest) -> Upload {
        let plan = Arc::new(request.plan().unwrap());
        super::open(plan, self.run.engine.hashing.clone()).unwrap()
    }

    /// What the service was asked, in order.
    pub(super) fn asked(&self) -> Vec<String> {
        let log = self.log.lock().unwrap();
        log.iter().map(|(_, what)| what.clone()).collect()
    }

    pub(super) fn count(&self, operation: &str) -> usize {
        let asked = self.asked();
        asked
            .iter()
            .filter(|what| what.starts_with(operation))
            .count()
    }

    /// When it was asked for this, in milliseconds since the test began.
    pub(super) fn times(&self, operation: &str) -> Vec<u128> {
        let log = self.log.lock().unwrap();
        let same = log.iter().filter(|(_, what)| what.starts_with(operation));
        same.map(|(ms, _)| *ms).collect()
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }
}

/// A runtime may not be ended within another.
impl Drop for FakeService {
    fn drop(&mut self) {
        let threads = self.threads.take();
        std::thread::spawn(move || drop(threads)).join().unwrap();
    }
}

pub(super) fn memory(content: &'static str) -> UploadRequest {
    UploadRequest::new(Source::Memory(content.into()), "key")
}

pub(super) fn policy() -> PutPolicy {
    PutPolicy::build("http://callback/", "key=key", None, &[]).unwrap()
}

pub(super) fn digest(content: &[u8]) -> ContentDigest {
    let mut hasher = EtagHasher::object();
    hasher.update(content);
    hasher.finish()
}

fn date(seconds: u64) -> String {
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}
