//! The outcome of an operation: a [`Report`] on success, an [`Error`] with the same facts on failure.

use std::fmt;

/// How an operation ended, in the numbering of the C header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
#[non_exhaustive]
pub enum Status {
    /// Done.
    Ok = 0,
    /// A parameter is wrong; nothing was sent.
    InvalidArgument = 1,
    /// The configuration is wrong; nothing was sent.
    InvalidConfig = 2,
    /// The put policy is wrong.
    InvalidPolicy = 3,
    /// A file cannot be opened or read.
    FileError = 4,
    /// The file changed while it was uploaded.
    FileChanged = 5,
    /// There was no connection, or the connection broke.
    NetworkError = 6,
    /// A time limit passed.
    Timeout = 7,
    /// The host cancelled.
    Cancelled = 8,
    /// The service refused, with an HTTP status and a RetCode.
    ServiceError = 9,
    /// The object is stored, but its callback failed.
    CallbackFailed = 10,
    /// The service stored other bytes than were sent.
    IntegrityError = 11,
    /// The service's answer makes no sense.
    ProtocolError = 12,
    /// Not finished yet.
    Pending = 13,
    /// A blocking call was made in a callback.
    WouldDeadlock = 14,
    /// The client belongs to the parent of this forked process.
    Forked = 15,
    /// A bug in the library.
    InternalError = 16,
}

/// Whether the operation left the object in the bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum ObjectState {
    /// This operation did not store the object.
    #[default]
    NotStored = 0,
    /// The object is stored.
    Stored = 1,
    /// The answer was lost, and the service could not say whether the object is stored.
    Unknown = 2,
}

/// Whether the upload callback ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum CallbackState {
    /// There was no policy.
    #[default]
    NotRequested = 0,
    /// The callback service answered; its reply is the body.
    Delivered = 1,
    /// The callback did not run.
    NotDelivered = 2,
    /// It may have run.
    Unknown = 3,
    /// The callback ran, but the service refused its reply, because the body or the Content-Type was not
    /// JSON.
    ReplyRefused = 4,
}

/// The facts of an operation. A field whose value is unknown keeps its default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// HTTP status of the last answer; 0 without one.
    pub http_status: u16,
    /// The service's RetCode; 0 without one.
    pub ret_code: i32,
    /// `errno` of the failed system call; 0 without one.
    pub os_error: i32,
    /// Whether the object is stored.
    pub object: ObjectState,
    /// Whether the callback ran.
    pub callback: CallbackState,
    /// 1 + the requests that had to be sent again; 0 when nothing was sent.
    pub attempts: u32,
    /// Bytes of content that were sent, including those that were sent again.
    pub bytes_sent: u64,
    /// `X-SessionId` of the last answer, to quote to support.
    pub session_id: Option<String>,
    /// ETag, without quotes.
    pub etag: Option<String>,
    /// The id of the multipart upload. After a failure it is only set if the upload still exists or may
    /// exist.
    pub upload_id: Option<String>,
    /// Parts that an earlier run had sent and that this run did not send again.
    pub parts_resumed: u32,
    /// Further information, such as why a resumable upload started from the beginning.
    pub note: Option<String>,
    /// The last answer's body. After a success with a policy it is the reply of the callback service.
    pub body: Vec<u8>,
}

impl Report {
    /// Sets the callback state of a request with a policy to "did not run", unless another state is known.
    pub(crate) fn callback_did_not_run(&mut self, requested: bool) {
        if requested && self.callback == CallbackState::NotRequested {
            self.callback = CallbackState::NotDelivered;
        }
    }
}

/// Why an operation failed. The message is written for the person who reads it at 3 a.m.
#[derive(Clone, Debug)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Clone, Debug)]
struct Inner {
    status: Status,
    message: String,
    report: Report,
}

/// The result of every function of the library that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error that has a message and no other facts.
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        let inner = Inner {
            status,
            message: one_line(message.into()),
            report: Report::default(),
        };
        Self {
            inner: Box::new(inner),
        }
    }

    /// A parameter is wrong.
    pub fn argument(message: impl Into<String>) -> Self {
        Self::new(Status::InvalidArgument, message)
    }

    /// The error of a failed system call. `what` says what the call was for; the operating system's reason
    /// is added.
    pub fn file(what: impl fmt::Display, cause: &std::io::Error) -> Self {
        let mut error = Self::new(Status::FileError, format!("{what}: {cause}"));
        error.report_mut().os_error = cause.raw_os_error().unwrap_or(0);
        error
    }

    /// Adds a sentence: what else is known, or what to do.
    pub(crate) fn add(&mut self, more: impl fmt::Display) {
        self.inner.message = one_line(format!("{}; {more}", self.inner.message));
    }

    /// The same error, with the name of the request in front.
    pub(crate) fn about(mut self, what: &dyn fmt::Display) -> Self {
        self.inner.message = one_line(format!("{what}: {}", self.inner.message));
        self
    }

    /// Replaces the status when more is known.
    pub(crate) fn set_status(&mut self, status: Status) {
        self.inner.status = status;
    }

    /// The status; never [`Status::Ok`].
    pub fn status(&self) -> Status {
        self.inner.status
    }

    /// What failed, on which file, key or URL, why, and what to do.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// The facts that are known.
    pub fn report(&self) -> &Report {
        &self.inner.report
    }

    /// The facts, for callers that can complete them.
    pub fn report_mut(&mut self) -> &mut Report {
        &mut self.inner.report
    }
}

/// The facts of an operation, however it ended.
pub(crate) fn report_of(result: &Result<Report>) -> &Report {
    result.as_ref().unwrap_or_else(Error::report)
}

/// The same, for callers that can complete them.
pub(crate) fn report_of_mut(result: &mut Result<Report>) -> &mut Report {
    match result {
        Ok(report) => report,
        Err(error) => error.report_mut(),
    }
}

/// Escapes control characters: a line break in a path or in an answer must not forge a line of a log.
fn one_line(text: String) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if !text.contains(breaks) {
        return text;
    }
    let mut line = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match breaks(c) {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
    }
    line
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)
    }
}

impl std::error::Error for Error {}

/// An address for a message: without user, password, query and fragment, which may be secret,
/// and with control characters escaped.
pub(crate) fn shown_url(text: &str) -> String {
    let open = without_userinfo(text);
    let open = open.split(['?', '#']).next().unwrap_or_default();
    let short: String = open.chars().take(200).collect();
    format!("{short:?}")
}

/// Cut at the last `@`, wherever it is: a password with a `/` or `?` in it must not show either.
pub(crate) fn without_userinfo(text: &str) -> &str {
    text.rsplit('@').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_whatever_is_in_it() {
        let mut error = Error::argument("cannot open /tmp/a\nb");
        error.add("said \u{1b}[31m\r\u{2028}");
        let error = error.about(&"PutFile \t中");
        assert_eq!(
            error.message(),
            r"PutFile \t中: cannot open /tmp/a\nb; said \u{1b}[31m\r\u{2028}"
        );
    }
}
