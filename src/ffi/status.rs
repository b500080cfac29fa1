//! The enums of the header. A compile-time check compares them with the engine's numbers.

use std::ffi::{CStr, c_char};

use crate::error::{CallbackState, ObjectState, Status};

use super::catch::catch_or;

/// How a call ended: what every function that can fail returns, and the value of us3_result.status.
/// The numbers never change. More may be added, so treat a number that you do not know as a
/// failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum us3_status {
    /// Done.
    US3_OK = 0,
    /// A mistake in the calling program: a parameter is NULL, not UTF-8 or out of range, or a
    /// struct_size is impossible. Nothing was sent.
    US3_INVALID_ARGUMENT = 1,
    /// A member of the configuration is missing or wrong. Nothing was sent.
    US3_INVALID_CONFIG = 2,
    /// The put policy is not one that US3 would accept. Nothing was sent.
    US3_INVALID_POLICY = 3,
    /// A file cannot be opened or read (us3_result.os_error is the errno), or its size is not the
    /// number of bytes in it.
    US3_FILE_ERROR = 4,
    /// The file changed while it was being uploaded. The upload was aborted.
    US3_FILE_CHANGED = 5,
    /// The service could not be reached (name, connection, TLS), or the connection broke.
    US3_NETWORK_ERROR = 6,
    /// A time limit of the configuration, or the request's timeout_ms, passed.
    US3_TIMEOUT = 7,
    /// The host cancelled.
    US3_CANCELLED = 8,
    /// The service, or a gateway in front of it, answered an error: see http_status, ret_code,
    /// err_msg and session_id. object_state says whether the object is stored.
    US3_SERVICE_ERROR = 9,
    /// The object is stored, but its upload callback failed or may have failed: see callback_state.
    /// Do not just upload again, because the callback may then run twice: first ask or repair the
    /// callback service.
    US3_CALLBACK_FAILED = 10,
    /// The checksum of the stored bytes differs from the checksum of the bytes that were sent.
    US3_INTEGRITY_ERROR = 11,
    /// The service's answer makes no sense: something other than US3 may be answering.
    US3_PROTOCOL_ERROR = 12,
    /// Not finished yet. Not a failure.
    US3_PENDING = 13,
    /// A blocking function was called from within a callback of the library.
    US3_WOULD_DEADLOCK = 14,
    /// The handle belongs to the parent process, which made it before fork(). Make a new one in
    /// this process.
    US3_FORKED = 15,
    /// A mistake in the library itself. Please report it, with err_msg.
    US3_INTERNAL_ERROR = 16,
}

/// Whether the call left the object in the bucket: the values of us3_result.object_state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum us3_object_state {
    /// This call did not store the object. (An older object under the same key is still there.)
    US3_OBJECT_NOT_STORED = 0,
    /// The object is stored.
    US3_OBJECT_STORED = 1,
    /// Unknown: the answer was lost, and the service may still be executing the request or cannot
    /// be asked. Ask later with us3_head_file.
    US3_OBJECT_UNKNOWN = 2,
}

/// Whether the upload callback ran: the values of us3_result.callback_state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum us3_callback_state {
    /// The call carried no policy.
    US3_CALLBACK_NOT_REQUESTED = 0,
    /// The callback service answered; its reply is us3_result.body.
    US3_CALLBACK_DELIVERED = 1,
    /// The callback did not run.
    US3_CALLBACK_NOT_DELIVERED = 2,
    /// The callback may have run: ask the callback service.
    US3_CALLBACK_UNKNOWN = 3,
    /// The callback ran, but US3 refused its reply, because the body or the Content-Type was not
    /// JSON (599 / 20008). Treat a number that you do not know as US3_CALLBACK_UNKNOWN.
    US3_CALLBACK_REPLY_REFUSED = 4,
}

/// The name of a status, for logs.
///
/// @param status  a us3_status; any number is allowed
/// @return "US3_OK" and so on, or "US3_UNKNOWN_STATUS". Static: never free it. Never NULL.
///
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn us3_status_name(status: i32) -> *const c_char {
    catch_or(UNKNOWN_NAME.as_ptr(), || name(status).as_ptr())
}

/// The name of an object state, for logs.
///
/// @param object_state  a us3_object_state, such as us3_result.object_state; any number is allowed
/// @return "US3_OBJECT_STORED" and so on, or "US3_UNKNOWN_OBJECT_STATE". Static: never free it. Never
///         NULL.
///
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn us3_object_state_name(object_state: i32) -> *const c_char {
    catch_or(UNKNOWN_OBJECT_STATE.as_ptr(), || {
        object_state_name(object_state).as_ptr()
    })
}

/// The name of a callback state, for logs.
///
/// @param callback_state  a us3_callback_state, such as us3_result.callback_state; any number is
///                        allowed
/// @return "US3_CALLBACK_DELIVERED" and so on, or "US3_UNKNOWN_CALLBACK_STATE". Static: never free
///         it. Never NULL.
///
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub extern "C" fn us3_callback_state_name(callback_state: i32) -> *const c_char {
    catch_or(UNKNOWN_CALLBACK_STATE.as_ptr(), || {
        callback_state_name(callback_state).as_ptr()
    })
}

const UNKNOWN_NAME: &CStr = c"US3_UNKNOWN_STATUS";
const UNKNOWN_OBJECT_STATE: &CStr = c"US3_UNKNOWN_OBJECT_STATE";
const UNKNOWN_CALLBACK_STATE: &CStr = c"US3_UNKNOWN_CALLBACK_STATE";

/// Names by number.
const NAMES: [&CStr; 17] = [
    c"US3_OK",
    c"US3_INVALID_ARGUMENT",
    c"US3_INVALID_CONFIG",
    c"US3_INVALID_POLICY",
    c"US3_FILE_ERROR",
    c"US3_FILE_CHANGED",
    c"US3_NETWORK_ERROR",
    c"US3_TIMEOUT",
    c"US3_CANCELLED",
    c"US3_SERVICE_ERROR",
    c"US3_CALLBACK_FAILED",
    c"US3_INTEGRITY_ERROR",
    c"US3_PROTOCOL_ERROR",
    c"US3_PENDING",
    c"US3_WOULD_DEADLOCK",
    c"US3_FORKED",
    c"US3_INTERNAL_ERROR",
];

const OBJECT_STATE_NAMES: [&CStr; 3] = [
    c"US3_OBJECT_NOT_STORED",
    c"US3_OBJECT_STORED",
    c"US3_OBJECT_UNKNOWN",
];

const CALLBACK_STATE_NAMES: [&CStr; 5] = [
    c"US3_CALLBACK_NOT_REQUESTED",
    c"US3_CALLBACK_DELIVERED",
    c"US3_CALLBACK_NOT_DELIVERED",
    c"US3_CALLBACK_UNKNOWN",
    c"US3_CALLBACK_REPLY_REFUSED",
];

/// The name of a status number that may have come from anywhere.
pub(super) fn name(status: i32) -> &'static CStr {
    at(&NAMES, status).unwrap_or(UNKNOWN_NAME)
}

fn object_state_name(state: i32) -> &'static CStr {
    at(&OBJECT_STATE_NAMES, state).unwrap_or(UNKNOWN_OBJECT_STATE)
}

fn callback_state_name(state: i32) -> &'static CStr {
    at(&CALLBACK_STATE_NAMES, state).unwrap_or(UNKNOWN_CALLBACK_STATE)
}

impl us3_status {
    /// The header's name for the engine's.
    pub(super) const fn of(status: Status) -> Self {
        match status {
            Status::Ok => Self::US3_OK,
            Status::InvalidArgument => Self::US3_INVALID_ARGUMENT,
            Status::InvalidConfig => Self::US3_INVALID_CONFIG,
            Status::InvalidPolicy => Self::US3_INVALID_POLICY,
            Status::FileError => Self::US3_FILE_ERROR,
            Status::FileChanged => Self::US3_FILE_CHANGED,
            Status::NetworkError => Self::US3_NETWORK_ERROR,
            Status::Timeout => Self::US3_TIMEOUT,
            Status::Cancelled => Self::US3_CANCELLED,
            Status::ServiceError => Self::US3_SERVICE_ERROR,
            Status::CallbackFailed => Self::US3_CALLBACK_FAILED,
            Status::IntegrityError => Self::US3_INTEGRITY_ERROR,
            Status::ProtocolError => Self::US3_PROTOCOL_ERROR,
            Status::Pending => Self::US3_PENDING,
            Status::WouldDeadlock => Self::US3_WOULD_DEADLOCK,
            Status::Forked => Self::US3_FORKED,
            Status::InternalError => Self::US3_INTERNAL_ERROR,
        }
    }
}

impl us3_object_state {
    /// The header's name for the engine's.
    pub(super) const fn of(state: ObjectState) -> Self {
        match state {
            ObjectState::NotStored => Self::US3_OBJECT_NOT_STORED,
            ObjectState::Stored => Self::US3_OBJECT_STORED,
            ObjectState::Unknown => Self::US3_OBJECT_UNKNOWN,
        }
    }
}

impl us3_callback_state {
    /// The header's name for the engine's.
    pub(super) const fn of(state: CallbackState) -> Self {
        match state {
            CallbackState::NotRequested => Self::US3_CALLBACK_NOT_REQUESTED,
            CallbackState::Delivered => Self::US3_CALLBACK_DELIVERED,
            CallbackState::NotDelivered => Self::US3_CALLBACK_NOT_DELIVERED,
            CallbackState::Unknown => Self::US3_CALLBACK_UNKNOWN,
            CallbackState::ReplyRefused => Self::US3_CALLBACK_REPLY_REFUSED,
        }
    }
}

/// The engine's statuses and states by number.
const STATUSES: [Status; NAMES.len()] = [
    Status::Ok,
    Status::InvalidArgument,
    Status::InvalidConfig,
    Status::InvalidPolicy,
    Status::FileError,
    Status::FileChanged,
    Status::NetworkError,
    Status::Timeout,
    Status::Cancelled,
    Status::ServiceError,
    Status::CallbackFailed,
    Status::IntegrityError,
    Status::ProtocolError,
    Status::Pending,
    Status::WouldDeadlock,
    Status::Forked,
    Status::InternalError,
];

const OBJECT_STATES: [ObjectState; OBJECT_STATE_NAMES.len()] = [
    ObjectState::NotStored,
    ObjectState::Stored,
    ObjectState::Unknown,
];

const CALLBACK_STATES: [CallbackState; CALLBACK_STATE_NAMES.len()] = [
    CallbackState::NotRequested,
    CallbackState::Delivered,
    CallbackState::NotDelivered,
    CallbackState::Unknown,
    CallbackState::ReplyRefused,
];

/// The engine's status of that number, which may have come from anywhere.
pub(super) fn from_number(status: i32) -> Option<Status> {
    at(&STATUSES, status)
}

/// The same for an object state.
pub(super) fn object_from_number(state: i32) -> Option<ObjectState> {
    at(&OBJECT_STATES, state)
}

/// The same for a callback state.
pub(super) fn callback_from_number(state: i32) -> Option<CallbackState> {
    at(&CALLBACK_STATES, state)
}

fn at<T: Copy>(all: &[T], number: i32) -> Option<T> {
    let index = usize::try_from(number).ok()?;
    all.get(index).copied()
}

// The engine's numbers are the header's.
const _: () = {
    let mut n = 0;
    while n < STATUSES.len() {
        assert!(STATUSES[n] as usize == n);
        assert!(us3_status::of(STATUSES[n]) as usize == n);
        n += 1;
    }
    let mut n = 0;
    while n < OBJECT_STATES.len() {
        assert!(OBJECT_STATES[n] as usize == n);
        assert!(us3_object_state::of(OBJECT_STATES[n]) as usize == n);
        n += 1;
    }
    let mut n = 0;
    while n < CALLBACK_STATES.len() {
        assert!(CALLBACK_STATES[n] as usize == n);
        assert!(us3_callback_state::of(CALLBACK_STATES[n]) as usize == n);
        n += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_the_name_that_the_header_gives_it() {
        for status in [
            us3_status::US3_OK,
            us3_status::US3_CALLBACK_FAILED,
            us3_status::US3_INTERNAL_ERROR,
        ] {
            let expected = format!("{status:?}");
            assert_eq!(name(status as i32).to_str().unwrap(), expected);
        }
        for unknown in [-1, NAMES.len() as i32, i32::MAX, i32::MIN] {
            assert_eq!(name(unknown), UNKNOWN_NAME);
        }
    }

    #[test]
    fn every_state_has_the_name_that_the_header_gives_it() {
        let objects = [
            us3_object_state::US3_OBJECT_NOT_STORED,
            us3_object_state::US3_OBJECT_STORED,
            us3_object_state::US3_OBJECT_UNKNOWN,
        ];
        assert_eq!(objects.len(), OBJECT_STATE_NAMES.len());
        for state in objects {
            let expected = format!("{state:?}");
            assert_eq!(object_state_name(state as i32).to_str().unwrap(), expected);
        }
        let callbacks = [
            us3_callback_state::US3_CALLBACK_NOT_REQUESTED,
            us3_callback_state::US3_CALLBACK_DELIVERED,
            us3_callback_state::US3_CALLBACK_NOT_DELIVERED,
            us3_callback_state::US3_CALLBACK_UNKNOWN,
            us3_callback_state::US3_CALLBACK_REPLY_REFUSED,
        ];
        assert_eq!(callbacks.len(), CALLBACK_STATE_NAMES.len());
        for state in callbacks {
            let expected = format!("{state:?}");
            assert_eq!(
                callback_state_name(state as i32).to_str().unwrap(),
                expected
            );
        }
        for unknown in [-1, 5, i32::MAX, i32::MIN] {
            assert_eq!(object_state_name(unknown), UNKNOWN_OBJECT_STATE);
            assert_eq!(callback_state_name(unknown), UNKNOWN_CALLBACK_STATE);
        }
    }
}
