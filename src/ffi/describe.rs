//! A result in words, with what to do about it.

use std::ffi::{CStr, c_char};
use std::fmt::Write;

use super::result::us3_result;
use super::status::{self, us3_callback_state, us3_object_state, us3_status};
use super::structs::{self, PublicStruct};

/// As much of an answer's body as belongs into a paragraph.
const BODY_SHOWN: usize = 400;

/// Says what became of a call. Reads no member that the host's struct does not have.
///
/// # Safety
/// `result` is NULL or points at a struct as large as its `struct_size` says, whose strings are
/// NULL or NUL-terminated, and whose body has `body_len` bytes.
pub(super) unsafe fn paragraph(result: *const us3_result) -> String {
    // A member that an older struct does not have must not be read as "not stored".
    let unknown = us3_result {
        object_state: -1,
        callback_state: -1,
        ..us3_result::INIT
    };
    // SAFETY: our caller's promise is the one that peek asks for.
    match unsafe { structs::peek("result", result, unknown) } {
        // SAFETY: the strings are as our caller promises.
        Ok(result) => unsafe { Facts::of(&result) }.paragraph(),
        Err(error) => format!("There is nothing to describe: {}.", error.message()),
    }
}

/// A result with its strings made safe to print.
struct Facts {
    result: us3_result,
    message: String,
    session_id: String,
    etag: String,
    upload_id: String,
    body: String,
    note: String,
}

impl Facts {
    /// # Safety
    /// As for [`paragraph`].
    unsafe fn of(result: &us3_result) -> Self {
        // SAFETY: each is NULL or NUL-terminated: our caller's promise. The library puts a NUL
        // behind the body, and a body that has one earlier is only shown up to it.
        unsafe {
            Self {
                result: *result,
                message: printable(result.err_msg),
                session_id: printable(result.session_id),
                etag: printable(result.etag),
                upload_id: printable(result.upload_id),
                body: printable(result.body),
                note: printable(result.note),
            }
        }
    }

    fn paragraph(&self) -> String {
        let mut text = self.headline();
        for sentence in [
            self.answer(),
            self.object(),
            self.callback(),
            self.names(),
            self.resumed(),
            self.last_answer(),
            self.what_to_do(),
        ] {
            if !sentence.is_empty() {
                text.push(' ');
                text.push_str(&sentence);
            }
        }
        text
    }

    fn succeeded(&self) -> bool {
        self.result.status == us3_status::US3_OK as i32
    }

    fn headline(&self) -> String {
        let status = self.result.status;
        let name = status::name(status).to_string_lossy();
        match (self.succeeded(), self.message.as_str()) {
            (true, "") => format!("{name} ({status}): done."),
            (false, "") => format!("{name} ({status}): failed, without a message."),
            (_, message) => format!("{name} ({status}): {}", sentence(message)),
        }
    }

    fn answer(&self) -> String {
        let mut facts = Vec::new();
        if self.result.http_status != 0 {
            facts.push(format!("HTTP status {}", self.result.http_status));
        }
        if self.result.ret_code != 0 {
            facts.push(format!("RetCode {}", self.result.ret_code));
        }
        if self.result.os_error != 0 {
            facts.push(format!("errno {}", self.result.os_error));
        }
        if self.result.attempts > 1 {
            facts.push(format!("{} attempts", self.result.attempts));
        }
        if facts.is_empty() {
            return String::new();
        }
        format!("{}.", facts.join(", "))
    }

    fn object(&self) -> String {
        let state = self.result.object_state;
        let said = if state == us3_object_state::US3_OBJECT_STORED as i32 {
            "The object is stored."
        } else if state == us3_object_state::US3_OBJECT_UNKNOWN as i32 {
            "Whether the object is stored is unknown."
        } else if state == us3_object_state::US3_OBJECT_NOT_STORED as i32 && !self.succeeded() {
            "This call did not store the object."
        } else {
            ""
        };
        said.to_owned()
    }

    fn callback(&self) -> String {
        let state = self.result.callback_state;
        let said = if state == us3_callback_state::US3_CALLBACK_DELIVERED as i32 {
            "The callback was delivered."
        } else if state == us3_callback_state::US3_CALLBACK_NOT_DELIVERED as i32 {
            "The callback was not delivered."
        } else if state == us3_callback_state::US3_CALLBACK_UNKNOWN as i32 {
            "Whether the callback ran is unknown."
        } else {
            ""
        };
        said.to_owned()
    }

    fn names(&self) -> String {
        let mut text = String::new();
        if !self.etag.is_empty() {
            let _ = write!(text, "ETag {}. ", self.etag);
        }
        if !self.upload_id.is_empty() && self.succeeded() {
            let _ = write!(text, "Upload id {}. ", self.upload_id);
        } else if !self.upload_id.is_empty() {
            let _ = write!(text, "The upload {} still exists. ", self.upload_id);
        }
        if !self.session_id.is_empty() {
            let _ = write!(text, "Session id {}.", self.session_id);
        }
        text.trim_end().to_owned()
    }

    fn resumed(&self) -> String {
        let mut text = String::new();
        if self.result.parts_resumed > 0 {
            let parts = self.result.parts_resumed;
            let _ = write!(text, "{parts} parts were there from an earlier run. ");
        }
        if !self.note.is_empty() {
            let _ = write!(text, "Note: {}.", self.note);
        }
        text.trim_end().to_owned()
    }

    fn last_answer(&self) -> String {
        if self.body.is_empty() {
            return String::new();
        }
        let shown: String = self.body.chars().take(BODY_SHOWN).collect();
        let more = if shown.len() < self.body.len() {
            " …"
        } else {
            ""
        };
        format!("The last answer was: {shown}{more}")
    }

    fn what_to_do(&self) -> String {
        if self.succeeded() {
            return String::new();
        }
        let advice = self.advice_on_answer().or_else(|| self.advice_on_status());
        let advice = advice.unwrap_or(
            "This status is unknown here: a newer libus3 made it. Treat it as a failure.",
        );
        match self.session_id.is_empty() {
            true => format!("What to do: {advice}"),
            false => format!("What to do: {advice} If you ask support, quote the session id."),
        }
    }

    /// What the service said decides before its numbers do: the numbers vary.
    fn advice_on_answer(&self) -> Option<&'static str> {
        let said = format!("{} {}", self.message, self.body).to_lowercase();
        let by_words = ANSWERS.iter().find(|row| said.contains(row.says));
        let by_number = || {
            ANSWERS.iter().find(|row| {
                row.ret_code == self.result.ret_code && row.http_status == self.result.http_status
            })
        };
        let from_service = self.result.http_status >= 300 || self.result.ret_code != 0;
        by_words
            .or_else(by_number)
            .filter(|_| from_service)
            .map(|row| row.advice)
    }

    fn advice_on_status(&self) -> Option<&'static str> {
        let row = STATUSES
            .iter()
            .find(|(status, _)| *status as i32 == self.result.status);
        row.map(|(_, advice)| *advice)
    }
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
const JSON_TYPE: &str = "the callback service must answer with Content-Type: application/json; if \
     it expects JSON itself, set callbackBodyType to application/json in the policy. The object \
     is stored: do not upload it again just to call back.";
const JSON_BODY: &str = "the callback service must answer with strict JSON and nothing else, not \
     even an empty body. The object is stored: do not upload it again just to call back.";

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
                 certificate included. The object is stored: do not upload it again just to call \
                 back.",
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
    (
        us3_status::US3_INVALID_ARGUMENT,
        "correct the call; nothing was sent.",
    ),
    (
        us3_status::US3_INVALID_CONFIG,
        "correct the configuration; nothing was sent.",
    ),
    (
        us3_status::US3_INVALID_POLICY,
        "correct the policy; nothing was sent. Pass NULL to upload without a callback.",
    ),
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
        "check the address, name resolution, firewall, proxy and certificates, then try again \
         unless the object is stored.",
    ),
    (
        us3_status::US3_TIMEOUT,
        "try again unless the object is stored; if the network or the callback service is slow, \
         raise idle_timeout_ms or response_timeout_ms.",
    ),
    (us3_status::US3_CANCELLED, "nothing: the host asked for it."),
    (
        us3_status::US3_SERVICE_ERROR,
        "read the service's message; an HTTP status of 500 or more, 408 or 429 is worth trying \
         again later, 404 means that there is no such object, others need a correction first.",
    ),
    (
        us3_status::US3_CALLBACK_FAILED,
        "repair the callback service. The object is stored: do not upload it again just to call \
         back.",
    ),
    (
        us3_status::US3_INTEGRITY_ERROR,
        "do not use the stored object: delete it or upload it again. If it happens again, look for \
         failing memory, and for a proxy that alters requests.",
    ),
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

/// Text of the host or the service on one line: lossy, and without control characters.
///
/// # Safety
/// `text` is NULL or NUL-terminated.
unsafe fn printable(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not NULL, so our caller promises a NUL-terminated string.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let one_line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    one_line.collect::<String>().trim().to_owned()
}

/// With a full stop, unless it ends in something like one.
fn sentence(text: &str) -> String {
    match text.ends_with(['.', '!', '?']) {
        true => text.to_owned(),
        false => format!("{text}."),
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;

    fn describe(result: &us3_result) -> String {
        // SAFETY: the tests' strings are C literals.
        unsafe { paragraph(result) }
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
            let text = describe(&refused(status, http_status, ret_code, said));
            assert!(text.contains(advice), "{text}");
            assert!(text.contains(&format!("HTTP status {http_status}, RetCode {ret_code}")));
        }
        // The words decide before the numbers, the numbers when there are no words.
        let text = describe(&refused(US3_SERVICE_ERROR, 404, -1, c"bucket not exists"));
        assert!(text.contains("check bucket_name"), "{text}");
        let text = describe(&refused(US3_SERVICE_ERROR, 401, -148_643, c"?"));
        assert!(text.contains("no credentials"), "{text}");
        // Only the service's own words count.
        let text = describe(&refused(
            us3_status::US3_FILE_ERROR,
            0,
            0,
            c"cannot open /data/invalid signature",
        ));
        assert!(text.contains("check the path"), "{text}");
    }

    #[test]
    fn every_failure_has_advice() {
        for status in 1..=us3_status::US3_INTERNAL_ERROR as i32 {
            let result = us3_result {
                status,
                ..us3_result::INIT
            };
            let text = describe(&result);
            assert!(text.contains("What to do: "), "{text}");
            assert!(!text.contains("unknown here"), "{text}");
        }
        let result = us3_result {
            status: 99,
            ..us3_result::INIT
        };
        assert!(describe(&result).starts_with("US3_UNKNOWN_STATUS (99)"));
    }

    #[test]
    fn a_success_with_a_callback() {
        let result = us3_result {
            http_status: 200,
            object_state: us3_object_state::US3_OBJECT_STORED as i32,
            callback_state: us3_callback_state::US3_CALLBACK_DELIVERED as i32,
            etag: c"AQAAAA".as_ptr().cast_mut(),
            body: c"{\n\"ok\":true}".as_ptr().cast_mut(),
            body_len: 12,
            ..us3_result::INIT
        };
        assert_eq!(
            describe(&result),
            "US3_OK (0): done. HTTP status 200. The object is stored. The callback was delivered. \
             ETag AQAAAA. The last answer was: { \"ok\":true}"
        );
    }

    #[test]
    fn what_was_never_initialised_is_said_so() {
        // SAFETY: NULL is allowed.
        let text = unsafe { paragraph(ptr::null()) };
        assert_eq!(text, "There is nothing to describe: result is NULL.");
        let result = us3_result {
            struct_size: 0,
            ..us3_result::INIT
        };
        assert!(describe(&result).contains("US3_RESULT_INIT"));
    }

    #[test]
    fn an_old_result_says_nothing_about_what_it_does_not_have() {
        let old = [12_u64, us3_status::US3_TIMEOUT as u64];
        // SAFETY: the struct is as large as it says: the size, and a status of four bytes.
        let text = unsafe { paragraph(old.as_ptr().cast()) };
        assert!(text.starts_with("US3_TIMEOUT (7): failed, without a message. What to do"));
    }
}
