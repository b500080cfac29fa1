//! The user_data of the host.

use std::ffi::c_void;

/// The pointer that each callback gets.
#[derive(Clone, Copy)]
pub(super) struct UserData(pub(super) *mut c_void);

// SAFETY: never dereferenced here. The header says that callbacks come on other threads.
unsafe impl Send for UserData {}
// SAFETY: as above.
unsafe impl Sync for UserData {}

impl UserData {
    pub(super) fn get(self) -> *mut c_void {
        self.0
    }
}
