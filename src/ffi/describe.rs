//! `us3_result_describe`: a result in words.

use std::ffi::{CStr, c_char};
use std::fmt::Write;
use std::ptr;

use crate::error::{CallbackState, ObjectState, Status};
use crate::protocol::advice::{self, Failed};

use super::catch::catch_or;
use super::memory;
use super::result::us3_result;
use super::status;
use super::structs::{self, PublicStruct};

/// As much of an answer's body as belongs into a paragraph.
const BODY_SHOWN: usize = 400;

/// In place of what may be a secret.
const HIDDEN: &str = "***";

/// Describes the outcome of a call in one readable paragraph: status, message, HTTP status,
/// RetCode, session id, whether the object is stored, whether the callback ran, and what to do. For
/// logs and for people; programs should use the members.
///
/// @param result  the result of any call, successful or not; a result that the host filled in
///                itself is allowed
/// @return one line of UTF-8, to be freed with us3_string_free. NULL only if memory ran out.
///
/// Any thread, while no other thread changes the result. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_result_describe(result: *const us3_result) -> *mut c_char {
    // SAFETY: NULL, or an initialised result that nobody changes: the header asks for it.
    catch_or(ptr::null_mut(), || unsafe {
        memory::string(&paragraph(result))
    })
}

/// What became of a call, in words. Reads no member that the host's struct does not have.
///
/// # Safety
/// `result` is NULL or points at a struct as large as its `struct_size` says, whose strings are
/// NULL or NUL-terminated, and whose body has `body_len` bytes.
pub(super) unsafe fn paragraph(result: *const us3_result) -> String {
    // A member that an older struct lacks must not be read as "not stored".
    let unknown = us3_result {
        object_state: -1,
        callback_state: -1,
        ..us3_result::INIT
    };
    // SAFETY: our caller's promise is the one that peek asks for.
    match unsafe { structs::peek("result", result, unknown) } {
        // SAFETY: the strings are as our caller promises.
        Ok(result) => unsafe { Described::of(&result) }.paragraph(),
        Err(error) => format!("There is nothing to describe: {}.", error.message()),
    }
}

/// A result with its numbers as the engine knows them (None: unknown here) and its strings made safe to print.
struct Described {
    result: us3_result,
    status: Option<Status>,
    object: Option<ObjectState>,
    callback: Option<CallbackState>,
    message: String,
    session_id: String,
    etag: String,
    upload_id: String,
    body: String,
    note: String,
}

impl Described {
    /// # Safety
    /// As for [`paragraph`].
    unsafe fn of(result: &us3_result) -> Self {
        // SAFETY: each is NULL or NUL-terminated: our caller's promise. The library puts a NUL
        // behind the body, and a body that has one earlier is only shown up to it.
        unsafe {
            Self {
                result: *result,
                status: status::from_number(result.status),
                object: status::object_from_number(result.object_state),
                callback: status::callback_from_number(result.callback_state),
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
            self.object().to_owned(),
            self.callback().to_owned(),
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
        self.status == Some(Status::Ok)
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

    fn object(&self) -> &'static str {
        match self.object {
            Some(ObjectState::Stored) => "The object is stored.",
            Some(ObjectState::Unknown) => "Whether the object is stored is unknown.",
            Some(ObjectState::NotStored) => self.not_stored(),
            None => "",
        }
    }

    fn not_stored(&self) -> &'static str {
        match self.status {
            Some(Status::Ok | Status::Pending | Status::InternalError) => "",
            _ if self.result.attempts == 0 && self.result.http_status == 0 => "Nothing was sent.",
            _ => "This call did not store the object.",
        }
    }

    fn callback(&self) -> &'static str {
        match self.callback {
            Some(CallbackState::Delivered) => "The callback was delivered.",
            Some(CallbackState::NotDelivered) => "The callback was not delivered.",
            Some(CallbackState::Unknown) => "Whether the callback ran is unknown.",
            Some(CallbackState::ReplyRefused) => "The callback ran, but US3 refused its reply.",
            Some(CallbackState::NotRequested) | None => "",
        }
    }

    fn names(&self) -> String {
        let mut text = String::new();
        if !self.etag.is_empty() {
            let _ = write!(text, "ETag {}. ", self.etag);
        }
        if !self.upload_id.is_empty() && self.succeeded() {
            let _ = write!(text, "Upload id {}. ", self.upload_id);
        } else if !self.upload_id.is_empty() {
            let may = match self.object {
                Some(ObjectState::Unknown) => "may still exist",
                _ => "still exists",
            };
            let _ = write!(text, "The upload {} {may}. ", self.upload_id);
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
        let ret_code = self.result.ret_code;
        let told = ret_code != 0 && self.message.contains(&ret_code.to_string());
        if self.body.is_empty() || told {
            return String::new();
        }
        if repeats_credentials(&self.body) {
            return "The last answer repeats credentials, and is not shown.".to_owned();
        }
        let body = without_long_words(&self.body);
        let shown: String = body.chars().take(BODY_SHOWN).collect();
        let more = if shown.len() < body.len() { " …" } else { "" };
        format!("The last answer was: {shown}{more}")
    }

    fn what_to_do(&self) -> String {
        if self.succeeded() {
            return String::new();
        }
        let said = format!("{} {}", self.message, self.body).to_lowercase();
        let advice = advice::on(&Failed {
            status: self.status,
            object: self.object,
            callback: self.callback,
            http_status: self.result.http_status,
            ret_code: self.result.ret_code,
            said: &said,
        });
        match self.session_id.is_empty() {
            true => format!("What to do: {advice}"),
            false => format!("What to do: {advice} If you ask support, quote the session id."),
        }
    }
}

/// Gateways like to show the request that they could not handle.
fn repeats_credentials(text: &str) -> bool {
    let text = text.to_lowercase();
    ["ucloud ", "ucloud%20", "authorization", "securitytoken"]
        .iter()
        .any(|name| text.contains(name))
}

/// Hides words that are long enough for a signature or a token: the body is as it came, and nobody can tell here
/// which secrets the request had.
fn without_long_words(text: &str) -> String {
    const LONGEST: usize = 19;
    let ends_word = |c: char| !c.is_ascii_graphic() || matches!(c, '"' | '\'' | '<' | '>');
    let mut shown = String::with_capacity(text.len());
    for piece in text.split_inclusive(ends_word) {
        let word = piece.trim_end_matches(ends_word);
        match word.len() {
            0..=LONGEST => shown.push_str(piece),
            _ => shown.extend([HIDDEN, &piece[word.len()..]]),
        }
    }
    shown
}

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
    use super::super::status::{us3_callback_state, us3_object_state, us3_status};
    use super::*;

    fn describe(result: &us3_result) -> String {
        // SAFETY: the tests' strings are C literals.
        unsafe { paragraph(result) }
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
    fn a_word_that_may_be_a_secret_is_not_shown() {
        for (body, shown) in [
            (c"<pre>qWW/xghQj9aOMC3TUv4o+nMSOHU=</pre>", "<pre>***</pre>"),
            (
                c"{\"sig\":\"qWW\\u002fxghQj9aOMC3TUv4o\"}",
                "{\"sig\":\"***\"}",
            ),
            (c"Signature qWW%2FxghQj9aOMC3TUv4o", "Signature ***"),
            (
                c"{\"message\":\"nineteen_characters\"}",
                "{\"message\":\"nineteen_characters\"}",
            ),
            (
                c"上传成功上传成功上传成功上传成功",
                "上传成功上传成功上传成功上传成功",
            ),
        ] {
            let result = us3_result {
                body: body.as_ptr().cast_mut(),
                body_len: body.count_bytes(),
                ..us3_result::INIT
            };
            let expected = format!("The last answer was: {shown}");
            assert!(
                describe(&result).ends_with(&expected),
                "{}",
                describe(&result)
            );
        }
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
