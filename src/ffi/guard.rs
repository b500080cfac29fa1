//! The guard of every exported function that can fail: it turns a panic into `US3_INTERNAL_ERROR`, and is
//! the only place that fills the host's `us3_result`.

use std::ptr;

use crate::error::{Report, Result};
use crate::runtime::panics;

use super::catch::catch_or;
use super::input;
use super::owner::{Handed, hand_over};
use super::result::us3_result;
use super::status::us3_status;
use super::structs::Slot;

/// Runs one function of the header that can fail: frees the old strings of `result`, runs `call`, writes
/// the outcome to `result` and returns the status. `call` does not run when `result` is neither NULL nor
/// initialised.
///
/// # Safety
/// `result` is NULL or points at a us3_result that nobody else uses until this returns.
pub(super) unsafe fn guard(
    result: *mut us3_result,
    call: impl FnOnce() -> Result<Report>,
) -> us3_status {
    catch_or(us3_status::US3_INTERNAL_ERROR, || {
        // SAFETY: our caller's promise is the one that open asks for.
        let slot = match unsafe { open_result(result) } {
            Ok(slot) => slot,
            Err(error) => return us3_status::of(error.status()),
        };
        let outcome = panics::catch(call).flatten();
        if let Some(slot) = slot {
            slot.fill(us3_result::of(&outcome));
        }
        match outcome {
            Ok(_) => us3_status::US3_OK,
            Err(error) => us3_status::of(error.status()),
        }
    })
}

/// Like [`guard`], for a function that makes a handle: `*out` is the handle, or NULL after every
/// failure.
///
/// # Safety
/// As for [`guard`]; and `out` is NULL or may be written.
pub(super) unsafe fn guard_new<H: Handed<Owner = Box<H>>>(
    name: &str,
    out: *mut *mut H,
    result: *mut us3_result,
    make: impl FnOnce() -> Result<(H, Report)>,
) -> us3_status {
    if !out.is_null() {
        // SAFETY: not NULL, so our caller promises that it may be written.
        unsafe { out.write(ptr::null_mut()) };
    }
    let call = || {
        input::not_null(name, out)?;
        let (handle, report) = make()?;
        // SAFETY: checked for NULL just above.
        unsafe { out.write(hand_over(Box::new(handle))) };
        Ok(report)
    };
    // SAFETY: our caller's promise is the one that guard asks for.
    unsafe { guard(result, call) }
}

/// # Safety
/// As for [`guard`].
unsafe fn open_result(result: *mut us3_result) -> Result<Option<Slot<us3_result>>> {
    if result.is_null() {
        return Ok(None);
    }
    // SAFETY: our caller's promise is the one that open asks for.
    unsafe { Slot::open("result", result) }.map(Some)
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use crate::error::Error;

    use super::super::result::us3_result_clear;
    use super::super::structs::PublicStruct;
    use super::*;

    impl Handed for u8 {
        type Owner = Box<Self>;
    }

    #[test]
    fn a_panic_becomes_a_status_with_its_message() {
        let mut result = us3_result::INIT;
        // SAFETY: a local struct that only this thread uses.
        let status = unsafe { guard(&mut result, || panic!("the {} fell", "sky")) };
        assert_eq!(status, us3_status::US3_INTERNAL_ERROR);
        assert_eq!(result.status, us3_status::US3_INTERNAL_ERROR as i32);
        // SAFETY: a failed call sets err_msg.
        let message = unsafe { CStr::from_ptr(result.err_msg) };
        assert!(message.to_str().unwrap().contains("the sky fell"));
        // SAFETY: filled just above.
        unsafe { us3_result_clear(&mut result) };
    }

    #[test]
    fn a_payload_of_any_type_whose_drop_panics_is_harmless() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        let throw = || -> Result<Report> { std::panic::panic_any(Bomb) };
        // SAFETY: NULL is allowed.
        let status = unsafe { guard(ptr::null_mut(), throw) };
        assert_eq!(status, us3_status::US3_INTERNAL_ERROR);
        assert_eq!(catch_or(7, || std::panic::panic_any(Bomb)), 7);
    }

    #[test]
    fn an_out_handle_is_null_after_every_failure() {
        let untouched = || ptr::without_provenance_mut::<u8>(1);

        let mut out = untouched();
        let refuse = || Err(Error::argument("no"));
        // SAFETY: a local that may be written.
        let status = unsafe { guard_new("out", &mut out, ptr::null_mut(), refuse) };
        assert_eq!(status, us3_status::US3_INVALID_ARGUMENT);
        assert!(out.is_null());

        let mut out = untouched();
        // SAFETY: a local that may be written.
        let status = unsafe { guard_new("out", &mut out, ptr::null_mut(), || panic!()) };
        assert_eq!(status, us3_status::US3_INTERNAL_ERROR);
        assert!(out.is_null());

        let mut out = untouched();
        let mut unusable = us3_result::INIT;
        unusable.struct_size = 0;
        // SAFETY: locals that may be written.
        let status = unsafe {
            guard_new("out", &mut out, &mut unusable, || {
                Ok((1, Report::default()))
            })
        };
        assert_eq!(status, us3_status::US3_INVALID_ARGUMENT);
        assert!(out.is_null());

        let make = || Ok((1, Report::default()));
        // SAFETY: NULL is refused.
        let status = unsafe { guard_new("out", ptr::null_mut(), ptr::null_mut(), make) };
        assert_eq!(status, us3_status::US3_INVALID_ARGUMENT);
    }
}
