//! `us3_header`: a name and a value, for metadata and for the variables of a policy.

use std::ffi::c_char;

use crate::error::Result;

use super::input;

/// A name and a value: a piece of metadata, or a variable of a policy. Both are required and UTF-8;
/// a value may be "".
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct us3_header {
    /// The name.
    pub name: *const c_char,
    /// The value.
    pub value: *const c_char,
}

/// The names and values of an array.
///
/// # Safety
/// `headers` is NULL or points at `len` headers, whose strings are NULL or NUL-terminated, all of
/// which stay as they are for `'a`.
pub(super) unsafe fn pairs<'a>(
    array: &str,
    headers: *const us3_header,
    len: usize,
) -> Result<Vec<(&'a str, &'a str)>> {
    // SAFETY: our caller's promise is the one that array asks for.
    let headers = unsafe { input::array(array, headers, len) }?;
    let pair = |(n, header): (usize, &us3_header)| {
        // SAFETY: NULL or NUL-terminated: our caller's promise.
        unsafe {
            Ok((
                input::text(format_args!("{array}[{n}].name"), header.name)?,
                input::text(format_args!("{array}[{n}].value"), header.value)?,
            ))
        }
    };
    headers.iter().enumerate().map(pair).collect()
}
