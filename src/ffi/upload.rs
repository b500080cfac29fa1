//! `us3_upload_request`: one request for every upload; the named operations fill it in.

use std::ffi::{c_char, c_void};
use std::ptr;
use std::time::Duration;

use crate::error::{Error, Report, Result, Status};
use crate::policy::PutPolicy;
use crate::source::Source;
use crate::upload::{DEFAULT_JOBS, Mode, UploadRequest};

use super::client::{enter, us3_client};
use super::guard::{guard, guard_value};
use super::header::{pairs, us3_header};
use super::input;
use super::memory;
use super::result::us3_result;
use super::status::us3_status;
use super::structs::{self, PublicStruct, member_ends};

/// How the content travels: the values of us3_upload_request.mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum us3_mode {
    /// One PutFile when it is small, multipart when it is large.
    US3_MODE_AUTO = 0,
    /// One PutFile, at most 512 MiB.
    US3_MODE_PUT = 1,
    /// Multipart. An empty object is one PutFile all the same.
    US3_MODE_MPUT = 2,
}

/// Everything that an upload can want. Everything in it is borrowed until the call returns.
/// Strings are UTF-8, except file_path.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct us3_upload_request {
    /// sizeof(us3_upload_request), set by the initialiser.
    pub struct_size: usize,
    /// A us3_mode. Default US3_MODE_AUTO.
    pub mode: i32,
    /// The source, if it is a file: its path, bytes. A regular file. Exactly one of file_path
    /// and data is not NULL.
    pub file_path: *const c_char,
    /// The source, if it is memory: never copied, so leave it as it is until the call returns. For
    /// an empty object, any pointer but NULL, with a data_len of 0.
    pub data: *const c_void,
    /// Bytes at data. 0 if data is NULL.
    pub data_len: usize,
    /// Required. The object's key, 1 to 1023 bytes, without "." and ".." segments.
    pub key: *const c_char,
    /// The content type. NULL or "": detected by content, then by the file's extension.
    pub mime_type: *const c_char,
    /// The put policy, see "UPLOAD CALLBACKS". NULL: no callback. "" is US3_INVALID_POLICY.
    pub policy_json: *const c_char,
    /// Parts of a multipart upload in flight at once: below 1 is 1, above 256 is 256. Default 10.
    /// The upload's memory is at most this many parts (of usually 4 MiB).
    pub jobs: i32,
    /// "STANDARD", "IA" or "ARCHIVE". NULL or "": the bucket's.
    pub storage_class: *const c_char,
    /// metadata_len pieces of metadata, kept with the object as X-Ufile-Meta-NAME: VALUE. Names
    /// are letters, digits and "-"; 8 KiB in all. NULL if there are none.
    pub metadata: *const us3_header,
    /// Elements of metadata.
    pub metadata_len: usize,
    /// A checkpoint file, bytes; NULL or "" for none. With one, an upload in parts that fails is
    /// kept, and the next one with the same checkpoint, object and file sends only what the
    /// service does not have yet. The file is made when the upload begins, readable by its owner
    /// only, holds no secret, and is removed when the object is stored. It goes with file_path,
    /// and not with US3_MODE_PUT. One upload at a time may use it: US3_FILE_ERROR to others.
    pub resume_path: *const c_char,
    /// Milliseconds for the whole upload, retries and clean-up included; 0 for no limit. When they
    /// have passed: US3_TIMEOUT.
    pub timeout_ms: u64,
}

/// Initialises a request with the defaults, as US3_UPLOAD_REQUEST_INIT does.
///
/// @param request  NULL is allowed and ignored
///
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_upload_request_init(request: *mut us3_upload_request) {
    // SAFETY: NULL, or memory for a us3_upload_request: the header asks the host for it.
    guard_value((), || unsafe { structs::init(request) });
}

/// Uploads a file or memory as one object, whatever the request asks for, and waits for the end.
///
/// @param client   the client
/// @param request  initialised and filled in; borrowed until the call returns
/// @param result   NULL, or receives what became of the upload. With a policy, body is the reply
///                 of the callback service
///
/// Any thread. Blocks until the object is stored and the callback answered, or the upload failed.
///
/// Returns
/// - US3_OK: stored, and the callback, if there was a policy, delivered
/// - US3_INVALID_ARGUMENT: a pointer is NULL, none or both of file_path and data are given, mode,
///   key, mime_type, storage_class or metadata is not one, or the content is over 512 MiB with
///   US3_MODE_PUT
/// - US3_INVALID_POLICY: the policy is "" or wrong; err_msg says where
/// - US3_FILE_ERROR: the file is missing, unreadable, a directory, or otherwise not a regular file;
///   or resume_path cannot be written, or another upload uses it
/// - US3_FILE_CHANGED: the file changed while it was sent; nothing is stored
/// - US3_SERVICE_ERROR: the service refused
/// - US3_CALLBACK_FAILED: stored, but the callback failed; see "ERROR CODES"
/// - US3_NETWORK_ERROR, US3_TIMEOUT: object_state and callback_state tell what is known
/// - US3_INTEGRITY_ERROR: stored, but not what was sent
/// - US3_PROTOCOL_ERROR, US3_FORKED, US3_INTERNAL_ERROR
///
/// A multipart upload that fails is aborted, unless resume_path is set. If it was kept, its last
/// step failed, or aborting it did, result.upload_id names it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_upload(
    client: *mut us3_client,
    request: *const us3_upload_request,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe {
        guard(result, || {
            let client = enter(client)?;
            let request = structs::read("request", request)?;
            request.run(&client)
        })
    }
}

/// PutFileWithPolicy: uploads a file with one request, then the callback runs.
///
/// @param client       the client
/// @param file_path    path of a regular file of at most 512 MiB, bytes
/// @param key          the object's key, 1 to 1023 bytes of UTF-8
/// @param mime_type    the content type; NULL or "" to detect it
/// @param policy_json  the put policy; NULL for no callback, "" is US3_INVALID_POLICY
/// @param result       NULL, or receives what became of the upload; body is the callback's reply
///
/// Any thread. Blocks. Returns what us3_upload returns; a larger file is US3_INVALID_ARGUMENT
/// before anything is sent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_put_file_with_policy(
    client: *mut us3_client,
    file_path: *const c_char,
    key: *const c_char,
    mime_type: *const c_char,
    policy_json: *const c_char,
    result: *mut us3_result,
) -> us3_status {
    let request = us3_upload_request {
        mode: us3_mode::US3_MODE_PUT as i32,
        file_path,
        key,
        mime_type,
        policy_json,
        ..us3_upload_request::INIT
    };
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe { upload_file(client, &request, result) }
}

/// MPutWithPolicy: uploads a file in parts, one at a time, then the callback runs.
///
/// @param client       the client
/// @param file_path    path of a regular file, bytes
/// @param key          the object's key, 1 to 1023 bytes of UTF-8
/// @param mime_type    the content type; NULL or "" to detect it
/// @param policy_json  the put policy; NULL for no callback, "" is US3_INVALID_POLICY
/// @param result       NULL, or receives what became of the upload; body is the callback's reply
///
/// Any thread. Blocks. Returns what us3_upload returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_mput_with_policy(
    client: *mut us3_client,
    file_path: *const c_char,
    key: *const c_char,
    mime_type: *const c_char,
    policy_json: *const c_char,
    result: *mut us3_result,
) -> us3_status {
    let request = us3_upload_request {
        mode: us3_mode::US3_MODE_MPUT as i32,
        file_path,
        key,
        mime_type,
        policy_json,
        jobs: 1,
        ..us3_upload_request::INIT
    };
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe { upload_file(client, &request, result) }
}

/// AsyncMPutWithPolicy: uploads a file in parts, 10 at a time, then the callback runs. The name is
/// the vendor's: "async" is what the parts are to each other; the call waits for the end.
///
/// @param client       the client
/// @param file_path    path of a regular file, bytes
/// @param key          the object's key, 1 to 1023 bytes of UTF-8
/// @param mime_type    the content type; NULL or "" to detect it
/// @param policy_json  the put policy; NULL for no callback, "" is US3_INVALID_POLICY
/// @param result       NULL, or receives what became of the upload; body is the callback's reply
///
/// Any thread. Blocks. Returns what us3_upload returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_async_mput_with_policy(
    client: *mut us3_client,
    file_path: *const c_char,
    key: *const c_char,
    mime_type: *const c_char,
    policy_json: *const c_char,
    result: *mut us3_result,
) -> us3_status {
    let request = us3_upload_request {
        mode: us3_mode::US3_MODE_MPUT as i32,
        file_path,
        key,
        mime_type,
        policy_json,
        jobs: ASYNC_MPUT_JOBS,
        ..us3_upload_request::INIT
    };
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe { upload_file(client, &request, result) }
}

/// AsyncUploadWithPolicy: uploads a file in parts, `jobs` at a time, then the callback runs.
///
/// @param client       the client
/// @param file_path    path of a regular file, bytes
/// @param key          the object's key, 1 to 1023 bytes of UTF-8
/// @param mime_type    the content type; NULL or "" to detect it
/// @param jobs         parts in flight at once: below 1 is 1, above 256 is 256
/// @param policy_json  the put policy; NULL for no callback, "" is US3_INVALID_POLICY
/// @param result       NULL, or receives what became of the upload; body is the callback's reply
///
/// Any thread. Blocks. Returns what us3_upload returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_async_upload_with_policy(
    client: *mut us3_client,
    file_path: *const c_char,
    key: *const c_char,
    mime_type: *const c_char,
    jobs: i32,
    policy_json: *const c_char,
    result: *mut us3_result,
) -> us3_status {
    let request = us3_upload_request {
        mode: us3_mode::US3_MODE_MPUT as i32,
        file_path,
        key,
        mime_type,
        policy_json,
        jobs,
        ..us3_upload_request::INIT
    };
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe { upload_file(client, &request, result) }
}

/// AsyncMPutWithPolicy of the vendor's SDKs.
const ASYNC_MPUT_JOBS: i32 = 10;

/// What the named operations have in common: their source is a file, and must be there.
///
/// # Safety
/// As for [`us3_upload_request::run`]; `client` and `result` as the header asks.
unsafe fn upload_file(
    client: *mut us3_client,
    request: &us3_upload_request,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: our caller's promise.
    unsafe {
        guard(result, || {
            let client = enter(client)?;
            input::not_null("file_path", request.file_path)?;
            request.run(&client)
        })
    }
}

impl us3_upload_request {
    /// Runs the upload; when it returns, nothing of the host's is used any more.
    ///
    /// # Safety
    /// Each pointer is NULL or as the header says, and stays so until this returns.
    unsafe fn run(&self, client: &crate::client::Client) -> Result<Report> {
        // SAFETY: our caller's promise. The length of `data` was checked.
        unsafe {
            self.check_source()?;
            if self.data.is_null() {
                let path = input::path("file_path", self.file_path)?;
                return client.upload(self.with_source(Source::File(path.to_owned()))?);
            }
            memory::lend(self.data.cast(), self.data_len, |bytes| {
                client.upload(self.with_source(Source::Memory(bytes))?)
            })
        }
    }

    fn check_source(&self) -> Result<()> {
        let wrong = |why: &str| Err(Error::argument(why));
        match (self.file_path.is_null(), self.data.is_null()) {
            (true, true) => wrong(
                "file_path and data are both NULL: set one of them (for an empty object, data to \
                 \"\" and data_len to 0)",
            ),
            (false, false) => wrong("file_path and data are both given: set only one of them"),
            (false, true) if self.data_len != 0 => wrong("data is NULL, but data_len is not 0"),
            _ => input::fits_in_memory::<u8>("data", self.data_len),
        }
    }

    /// The engine's request.
    ///
    /// # Safety
    /// As for [`Self::run`].
    unsafe fn with_source(&self, source: Source) -> Result<UploadRequest> {
        // SAFETY: our caller's promise is the one that each of the functions asks for.
        unsafe {
            let mut request = UploadRequest::new(source, input::text("key", self.key)?);
            request.mode = mode(self.mode)?;
            request.mime_type = owned(input::optional_text("mime_type", self.mime_type)?);
            request.policy = policy("policy_json", self.policy_json)?;
            request.jobs = self.jobs;
            request.storage_class =
                owned(input::optional_text("storage_class", self.storage_class)?);
            if !self.resume_path.is_null() {
                let path = input::path("resume_path", self.resume_path)?;
                request.resume_path = (!path.as_os_str().is_empty()).then(|| path.to_owned());
            }
            request.timeout = (self.timeout_ms > 0).then(|| Duration::from_millis(self.timeout_ms));
            let metadata = pairs("metadata", self.metadata, self.metadata_len)?;
            request.metadata = metadata
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            Ok(request)
        }
    }
}

/// A policy that may be missing, but must not be empty: a setting that was forgotten must not drop
/// the callback in silence.
///
/// # Safety
/// As for [`input::text`].
pub(super) unsafe fn policy(name: &str, json: *const c_char) -> Result<Option<PutPolicy>> {
    if json.is_null() {
        return Ok(None);
    }
    // SAFETY: our caller's promise is the one that text asks for.
    let json = unsafe { input::text(name, json) }?;
    if json.is_empty() {
        return Err(Error::new(
            Status::InvalidPolicy,
            format!("{name} is empty: pass NULL to upload without a callback"),
        ));
    }
    PutPolicy::parse(json).map(Some)
}

/// A mode of C, which may be any number.
fn mode(number: i32) -> Result<Mode> {
    const AUTO: i32 = us3_mode::US3_MODE_AUTO as i32;
    const PUT: i32 = us3_mode::US3_MODE_PUT as i32;
    const MPUT: i32 = us3_mode::US3_MODE_MPUT as i32;
    match number {
        AUTO => Ok(Mode::Auto),
        PUT => Ok(Mode::Put),
        MPUT => Ok(Mode::Multipart),
        _ => Err(Error::argument(format!(
            "mode is {number}, which is none of US3_MODE_AUTO (0), _PUT (1) and _MPUT (2)"
        ))),
    }
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

// SAFETY: repr(C), struct_size first, only integers and pointers, ends by the macro.
unsafe impl PublicStruct for us3_upload_request {
    const NAME: &'static str = "us3_upload_request";
    const INIT: Self = Self {
        struct_size: size_of::<Self>(),
        mode: us3_mode::US3_MODE_AUTO as i32,
        file_path: ptr::null(),
        data: ptr::null(),
        data_len: 0,
        key: ptr::null(),
        mime_type: ptr::null(),
        policy_json: ptr::null(),
        jobs: DEFAULT_JOBS,
        storage_class: ptr::null(),
        metadata: ptr::null(),
        metadata_len: 0,
        resume_path: ptr::null(),
        timeout_ms: 0,
    };
    const SMALLEST: usize = Self::MEMBER_ENDS[5];
    const MEMBER_ENDS: &'static [usize] = member_ends!(us3_upload_request {
        struct_size,
        mode,
        file_path,
        data,
        data_len,
        key,
        mime_type,
        policy_json,
        jobs,
        storage_class,
        metadata,
        metadata_len,
        resume_path,
        timeout_ms,
    });
}

// US3_UPLOAD_REQUEST_INIT and the header's text say so.
const _: () = assert!(DEFAULT_JOBS == 10);

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(request: us3_upload_request) -> String {
        let error = request.check_source().unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument);
        error.message().to_owned()
    }

    #[test]
    fn exactly_one_source() {
        let none = us3_upload_request::INIT;
        assert!(refused(none).contains("both NULL"));
        let file = us3_upload_request {
            file_path: c"f".as_ptr(),
            ..none
        };
        assert!(file.check_source().is_ok());
        let empty = us3_upload_request {
            data: c"".as_ptr().cast(),
            ..none
        };
        assert!(empty.check_source().is_ok());
        let both = us3_upload_request {
            data: empty.data,
            ..file
        };
        assert!(refused(both).contains("both given"));
        let lost = us3_upload_request {
            data_len: 1,
            ..file
        };
        assert!(refused(lost).contains("data_len"));
        let negative = us3_upload_request {
            data_len: usize::MAX,
            ..empty
        };
        assert!(refused(negative).contains("negative"));
    }

    #[test]
    fn a_mode_that_is_none() {
        assert_eq!(mode(2).unwrap(), Mode::Multipart);
        for number in [-1, 3, i32::MAX] {
            assert!(mode(number).unwrap_err().message().contains("mode is"));
        }
    }

    #[test]
    fn an_empty_policy_is_not_a_missing_one() {
        // SAFETY: NULL and C literals.
        unsafe {
            assert!(policy("policy_json", ptr::null()).unwrap().is_none());
            let empty = policy("policy_json", c"".as_ptr()).unwrap_err();
            assert_eq!(empty.status(), Status::InvalidPolicy);
            assert!(empty.message().contains("pass NULL"));
        }
    }
}
