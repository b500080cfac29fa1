//! The version of the library.

use std::ffi::{CStr, c_char};

use super::catch::catch_or;

/// The version of the loaded library. It may be newer than US3_VERSION, the version of this header.
///
/// @return a string such as "1.2.3". Static: never free it. Never NULL.
///
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn us3_version() -> *const c_char {
    catch_or(VERSION.as_ptr(), || VERSION.as_ptr())
}

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => panic!("a version has no NUL within"),
    };
