//! `us3_result`: the outcome of a call.

use std::ffi::c_char;
use std::ptr;

use crate::error::{Report, Result};

use super::catch::catch_or;
use super::memory;
use super::status::{us3_callback_state, us3_object_state, us3_status};
use super::structs::{self, OutStruct, PublicStruct, member_ends};

/// The outcome of a call. Initialise a us3_result once, pass it to any number of calls, one after
/// the other, and clear it at the end. Each call first frees the strings of the previous call. Only
/// one thread at a time may use a us3_result: give each thread its own.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct us3_result {
    /// sizeof(us3_result), set by the initialiser.
    pub struct_size: usize,
    /// The us3_status that the call returned.
    pub status: i32,
    /// HTTP status of the service's last answer, 0 if there was none.
    pub http_status: i32,
    /// RetCode of the service's last answer, 0 if there was none. See "ERROR CODES".
    pub ret_code: i32,
    /// errno of the system call that failed, 0 if none did.
    pub os_error: i32,
    /// A us3_object_state: whether this call left the object in the bucket.
    pub object_state: i32,
    /// A us3_callback_state: whether the upload callback ran.
    pub callback_state: i32,
    /// 1 + the requests that had to be sent again; 0 if nothing was sent.
    pub attempts: u32,
    /// Bytes of content that were sent, including those that were sent again.
    pub bytes_sent: u64,
    /// One line for a log: what failed, on which file, key or URL, why, and what to do. NULL on
    /// success.
    pub err_msg: *mut c_char,
    /// X-SessionId of the service's last answer: quote it to support. NULL if there was none.
    pub session_id: *mut c_char,
    /// The object's (or part's) ETag, without quotes. NULL if unknown.
    pub etag: *mut c_char,
    /// The id of the multipart upload that the call was about; NULL if there was none. After a
    /// failure it is set only if the upload still exists at the service, or may exist.
    pub upload_id: *mut c_char,
    /// The body of the service's last answer, unchanged, followed by a NUL; NULL if it was empty.
    /// After a successful call with a policy, it is the reply of the callback service.
    pub body: *mut c_char,
    /// Bytes in body, the final NUL not counted.
    pub body_len: usize,
    /// Parts that an earlier run of a resumable upload had sent and that this run did not send
    /// again.
    pub parts_resumed: u32,
    /// Further information, also on success, such as why a resumable upload started from the
    /// beginning. NULL if there is none.
    pub note: *mut c_char,
}

/// Initialises a result, as US3_RESULT_INIT does. It frees nothing, so use it only on a result that
/// holds no strings.
///
/// @param result  NULL is allowed and ignored
///
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_result_init(result: *mut us3_result) {
    // SAFETY: NULL, or memory for a us3_result: the header asks the host for it.
    catch_or((), || unsafe { structs::init(result) });
}

/// Frees the strings of a result and sets it back to its initial values. The result can be used
/// again. Clearing it twice is harmless.
///
/// @param result  initialised; NULL is allowed and ignored
///
/// Any thread, while no other thread uses the result. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_result_clear(result: *mut us3_result) {
    // SAFETY: NULL, or an initialised result that only this thread uses: the header asks for it.
    catch_or((), || unsafe { structs::clear(result) });
}

impl us3_result {
    /// The outcome of a call, with strings of its own.
    pub(super) fn of(outcome: &Result<Report>) -> Self {
        let (status, message, report) = match outcome {
            Ok(report) => (us3_status::US3_OK, None, report),
            Err(error) => (
                us3_status::of(error.status()),
                Some(error.message()),
                error.report(),
            ),
        };
        let body = match report.body.as_slice() {
            [] => ptr::null_mut(),
            body => memory::bytes(body),
        };
        Self {
            status: status as i32,
            http_status: i32::from(report.http_status),
            ret_code: report.ret_code,
            os_error: report.os_error,
            object_state: us3_object_state::of(report.object) as i32,
            callback_state: us3_callback_state::of(report.callback) as i32,
            attempts: report.attempts,
            bytes_sent: report.bytes_sent,
            err_msg: memory::optional_string(message),
            session_id: memory::optional_string(report.session_id.as_deref()),
            etag: memory::optional_string(report.etag.as_deref()),
            upload_id: memory::optional_string(report.upload_id.as_deref()),
            body,
            parts_resumed: report.parts_resumed,
            note: memory::optional_string(report.note.as_deref()),
            body_len: if body.is_null() { 0 } else { report.body.len() },
            ..Self::INIT
        }
    }
}

// SAFETY: repr(C), struct_size first, only integers and pointers, ends by the macro.
unsafe impl PublicStruct for us3_result {
    const NAME: &'static str = "us3_result";
    const INIT: Self = Self {
        struct_size: size_of::<Self>(),
        status: 0,
        http_status: 0,
        ret_code: 0,
        os_error: 0,
        object_state: 0,
        callback_state: 0,
        attempts: 0,
        bytes_sent: 0,
        err_msg: ptr::null_mut(),
        session_id: ptr::null_mut(),
        etag: ptr::null_mut(),
        upload_id: ptr::null_mut(),
        body: ptr::null_mut(),
        body_len: 0,
        parts_resumed: 0,
        note: ptr::null_mut(),
    };
    const SMALLEST: usize = Self::MEMBER_ENDS[1];
    const MEMBER_ENDS: &'static [usize] = member_ends!(us3_result {
        struct_size,
        status,
        http_status,
        ret_code,
        os_error,
        object_state,
        callback_state,
        attempts,
        bytes_sent,
        err_msg,
        session_id,
        etag,
        upload_id,
        body,
        body_len,
        parts_resumed,
        note,
    });
}

impl OutStruct for us3_result {
    unsafe fn release(&mut self) {
        for string in [
            &mut self.err_msg,
            &mut self.session_id,
            &mut self.etag,
            &mut self.upload_id,
            &mut self.body,
            &mut self.note,
        ] {
            // SAFETY: NULL or made by `memory`, once: our caller's promise.
            unsafe { memory::free(*string) };
            *string = ptr::null_mut();
        }
        self.body_len = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;
    use std::slice;

    use super::*;
    use crate::error::{CallbackState, Error, ObjectState, Status};

    #[test]
    fn a_failure_tells_everything_and_is_cleared_twice() {
        let mut error = Error::new(Status::CallbackFailed, "the callback\0 failed");
        *error.report_mut() = Report {
            http_status: 599,
            ret_code: 20003,
            object: ObjectState::Stored,
            callback: CallbackState::NotDelivered,
            attempts: 1,
            bytes_sent: 7,
            session_id: Some("s-1".into()),
            body: b"a\0\xff".to_vec(),
            ..Report::default()
        };
        let mut result = us3_result::of(&Err(error));
        assert_eq!(result.status, us3_status::US3_CALLBACK_FAILED as i32);
        assert_eq!((result.http_status, result.ret_code), (599, 20003));
        assert_eq!((result.object_state, result.callback_state), (1, 2));
        // SAFETY: strings made just above.
        unsafe {
            let message = CStr::from_ptr(result.err_msg).to_str().unwrap();
            assert_eq!(message, r"the callback\u{0} failed");
            let body = slice::from_raw_parts(result.body.cast::<u8>(), result.body_len + 1);
            assert_eq!(body, b"a\0\xff\0");
            us3_result_clear(&mut result);
            us3_result_clear(&mut result);
            us3_result_clear(ptr::null_mut());
        }
        assert!(result.err_msg.is_null() && result.body.is_null() && result.body_len == 0);
        assert_eq!(result.struct_size, size_of::<us3_result>());
        assert_eq!(result.status, 0);
    }

    #[test]
    fn a_success_has_no_message() {
        let result = us3_result::of(&Ok(Report::default()));
        assert_eq!(result.status, 0);
        assert!(result.err_msg.is_null() && result.etag.is_null() && result.body.is_null());
    }
}
