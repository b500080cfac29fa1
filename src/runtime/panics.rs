//! A panic is a bug in the library. It is caught before it reaches the host, becomes an error with the
//! panic's message and source location, and is never printed.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::mem;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;
use std::thread;

use crate::error::{CallbackState, Error, ObjectState, Result, Status};
use crate::runtime::own_threads;

thread_local! {
    /// How many nested calls of [`catch`] this thread is in.
    static WATCHED: Cell<usize> = const { Cell::new(0) };
    /// The source location of this thread's last caught panic.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `call`. A panic in it becomes an error.
pub(crate) fn catch<T>(call: impl FnOnce() -> T) -> Result<T> {
    let _ = WATCHED.try_with(|depth| depth.set(depth.get() + 1));
    // Unwind safety: what `call` changed is dropped with it, or is behind a lock whose data is complete
    // after a panic (`sync::unpoisoned`).
    let outcome = catch_unwind(AssertUnwindSafe(call));
    let _ = WATCHED.try_with(|depth| depth.set(depth.get() - 1));
    outcome.map_err(error)
}

/// The error for a panic. Whether the object is stored is unknown.
pub(crate) fn error(payload: Box<dyn Any + Send>) -> Error {
    let message = message(payload);
    let place = PLACE.try_with(|place| place.try_borrow_mut().ok()?.take());
    let place = place.ok().flatten().unwrap_or_default();
    let mut error = Error::new(
        Status::InternalError,
        format!("libus3 made a mistake; please report it, with this message: {message}{place}"),
    );
    error.report_mut().object = ObjectState::Unknown;
    error.report_mut().callback = CallbackState::Unknown;
    error
}

/// The message of a panic.
pub(crate) fn message(payload: Box<dyn Any + Send>) -> String {
    let message = match (
        payload.downcast_ref::<String>(),
        payload.downcast_ref::<&str>(),
    ) {
        (Some(text), _) => text.clone(),
        (None, Some(text)) => (*text).to_owned(),
        (None, None) => "no message".to_owned(),
    };
    discard(payload);
    message
}

/// The error if a thread or future ended without sending its result.
pub(crate) fn died() -> Error {
    let mut error = Error::new(
        Status::InternalError,
        "the operation ended without a result: its client was freed, or libus3 has a bug; whether it reached the service is unknown",
    );
    error.report_mut().object = ObjectState::Unknown;
    error.report_mut().callback = CallbackState::Unknown;
    error
}

/// From now on the library's panics are not printed, because standard error belongs to the host. If host
/// and library share one standard library, the host's own panics are handled as before.
pub(crate) fn stay_silent() {
    static ONCE: Once = Once::new();
    // The hook must not be changed while a thread panics. The next call tries again.
    if thread::panicking() {
        return;
    }
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if is_ours() {
                note_place(info);
            } else {
                before(info);
            }
        }));
    });
}

fn is_ours() -> bool {
    own_threads::is_own_thread() || WATCHED.try_with(Cell::get).is_ok_and(|depth| depth > 0)
}

fn note_place(info: &PanicHookInfo<'_>) {
    // Cuts the path of the build machine: the crate name and what follows are enough.
    let text = info.location().map(|location| {
        let path = location.file();
        let path = path
            .split_once("/registry/src/")
            .and_then(|(_, path)| path.split_once('/'))
            .map_or(path, |(_, path)| path);
        format!(" ({path}:{})", location.line())
    });
    let _ = PLACE.try_with(|place| {
        if let Ok(mut place) = place.try_borrow_mut() {
            *place = text;
        }
    });
}

/// Drops the payload of a panic. It may have any type, and its destructor may panic too.
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(another) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(another);
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const CHILD: &str = "US3_TEST_PANICS";

    #[test]
    fn a_panic_is_told_with_its_place() {
        stay_silent();
        let error = catch(|| panic!("the {} fell", "sky")).unwrap_err();
        let message = error.message();
        assert!(
            message.contains("the sky fell (src/runtime/panics.rs:"),
            "{message}"
        );
        assert_eq!(error.report().object, ObjectState::Unknown);
    }

    /// Runs in another process, because the test harness captures what a test prints.
    #[test]
    fn only_the_panics_of_others_are_printed() {
        if std::env::var_os(CHILD).is_some() {
            stay_silent();
            let _ = catch(|| panic!("within the library"));
            let _ = std::thread::spawn(|| {
                own_threads::mark_as_own_thread();
                panic!("on a thread of the library");
            })
            .join();
            let _ = std::thread::spawn(|| panic!("elsewhere")).join();
            return;
        }
        let child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--nocapture", "--exact"])
            .arg("runtime::panics::tests::only_the_panics_of_others_are_printed")
            .env(CHILD, "1")
            .output()
            .expect("a child");
        assert!(child.status.success());
        let printed = String::from_utf8_lossy(&child.stderr);
        assert!(printed.contains("elsewhere"), "{printed}");
        assert!(!printed.contains("the library"), "{printed}");
    }
}
