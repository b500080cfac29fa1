//! Turns pointers and strings of the host into references, or into an error that names the parameter.
//!
//! The caller chooses the lifetimes. They must not outlive the exported function, so the references must
//! not be kept: copy what is needed longer.

use std::ffi::{CStr, OsStr, c_char};
use std::fmt::Display;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::slice;

use crate::error::{Error, Result};

/// A `bool` that C passes: a byte that may have any value, because a host may not have initialised it. A
/// Rust `bool` must never hold such a value. The header says `bool`.
pub(super) type c_bool = u8;

/// C's reading of a bool.
pub(super) fn is_true(value: c_bool) -> bool {
    value != 0
}

/// Refuses NULL.
pub(super) fn not_null<T>(name: impl Display, pointer: *const T) -> Result<()> {
    if pointer.is_null() {
        return Err(Error::argument(format!("{name} is NULL")));
    }
    Ok(())
}

/// A required string.
///
/// # Safety
/// `pointer` is NULL or a NUL-terminated string that stays as it is for `'a`.
pub(super) unsafe fn text<'a>(name: impl Display, pointer: *const c_char) -> Result<&'a str> {
    not_null(&name, pointer)?;
    // SAFETY: not NULL, so our caller promises a NUL-terminated string.
    let bytes = unsafe { CStr::from_ptr(pointer) };
    bytes.to_str().map_err(|error| {
        let offset = error.valid_up_to();
        Error::argument(format!(
            "{name} is not UTF-8: the byte at offset {offset} cannot stand there"
        ))
    })
}

/// An optional string: NULL and empty both mean "not given".
///
/// # Safety
/// As for [`text`].
pub(super) unsafe fn optional_text<'a>(
    name: impl Display,
    pointer: *const c_char,
) -> Result<Option<&'a str>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: our caller's promise is the one that text asks for.
    let text = unsafe { text(name, pointer) }?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// A file path: bytes, in no particular encoding.
///
/// # Safety
/// As for [`text`].
pub(super) unsafe fn path<'a>(name: impl Display, pointer: *const c_char) -> Result<&'a Path> {
    not_null(&name, pointer)?;
    // SAFETY: not NULL, so our caller promises a NUL-terminated string.
    let bytes = unsafe { CStr::from_ptr(pointer) }.to_bytes();
    if bytes.is_empty() {
        return Err(Error::argument(format!("{name} is empty")));
    }
    Ok(Path::new(OsStr::from_bytes(bytes)))
}

/// An array; NULL is allowed when `len` is 0.
///
/// # Safety
/// `pointer` is NULL or points at `len` values that stay as they are for `'a`.
pub(super) unsafe fn array<'a, T>(
    name: impl Display,
    pointer: *const T,
    len: usize,
) -> Result<&'a [T]> {
    if len == 0 {
        return Ok(&[]);
    }
    not_null(&name, pointer)?;
    fits_in_memory::<T>(&name, len)?;
    // SAFETY: not NULL and no larger than an object can be; the rest is our caller's promise.
    Ok(unsafe { slice::from_raw_parts(pointer, len) })
}

/// Refuses a length that no object in memory can have, such as a negative number cast to size_t.
pub(super) fn fits_in_memory<T>(name: impl Display, len: usize) -> Result<()> {
    match len.checked_mul(size_of::<T>()) {
        Some(bytes) if isize::try_from(bytes).is_ok() => Ok(()),
        _ => Err(Error::argument(format!(
            "the length of {name} is {len}, more than memory can hold: was it a negative number?"
        ))),
    }
}

/// An optional path: NULL and "" both mean none.
///
/// # Safety
/// `member` is NULL or NUL-terminated.
pub(super) unsafe fn optional_path(member: *const c_char) -> Option<PathBuf> {
    if member.is_null() {
        return None;
    }
    // SAFETY: not NULL, so our caller promises a NUL-terminated string.
    let bytes = unsafe { CStr::from_ptr(member) }.to_bytes();
    Some(PathBuf::from(OsStr::from_bytes(bytes))).filter(|path| !path.as_os_str().is_empty())
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;
    use crate::error::Status;

    fn message<T: std::fmt::Debug>(outcome: Result<T>) -> String {
        let error = outcome.unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument);
        error.message().to_owned()
    }

    #[test]
    fn null_names_the_parameter() {
        // SAFETY: NULL is allowed everywhere.
        unsafe {
            assert_eq!(message(text("key", ptr::null())), "key is NULL");
            assert_eq!(message(path("file_path", ptr::null())), "file_path is NULL");
            assert_eq!(message(array::<u8>("vars", ptr::null(), 2)), "vars is NULL");
            assert!(array::<u8>("vars", ptr::null(), 0).unwrap().is_empty());
            assert!(optional_text("mime_type", ptr::null()).unwrap().is_none());
        }
    }

    #[test]
    fn text_that_is_not_utf_8_names_the_offset() {
        // SAFETY: C literals.
        unsafe {
            let bad = message(text("key", c"caf\xe9".as_ptr()));
            assert!(
                bad.starts_with("key is not UTF-8: the byte at offset 3"),
                "{bad}"
            );
            assert_eq!(text("key", c"文".as_ptr()).unwrap(), "文");
        }
    }

    #[test]
    fn a_path_is_bytes_and_not_empty() {
        // SAFETY: C literals.
        unsafe {
            let bytes = path("file_path", c"caf\xe9".as_ptr()).unwrap();
            assert_eq!(bytes.as_os_str().as_bytes(), b"caf\xe9");
            assert_eq!(
                message(path("file_path", c"".as_ptr())),
                "file_path is empty"
            );
        }
    }

    #[test]
    fn a_negative_length_is_refused() {
        let one = [0_u64];
        // SAFETY: the array is not read when the length is refused.
        let refused = unsafe { array("vars", one.as_ptr(), usize::MAX) };
        assert!(message(refused).contains("negative"));
    }
}
