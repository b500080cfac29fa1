//! Decides what is known of one request from the evidence, and whether the request may be sent again.
//!
//! Every statement of the library about an object or a callback rests on these decisions. The tests contain
//! the rules as a table. A1 to A10 are the numbered assumptions of docs/reliability.md. An answer "in US3's
//! form" is a JSON object with RetCode and ErrMsg.

use crate::error::CallbackState;

/// What was seen of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Evidence {
    /// A PutFile or FinishMultipartUpload: it stores an object.
    pub stores: bool,
    /// It carries a policy.
    pub policy: bool,
    /// Whether the whole body was sent. False only if the connection was closed before its bytes were
    /// counted: while a connection may still write, nothing is known.
    pub through: bool,
    /// How the request ended.
    pub end: End,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// There was no connection.
    NoConnection {
        /// Another attempt may find one.
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

/// An answer, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// What kind of body it has.
    pub form: Form,
    /// The body was received to its end.
    pub whole: bool,
}

impl Answer {
    /// Status and RetCode of an answer in US3's form.
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
    /// US3's form: a JSON object with RetCode and ErrMsg. A callback service may also answer in this form.
    Service {
        /// The RetCode.
        ret_code: i32,
        /// ErrMsg reports a failed dial to the policy's own address: see [`is_failed_dial`].
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
    /// It did not run: the service did not receive all of it, or refused it before the policy.
    NotRun,
    /// The service answered success.
    Done,
    /// The object is stored; the callback has this state.
    Stored(CallbackState),
    /// An error in US3's form, from the service or from a callback service. The request no longer runs, and
    /// HEAD shows whether the object is stored.
    Answered,
    /// It may have run, and it may still be running.
    Lost,
}

/// What is known of a request, and whether another attempt makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Verdict {
    /// What is known.
    pub known: Known,
    /// Another attempt may succeed.
    pub transient: bool,
}

/// Whether the library may send a request again. `twice`: running twice does no harm, or the host allows
/// it.
pub fn may_send_again(verdict: Verdict, twice: bool) -> bool {
    let allowed = match verdict.known {
        Known::NotRun => true,
        Known::Answered | Known::Lost => twice,
        Known::Done | Known::Stored(_) => false,
    };
    verdict.transient && allowed
}

/// Combines what is known after this request with the doubt about an earlier attempt, or about an earlier
/// finish of the same upload, which may have run.
pub fn after_a_lost_one(known: Known) -> Known {
    match known {
        // The earlier one may have run, or may still run.
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

/// Whether another attempt may succeed when the body was not sent to its end.
fn is_transient_without_body(end: End) -> bool {
    match end {
        End::Broken | End::TimedOut => true,
        End::Answered(answer) => is_transient(answer),
        _ => false,
    }
}

/// The statuses of temporary failures.
fn is_transient(answer: Answer) -> bool {
    matches!(answer.status, 408 | 429 | 500 | 502 | 503 | 504)
}

/// A 2xx. A portal answers 200 to everything, so a request that stores an object needs an answer of the
/// service's kind.
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
        // From a gateway, or passed on from a callback service. A refused request that stores nothing has
        // no effect.
        let refused = !stores && (400..500).contains(&answer.status) && answer.status != 408;
        return if refused { Known::NotRun } else { Known::Lost };
    };
    match answer.status {
        status if is_before_the_policy(status, ret_code) => Known::NotRun,
        // A6: only sent when the object is stored.
        599 if policy => Known::Stored(callback_after_599(ret_code, failed_dial)),
        // Without a policy the answer cannot come from a callback service. 404 to a finish may mean
        // "finished before".
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

/// What a 599 in US3's form says about the callback.
fn callback_after_599(ret_code: i32, failed_dial: bool) -> CallbackState {
    match ret_code {
        20_003 if failed_dial => CallbackState::NotDelivered,
        20_008 => CallbackState::ReplyRefused,
        _ => CallbackState::Unknown,
    }
}

/// Whether an answer other than 2xx comes from the callback service, given that the object was found to be
/// stored. Gateways answer with HTML or without a body, and a gateway that redirects stores nothing.
pub fn is_of_the_callback_service(answer: Answer) -> bool {
    let json = matches!(answer.form, Form::Json | Form::Service { .. });
    !(200..300).contains(&answer.status) && (json || (300..400).contains(&answer.status))
}

/// Whether the ErrMsg of 599 / 20003 proves that the callback service was not reached: it reports a failed
/// dial or TLS handshake to the policy's own URL. `is_own` says whether a URL is that one. The service's
/// HTTP client follows redirects, so another URL means that the first one has answered.
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

/// Errors of Go's net/http that occur before the first byte of a request is sent.
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
