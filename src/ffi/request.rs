//! `us3_upload_request`: the parameters of an upload, turned into a Rust request.

use std::ffi::{c_char, c_void};
use std::ptr;
use std::time::Duration;

use crate::client::Client;
use crate::content::Source;
use crate::error::{Error, Result};
use crate::operation::task::{Caller, Returned, Task, TaskStarter, Watch, Watched};
use crate::upload::{DEFAULT_JOBS, Mode, UploadRequest};

use super::callback::{self, UserData, us3_complete_fn, us3_progress_fn, us3_read_fn};
use super::catch::catch_or;
use super::handle::InUse;
use super::header::{pairs, us3_header};
use super::input;
use super::lease::loan;
use super::memory;
use super::policy::policy;
use super::queue::us3_queue;
use super::structs::{self, PublicStruct, member_ends};
use super::task_handle::Ties;

/// How the content travels: the values of us3_upload_request.mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum us3_mode {
    /// One PutFile up to 16 MiB. Multipart above that, or with a resume_path.
    US3_MODE_AUTO = 0,
    /// One PutFile, at most 512 MiB.
    US3_MODE_PUT = 1,
    /// Multipart, except that an empty object is sent with one PutFile.
    US3_MODE_MPUT = 2,
}

/// The parameters of an upload. Strings are UTF-8, except file_path and resume_path. The library
/// uses the struct and its strings only until the call returns. It uses what data, user_data and
/// read_user_data point at until the end of the upload: until on_complete is called, or until
/// us3_upload or us3_task_wait returns (anything but US3_PENDING).
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct us3_upload_request {
    /// sizeof(us3_upload_request), set by the initialiser.
    pub struct_size: usize,
    /// A us3_mode. Default US3_MODE_AUTO.
    pub mode: i32,
    /// The path (bytes) of the file to upload. Exactly one of file_path, data and read is not NULL.
    /// It must be a regular file whose size is the number of bytes in it. A file that is generated
    /// while it is read, as in /proc, /sys and some FUSE file systems, is not: send it as a stream.
    /// A relative path is resolved when the upload is started.
    pub file_path: *const c_char,
    /// The memory to upload. It is not copied: do not change or free it before the end of the
    /// upload. For an empty object, pass any pointer but NULL, and a data_len of 0.
    pub data: *const c_void,
    /// Bytes at data. 0 if data is NULL.
    pub data_len: usize,
    /// The function that reads the content to upload: a stream of unknown length. It cannot be
    /// combined with US3_MODE_PUT or resume_path. With US3_MODE_AUTO, a stream of less than 4 MiB
    /// is sent with one PutFile.
    pub read: us3_read_fn,
    /// Passed to read.
    pub read_user_data: *mut c_void,
    /// Required. The object's key, 1 to 1023 bytes, without "." and ".." segments.
    pub key: *const c_char,
    /// The content type. NULL or "": detected by content, then by the file's extension.
    pub mime_type: *const c_char,
    /// The put policy, see "UPLOAD CALLBACKS". NULL: no callback. "" is US3_INVALID_POLICY.
    pub policy_json: *const c_char,
    /// Parts of a multipart upload in flight at once: below 1 is 1, above 256 is 256. Default 10.
    /// The upload's memory is at most this many parts (of usually 4 MiB).
    pub jobs: i32,
    /// "STANDARD", "IA" or "ARCHIVE". NULL or "": the default of the bucket.
    pub storage_class: *const c_char,
    /// An array of metadata_len elements, stored with the object as X-Ufile-Meta-NAME: VALUE. Names
    /// consist of letters, digits and "-". At most 8 KiB in all. NULL if there are none.
    pub metadata: *const us3_header,
    /// Elements of metadata.
    pub metadata_len: usize,
    /// The path (bytes) of a checkpoint file; NULL or "" for none. With a checkpoint, a multipart
    /// upload that fails is kept, and the next upload with the same checkpoint and object sends
    /// only the parts that the service does not have yet. If the file's content, mime_type,
    /// storage_class or metadata have changed, that upload starts from the beginning, and
    /// result.note says so; the note also names the old upload if it could not be aborted. The
    /// checkpoint is created when the upload begins, is readable by its owner only, contains no
    /// secret, and is removed when the object is stored. It requires file_path, and cannot be
    /// combined with US3_MODE_PUT. Only one upload at a time may use it; for others it is
    /// US3_FILE_ERROR. It is replaced atomically, through a temporary file with the name
    /// resume_path + ".us3-tmp". If resume_path holds something that is not a checkpoint, that file
    /// is renamed to resume_path + ".damaged". If one of these names is taken, a number is added;
    /// if it is the name of file_path: US3_INVALID_ARGUMENT. A symbolic link is followed: its
    /// target must be a checkpoint, otherwise US3_FILE_ERROR. In a folder that others may write to,
    /// such as /tmp or a group's folder, or that belongs to another user, a link or file of another
    /// user except root is US3_FILE_ERROR; use a folder of your own.
    pub resume_path: *const c_char,
    /// Milliseconds for the whole upload, including retries and clean-up; 0 for no limit. An upload
    /// that takes longer is US3_TIMEOUT.
    pub timeout_ms: u64,
    /// Called with the progress of the upload. NULL: not called.
    pub on_progress: us3_progress_fn,
    /// Called once at the end of the upload, before us3_upload returns. It is not called when
    /// us3_upload or us3_upload_start refused the request with US3_INVALID_ARGUMENT. NULL: not
    /// called.
    pub on_complete: us3_complete_fn,
    /// What on_progress and on_complete are called with, and us3_task_user_data returns.
    pub user_data: *mut c_void,
    /// The queue that returns the task after its end. NULL: none. us3_upload makes no task and ignores
    /// it.
    pub queue: *mut us3_queue,
}

/// Initialises a request with the defaults, as US3_UPLOAD_REQUEST_INIT does.
///
/// @param request  NULL is allowed and ignored
///
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_upload_request_init(request: *mut us3_upload_request) {
    // SAFETY: NULL, or memory for a us3_upload_request: the header asks the host for it.
    catch_or((), || unsafe { structs::init(request) });
}

impl us3_upload_request {
    /// The upload, ready to be started; `ties` say who wants its task.
    ///
    /// # Safety
    /// Each pointer is NULL or as the header says, and stays so until this returns; those that the
    /// header lends to the upload, until its end is told. It is told only when all of these are
    /// given back.
    pub(super) unsafe fn prepare(
        &self,
        client: InUse<Client>,
        ties: &Ties,
        caller: Caller,
    ) -> Result<(Task, TaskStarter)> {
        // SAFETY: our caller's promise is the one that each of the functions asks for.
        unsafe {
            let (source, returned) = self.source()?;
            let plan = self.with_source(source)?.plan()?;
            let watch = Watch {
                on_progress: callback::on_progress(self.on_progress, ties.user_data),
                on_complete: callback::on_complete(self.on_complete, ties),
            };
            // Keeps the client alive until the end was reported to all.
            let engine = client.share();
            let watched = Watched {
                watch,
                returned,
                told: ties.told(),
                keep: Some(Box::new(client)),
            };
            Ok(engine.prepare(plan, watched, caller))
        }
    }

    /// Where the bytes come from, and what tells that nothing of it is in use any more.
    ///
    /// # Safety
    /// As for [`Self::prepare`].
    unsafe fn source(&self) -> Result<(Source, Option<Returned>)> {
        self.check_source()?;
        let (loan, returned) = loan();
        // SAFETY: our caller's promise. The length of `data` was checked.
        let lent = unsafe {
            if !self.file_path.is_null() {
                let path = input::path("file_path", self.file_path)?;
                return Ok((Source::File(path.to_owned()), None));
            }
            match self.read {
                Some(read) => {
                    let user_data = UserData(self.read_user_data);
                    Source::Reader(callback::reader(read, user_data, loan))
                }
                None => {
                    let data = self.data.cast();
                    Source::Memory(memory::lend_until_returned(data, self.data_len, loan))
                }
            }
        };
        Ok((lent, Some(returned)))
    }

    fn check_source(&self) -> Result<()> {
        let wrong = |why: &str| Err(Error::argument(why));
        if self.data.is_null() && self.data_len != 0 {
            return wrong("data is NULL, but data_len is not 0");
        }
        let given = [
            !self.file_path.is_null(),
            !self.data.is_null(),
            self.read.is_some(),
        ];
        match given.into_iter().filter(|given| *given).count() {
            0 => wrong(
                "file_path, data and read are all NULL: set one of them (for an empty object, data \
                 to \"\" and data_len to 0)",
            ),
            1 => input::fits_in_memory::<u8>("data", self.data_len),
            _ => wrong("more than one of file_path, data and read is given: set only one of them"),
        }
    }

    /// The engine's request.
    ///
    /// # Safety
    /// As for [`Self::prepare`].
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
            request.resume_path = input::optional_path(self.resume_path);
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

// SAFETY: repr(C), struct_size first, only integers, pointers and optional
// functions, ends by the macro.
unsafe impl PublicStruct for us3_upload_request {
    const NAME: &'static str = "us3_upload_request";
    const INIT: Self = Self {
        struct_size: size_of::<Self>(),
        mode: us3_mode::US3_MODE_AUTO as i32,
        file_path: ptr::null(),
        data: ptr::null(),
        data_len: 0,
        read: None,
        read_user_data: ptr::null_mut(),
        key: ptr::null(),
        mime_type: ptr::null(),
        policy_json: ptr::null(),
        jobs: DEFAULT_JOBS,
        storage_class: ptr::null(),
        metadata: ptr::null(),
        metadata_len: 0,
        resume_path: ptr::null(),
        timeout_ms: 0,
        on_progress: None,
        on_complete: None,
        user_data: ptr::null_mut(),
        queue: ptr::null_mut(),
    };
    const SMALLEST: usize = Self::MEMBER_ENDS[7];
    const MEMBER_ENDS: &'static [usize] = member_ends!(us3_upload_request {
        struct_size,
        mode,
        file_path,
        data,
        data_len,
        read,
        read_user_data,
        key,
        mime_type,
        policy_json,
        jobs,
        storage_class,
        metadata,
        metadata_len,
        resume_path,
        timeout_ms,
        on_progress,
        on_complete,
        user_data,
        queue,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;

    fn refused(request: us3_upload_request) -> String {
        let error = request.check_source().unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument);
        error.message().to_owned()
    }

    #[test]
    fn exactly_one_source() {
        let none = us3_upload_request::INIT;
        assert!(refused(none).contains("all NULL"));
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
        assert!(refused(both).contains("only one"));
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
}
