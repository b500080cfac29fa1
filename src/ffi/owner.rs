//! Who owns what is behind a pointer of the host: each type of handle has one owner, a Box or an Arc, and only here is
//! it made into a pointer and back. A pointer that is given back as the other one does not compile.

use std::sync::Arc;

/// A type whose pointers the host holds.
pub(super) trait Handed: Sized {
    /// What such a pointer is made of: `Box<Self>`, or `Arc<Self>` where the library keeps handles of its own.
    type Owner: Owner<Self>;
}

/// A Box or an Arc.
pub(super) trait Owner<T> {
    fn into_raw(self) -> *mut T;

    /// # Safety
    /// The pointer came from `into_raw` of this type, and is given back once.
    unsafe fn from_raw(pointer: *mut T) -> Self;
}

impl<T> Owner<T> for Box<T> {
    fn into_raw(self) -> *mut T {
        Self::into_raw(self)
    }

    unsafe fn from_raw(pointer: *mut T) -> Self {
        // SAFETY: our caller's promise.
        unsafe { Self::from_raw(pointer) }
    }
}

impl<T> Owner<T> for Arc<T> {
    fn into_raw(self) -> *mut T {
        Self::into_raw(self).cast_mut()
    }

    unsafe fn from_raw(pointer: *mut T) -> Self {
        // SAFETY: our caller's promise.
        unsafe { Self::from_raw(pointer) }
    }
}

/// The pointer that the host gets. It owns the handle until [`take_back`].
pub(super) fn hand_over<T: Handed>(handle: T::Owner) -> *mut T {
    handle.into_raw()
}

/// The handle that a `..._free` gets back; None for NULL.
///
/// # Safety
/// `pointer` is NULL or came from [`hand_over`], and is used no more.
pub(super) unsafe fn take_back<T: Handed>(pointer: *mut T) -> Option<T::Owner> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: hand_over made it of an Owner; the rest is our caller's promise.
    Some(unsafe { T::Owner::from_raw(pointer) })
}
