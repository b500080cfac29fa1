//! Advice for a failed call. It depends on the object's state first, then on the service's answer, then on
//! the status.

use crate::error::{CallbackState, ObjectState, Status};

/// What is known of a failed call. None stands for a number that this version does not know.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failed<'a> {
    pub(crate) status: Option<Status>,
    pub(crate) object: Option<ObjectState>,
    pub(crate) callback: Option<CallbackState>,
    pub(crate) http_status: i32,
    pub(crate) ret_code: i32,
    /// Message and body, in lower case.
    pub(crate) said: &'a str,
}

/// The advice for a call that failed.
pub(crate) fn on(failed: &Failed<'_>) -> &'static str {
    on_states(failed)
        .or_else(|| on_answer(failed))
        .or_else(|| on_http_status(failed))
        .or_else(|| on_status(failed))
        .unwrap_or("This status is unknown here: a newer libus3 made it. Treat it as a failure.")
}

/// The states of object and callback decide before the cause does.
fn on_states(failed: &Failed<'_>) -> Option<&'static str> {
    match (failed.status, failed.object?, failed.callback?) {
        (Some(Status::InternalError), ..) => None,
        (Some(Status::IntegrityError), ObjectState::NotStored, _) => Some(DAMAGED_PART),
        (Some(Status::IntegrityError), ..) => Some(DAMAGED_OBJECT),
        (_, ObjectState::Unknown, CallbackState::NotRequested) => Some(ASK_FOR_THE_OBJECT),
        (_, ObjectState::Unknown, _) => Some(ASK_FOR_BOTH),
        (_, ObjectState::Stored, CallbackState::Unknown) => Some(ASK_THE_CALLBACK_SERVICE),
        _ => None,
    }
}

const ASK_FOR_THE_OBJECT: &str = "wait some seconds, ask with HeadFile whether the object is stored, and upload again only if it \
     is not.";
const ASK_FOR_BOTH: &str = "wait some seconds, ask with HeadFile whether the object is stored, and the callback service whether \
     it was told of it; upload again only if neither is so.";
const ASK_THE_CALLBACK_SERVICE: &str = "do not upload again: the object is stored. Ask the callback service whether it was told of \
     it, and tell it yourself if not.";
const DAMAGED_OBJECT: &str = "do not use the stored object: delete it and upload again. If it happens again, look for \
     failing memory, and for a proxy that alters requests.";
const DAMAGED_PART: &str = "upload again. If it happens again, look for failing memory, and for a \
     proxy that alters requests.";

/// The service's words decide before its numbers, because the numbers vary.
fn on_answer(failed: &Failed<'_>) -> Option<&'static str> {
    let from_service = failed.http_status >= 300 || failed.ret_code != 0;
    let by_words = ANSWERS.iter().find(|row| failed.said.contains(row.says));
    let by_number = || {
        let numbers = (failed.http_status, failed.ret_code);
        ANSWERS
            .iter()
            .find(|row| (row.http_status, row.ret_code) == numbers)
    };
    let row = by_words.or_else(by_number).filter(|_| from_service)?;
    Some(row.advice)
}

/// The advice for a refusal that is not documented.
fn on_http_status(failed: &Failed<'_>) -> Option<&'static str> {
    if failed.status != Some(Status::ServiceError) {
        return None;
    }
    match failed.http_status {
        404 => Some(
            "the service has nothing under that name: check the key, bucket_name and file_host.",
        ),
        408 | 429 | 500.. => Some(
            "the service is busy or in trouble: try again later, and with fewer uploads at once \
             if it goes on.",
        ),
        _ => None,
    }
}

/// A row of the service's error table.
struct Answer {
    /// A part of the row's ErrMsg, in lower case.
    says: &'static str,
    http_status: i32,
    ret_code: i32,
    advice: &'static str,
}

const BUCKET: &str =
    "check bucket_name, and that file_host names the region in which the bucket was made.";
const KEY_PAIR: &str = "check that public_key and private_key are one pair, copied whole, that it \
     has access to this bucket, and that security_token, if one is set, belongs to it and has not \
     expired.";
const JSON_TYPE: &str = "the callback ran: do not repeat it. The callback service must answer with Content-Type: application/json; if \
     it expects JSON itself, set callbackBodyType to application/json in the policy. Do not \
     upload the object again just to call back.";
const JSON_BODY: &str = "the callback ran: do not repeat it. The callback service must answer with strict JSON and nothing else, not \
     even an empty body. Do not upload the object again just to call back.";

/// The documented rows, with the other numbers under which some of them were seen.
const ANSWERS: [Answer; 10] = [
    Answer {
        says: "bucket not exist",
        http_status: 400,
        ret_code: -148_653,
        advice: BUCKET,
    },
    Answer {
        says: "bucket not exist",
        http_status: 404,
        ret_code: -30_010,
        advice: BUCKET,
    },
    Answer {
        says: "check md5 failed",
        http_status: 400,
        ret_code: -15_036,
        advice: "the content that arrived is not the content that was sent. Upload again; if it \
                 happens again, look for something that changes the file while it is read, and \
                 for a proxy that alters requests.",
    },
    Answer {
        says: "no authorization found",
        http_status: 401,
        ret_code: -148_643,
        advice: "the service saw no credentials: set public_key and private_key, and look for a \
                 proxy that drops the Authorization header.",
    },
    Answer {
        says: "invalid signature",
        http_status: 403,
        ret_code: -148_643,
        advice: KEY_PAIR,
    },
    Answer {
        says: "invalid signature",
        http_status: 403,
        ret_code: -148_658,
        advice: KEY_PAIR,
    },
    Answer {
        says: "invalid put policy",
        http_status: 400,
        ret_code: -148_660,
        advice: "check callbackUrl, callbackBody, callbackBodyType and callbackVar of the policy; \
                 the check of a policy finds most mistakes, and building one makes none.",
    },
    Answer {
        says: "send request error",
        http_status: 599,
        ret_code: 20_003,
        advice: "US3 could not reach the callback service: check that callbackUrl is right, that \
                 the service runs, and that it can be reached from outside, firewall and \
                 certificate included. Do not upload the object again just to call back.",
    },
    Answer {
        says: "not a strict json",
        http_status: 599,
        ret_code: 20_008,
        advice: JSON_BODY,
    },
    Answer {
        says: "expect json, but received",
        http_status: 599,
        ret_code: 20_008,
        advice: JSON_TYPE,
    },
];

/// The advice by status alone.
fn on_status(failed: &Failed<'_>) -> Option<&'static str> {
    Some(match failed.status? {
        Status::Ok => return None,
        Status::InvalidArgument => "correct the call.",
        Status::InvalidConfig => "correct the configuration.",
        Status::InvalidPolicy => "correct the policy.",
        Status::FileError => "check the path, the permissions and the disk.",
        Status::FileChanged => "upload again when the file is no longer written to.",
        Status::NetworkError => {
            "correct what the message names (address, network, proxy or certificate), then try again."
        }
        Status::Timeout => {
            "try again; if the network or the callback service is slow, raise the limit that the \
             message names."
        }
        Status::Cancelled => "nothing: the host asked for it.",
        Status::ServiceError => {
            "correct what the service's message names; trying again alone will not help."
        }
        Status::CallbackFailed => {
            "repair the callback service. Do not upload the object again just to call back."
        }
        Status::IntegrityError => DAMAGED_OBJECT,
        Status::ProtocolError => {
            "check file_host or endpoint: something other than US3 may be answering there."
        }
        Status::Pending => "wait: it is not finished yet.",
        Status::WouldDeadlock => {
            "return from the callback first, and make the call from another thread."
        }
        Status::Forked => "make a client of its own in the child process, after fork().",
        Status::InternalError => "report it, with this text: it is a mistake in libus3.",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: Status, http_status: i32, ret_code: i32, said: &str) -> &'static str {
        on(&Failed {
            status: Some(status),
            object: Some(ObjectState::NotStored),
            callback: Some(CallbackState::NotRequested),
            http_status,
            ret_code,
            said,
        })
    }

    #[test]
    fn each_documented_row_has_its_advice() {
        use Status::{CallbackFailed, FileError, ServiceError};
        for (status, http_status, ret_code, said, advice) in [
            (
                ServiceError,
                400,
                -148_653,
                "bucket not exists",
                "check bucket_name",
            ),
            (
                ServiceError,
                400,
                -15_036,
                "check md5 failed",
                "not the content",
            ),
            (
                ServiceError,
                401,
                -148_643,
                "no authorization found",
                "no credentials",
            ),
            (ServiceError, 403, -148_643, "invalid signature", "one pair"),
            (
                ServiceError,
                400,
                -148_660,
                "invalid put policy",
                "check callbackUrl",
            ),
            (
                CallbackFailed,
                599,
                20_003,
                "send request error: post https://x: refused",
                "could not reach",
            ),
            (
                CallbackFailed,
                599,
                20_008,
                "expect json, but received text/plain",
                "Content-Type",
            ),
            (
                CallbackFailed,
                599,
                20_008,
                "expect json, but … not a strict json string",
                "strict JSON",
            ),
            // Words decide before numbers; without words the numbers decide.
            (
                ServiceError,
                404,
                -1,
                "bucket not exists",
                "check bucket_name",
            ),
            (ServiceError, 401, -148_643, "?", "no credentials"),
            // Only the service's own words count.
            (
                FileError,
                0,
                0,
                "cannot open /data/invalid signature",
                "check the path",
            ),
            // For an undocumented refusal the HTTP status decides.
            (ServiceError, 404, -1, "no", "nothing under that name"),
            (ServiceError, 429, -1, "no", "try again later"),
            (ServiceError, 503, -1, "no", "try again later"),
            (ServiceError, 400, -1, "no", "correct what"),
        ] {
            let text = refused(status, http_status, ret_code, said);
            assert!(text.contains(advice), "{status:?} {said}: {text}");
        }
    }

    #[test]
    fn what_became_of_the_object_decides_first() {
        use CallbackState::{Delivered, NotRequested};
        use ObjectState::{NotStored, Stored};
        let unknown = (ObjectState::Unknown, CallbackState::Unknown);
        for (status, object, callback, advice) in [
            (
                Status::NetworkError,
                Stored,
                unknown.1,
                ASK_THE_CALLBACK_SERVICE,
            ),
            (
                Status::CallbackFailed,
                Stored,
                unknown.1,
                ASK_THE_CALLBACK_SERVICE,
            ),
            (Status::Timeout, unknown.0, unknown.1, ASK_FOR_BOTH),
            (Status::Timeout, unknown.0, NotRequested, ASK_FOR_THE_OBJECT),
            (Status::IntegrityError, NotStored, Delivered, DAMAGED_PART),
            (Status::IntegrityError, Stored, unknown.1, DAMAGED_OBJECT),
            (
                Status::InternalError,
                unknown.0,
                NotRequested,
                "report it, with this text: it is a mistake in libus3.",
            ),
        ] {
            let failed = Failed {
                status: Some(status),
                object: Some(object),
                callback: Some(callback),
                http_status: 0,
                ret_code: 0,
                said: "",
            };
            assert_eq!(on(&failed), advice, "{status:?} {object:?}");
        }
    }
}
