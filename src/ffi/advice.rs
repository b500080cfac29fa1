//! What to do about a failure: by what became of the object, then by what the service said, then by
//! the status.

use super::result::us3_result;
use super::status::{us3_callback_state, us3_object_state, us3_status};

/// The advice for a result that is not a success; `said` is its message and body in lower case.
pub(super) fn of(result: &us3_result, said: &str) -> &'static str {
    on_states(result)
        .or_else(|| on_answer(result, said))
        .or_else(|| on_http_status(result))
        .or_else(|| on_status(result))
        .unwrap_or("This status is unknown here: a newer libus3 made it. Treat it as a failure.")
}

/// What became of the object matters more than why.
fn on_states(result: &us3_result) -> Option<&'static str> {
    let object = |state: us3_object_state| result.object_state == state as i32;
    let status = |status: us3_status| result.status == status as i32;
    let callback = |state: us3_callback_state| result.callback_state == state as i32;
    if status(us3_status::US3_INTERNAL_ERROR) {
        return None;
    }
    if status(us3_status::US3_INTEGRITY_ERROR) {
        return Some(match object(us3_object_state::US3_OBJECT_NOT_STORED) {
            true => DAMAGED_PART,
            false => DAMAGED_OBJECT,
        });
    }
    if object(us3_object_state::US3_OBJECT_UNKNOWN) {
        return Some(
            match callback(us3_callback_state::US3_CALLBACK_NOT_REQUESTED) {
                true => ASK_FOR_THE_OBJECT,
                false => ASK_FOR_BOTH,
            },
        );
    }
    let callback_unknown = callback(us3_callback_state::US3_CALLBACK_UNKNOWN);
    let ask = object(us3_object_state::US3_OBJECT_STORED) && callback_unknown;
    ask.then_some(ASK_THE_CALLBACK_SERVICE)
}

const ASK_FOR_THE_OBJECT: &str = "wait some seconds, ask with us3_head_file whether the object is stored, and upload again only if it \
     is not.";
const ASK_FOR_BOTH: &str = "wait some seconds, ask with us3_head_file whether the object is stored, and the callback service whether \
     it was told of it; upload again only if neither is so.";
const ASK_THE_CALLBACK_SERVICE: &str = "do not upload again: the object is stored. Ask the callback service whether it was told of \
     it, and tell it yourself if not.";
const DAMAGED_OBJECT: &str = "do not use the stored object: delete it and upload again. If it happens again, look for \
     failing memory, and for a proxy that alters requests.";
const DAMAGED_PART: &str = "upload again. If it happens again, look for failing memory, and for a \
     proxy that alters requests.";

/// What the service said decides before its numbers do: the numbers vary.
fn on_answer(result: &us3_result, said: &str) -> Option<&'static str> {
    let by_words = ANSWERS.iter().find(|row| said.contains(row.says));
    let by_number = || {
        ANSWERS
            .iter()
            .find(|row| row.ret_code == result.ret_code && row.http_status == result.http_status)
    };
    let from_service = result.http_status >= 300 || result.ret_code != 0;
    by_words
        .or_else(by_number)
        .filter(|_| from_service)
        .map(|row| row.advice)
}

/// Of a refusal that is not documented.
fn on_http_status(result: &us3_result) -> Option<&'static str> {
    if result.status != us3_status::US3_SERVICE_ERROR as i32 {
        return None;
    }
    match result.http_status {
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

fn on_status(result: &us3_result) -> Option<&'static str> {
    let row = STATUSES
        .iter()
        .find(|(status, _)| *status as i32 == result.status);
    row.map(|(_, advice)| *advice)
}

/// A row of the service's error table.
struct Answer {
    /// In lower case, part of its ErrMsg.
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

/// The documented rows, and the other numbers under which some of them were seen.
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
                 us3_policy_check finds most mistakes, us3_policy_build makes none.",
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

/// What to do when the service's answer does not say more.
const STATUSES: [(us3_status, &str); 16] = [
    (us3_status::US3_INVALID_ARGUMENT, "correct the call."),
    (us3_status::US3_INVALID_CONFIG, "correct the configuration."),
    (us3_status::US3_INVALID_POLICY, "correct the policy."),
    (
        us3_status::US3_FILE_ERROR,
        "check the path, the permissions and the disk.",
    ),
    (
        us3_status::US3_FILE_CHANGED,
        "upload again when the file is no longer written to.",
    ),
    (
        us3_status::US3_NETWORK_ERROR,
        "correct what the message names (address, network, proxy or certificate), then try again.",
    ),
    (
        us3_status::US3_TIMEOUT,
        "try again; if the network or the callback service is slow, raise the limit that the \
         message names.",
    ),
    (us3_status::US3_CANCELLED, "nothing: the host asked for it."),
    (
        us3_status::US3_SERVICE_ERROR,
        "correct what the service's message names; trying again alone will not help.",
    ),
    (
        us3_status::US3_CALLBACK_FAILED,
        "repair the callback service. Do not upload the object again just to call back.",
    ),
    (us3_status::US3_INTEGRITY_ERROR, DAMAGED_OBJECT),
    (
        us3_status::US3_PROTOCOL_ERROR,
        "check file_host or endpoint: something other than US3 may be answering there.",
    ),
    (us3_status::US3_PENDING, "wait: it is not finished yet."),
    (
        us3_status::US3_WOULD_DEADLOCK,
        "return from the callback first, and make the call from another thread.",
    ),
    (
        us3_status::US3_FORKED,
        "make a client of its own in the child process, after fork().",
    ),
    (
        us3_status::US3_INTERNAL_ERROR,
        "report it, with this text: it is a mistake in libus3.",
    ),
];

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::super::structs::PublicStruct;
    use super::*;

    fn advice_on(result: &us3_result) -> &'static str {
        let said = match result.err_msg.is_null() {
            true => String::new(),
            // SAFETY: the tests' messages are C literals.
            false => unsafe { CStr::from_ptr(result.err_msg) }
                .to_string_lossy()
                .to_lowercase(),
        };
        of(result, &said)
    }

    fn refused(status: us3_status, http_status: i32, ret_code: i32, said: &CStr) -> us3_result {
        us3_result {
            status: status as i32,
            http_status,
            ret_code,
            err_msg: said.as_ptr().cast_mut(),
            ..us3_result::INIT
        }
    }

    #[test]
    fn each_documented_row_has_its_advice() {
        use us3_status::{US3_CALLBACK_FAILED, US3_SERVICE_ERROR};
        let rows = [
            (
                US3_SERVICE_ERROR,
                400,
                -148_653,
                c"bucket not exists",
                "check bucket_name",
            ),
            (
                US3_SERVICE_ERROR,
                400,
                -15_036,
                c"check md5 failed",
                "not the content",
            ),
            (
                US3_SERVICE_ERROR,
                401,
                -148_643,
                c"no authorization found",
                "no credentials",
            ),
            (
                US3_SERVICE_ERROR,
                403,
                -148_643,
                c"invalid signature",
                "one pair",
            ),
            (
                US3_SERVICE_ERROR,
                400,
                -148_660,
                c"invalid put policy",
                "us3_policy_check",
            ),
            (
                US3_CALLBACK_FAILED,
                599,
                20_003,
                c"send request error: Post https://x: refused",
                "could not reach",
            ),
            (
                US3_CALLBACK_FAILED,
                599,
                20_008,
                c"expect json, but received text/plain; charset=utf-8",
                "Content-Type",
            ),
            (
                US3_CALLBACK_FAILED,
                599,
                20_008,
                c"expect json, but the response body is not a strict json string",
                "strict JSON",
            ),
        ];
        for (status, http_status, ret_code, said, advice) in rows {
            let text = advice_on(&refused(status, http_status, ret_code, said));
            assert!(text.contains(advice), "{text}");
        }
        // The words decide before the numbers, the numbers when there are no words.
        let text = advice_on(&refused(US3_SERVICE_ERROR, 404, -1, c"bucket not exists"));
        assert!(text.contains("check bucket_name"), "{text}");
        let text = advice_on(&refused(US3_SERVICE_ERROR, 401, -148_643, c"?"));
        assert!(text.contains("no credentials"), "{text}");
        // Only the service's own words count.
        let text = advice_on(&refused(
            us3_status::US3_FILE_ERROR,
            0,
            0,
            c"cannot open /data/invalid signature",
        ));
        assert!(text.contains("check the path"), "{text}");
    }

    #[test]
    fn what_became_of_the_object_decides_first() {
        use us3_callback_state::{
            US3_CALLBACK_DELIVERED, US3_CALLBACK_NOT_REQUESTED, US3_CALLBACK_UNKNOWN,
        };
        use us3_object_state::{US3_OBJECT_NOT_STORED, US3_OBJECT_STORED, US3_OBJECT_UNKNOWN};
        use us3_status::{
            US3_CALLBACK_FAILED, US3_INTEGRITY_ERROR, US3_INTERNAL_ERROR, US3_NETWORK_ERROR,
            US3_TIMEOUT,
        };
        for (status, object, callback, advice) in [
            (
                US3_NETWORK_ERROR,
                US3_OBJECT_STORED,
                US3_CALLBACK_UNKNOWN,
                ASK_THE_CALLBACK_SERVICE,
            ),
            (
                US3_CALLBACK_FAILED,
                US3_OBJECT_STORED,
                US3_CALLBACK_UNKNOWN,
                ASK_THE_CALLBACK_SERVICE,
            ),
            (
                US3_TIMEOUT,
                US3_OBJECT_UNKNOWN,
                US3_CALLBACK_UNKNOWN,
                ASK_FOR_BOTH,
            ),
            (
                US3_TIMEOUT,
                US3_OBJECT_UNKNOWN,
                US3_CALLBACK_NOT_REQUESTED,
                ASK_FOR_THE_OBJECT,
            ),
            (
                US3_INTEGRITY_ERROR,
                US3_OBJECT_NOT_STORED,
                US3_CALLBACK_DELIVERED,
                DAMAGED_PART,
            ),
            (
                US3_INTEGRITY_ERROR,
                US3_OBJECT_STORED,
                US3_CALLBACK_UNKNOWN,
                DAMAGED_OBJECT,
            ),
        ] {
            let result = us3_result {
                status: status as i32,
                object_state: object as i32,
                callback_state: callback as i32,
                ..us3_result::INIT
            };
            assert_eq!(advice_on(&result), advice, "{status:?} {object:?}");
        }
        let internal = us3_result {
            status: US3_INTERNAL_ERROR as i32,
            object_state: US3_OBJECT_UNKNOWN as i32,
            ..us3_result::INIT
        };
        assert!(advice_on(&internal).contains("report it"));
    }

    #[test]
    fn an_undocumented_refusal_goes_by_its_http_status() {
        for (http_status, advice) in [
            (404, "nothing under that name"),
            (429, "try again later"),
            (503, "try again later"),
            (400, "correct what"),
        ] {
            let refused = refused(us3_status::US3_SERVICE_ERROR, http_status, -1, c"no");
            assert!(advice_on(&refused).contains(advice), "{http_status}");
        }
    }
}
