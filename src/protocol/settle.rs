//! From what the service says afterwards to what became of a PutFile or finish that is in doubt.
//!
//! [`Settling`] says which question comes next, is told the answers, and ends in an [`Outcome`]. It knows no
//! clock and no network: who drives it says whether time is left.

use std::time::Duration;

use super::CLOCKS_APART;
use super::etag::EtagMatch;
use crate::error::{CallbackState, ObjectState};

/// The PutFile or finish that is in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Doubt {
    /// It was a FinishMultipartUpload.
    pub finish: bool,
    /// Status and RetCode of the answer in the service's form; None when the answer is lost, now or at an
    /// earlier try.
    pub answered: Option<(u16, i32)>,
}

/// What HEAD says of the object under the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Object {
    /// It has our ETag and is not older than the request.
    Ours,
    /// It was there before the request.
    Older,
    /// There is none.
    Absent,
    /// It came with the request or after it, and its ETag is another, or cannot be compared.
    Other,
    /// It has our ETag, but the answer does not tell how old it is.
    OfUnknownAge,
    /// HEAD was refused with this status.
    Refused(u16),
    /// HEAD was not answered, or in a way that says nothing.
    NoAnswer,
}

/// What ListParts says of the upload.
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
    /// It is HTML without a session id: a gateway's page, unless it has the content's ETag.
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
    /// Ask as the request did, by a GET without a policy (ListParts for a finish, else GetMultiUploadId).
    AskLikewise,
    /// Ask ListParts for the upload.
    AskUpload,
    /// Wait a little, then go on.
    Pause,
    /// There is nothing more to ask.
    End(Outcome),
}

/// What became of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It did not run, and will not.
    NotRun,
    /// The object is stored.
    Stored,
    /// The evidence does not decide, and why.
    Unknown(Why),
}

/// Why the evidence does not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// The object is not there, and the service may still be at work.
    NotThere,
    /// The object that is there is from before the request, and the service may still be at work.
    StillTheOlder,
    /// A newer object is there that is not, or not provably, this one.
    Another,
    /// An object with the right ETag is there, but not how old it is.
    NoAge,
    /// HEAD was refused with this status.
    Refused(u16),
    /// HEAD was not answered.
    NoAnswer,
}

/// The questions of one doubt, and what was answered.
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

    /// What to do next. Without time left nothing is asked a second time.
    pub fn next(&self, time_left: bool) -> Step {
        let Some(object) = self.object else {
            return Step::AskObject;
        };
        match (self.doubt.answered, object) {
            (_, Object::Ours) => Step::End(Outcome::Stored),
            // A3: a callback service that answered this left the object where it is.
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

    /// The answer to the same question by GET: status and RetCode in the service's form, if it was refused.
    pub fn saw_likewise(&mut self, refused: Option<(u16, i32)>) {
        self.refused_likewise = Some(refused.is_some() && refused == self.doubt.answered);
    }

    /// The answer of ListParts.
    pub fn saw_upload(&mut self, upload: UploadListing) {
        self.upload = Some(upload);
    }

    /// A pause is over: everything is asked again.
    pub fn ask_again(&mut self) {
        *self = Self::new(self.doubt);
    }

    /// Whether the upload of a finish may still exist, after this outcome.
    pub fn upload_may_exist(&self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Stored => false,
            Outcome::NotRun => self.doubt.answered.is_none_or(|(status, _)| status != 404),
            Outcome::Unknown(_) => self.upload != Some(UploadListing::Gone),
        }
    }
}

/// Whether another look may show more. To an answer in the form the first look is the last (A4).
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
    /// What may be said of the object, and of the callback.
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

/// What HEAD's answer says of the object, when it came this long after the request began.
///
/// Age is measured by the service's own clock: its Date, less the time that passed here.
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
