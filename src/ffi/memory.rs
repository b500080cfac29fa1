//! Memory that crosses the C border: strings that the host frees, and bytes that the host lends.

use std::ffi::{c_char, c_void};
use std::ptr;
use std::slice;

use bytes::Bytes;
use nix::libc;

use super::catch::catch_or;
use super::lease::{Loan, lease};

/// Frees a string that a function of the library returned as `char *`.
///
/// @param string  the string to free; NULL is allowed and ignored
///
/// Do not use it for the strings in a us3_result or us3_file_info: they belong to the struct, and
/// its clear function frees them. Do not use it for strings returned as `const char *`.
///
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_string_free(string: *mut c_char) {
    // SAFETY: the host passes a string of the library, once, as the header asks.
    catch_or((), || unsafe { free(string) });
}

/// A new C string for the host. Interior NULs are replaced, so that nothing is cut off. NULL when memory
/// ran out, because an abort would be worse than a missing message.
pub(super) fn string(text: &str) -> *mut c_char {
    if text.contains('\0') {
        return bytes(text.replace('\0', "\u{fffd}").as_bytes());
    }
    bytes(text.as_bytes())
}

/// The same for an optional text.
pub(super) fn optional_string(text: Option<&str>) -> *mut c_char {
    text.map_or(ptr::null_mut(), string)
}

/// A copy of the bytes, followed by a NUL.
///
/// The memory comes from malloc, because free needs only the pointer, and no length that the host could
/// have changed.
pub(super) fn bytes(content: &[u8]) -> *mut c_char {
    // SAFETY: malloc takes any size; a slice is at most isize::MAX bytes, so one more fits.
    let copy = unsafe { libc::malloc(content.len() + 1) }.cast::<u8>();
    if copy.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: `copy` is fresh and has room for the content and the NUL.
    unsafe {
        ptr::copy_nonoverlapping(content.as_ptr(), copy, content.len());
        copy.add(content.len()).write(0);
    }
    copy.cast()
}

/// Frees memory from [`string`] or [`bytes()`]. NULL is allowed.
///
/// # Safety
/// `pointer` is NULL or came from this file and was not freed yet.
pub(super) unsafe fn free(pointer: *mut c_char) {
    // SAFETY: our caller promises malloc's memory, once.
    unsafe { libc::free(pointer.cast::<c_void>()) };
}

/// Lends the host's memory to `work` without copying it. Blocks, also while it unwinds, until every clone
/// and slice of the `Bytes` is dropped.
///
/// # Safety
/// `pointer` points at `len` bytes, at most `isize::MAX`, that stay as they are until this
/// returns.
pub(super) unsafe fn lend<R>(pointer: *const u8, len: usize, work: impl FnOnce(Bytes) -> R) -> R {
    let (hold, _lender) = lease();
    let memory = HostMemory {
        pointer,
        len,
        _hold: hold,
    };
    work(Bytes::from_owner(memory))
}

/// Lends the host's memory without copying it. The loan's future [`Returned`] resolves once the last `Bytes`
/// is dropped.
///
/// # Safety
/// `pointer` points at `len` bytes, at most `isize::MAX`, that stay as they are until the loan has
/// returned.
pub(super) unsafe fn lend_until_returned(pointer: *const u8, len: usize, loan: Loan) -> Bytes {
    Bytes::from_owner(HostMemory {
        pointer,
        len,
        _hold: loan,
    })
}

/// Bytes of the host, valid as long as the hold exists.
struct HostMemory<H> {
    pointer: *const u8,
    len: usize,
    _hold: H,
}

// SAFETY: the bytes are only read. The callers of `lend` and `lend_until_returned` promise that nobody
// writes to them while `_hold` lives, and H is Send.
unsafe impl<H: Send> Send for HostMemory<H> {}

impl<H> AsRef<[u8]> for HostMemory<H> {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: readable while `_hold` exists: the contract of those who lend.
        unsafe { slice::from_raw_parts(self.pointer, self.len) }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_nul_within_a_text_cuts_nothing_off() {
        let copy = string("a\0b");
        // SAFETY: made just above, freed once.
        unsafe {
            assert_eq!(CStr::from_ptr(copy).to_str().unwrap(), "a\u{fffd}b");
            us3_string_free(copy);
            us3_string_free(ptr::null_mut());
        }
    }

    #[test]
    fn memory_comes_back_before_the_call_returns_or_unwinds() {
        static RETURNED: AtomicU32 = AtomicU32::new(0);
        let content = *b"0123456789";
        let keep_a_piece = |bytes: Bytes| {
            let piece = bytes.slice(3..5);
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(50));
                assert_eq!(&piece[..], b"34");
                RETURNED.fetch_add(1, Ordering::SeqCst);
            });
        };
        // SAFETY: the array outlives the call.
        unsafe { lend(content.as_ptr(), content.len(), keep_a_piece) };
        assert_eq!(RETURNED.load(Ordering::SeqCst), 1);

        let keep_and_panic = |bytes: Bytes| {
            keep_a_piece(bytes);
            panic!("in the middle");
        };
        // SAFETY: the array outlives the call.
        let lent = || unsafe { lend(content.as_ptr(), content.len(), keep_and_panic) };
        assert!(catch_unwind(AssertUnwindSafe(lent)).is_err());
        assert_eq!(RETURNED.load(Ordering::SeqCst), 2);
    }
}
