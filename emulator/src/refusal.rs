//! The refusals: status, RetCode and ErrMsg. The documented ones are exact. The others are invented, with
//! codes from a range that the service is not known to use.

use std::fmt;

/// Why a request is refused.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub status: u16,
    pub ret_code: i64,
    pub err_msg: String,
    /// More for the log than the client is told.
    pub note: Option<String>,
}

impl Refusal {
    pub fn new(status: u16, ret_code: i64, err_msg: impl Into<String>) -> Self {
        Self {
            status,
            ret_code,
            err_msg: err_msg.into(),
            note: None,
        }
    }

    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    pub fn bucket_not_exists() -> Self {
        Self::new(400, -148653, "bucket not exists")
    }

    pub fn check_md5_failed() -> Self {
        Self::new(400, -15036, "check md5 failed")
    }

    pub fn no_authorization() -> Self {
        Self::new(401, -148643, "no authorization found")
    }

    pub fn invalid_signature() -> Self {
        Self::new(403, -148643, "invalid signature")
    }

    pub fn invalid_put_policy(why: impl Into<String>) -> Self {
        Self::new(400, -148660, "invalid put policy").with_note(why)
    }

    /// The callback service could not be reached.
    pub fn callback_unreachable(url: &str, why: impl fmt::Display) -> Self {
        Self::new(599, 20003, format!("send request error: Post {url}: {why}"))
    }

    /// The callback service answered, but not with JSON.
    pub fn callback_not_json(why: impl Into<String>) -> Self {
        Self::new(599, 20008, why)
    }

    pub fn bad_request(err_msg: impl Into<String>) -> Self {
        Self::new(400, -190400, err_msg)
    }

    pub fn no_such_object() -> Self {
        Self::new(404, -148654, "file not exist")
    }

    pub fn no_such_upload() -> Self {
        Self::new(404, -190404, "upload id not exists")
    }

    /// The token lacks a right.
    pub fn permission_denied() -> Self {
        Self::new(403, -190403, "permission denied")
    }

    pub fn too_many_requests() -> Self {
        Self::new(503, -190503, "too many requests")
    }

    pub fn unknown_call() -> Self {
        Self::new(405, -190405, "method not allowed")
    }

    pub fn length_required() -> Self {
        Self::new(411, -190411, "content length required")
    }

    pub fn file_too_large() -> Self {
        Self::new(
            400,
            -190413,
            "file too large: a put is at most 512 MiB, use a multipart upload",
        )
    }

    pub fn invalid_part(err_msg: impl Into<String>) -> Self {
        Self::new(400, -190414, err_msg)
    }

    pub fn invalid_etag_count() -> Self {
        Self::new(400, -190415, "invalid etag count")
    }

    pub fn invalid_etag(number: u32) -> Self {
        Self::new(400, -190416, "invalid etag").with_note(format!(
            "the ETag given for part {number} is not the part's"
        ))
    }

    /// The emulator itself failed, at its disk mostly.
    pub fn internal(why: impl fmt::Display) -> Self {
        Self::new(500, -190500, format!("emulator failure: {why}"))
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Self::internal(error)
    }
}
