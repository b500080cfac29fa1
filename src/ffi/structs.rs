//! `struct_size`: structs of callers that are older or newer than the library.
//!
//! A public struct begins with its size as the caller was compiled. A smaller one is an older
//! caller's: the members that it does not have keep their default, and are never touched. A
//! larger one is a newer caller's: it is let in when it asks for nothing that the library does
//! not know, that is, when the bytes beyond ours are zero.

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
    /// As the header calls it.
    const NAME: &'static str;
    /// What the `_INIT` macro gives.
    const INIT: Self;
    /// Up to the end of the members without which the struct is of no use.
    const SMALLEST: usize;
    /// The offset behind each member, in order.
    const MEMBER_ENDS: &'static [usize];
}

/// A public struct that the library writes and that owns strings.
pub(super) trait OutStruct: PublicStruct {
    /// Frees the strings and forgets them.
    ///
    /// # Safety
    /// Every string is NULL or came from [`super::memory`] and was not freed yet.
    unsafe fn release(&mut self);
}

/// The offset behind each member of a struct. Does not compile when a member is forgotten.
macro_rules! member_ends {
    ($type:ident { $($member:ident),+ $(,)? }) => {{
        let $type { $($member: _),+ } = $type::INIT;
        &[$(std::mem::offset_of!($type, $member) + size_of_val(&$type::INIT.$member)),+]
    }};
}
pub(super) use member_ends;

/// More than any struct of this library will ever have: beyond it, the size is garbage.
const LARGEST: usize = 64 << 10;

/// Where the members that come after `struct_size` begin.
const MEMBERS: usize = size_of::<usize>();

/// Does what the `_INIT` macro does. NULL is allowed. From the first release on it must write the
/// shape of that release for ever: nobody tells it the size of an older caller's struct.
///
/// # Safety
/// `host` is NULL or may be written.
pub(super) unsafe fn init<T: PublicStruct>(host: *mut T) {
    if !host.is_null() {
        // SAFETY: not NULL, so our caller promises that it may be written.
        unsafe { host.write(T::INIT) };
    }
}

/// Releases what an out-struct holds. NULL and a struct that was never initialised are left alone.
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

/// Reads what there is of a struct that may be older, newer or hand-made, over `defaults`.
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

/// A struct of the host that the library is going to fill.
pub(super) struct Slot<T: OutStruct> {
    host: *mut T,
    size: usize,
    /// What the struct held: freed at the end, because the call's inputs may be strings of it.
    before: T,
}

impl<T: OutStruct> Slot<T> {
    /// Leaves the host's struct as if just initialised; what it held is released with the slot.
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

    /// Hands `value` and its strings over. What the host's older struct has no room for is freed.
    pub(super) fn fill(&self, value: T) {
        self.write(&value);
        let mut left_over = value;
        let taken = known::<T>(self.size);
        // SAFETY: both are whole structs of type T, and `taken` is at most their size.
        unsafe { copy_members(&T::INIT, &mut left_over, taken) };
        // SAFETY: the strings that the host took are NULL now; the others were made for `value`.
        unsafe { left_over.release() };
    }

    /// Overwrites the members that the host's struct has, its `struct_size` excepted.
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

/// The size that the host's struct says it has, if that makes sense.
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

/// Bytes up to the end of the last member that lies wholly within `size`.
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
