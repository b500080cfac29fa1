//! Tests every public struct with every size that a host may pass.

use std::ffi::c_char;
use std::ptr;

use crate::error::{Report, Status};

use super::config::{us3_config, us3_config_init};
use super::file_info::{us3_file_info, us3_file_info_clear, us3_file_info_init};
use super::memory;
use super::progress::{us3_progress, us3_progress_init};
use super::request::{us3_upload_request, us3_upload_request_init};
use super::result::{us3_result, us3_result_clear, us3_result_init};
use super::start::{us3_start, us3_start_init};
use super::structs::{self, OutStruct, PublicStruct, Slot};

/// A struct of the host in memory that is exactly as large as it claims, so that a tool which
/// watches memory sees every byte that is touched beyond it.
struct Host {
    memory: *mut u8,
    size: usize,
}

impl Host {
    /// `fill` is in every byte behind `struct_size`.
    fn new(size: usize, fill: u8) -> Self {
        let content = vec![fill; size];
        let memory = memory::bytes(&content).cast::<u8>();
        assert!(size >= size_of::<usize>());
        // SAFETY: malloc's memory is aligned for everything, and there is room for a size_t.
        unsafe { memory.cast::<usize>().write(size) };
        Self { memory, size }
    }

    fn cast<T>(&self) -> *mut T {
        self.memory.cast()
    }

    fn content(&self) -> &[u8] {
        // SAFETY: `size` bytes that new initialised.
        unsafe { std::slice::from_raw_parts(self.memory, self.size) }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // SAFETY: made by new.
        unsafe { memory::free(self.memory.cast::<c_char>()) };
    }
}

fn bytes_of<T: PublicStruct>(value: &T, end: usize) -> Vec<u8> {
    let bytes = ptr::from_ref(value).cast::<u8>();
    let mut members = Vec::new();
    let mut begin = size_of::<usize>();
    for member_end in T::MEMBER_ENDS.iter().filter(|member| **member <= end) {
        // Skips the padding in front of a member, which has no value.
        for offset in begin..*member_end {
            if is_member::<T>(offset) {
                // SAFETY: within the struct, and within a member.
                members.push(unsafe { bytes.add(offset).read() });
            }
        }
        begin = *member_end;
    }
    members
}

/// Whether a byte is not padding, worked out from the natural alignment of what ends after it.
fn is_member<T: PublicStruct>(offset: usize) -> bool {
    let end = *T::MEMBER_ENDS.iter().find(|end| **end > offset).unwrap();
    let before = T::MEMBER_ENDS.iter().rev().find(|end| **end <= offset);
    let room = end - before.copied().unwrap_or(0);
    let size = [1, 2, 4, 8]
        .into_iter()
        .rev()
        .find(|size| *size <= room && end % size == 0);
    offset >= end - size.unwrap()
}

fn read<T: PublicStruct>(host: &Host) -> crate::error::Result<T> {
    // SAFETY: the host's struct is as large as it says.
    unsafe { structs::read("parameter", host.cast::<T>()) }
}

fn assert_refused<T>(outcome: crate::error::Result<T>, size: usize) {
    let error = outcome.err().unwrap();
    assert_eq!(error.status(), Status::InvalidArgument);
    assert!(error.message().contains(&size.to_string()), "{error}");
}

/// Sizes that nobody's struct has. The struct behind them is only as large as a size_t.
fn nonsense_sizes<T: PublicStruct>() -> impl Iterator<Item = usize> {
    (0..T::SMALLEST).chain([(64 << 10) + 1, usize::MAX / 2, usize::MAX])
}

fn walk_input<T: PublicStruct>() {
    let ours = size_of::<T>();
    for size in nonsense_sizes::<T>() {
        let host = [size];
        // SAFETY: the size is readable, and a refused struct is not looked at further.
        let outcome = unsafe { structs::read("parameter", host.as_ptr().cast::<T>()) };
        assert_refused(outcome, size);
    }
    for size in T::SMALLEST..=ours {
        let older = read::<T>(&Host::new(size, 0)).unwrap();
        let ends = T::MEMBER_ENDS;
        let end = *ends.iter().rev().find(|end| **end <= size).unwrap();
        assert!(bytes_of(&older, end).iter().all(|byte| *byte == 0));
        let defaults = &bytes_of(&T::INIT, ours)[bytes_of(&T::INIT, end).len()..];
        let rest = &bytes_of(&older, ours)[bytes_of(&older, end).len()..];
        assert_eq!(rest, defaults, "{} of {size} bytes", T::NAME);
    }
    for size in [ours + 1, ours + 8, 64 << 10] {
        read::<T>(&Host::new(size, 0)).unwrap();
        let host = Host::new(size, 0);
        // SAFETY: the last byte of the host's struct.
        unsafe { host.memory.add(size - 1).write(1) };
        assert_refused(read::<T>(&host), size);
    }
    let refused = unsafe {
        // SAFETY: NULL is refused.
        structs::read::<T>("parameter", ptr::null())
    };
    assert_eq!(refused.err().unwrap().message(), "parameter is NULL");
}

fn walk_output<T: OutStruct>(value: impl Fn() -> T) {
    for size in nonsense_sizes::<T>() {
        let mut host = [size];
        // SAFETY: the size is readable, and a refused struct is not touched.
        let outcome = unsafe { Slot::<T>::open("parameter", host.as_mut_ptr().cast()) };
        assert_refused(outcome, size);
    }
    for size in T::SMALLEST..=size_of::<T>() + 64 {
        let host = Host::new(size, 0);
        // Twice, so that the second call must free the strings of the first one. A leak checker notices if
        // it does not.
        for _ in 0..2 {
            // SAFETY: the host's struct is as large as it says, and its strings are ours.
            let slot = unsafe { Slot::<T>::open("parameter", host.cast()) };
            slot.unwrap().fill(value());
        }
        let (stated, beyond) = host.content().split_at(size_of::<usize>());
        assert_eq!(stated, size.to_ne_bytes(), "struct_size stays the host's");
        let written = size.min(size_of::<T>()) - size_of::<usize>();
        assert!(beyond[written..].iter().all(|byte| *byte == 0));
        // SAFETY: as above.
        unsafe { structs::clear::<T>(host.cast()) };
        // SAFETY: as above.
        unsafe { structs::clear::<T>(host.cast()) };
    }
}

#[test]
fn every_input_struct_in_every_size() {
    walk_input::<us3_config>();
    walk_input::<us3_upload_request>();
    walk_input::<us3_file_info>();
    walk_input::<us3_progress>();
    walk_input::<us3_start>();
    walk_input::<us3_result>();
}

#[test]
fn every_output_struct_in_every_size() {
    walk_output(|| {
        let report = Report {
            session_id: Some("session".into()),
            etag: Some("etag".into()),
            upload_id: Some("upload".into()),
            body: b"body".to_vec(),
            ..Report::default()
        };
        us3_result::of(&Ok(report))
    });
    walk_output(|| us3_file_info {
        etag: memory::string("etag"),
        mime_type: memory::string("text/plain"),
        ..us3_file_info::INIT
    });
    walk_output(|| us3_progress {
        elapsed_ms: 1,
        ..us3_progress::INIT
    });
}

#[test]
fn member_ends_are_in_order_and_complete() {
    fn check<T: PublicStruct>() {
        assert!(T::MEMBER_ENDS.is_sorted());
        assert_eq!(T::MEMBER_ENDS[0], size_of::<usize>());
        let last = *T::MEMBER_ENDS.last().unwrap();
        assert_eq!(last.next_multiple_of(align_of::<T>()), size_of::<T>());
    }
    check::<us3_config>();
    check::<us3_upload_request>();
    check::<us3_file_info>();
    check::<us3_progress>();
    check::<us3_start>();
    check::<us3_result>();
}

#[test]
fn init_functions_accept_null_and_set_the_size() {
    fn check<T: PublicStruct>(init: unsafe extern "C" fn(*mut T)) {
        // SAFETY: NULL is allowed.
        unsafe { init(ptr::null_mut()) };
        let host = Host::new(size_of::<T>(), 0xa5);
        // SAFETY: room for a T, which it then is.
        unsafe { init(host.cast()) };
        // SAFETY: just initialised.
        let made = unsafe { host.cast::<T>().read() };
        let ours = size_of::<T>();
        assert_eq!(bytes_of(&made, ours), bytes_of(&T::INIT, ours));
        assert_eq!(host.content()[..size_of::<usize>()], ours.to_ne_bytes());
    }
    check(us3_result_init);
    check(us3_config_init);
    check(us3_upload_request_init);
    check(us3_file_info_init);
    check(us3_progress_init);
    check(us3_start_init);
}

#[test]
fn clearing_null_is_allowed() {
    // SAFETY: NULL is allowed.
    unsafe {
        us3_result_clear(ptr::null_mut());
        us3_file_info_clear(ptr::null_mut());
    }
}
