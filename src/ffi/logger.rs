//! The host's logger, which receives the log lines of this copy of the library.
//!
//! It is built on the `log` crate, and each cdylib has its own copy of that crate. So two copies of the
//! library in one process, and a host that is written in Rust, each have their own logger.

use std::cell::Cell;
use std::ffi::{CString, c_char, c_void};
use std::process;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{OnceLock, RwLock};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::error::{Error, Report, Result, Status};
use crate::operation::events::TARGET;
use crate::runtime::sync::unpoisoned;

use super::callback::UserData;
use super::guard::guard;
use super::status::us3_status;

/// How much is logged: the values of the level parameters of us3_set_logger and us3_log_fn. Each
/// level includes the levels above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum us3_log_level {
    /// Nothing.
    US3_LOG_OFF = 0,
    /// Uploads that failed.
    US3_LOG_ERROR = 1,
    /// Also requests that failed, whether they are sent again or not.
    US3_LOG_WARN = 2,
    /// Also the beginning and end of each upload.
    US3_LOG_INFO = 3,
    /// Also each request.
    US3_LOG_DEBUG = 4,
    /// Also whatever later versions add.
    US3_LOG_TRACE = 5,
}

/// Receives a line of the log: an event, followed by its details as name=value, such as
///
///   UploadPart key="a.jpg" part=3 attempt=2 ms=41 http=200 session="b0c3..."
///
/// level is a us3_log_level. line is UTF-8 without a line break, valid during the call; it contains
/// no private key, signature or token. The threads that drive the library's sockets call this
/// function, several of them at once: it must be quick, and must not block.
pub type us3_log_fn =
    Option<unsafe extern "C" fn(level: i32, line: *const c_char, user_data: *mut c_void)>;

/// Sets the logger for all clients of the process. Without a logger nothing is logged, at almost no
/// cost. The logger may be changed or switched off at any time, also while uploads run.
///
/// @param level      a us3_log_level: lines up to this level are passed on
/// @param logger     the function that receives the lines; NULL is the same as US3_LOG_OFF
/// @param user_data  passed to logger
///
/// Any thread, but not in the logger. Waits for calls of the previous logger that are in progress:
/// after this function has returned, the previous logger is not called again. A forked child logs
/// nothing until it calls this function itself.
///
/// @return US3_OK; US3_INVALID_ARGUMENT (level is out of range; or libus3 is part of a Rust program
/// that has set its own logger, which then receives the log); US3_WOULD_DEADLOCK (called in the
/// logger); US3_INTERNAL_ERROR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_set_logger(
    level: i32,
    logger: us3_log_fn,
    user_data: *mut c_void,
) -> us3_status {
    // SAFETY: without a result there is nothing to promise.
    unsafe {
        guard(ptr::null_mut(), || {
            let level = filter(level)?;
            let target = logger.map(|call| Target {
                call,
                user_data: UserData(user_data),
            });
            set(level, target)
        })
    }
}

fn filter(level: i32) -> Result<LevelFilter> {
    const LEVELS: [LevelFilter; 6] = [
        LevelFilter::Off,
        LevelFilter::Error,
        LevelFilter::Warn,
        LevelFilter::Info,
        LevelFilter::Debug,
        LevelFilter::Trace,
    ];
    let known = usize::try_from(level).ok().and_then(|n| LEVELS.get(n));
    known.copied().ok_or_else(|| {
        Error::argument(format!(
            "level is {level}; it goes from US3_LOG_OFF (0) to US3_LOG_TRACE (5)"
        ))
    })
}

fn set(level: LevelFilter, target: Option<Target>) -> Result<Report> {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    if WITHIN.get() {
        let why = "us3_set_logger was called in the logger, which it would wait for";
        return Err(Error::new(Status::WouldDeadlock, why));
    }
    if !INSTALLED.get_or_init(|| log::set_logger(&HostLogger).is_ok()) {
        let why =
            "this program has set a logger of its own with log::set_logger: the log goes there";
        return Err(Error::argument(why));
    }
    let level = match target {
        Some(_) => level,
        None => LevelFilter::Off,
    };
    let here = Here::current();
    let mut current = unpoisoned(here.target.write());
    *current = target.filter(|_| level > LevelFilter::Off);
    log::set_max_level(level);
    Ok(Report::default())
}

thread_local! {
    /// Whether this thread runs the host's logger: what that causes is not logged again.
    static WITHIN: Cell<bool> = const { Cell::new(false) };
}

/// The host's function.
struct Target {
    call: unsafe extern "C" fn(i32, *const c_char, *mut c_void),
    user_data: UserData,
}

// SAFETY: the header says that any thread may call it; the pointer is only handed on.
unsafe impl Sync for Target {}

/// The logger of one process. A child has its parent's memory, in which the lock may be held for
/// ever; so it makes its own.
struct Here {
    process: u32,
    target: RwLock<Option<Target>>,
    _parents: *const Here,
}

static HERE: AtomicPtr<Here> = AtomicPtr::new(ptr::null_mut());

impl Here {
    /// This process's, if it has one.
    fn existing() -> Option<&'static Self> {
        // SAFETY: NULL, or made by current and never freed.
        let here = unsafe { HERE.load(Ordering::Acquire).as_ref() };
        here.filter(|here| here.process == process::id())
    }

    fn current() -> &'static Self {
        if let Some(here) = Self::existing() {
            return here;
        }
        let before = HERE.load(Ordering::Acquire);
        let here = Box::into_raw(Box::new(Self {
            process: process::id(),
            target: RwLock::default(),
            _parents: before,
        }));
        let swapped = HERE.compare_exchange(before, here, Ordering::AcqRel, Ordering::Acquire);
        if swapped.is_err() {
            // SAFETY: another thread was quicker, and nobody has seen ours.
            drop(unsafe { Box::from_raw(here) });
            return Self::current();
        }
        // SAFETY: made just above, and never freed.
        unsafe { &*here }
    }
}

/// Hands the events of this library, and of no other crate, to the host.
struct HostLogger;

impl Log for HostLogger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET && !WITHIN.get() && Here::existing().is_some()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        // A NUL would end the line early.
        let line = record.args().to_string().replace('\0', "\u{fffd}");
        let (Ok(line), Some(here)) = (CString::new(line), Here::existing()) else {
            return;
        };
        let target = unpoisoned(here.target.read());
        if let Some(Target { call, user_data }) = &*target {
            WITHIN.set(true);
            // SAFETY: the host promised that it can be called until it sets another, which waits for
            // the lock.
            unsafe { call(record.level() as i32, line.as_ptr(), user_data.0) };
            WITHIN.set(false);
        }
    }

    fn flush(&self) {}
}

// The header's numbers are those of the log crate.
const _: () = {
    assert!(us3_log_level::US3_LOG_OFF as usize == LevelFilter::Off as usize);
    assert!(us3_log_level::US3_LOG_ERROR as usize == Level::Error as usize);
    assert!(us3_log_level::US3_LOG_WARN as usize == Level::Warn as usize);
    assert!(us3_log_level::US3_LOG_INFO as usize == Level::Info as usize);
    assert!(us3_log_level::US3_LOG_DEBUG as usize == Level::Debug as usize);
    assert!(us3_log_level::US3_LOG_TRACE as usize == Level::Trace as usize);
};
