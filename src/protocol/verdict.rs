//! From what was seen of one request to what is known of it, and whether it may be sent again.
//!
//! Everything that the library says of an object or a callback begins here. The rules are a table, in
//! the tests below. A1 to A10 are the numbered assumptions of docs/reliability.md.

use crate::error::CallbackState;

/// What was seen of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Evidence {
    /// A PutFile or FinishMultipartUpload: it stores an object.
    pub stores: bool,
    /// It carries a policy.
    pub policy: bool,
    /// The whole body left. False only when the connection was stopped first and the bytes counted
    /// after that: while a connection may still write, nothing is known.
    pub through: bool,
    /// How the request ended.
    pub end: End,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// There was no connection.
    NoConnection {
        /// Another try may find one.
        transient: bool,
    },
    /// The content could not be read.
    Unreadable,
    /// The connection broke or was closed without an answer.
    Broken,
    /// What came is not HTTP.
    Garbage,
    /// A time limit of one request passed.
    TimedOut,
    /// The host cancelled, or its deadline passed.
    GivenUp,
    /// An answer.
    Answered(Answer),
}

/// An answer, as far as it counts here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// What kind of body it has.
    pub form: Form,
    /// The body came to its end.
    pub whole: bool,
}

impl Answer {
    /// Status and RetCode, in the service's own form.
    pub fn refusal(&self) -> Option<(u16, i32)> {
        match self.form {
            Form::Service { ret_code, .. } => Some((self.status, ret_code)),
            _ => None,
        }
    }
}

/// What kind of body an answer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// A JSON object with RetCode and ErrMsg: the service's, or a callback service's that answers alike.
    Service {
        /// The RetCode.
        ret_code: i32,
        /// ErrMsg tells of a failed dial to the policy's own address: see [`is_failed_dial`].
        failed_dial: bool,
    },
    /// Other JSON.
    Json,
    /// No body.
    Empty,
    /// HTML without the service's session id: a gateway's page.
    Page,
    /// Other text, or a body that broke off.
    Other,
}

/// What is known of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Known {
    /// It did not run: the service does not have all of it, or refused it before its policy.
    NotRun,
    /// The service says that it is done.
    Done,
    /// The object is stored, and this is known of its callback.
    Stored(CallbackState),
    /// The service, or a callback service in the same form, answered an error. It is at work no more, and
    /// HEAD tells whether the object is stored.
    Answered,
    /// It may have run, and it may still be running.
    Lost,
}

/// What is known of a request, and whether trying again makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Verdict {
    /// What is known.
    pub known: Known,
    /// Another try may succeed.
    pub transient: bool,
}

/// Whether a request may be sent again by itself. `twice`: running twice does no harm, or the host has
/// chosen it.
pub fn may_send_again(verdict: Verdict, twice: bool) -> bool {
    let allowed = match verdict.known {
        Known::NotRun => true,
        Known::Answered | Known::Lost => twice,
        Known::Done | Known::Stored(_) => false,
    };
    verdict.transient && allowed
}

/// What is known after this request when it is open what became of an earlier try, or of an earlier finish of the
/// same upload: it was lost, or answered in the form and sent again all the same.
pub fn after_a_lost_one(known: Known) -> Known {
    match known {
        // The earlier one may have run, or may run yet.
        Known::NotRun | Known::Answered | Known::Lost => Known::Lost,
        Known::Stored(CallbackState::NotDelivered) => Known::Stored(CallbackState::Unknown),
        Known::Stored(_) | Known::Done => known,
    }
}

/// The verdict on one request.
pub fn judge(evidence: &Evidence) -> Verdict {
    let (known, transient) = match evidence.end {
        End::NoConnection { transient } => (Known::NotRun, transient),
        end if !evidence.through => (Known::NotRun, is_transient_without_body(end)),
        End::Broken | End::TimedOut => (Known::Lost, true),
        End::Garbage | End::GivenUp | End::Unreadable => (Known::Lost, false),
        End::Answered(answer) if (200..300).contains(&answer.status) => success(evidence, answer),
        End::Answered(answer) => (refusal(evidence, answer), is_transient(answer)),
    };
    Verdict { known, transient }
}

/// A body that did not get through may get through the next time.
fn is_transient_without_body(end: End) -> bool {
    match end {
        End::Broken | End::TimedOut => true,
        End::Answered(answer) => is_transient(answer),
        _ => false,
    }
}

/// The statuses of trouble that passes.
fn is_transient(answer: Answer) -> bool {
    matches!(answer.status, 408 | 429 | 500 | 502 | 503 | 504)
}

/// A 2xx. A portal says 200 to everything: a request that stores needs an answer as the service gives it.
fn success(evidence: &Evidence, answer: Answer) -> (Known, bool) {
    let believable = match answer.form {
        Form::Json | Form::Service { .. } => true,
        Form::Empty => !evidence.policy,
        Form::Other => !evidence.stores,
        Form::Page => false,
    };
    match (answer.whole, believable) {
        (false, _) => (Known::Lost, true),
        (true, false) => (Known::Lost, false),
        (true, true) => (Known::Done, false),
    }
}

fn refusal(evidence: &Evidence, answer: Answer) -> Known {
    let Evidence { stores, policy, .. } = *evidence;
    let Form::Service {
        ret_code,
        failed_dial,
    } = answer.form
    else {
        // A gateway's, or a callback service's that is handed through. Requests that store nothing
        // leave nothing behind when they are refused.
        let refused = !stores && (400..500).contains(&answer.status) && answer.status != 408;
        return if refused { Known::NotRun } else { Known::Lost };
    };
    match answer.status {
        status if is_before_the_policy(status, ret_code) => Known::NotRun,
        // A6: only sent when the object is stored.
        599 if policy => Known::Stored(callback_after_599(ret_code, failed_dial)),
        // Without a policy no callback service can be speaking. 404 to a finish may mean "finished before".
        503 if !policy => Known::NotRun,
        404 | 408 if stores => Known::Answered,
        400..500 if !policy => Known::NotRun,
        _ if stores => Known::Answered,
        _ => Known::Lost,
    }
}

/// A1: the pairs of status and RetCode that come before the policy runs. No callback service answers with
/// one of these.
pub fn is_before_the_policy(status: u16, ret_code: i32) -> bool {
    matches!(
        (status, ret_code),
        (400, -148_653 | -15_036 | -148_660)
            | (401, -148_643)
            | (403, -148_643 | -148_658)
            | (404, -30_010)
    )
}

/// What the service's own 599 says of the callback.
fn callback_after_599(ret_code: i32, failed_dial: bool) -> CallbackState {
    match ret_code {
        20_003 if failed_dial => CallbackState::NotDelivered,
        20_008 => CallbackState::ReplyRefused,
        _ => CallbackState::Unknown,
    }
}

/// Whether an answer other than 2xx to a request whose object turns out to be stored is the callback
/// service's own, handed through: gateways answer in HTML or with nothing, and store nothing when they
/// redirect.
pub fn is_of_the_callback_service(answer: Answer) -> bool {
    let json = matches!(answer.form, Form::Json | Form::Service { .. });
    !(200..300).contains(&answer.status) && (json || (300..400).contains(&answer.status))
}

/// Whether the ErrMsg of 599 / 20003 proves that the callback service was not reached: it ends in a dial or a
/// TLS handshake that failed, to the policy's own URL (`is_own` says whether a URL is; the service's
/// client follows redirects, so another URL means that the first one answered).
pub fn is_failed_dial(err_msg: &str, is_own: impl FnOnce(&str) -> bool) -> bool {
    let Some(rest) = err_msg.trim().strip_prefix("send request error: Post ") else {
        return false;
    };
    let split = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split_once("\": "),
        None => rest.split_once(": "),
    };
    split.is_some_and(|(url, why)| could_not_connect(why) && is_own(url))
}

/// Reasons of Go's net/http that come before the first byte of a request.
fn could_not_connect(why: &str) -> bool {
    let dialled = why.starts_with("dial tcp");
    let failed = [
        "connection refused",
        "no such host",
        "i/o timeout",
        "network is unreachable",
        "no route to host",
    ];
    let handshake = [
        "x509: ",
        "tls: failed to verify certificate",
        "tls: first record does not look like a TLS handshake",
        "remote error: tls: handshake failure",
        "net/http: TLS handshake timeout",
        "http: server gave HTTP response to HTTPS client",
    ];
    (dialled && failed.iter().any(|reason| why.ends_with(reason)))
        || handshake.iter().any(|reason| why.starts_with(reason))
}

#[cfg(test)]
mod tests;
