//! Everything outside the library: gateway, service, callback service, clock, and the object under the key.
//!
//! A request that stores goes through [`Stage`]s, each at a moment of the world's choice, but within F (A2).
//! Time is counted in ticks that are long enough for a request to run. HEAD, ListParts and the other questions
//! are answered at once, truthfully or not at all: a slower answer says the same about an earlier moment.
//!
//! Not modelled: parts and their content, corrupted bytes, a body that is on its way for longer than a tick,
//! a third party that deletes, and gateways that answer in JSON.

use us3::protocol::etag::EtagMatch;
use us3::protocol::settle::{Head, UploadListing};
use us3::protocol::verdict::{Answer, End, Form, is_failed_dial};

/// What of A1 to A6 holds. Their numbers are those of docs/reliability.md. The clocks of A4 are in [`Setup::skew`].
#[derive(Clone, Copy, Debug)]
pub struct Assumptions {
    pub a1_no_callback_service_answers_a_pair_of_the_service: bool,
    pub a2_a_request_runs_within_f: bool,
    pub a3_an_error_in_the_form_leaves_the_object: bool,
    pub a4_head_shows_an_object_at_once: bool,
    pub a5_a_finish_ends_its_upload: bool,
    pub a6_599_in_the_form_means_stored: bool,
    /// Has no number yet.
    pub an_error_in_the_form_ends_the_work: bool,
}

pub const KEPT: Assumptions = Assumptions {
    a1_no_callback_service_answers_a_pair_of_the_service: true,
    a2_a_request_runs_within_f: true,
    a3_an_error_in_the_form_leaves_the_object: true,
    a4_head_shows_an_object_at_once: true,
    a5_a_finish_ends_its_upload: true,
    a6_599_in_the_form_means_stored: true,
    an_error_in_the_form_ends_the_work: true,
};

/// What stays the same during an operation. One initial state each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Setup {
    /// A finish of an upload, or else a PutFile.
    pub finish: bool,
    pub policy: bool,
    pub at_least_once: bool,
    pub before: Content,
    pub rights: Rights,
    pub etags: Etags,
    /// By how many seconds Last-Modified is ahead of Date (A4).
    pub skew: i64,
    /// The checkpoint tells when its finish was sent.
    pub dated: bool,
}

/// What is under the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    Nothing,
    /// Something else.
    Other,
    /// The same bytes, from before the operation.
    SameFromBefore,
    /// What a request of the operation stored.
    Ours,
}

/// What the token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rights {
    All,
    WriteOnly,
    WriteAndList,
    None,
}

/// What the ETags are good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Etags {
    /// Each answer has one, and it can be compared.
    Compared,
    /// They are of a form that cannot be computed.
    Incomparable,
    /// Only HEAD tells one (A9 does not hold).
    OnlyByHead,
}

/// The object under the key, and when it came, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Object {
    pub content: Content,
    pub came: i8,
    /// HEAD does not show it yet (only without A4).
    pub hidden: bool,
}

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Its body is not through.
    OnItsWay,
    /// Its body is through, and the service has not begun.
    Through,
    /// A finish: the service has seen that the upload exists.
    Assembling,
    /// The object is stored, and the callback has not run.
    Stored,
    /// The service is done, and the answer is on its way.
    Answered,
}

/// A PutFile or finish that the world knows of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// Which order of the host it belongs to.
    pub order: usize,
    /// When it was sent, in ticks.
    pub sent: u8,
    pub stage: Stage,
    /// The library still waits for its answer.
    pub awaited: bool,
    pub reply: Option<Reply>,
}

/// An answer, and what only the world knows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reply {
    pub answer: Answer,
    pub etag: bool,
    pub by_callback_service: bool,
}

/// What the service answers when it refuses, each without storing anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Before the policy: one of the pairs of A1.
    Signature,
    NoRight,
    Pressure,
    Trouble,
    /// 599 (only without A6).
    CallbackFailed,
}

/// What a callback comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Callback {
    /// Nobody listens: 599 / 20003 with a failed dial.
    Down,
    /// The service gave up before anything was sent, and does not say so: 599 / 20003.
    NeverSent,
    /// The service fails after storing, before the callback: 500 / -1.
    ServiceFails,
    /// It ran, and the connection broke: 599 / 20003, EOF.
    Breaks,
    /// It ran, and redirected to where nobody listens: 599 / 20003 with a failed dial to another URL.
    RedirectsToNowhere,
    /// It ran and answered text: 599 / 20008.
    Text,
    Json,
    JsonError(u16),
    Redirects,
    /// An error, or a success, in the RetCode form.
    InForm(u16, i32),
}

pub const SIGNATURE: (u16, i32) = (403, -148_643);
pub const NO_RIGHT: (u16, i32) = (403, -30_403);
const UPLOAD_GONE: (u16, i32) = (404, -190_404);
const CALLBACK_URL: &str = "http://callback.example/done";

const CALLBACKS: [Callback; 16] = [
    Callback::Down,
    Callback::NeverSent,
    Callback::ServiceFails,
    Callback::Breaks,
    Callback::RedirectsToNowhere,
    Callback::Text,
    Callback::Json,
    Callback::JsonError(500),
    Callback::JsonError(404),
    Callback::Redirects,
    Callback::InForm(200, 17),
    Callback::InForm(400, 17),
    Callback::InForm(403, 17),
    Callback::InForm(404, 17),
    Callback::InForm(429, 17),
    Callback::InForm(503, 17),
];

impl Callback {
    /// Everything that a callback service may do.
    pub fn all(assumptions: &Assumptions) -> impl Iterator<Item = Self> + use<> {
        let alike = !assumptions.a1_no_callback_service_answers_a_pair_of_the_service;
        let pairs = [SIGNATURE, NO_RIGHT].map(|(status, ret_code)| Self::InForm(status, ret_code));
        let pairs = pairs.into_iter().filter(move |_| alike);
        CALLBACKS.into_iter().chain(pairs)
    }

    pub fn ran(self) -> bool {
        !matches!(self, Self::Down | Self::NeverSent | Self::ServiceFails)
    }

    /// Whether the callback service may delete the object that it is told of (A3).
    pub fn may_delete(self, assumptions: &Assumptions) -> bool {
        let error_in_form = matches!(self, Self::InForm(status, _) if status >= 300);
        let allowed = !assumptions.a3_an_error_in_the_form_leaves_the_object || !error_in_form;
        self.ran() && allowed
    }

    fn answer(self) -> Answer {
        let post = |url: &str, why: &str| in_form_with(599, 20_003, &format!("Post {url}: {why}"));
        let refused = "dial tcp 10.0.0.1:80: connect: connection refused";
        match self {
            Self::Down => post(CALLBACK_URL, refused),
            Self::NeverSent => post(CALLBACK_URL, "context deadline exceeded"),
            Self::ServiceFails => in_form(500, -1),
            Self::Breaks => post(CALLBACK_URL, "EOF"),
            Self::RedirectsToNowhere => post("http://elsewhere.example/", refused),
            Self::Text => in_form(599, 20_008),
            Self::Json => plain(200, Form::Json),
            Self::JsonError(status) => plain(status, Form::Json),
            Self::Redirects => plain(302, Form::Empty),
            Self::InForm(status, ret_code) => in_form(status, ret_code),
        }
    }

    /// The reply that reaches the uploader. Only a callback service's own reply has `by_callback_service`.
    pub fn reply(self, etags: Etags) -> Reply {
        let answer = self.answer();
        let success = (200..300).contains(&answer.status);
        Reply {
            answer,
            etag: success && etags != Etags::OnlyByHead,
            by_callback_service: self.ran() && answer.status != 599,
        }
    }
}

impl Refusal {
    pub fn all(assumptions: &Assumptions) -> Vec<Self> {
        let mut all = vec![Self::Signature, Self::Pressure, Self::Trouble];
        if !assumptions.a6_599_in_the_form_means_stored {
            all.push(Self::CallbackFailed);
        }
        all
    }

    pub fn answer(self) -> Answer {
        match self {
            Self::Signature => in_form(SIGNATURE.0, SIGNATURE.1),
            Self::NoRight => in_form(NO_RIGHT.0, NO_RIGHT.1),
            Self::Pressure => in_form(503, -1),
            Self::Trouble => in_form(500, -1),
            Self::CallbackFailed => Callback::Down.answer(),
        }
    }
}

/// A5: what a finish of an upload that is gone is answered.
pub fn upload_gone() -> Answer {
    in_form(UPLOAD_GONE.0, UPLOAD_GONE.1)
}

/// What a success without a policy is answered.
pub fn stored(setup: &Setup) -> Reply {
    let form = if setup.finish {
        Form::Json
    } else {
        Form::Empty
    };
    Reply {
        answer: plain(200, form),
        etag: setup.etags != Etags::OnlyByHead,
        by_callback_service: false,
    }
}

/// How the gateway ends a request whose body is through, whatever the service does.
pub const CUTS: [End; 8] = [
    End::Broken,
    End::TimedOut,
    End::Garbage,
    End::Answered(plain(200, Form::Other)),
    End::Answered(plain(502, Form::Other)),
    End::Answered(plain(504, Form::Empty)),
    End::Answered(plain(599, Form::Other)),
    End::Answered(plain(404, Form::Other)),
];

/// And this, where it cannot pass for the service: a PutFile without a policy is answered alike.
pub const EMPTY_200: End = End::Answered(plain(200, Form::Empty));

/// How a request ends whose body is not through.
pub const EARLY_ENDS: [End; 6] = [
    End::NoConnection { transient: true },
    End::NoConnection { transient: false },
    End::Broken,
    End::Answered(plain(200, Form::Other)),
    End::Answered(plain(503, Form::Other)),
    End::Answered(plain(599, Form::Other)),
];

/// Status and RetCode of an answer in the form.
pub fn pair(answer: Answer) -> Option<(u16, i32)> {
    match answer.form {
        Form::Service { ret_code, .. } => Some((answer.status, ret_code)),
        _ => None,
    }
}

const fn plain(status: u16, form: Form) -> Answer {
    Answer {
        status,
        form,
        whole: true,
    }
}

fn in_form(status: u16, ret_code: i32) -> Answer {
    in_form_with(status, ret_code, "")
}

fn in_form_with(status: u16, ret_code: i32, err_msg: &str) -> Answer {
    let text = format!("send request error: {err_msg}");
    let failed_dial = is_failed_dial(&text, |url| url == CALLBACK_URL);
    plain(
        status,
        Form::Service {
            ret_code,
            failed_dial,
        },
    )
}

/// The answer to HEAD. `now`, and when the object came, in seconds since 1970.
pub fn head(setup: &Setup, object: Object, came: u64, now: u64) -> Head {
    let readable = setup.rights == Rights::All;
    let there = object.content != Content::Nothing && !object.hidden;
    let etag = match object.content {
        _ if setup.etags == Etags::Incomparable => EtagMatch::Incomparable,
        Content::Ours | Content::SameFromBefore => EtagMatch::Same,
        Content::Other | Content::Nothing => EtagMatch::Different,
    };
    let last_modified = came.saturating_add_signed(setup.skew);
    Head {
        status: match (readable, there) {
            (false, _) => 403,
            (true, true) => 200,
            (true, false) => 404,
        },
        page: false,
        etag,
        last_modified: (readable && there).then_some(last_modified),
        date: Some(now),
    }
}

/// A gateway's own answer to HEAD, in HTML. A 200 is a page that is older than anything here.
pub fn head_by_a_gateway(status: u16, now: u64) -> Head {
    let page = status == 200;
    Head {
        status,
        page: true,
        etag: if page {
            EtagMatch::Different
        } else {
            EtagMatch::Incomparable
        },
        last_modified: page.then_some(1),
        date: Some(now),
    }
}

/// ListParts.
pub fn list_parts(setup: &Setup, upload: bool) -> UploadListing {
    match (setup.rights, upload) {
        (Rights::WriteOnly | Rights::None, _) => UploadListing::Unsaid,
        (_, true) => UploadListing::Listed,
        (_, false) => UploadListing::Gone,
    }
}

/// How the question that is asked as the request was, by a GET, is refused.
pub fn refused_likewise(setup: &Setup, upload: bool) -> Option<(u16, i32)> {
    match list_parts(setup, upload) {
        UploadListing::Unsaid => Some(NO_RIGHT),
        UploadListing::Gone if setup.finish => Some(UPLOAD_GONE),
        UploadListing::Listed | UploadListing::Gone => None,
    }
}
