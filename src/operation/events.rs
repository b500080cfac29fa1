//! The log: one line for each request and for the beginning and end of each upload, through the `log`
//! crate, under the target `us3`.
//!
//! A Rust host receives the lines through its own logger. A C host gives a function to `us3_set_logger`; it
//! receives the lines of this copy of the library and of nothing else in the process. Without a logger an
//! event costs one comparison. No line contains a key of the account, a signature or a token, because lines
//! are made from the same masked texts as error messages and reports.

use std::fmt::{self, Display};
use std::time::Instant;

use log::{Level, log, log_enabled};

use crate::error::{Error, Report, Result, Status};
use crate::operation::Operation;

/// The log target of the events.
pub(crate) const TARGET: &str = "us3";

/// A request in flight. Its end is logged.
pub(crate) struct RequestEvent<'a> {
    operation: &'static str,
    key: &'a str,
    query: &'a str,
    attempt: u32,
    begun: Instant,
}

impl<'a> RequestEvent<'a> {
    /// `attempt` is 1 for the first attempt. If the query begins with `partNumber=…`, the line contains the
    /// number.
    pub(crate) fn begins(
        operation: &'static str,
        key: &'a str,
        query: &'a str,
        attempt: u32,
    ) -> Self {
        Self {
            operation,
            key,
            query,
            attempt,
            begun: Instant::now(),
        }
    }

    /// Logs the end of the request. After a failure another attempt may follow.
    pub(crate) fn ends(&self, outcome: std::result::Result<impl FnOnce() -> Report, &Error>) {
        match outcome {
            // The report is only made when the line is logged.
            Ok(report) if log_enabled!(target: TARGET, Level::Debug) => {
                log!(target: TARGET, Level::Debug, "{self}{}", Facts(&report(), None));
            }
            Ok(_) => {}
            Err(error) => {
                let facts = Facts(error.report(), Some(error));
                log!(target: TARGET, Level::Warn, "{self}{facts}");
            }
        }
    }
}

impl Display for RequestEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} key={:?}", self.operation, self.key)?;
        let part = self.query.strip_prefix("partNumber=");
        if let Some((number, _)) = part.and_then(|query| query.split_once('&')) {
            write!(f, " part={number}")?;
        }
        let ms = self.begun.elapsed().as_millis();
        write!(f, " attempt={} ms={ms}", self.attempt)
    }
}

/// An upload, from its start, so that its time in the queue is included.
pub(crate) struct UploadEvent {
    /// None when the level is not logged.
    key: Option<String>,
}

impl UploadEvent {
    /// Logs that the upload begins.
    pub(crate) fn begins(key: &str, how: impl fmt::Debug, policy: bool) -> Self {
        log!(target: TARGET, Level::Info, "Upload begins key={key:?} mode={how:?} policy={policy}");
        let key = log_enabled!(target: TARGET, Level::Error).then(|| key.to_owned());
        Self { key }
    }

    /// Logs that the upload has ended.
    pub(crate) fn ends(self, operation: &Operation, result: &Result<Report>) {
        let Some(key) = self.key else {
            return;
        };
        let (level, facts) = match result {
            Ok(report) => (Level::Info, Facts(report, None)),
            Err(error) => (severity(error), Facts(error.report(), Some(error))),
        };
        let progress = operation.progress();
        log!(
            target: TARGET,
            level,
            "Upload ends key={key:?} attempts={} bytes={} ms={}{facts}",
            progress.attempts,
            progress.acknowledged,
            progress.elapsed.as_millis(),
        );
    }
}

fn severity(error: &Error) -> Level {
    match error.status() {
        Status::Cancelled => Level::Info,
        _ => Level::Error,
    }
}

/// What the service answered, and the failure.
struct Facts<'a>(&'a Report, Option<&'a Error>);

impl Display for Facts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(report, error) = self;
        if report.http_status != 0 {
            write!(f, " http={}", report.http_status)?;
        }
        if report.ret_code != 0 {
            write!(f, " ret_code={}", report.ret_code)?;
        }
        if let Some(session_id) = &report.session_id {
            write!(f, " session={session_id:?}")?;
        }
        if let Some(upload_id) = &report.upload_id {
            write!(f, " upload_id={upload_id:?}")?;
        }
        if let Some(error) = error {
            let message = error.message();
            write!(f, " status={:?} error={message:?}", error.status())?;
        }
        Ok(())
    }
}
