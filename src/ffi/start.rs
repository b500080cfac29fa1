//! `us3_start`: the options of a started operation. Uploads have their own in `us3_upload_request`.

use std::any::Any;
use std::ffi::c_void;
use std::ptr;
use std::time::Duration;

use crate::error::{Report, Result};
use crate::operation::task::{Caller, How, Returned, Watch, Watched};

use super::callback::{self, UserData, us3_complete_fn};
use super::catch::catch_or;
use super::guard::guard;
use super::input;
use super::queue::{place_in, us3_queue};
use super::result::us3_result;
use super::status::us3_status;
use super::structs::{self, PublicStruct, member_ends};
use super::task_handle::{Ready, Ties, us3_task};

/// Options of a started operation. The struct is borrowed until the call returns.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct us3_start {
    /// sizeof(us3_start), set by the initialiser.
    pub struct_size: usize,
    /// The queue that returns the task after its end. NULL: none.
    pub queue: *mut us3_queue,
    /// Called once at the end of the operation, if it was started. NULL: not called.
    pub on_complete: us3_complete_fn,
    /// The argument of on_complete, and what us3_task_user_data returns.
    pub user_data: *mut c_void,
    /// Milliseconds for the whole operation, including waiting in the queue of started operations and
    /// retries. After that time: US3_TIMEOUT. 0: only the limits of us3_config apply.
    pub timeout_ms: u64,
}

/// Initialises a us3_start with the defaults, as US3_START_INIT does.
///
/// @param start  NULL is allowed and ignored
///
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_start_init(start: *mut us3_start) {
    // SAFETY: NULL, or memory for a us3_start: the header asks the host for it.
    catch_or((), || unsafe { structs::init(start) });
}

/// An operation that the host starts, until its task is made.
pub(super) struct Starting {
    start: us3_start,
    ties: Ties,
}

impl Starting {
    /// How it is to run. `keep` is dropped after the end was reported in every way. The end is reported
    /// only after the library has given back the memory that the host lent.
    ///
    /// # Safety
    /// on_complete may be called as the header says.
    pub(super) unsafe fn how(&self, keep: impl Any + Send, returned: Option<Returned>) -> How {
        // SAFETY: our caller's promise.
        let on_complete = unsafe { callback::on_complete(self.start.on_complete, &self.ties) };
        let watch = Watch {
            on_progress: None,
            on_complete,
        };
        How {
            caller: Caller::GoesOn,
            timeout: (self.start.timeout_ms > 0)
                .then(|| Duration::from_millis(self.start.timeout_ms)),
            watched: Watched {
                watch,
                returned,
                told: self.ties.told(),
                keep: Some(Box::new(keep)),
            },
        }
    }
}

/// Runs a function of the header that starts an operation: `enter` makes a handle of the host into one
/// that may be used, `prepare` the operation. `*out_task` is the task, or NULL after every failure.
///
/// # Safety
/// As for [`guard`]; `out_task` is NULL or may be written; `start` is NULL or as the header says.
pub(super) unsafe fn guard_start<H>(
    start: *const us3_start,
    out_task: *mut *mut us3_task,
    result: *mut us3_result,
    enter: impl FnOnce() -> Result<H>,
    prepare: impl FnOnce(H, &Starting) -> Result<Ready>,
) -> us3_status {
    if !out_task.is_null() {
        // SAFETY: not NULL, so our caller promises that it may be written.
        unsafe { out_task.write(ptr::null_mut()) };
    }
    let call = || {
        let handle = enter()?;
        input::not_null("out_task", out_task)?;
        let start = if start.is_null() {
            us3_start::INIT
        } else {
            // SAFETY: our caller's promise is the one that read asks for.
            unsafe { structs::read("start", start) }?
        };
        // SAFETY: our caller's promise is the one that place_in asks for.
        let place = unsafe { place_in(start.queue) }?;
        let ties = Ties::new(place, UserData(start.user_data));
        let starting = Starting { start, ties };
        let ready = prepare(handle, &starting)?;
        // SAFETY: checked for NULL above.
        unsafe { ready.launch(starting.ties, out_task) };
        Ok(Report::default())
    };
    // SAFETY: our caller's promise is the one that guard asks for.
    unsafe { guard(result, call) }
}

// SAFETY: repr(C), struct_size first, only integers, pointers and optional functions, ends by the macro.
unsafe impl PublicStruct for us3_start {
    const NAME: &'static str = "us3_start";
    const INIT: Self = Self {
        struct_size: size_of::<Self>(),
        queue: ptr::null_mut(),
        on_complete: None,
        user_data: ptr::null_mut(),
        timeout_ms: 0,
    };
    const SMALLEST: usize = Self::MEMBER_ENDS[1];
    const MEMBER_ENDS: &'static [usize] = member_ends!(us3_start {
        struct_size,
        queue,
        on_complete,
        user_data,
        timeout_ms,
    });
}
