//! Decides what happened to a PutFile or finish whose answer left doubt, from what the service says
//! afterwards.
//!
//! [`Settling`] chooses the next question, receives the answers, and ends with an [`Outcome`]. It has no
//! clock and no network: its caller says whether time is left.

use std::time::Duration;

use super::CLOCKS_APART;
use super::etag::EtagMatch;
use crate::error::{CallbackState, ObjectState};

/// The PutFile or finish that is in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Doubt {
    /// It was a FinishMultipartUpload.
    pub finish: bool,
    /// Status and RetCode of an answer in US3's form; None when the answer is lost, at this or an earlier
    /// attempt.
    pub answered: Option<(u16, i32)>,
}

/// What HEAD says about the object under the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Object {
    /// It has our ETag and is not older than the request.
    Ours,
    /// It was stored before the request.
    Older,
    /// There is none.
    Absent,
    /// It was not stored before the request, and its ETag differs or cannot be compared.
    Other,
    /// It has our ETag, but the answer does not say how old it is.
    OfUnknownAge,
    /// HEAD was refused with this status.
    Refused(u16),
    /// HEAD was not answered, or its answer says nothing.
    NoAnswer,
}

/// What ListParts says about the upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UploadListing {
    /// It still exists.
    Listed,
    /// The service does not know it.
    Gone,
    /// The service does not say.
    Unsaid,
}

/// The answer to HEAD, as far as it counts here. Times are seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Head {
    /// The HTTP status.
    pub status: u16,
    /// It is HTML without a session id: a gateway's page, unless it has the ETag of the content.
    pub page: bool,
    /// The ETag held against the content; incomparable when there is none.
    pub etag: EtagMatch,
    /// Last-Modified.
    pub last_modified: Option<u64>,
    /// Date.
    pub date: Option<u64>,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Ask HEAD for the object.
    AskObject,
    /// Ask with a GET without a policy (ListParts for a finish, else GetMultiUploadId), to see whether the
    /// service refuses it in the same way as the request.
    AskLikewise,
    /// Ask ListParts for the upload.
    AskUpload,
    /// Wait, then ask again.
    Pause,
    /// The questions have ended.
    End(Outcome),
}

/// What happened to the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It did not run, and will not run.
    NotRun,
    /// The object is stored.
    Stored,
    /// The evidence does not decide, for this reason.
    Unknown(Why),
}

/// Why the evidence does not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// There is no object, but the service may still be executing the request.
    NotThere,
    /// The object is older than the request, but the service may still be executing the request.
    StillTheOlder,
    /// There is a newer object that is not, or not provably, the object of this request.
    Another,
    /// There is an object with the right ETag, but its age is unknown.
    NoAge,
    /// HEAD was refused with this status.
    Refused(u16),
    /// HEAD was not answered.
    NoAnswer,
}

/// The questions about one request, and their answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Settling {
    doubt: Doubt,
    object: Option<Object>,
    refused_likewise: Option<bool>,
    upload: Option<UploadListing>,
}

impl Settling {
    /// Nothing was asked yet.
    pub fn new(doubt: Doubt) -> Self {
        Self {
            doubt,
            object: None,
            refused_likewise: None,
            upload: None,
        }
    }

    /// What to do next. If no time is left, no question is repeated.
    pub fn next(&self, time_left: bool) -> Step {
        let Some(object) = self.object else {
            return Step::AskObject;
        };
        match (self.doubt.answered, object) {
            (_, Object::Ours) => Step::End(Outcome::Stored),
            // A3: if a callback service gave this answer, it did not remove the object.
            (Some(_), Object::Absent | Object::Older) => Step::End(Outcome::NotRun),
            (Some((status, _)), Object::Refused(refused)) if refused == status => {
                match self.refused_likewise {
                    None => Step::AskLikewise,
                    Some(true) => Step::End(Outcome::NotRun),
                    Some(false) => Step::End(Outcome::Unknown(why(object))),
                }
            }
            (None, _) if self.doubt.finish && self.upload.is_none() => Step::AskUpload,
            (answered, object) if time_left && may_change(answered.is_some(), object) => {
                Step::Pause
            }
            (_, object) => Step::End(Outcome::Unknown(why(object))),
        }
    }

    /// HEAD's answer.
    pub fn saw_object(&mut self, object: Object) {
        self.object = Some(object);
    }

    /// The answer to the GET: status and RetCode, if it was refused in US3's form.
    pub fn saw_likewise(&mut self, refused: Option<(u16, i32)>) {
        self.refused_likewise = Some(refused.is_some() && refused == self.doubt.answered);
    }

    /// The answer of ListParts.
    pub fn saw_upload(&mut self, upload: UploadListing) {
        self.upload = Some(upload);
    }

    /// The pause is over: everything is asked again.
    pub fn ask_again(&mut self) {
        *self = Self::new(self.doubt);
    }

    /// Whether the multipart upload of a finish may still exist after this outcome.
    pub fn upload_may_exist(&self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Stored => false,
            Outcome::NotRun => self.doubt.answered.is_none_or(|(status, _)| status != 404),
            Outcome::Unknown(_) => self.upload != Some(UploadListing::Gone),
        }
    }
}

/// Whether asking again may show more. After an answer in US3's form one question is enough (A4).
fn may_change(answered: bool, object: Object) -> bool {
    match object {
        Object::Absent | Object::Older | Object::Other => !answered,
        Object::NoAnswer => true,
        Object::Ours | Object::OfUnknownAge | Object::Refused(_) => false,
    }
}

fn why(object: Object) -> Why {
    match object {
        Object::Absent => Why::NotThere,
        Object::Older => Why::StillTheOlder,
        Object::Other => Why::Another,
        Object::Ours | Object::OfUnknownAge => Why::NoAge,
        Object::Refused(status) => Why::Refused(status),
        Object::NoAnswer => Why::NoAnswer,
    }
}

impl Outcome {
    /// What this outcome says about the object and the callback.
    pub fn states(self, policy: bool) -> (ObjectState, CallbackState) {
        let (object, callback) = match self {
            Self::NotRun => (ObjectState::NotStored, CallbackState::NotDelivered),
            Self::Stored => (ObjectState::Stored, CallbackState::Unknown),
            Self::Unknown(_) => (ObjectState::Unknown, CallbackState::Unknown),
        };
        match policy {
            true => (object, callback),
            false => (object, CallbackState::NotRequested),
        }
    }
}

/// What HEAD's answer says about the object. `since_request` is the time from the request's beginning to the
/// answer.
///
/// The request's beginning by the service's own clock is its Date minus the time that passed here.
pub fn object(head: Head, since_request: Duration) -> Object {
    match head.status {
        // An older page would pass for an older object, and that for proof that nothing was stored.
        200..300 if head.page && head.etag != EtagMatch::Same => return Object::NoAnswer,
        200..300 => {}
        404 if !head.page => return Object::Absent,
        408 | 429 => return Object::NoAnswer,
        400..500 if !head.page => return Object::Refused(head.status),
        _ => return Object::NoAnswer,
    }
    let older = head.last_modified.zip(head.date).map(|(modified, date)| {
        let begun = date.saturating_sub((since_request + CLOCKS_APART).as_secs());
        modified < begun
    });
    match (older, head.etag) {
        (Some(true), _) => Object::Older,
        (Some(false), EtagMatch::Same) => Object::Ours,
        (None, EtagMatch::Same) => Object::OfUnknownAge,
        (_, EtagMatch::Different | EtagMatch::Incomparable) => Object::Other,
    }
}

#[cfg(test)]
mod tests;
