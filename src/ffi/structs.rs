//! `struct_size`: accepts structs of callers that are older or newer than the library.
//!
//! A public struct begins with the size that it had when the caller was compiled. A smaller struct comes
//! from an older caller: the members that it lacks have their default and are never touched. A larger
//! struct comes from a newer caller: it is accepted if the bytes that the library does not know are zero,
//! because zero means "not used".

use std::ptr;
use std::slice;

use crate::error::{Error, Result};

use super::input::not_null;

/// A struct of the header that begins with `size_t struct_size`.
///
/// # Safety
/// The type is `repr(C)`, begins with `struct_size: usize`, every pattern of bits is a value of
/// every member (integers, raw pointers and optional functions), and `MEMBER_ENDS` is made by [`member_ends`].
pub(super) unsafe trait PublicStruct: Copy {
    /// The struct's name in the header.
    const NAME: &'static str;
    /// The value of the `_INIT` macro.
    const INIT: Self;
    /// The smallest size: up to the end of the required members.
    const SMALLEST: usize;
    /// The offset of the end of each member, in order.
    const MEMBER_ENDS: &'static [usize];
}

/// A public struct that the library writes and that owns strings.
pub(super) trait OutStruct: PublicStruct {
    /// Frees the strings and sets their pointers to NULL.
    ///
    /// # Safety
    /// Every string is NULL or came from [`super::memory`] and was not freed yet.
    unsafe fn release(&mut self);
}

/// The offset of the end of each member of a struct. Does not compile when a member is missing.
macro_rules! member_ends {
    ($type:ident { $($member:ident),+ $(,)? }) => {{
        let $type { $($member: _),+ } = $type::INIT;
        &[$(std::mem::offset_of!($type, $member) + size_of_val(&$type::INIT.$member)),+]
    }};
}
pub(super) use member_ends;

/// Larger than any struct of this library will ever be: a larger size is garbage.
const LARGEST: usize = 64 << 10;

/// Where the members that come after `struct_size` begin.
const MEMBERS: usize = size_of::<usize>();

/// Does what the `_INIT` macro does. NULL is allowed. After the first release it must write only the
/// members of that release for ever, because it cannot know the size of an older caller's struct.
///
/// # Safety
/// `host` is NULL or may be written.
pub(super) unsafe fn init<T: PublicStruct>(host: *mut T) {
    if !host.is_null() {
        // SAFETY: not NULL, so our caller promises that it may be written.
        unsafe { host.write(T::INIT) };
    }
}

/// Frees the strings of a struct that the library filled. Does nothing with NULL or a struct that was never
/// initialised.
///
/// # Safety
/// As for [`Slot::open`].
pub(super) unsafe fn clear<T: OutStruct>(host: *mut T) {
    // SAFETY: our caller's promise is the one that open asks for; opening is all there is to do.
    let _ = unsafe { Slot::open(T::NAME, host) };
}

/// Reads a struct that the host filled in.
///
/// # Safety
/// `pointer` is NULL or points at a struct as large as its `struct_size` says.
pub(super) unsafe fn read<T: PublicStruct>(name: &str, pointer: *const T) -> Result<T> {
    // SAFETY: our caller's promise is the one that size_of_host asks for.
    let size = unsafe { size_of_host(name, pointer) }?;
    if size > size_of::<T>() {
        // SAFETY: the struct is `size` bytes long, which is more than ours: our caller's promise.
        let beyond = unsafe {
            let end_of_ours = pointer.cast::<u8>().add(size_of::<T>());
            slice::from_raw_parts(end_of_ours, size - size_of::<T>())
        };
        if beyond.iter().any(|byte| *byte != 0) {
            return Err(Error::argument(format!(
                "{name} uses members that this libus3 ({version}) does not have: its struct_size \
                 is {size}, {type_name} has {ours} bytes here; use a newer libus3, or leave them \
                 zero",
                version = env!("CARGO_PKG_VERSION"),
                type_name = T::NAME,
                ours = size_of::<T>(),
            )));
        }
    }
    // SAFETY: the size was checked, and is true: our caller's promise.
    Ok(unsafe { members(pointer, size, T::INIT) })
}

/// Reads the members that a struct has, which may be older, newer or filled in by the host; the others come
/// from `defaults`.
///
/// # Safety
/// As for [`read`].
pub(super) unsafe fn peek<T: PublicStruct>(
    name: &str,
    pointer: *const T,
    defaults: T,
) -> Result<T> {
    // SAFETY: our caller's promise is the one that size_of_host asks for; then it was checked.
    unsafe {
        let size = size_of_host(name, pointer)?;
        Ok(members(pointer, size, defaults))
    }
}

/// A struct of the host that the library will fill.
pub(super) struct Slot<T: OutStruct> {
    host: *mut T,
    size: usize,
    /// The struct's old strings: freed at the end, because the call's inputs may be these strings.
    before: T,
}

impl<T: OutStruct> Slot<T> {
    /// Sets the host's struct to its initial value. Its old strings are freed with the slot.
    ///
    /// # Safety
    /// `host` is NULL or points at an initialised struct, as large as its `struct_size` says,
    /// that nobody else uses while the slot exists.
    pub(super) unsafe fn open(name: &str, host: *mut T) -> Result<Self> {
        // SAFETY: our caller's promise is the one that size_of_host asks for.
        let size = unsafe { size_of_host(name, host) }?;
        // SAFETY: the struct is `size` bytes long: our caller's promise.
        let before = unsafe { members(host, size, T::INIT) };
        let slot = Self { host, size, before };
        slot.write(&T::INIT);
        Ok(slot)
    }

    /// Moves `value` and its strings into the host's struct. Strings for which an older struct has no
    /// member are freed.
    pub(super) fn fill(&self, value: T) {
        self.write(&value);
        let mut left_over = value;
        let taken = known::<T>(self.size);
        // SAFETY: both are whole structs of type T, and `taken` is at most their size.
        unsafe { copy_members(&T::INIT, &mut left_over, taken) };
        // SAFETY: the strings that the host took are NULL now; the others were made for `value`.
        unsafe { left_over.release() };
    }

    /// Overwrites the members that the host's struct has, except `struct_size`.
    fn write(&self, value: &T) {
        // SAFETY: the host's struct is `size` bytes long and ours alone: the contract of open.
        unsafe { copy_members(value, self.host, known::<T>(self.size)) };
    }
}

impl<T: OutStruct> Drop for Slot<T> {
    fn drop(&mut self) {
        // SAFETY: the struct was initialised, so its strings were NULL or ours: the contract of
        // open; the struct has forgotten them since.
        unsafe { self.before.release() };
    }
}

/// The host's `struct_size`, if it is possible.
///
/// # Safety
/// `pointer` is NULL or points at a struct that begins with its size.
unsafe fn size_of_host<T: PublicStruct>(name: &str, pointer: *const T) -> Result<usize> {
    not_null(name, pointer)?;
    // SAFETY: not NULL; struct_size is the first member: the contract of PublicStruct.
    let size = unsafe { pointer.cast::<usize>().read() };
    if (T::SMALLEST..=LARGEST).contains(&size) {
        return Ok(size);
    }
    Err(Error::argument(format!(
        "{name}.struct_size is {size}, which no {type_name} has: initialise it with \
         {macro_name}_INIT or {type_name}_init",
        type_name = T::NAME,
        macro_name = T::NAME.to_uppercase(),
    )))
}

/// The end of the last member that is completely within `size`.
fn known<T: PublicStruct>(size: usize) -> usize {
    let mut ends = T::MEMBER_ENDS.iter().rev();
    ends.find(|end| **end <= size).copied().unwrap_or(0)
}

/// # Safety
/// `host` points at a struct of `size` bytes.
unsafe fn members<T: PublicStruct>(host: *const T, size: usize, defaults: T) -> T {
    let mut value = defaults;
    // SAFETY: known is at most `size`, and at most the size of T.
    unsafe { copy_members(host, &mut value, known::<T>(size)) };
    value
}

/// Copies the members after `struct_size`, up to the offset `end`.
///
/// # Safety
/// `from` can be read and `to` written up to `end`; they are not the same.
unsafe fn copy_members<T: PublicStruct>(from: *const T, to: *mut T, end: usize) {
    // SAFETY: our caller's promise; any bits are values of the members: PublicStruct's contract.
    unsafe {
        let from = from.cast::<u8>().add(MEMBERS);
        let to = to.cast::<u8>().add(MEMBERS);
        ptr::copy_nonoverlapping(from, to, end.saturating_sub(MEMBERS));
    }
}
