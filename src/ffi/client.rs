//! `us3_client`: making, using and freeing a client.

use std::ffi::c_char;

use crate::client::Client;
use crate::config::Config;
use crate::error::{Report, Result};

use super::catch::catch_or;
use super::config::us3_config;
use super::guard::{guard, guard_new};
use super::handle::{Handle, InUse};
use super::input;
use super::owner::{Handed, take_back};
use super::result::us3_result;
use super::start::{guard_start, us3_start};
use super::status::us3_status;
use super::structs;
use super::task_handle::{Brings, Ready, us3_task};

/// A client of one bucket: configuration, connections and the threads that do the work. Any number
/// of threads may use one client at once. Share one client, because it reuses its connections.
pub struct us3_client(Handle<Client>);

impl Handed for us3_client {
    type Owner = Box<Self>;
}

/// Makes a client. Sends nothing: wrong keys show with the first request.
///
/// @param config      initialised and filled in; copied
/// @param out_client  receives the client, or NULL on failure. Free it with us3_client_free
/// @param result      NULL, or receives the outcome of the call
///
/// Any thread. Does not block on the network; reads ca_file or, with https, the certificates
/// of the system.
///
/// @return US3_OK; US3_INVALID_ARGUMENT (config or out_client is NULL, a struct_size makes no
/// sense); US3_INVALID_CONFIG (a member is missing, malformed or not UTF-8); US3_FILE_ERROR
/// (ca_file cannot be read); US3_INTERNAL_ERROR (for example when no thread can be started).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_client_new(
    config: *const us3_config,
    out_client: *mut *mut us3_client,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe {
        guard_new("out_client", out_client, result, || {
            let config = structs::read("config", config)?;
            make(config.to_engine()?)
        })
    }
}

/// Makes a client from a JSON file. The format is that of the vendor's SDKs:
///
///   {
///       "public_key": "...", "private_key": "...",
///       "bucket_name": "demo", "file_host": "cn-bj.ufileos.com",
///       "verfiy_upload_md5": false
///   }
///
/// The members have the same names as those of us3_config. "verfiy_upload_md5" is the vendor's
/// spelling; "verify_upload_md5" is accepted too. "bucket_host" and unknown members are ignored.
///
/// @param json_path   path of the file, bytes
/// @param out_client  receives the client, or NULL on failure. Free it with us3_client_free
/// @param result      NULL, or receives the outcome of the call
///
/// Any thread. Does not block on the network; reads the file.
///
/// @return US3_OK; US3_INVALID_ARGUMENT (json_path is NULL or empty, out_client is NULL);
/// US3_FILE_ERROR (the file or its ca_file cannot be read); US3_INVALID_CONFIG (not JSON, a member
/// missing or of the wrong type: err_msg names it with the line); US3_INTERNAL_ERROR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_client_from_file(
    json_path: *const c_char,
    out_client: *mut *mut us3_client,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe {
        guard_new("out_client", out_client, result, || {
            let path = input::path("json_path", json_path)?;
            make(Config::from_file(path)?)
        })
    }
}

/// Frees a client: waits for its started uploads and for the calls in progress on it, closes its
/// connections and ends its threads. To be quick, cancel the uploads first. Free the client's
/// us3_multipart handles first, because its threads run until the last of these is freed. A
/// us3_task may be freed before or after the client. No call on the client may begin once freeing
/// has begun.
///
/// @param client  NULL is allowed and ignored
///
/// Any thread, once. Blocks until all uploads and calls have ended and every on_complete has
/// returned, however long that takes. In a callback it does not wait: another thread completes the
/// freeing after the last upload has ended. In a forked child it only releases memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_client_free(client: *mut us3_client) {
    catch_or((), || {
        // SAFETY: made by guard_new; the host frees it once and uses it no more.
        if let Some(client) = unsafe { take_back(client) } {
            client.0.free();
        }
    });
}

/// Deletes an object.
///
/// @param client  the client
/// @param key     the object's key, 1 to 1023 bytes of UTF-8
/// @param result  NULL, or receives the outcome of the call
///
/// Any thread. Blocks.
///
/// @return US3_OK; US3_INVALID_ARGUMENT (client or key is NULL, the key is invalid);
/// US3_SERVICE_ERROR (refused; http_status is 404 if there is no such object); US3_NETWORK_ERROR;
/// US3_TIMEOUT; US3_PROTOCOL_ERROR; US3_FORKED; US3_INTERNAL_ERROR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_delete_file(
    client: *mut us3_client,
    key: *const c_char,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe {
        guard(result, || {
            let client = enter(client)?;
            client.delete(input::text("key", key)?)
        })
    }
}

/// Starts DeleteFile.
///
/// @param client    the client
/// @param key       as for us3_delete_file; copied
/// @param start     NULL for the defaults, or initialised
/// @param out_task  receives the task, or NULL on failure. Free it with us3_task_free
/// @param result    NULL, or receives the outcome of this call; the task has its own
///
/// Any thread, callbacks included. Does not block.
///
/// @return US3_OK; US3_INVALID_ARGUMENT (client, key or out_task is NULL, a struct_size makes no
/// sense, the key is invalid); US3_FORKED; US3_INTERNAL_ERROR. Every other failure is the outcome of the task.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_delete_file_start(
    client: *mut us3_client,
    key: *const c_char,
    start: *const us3_start,
    out_task: *mut *mut us3_task,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return; on_complete may be called until the end.
    unsafe {
        let enter = || enter(client);
        guard_start(start, out_task, result, enter, |client, start| {
            let key = input::text("key", key)?;
            let delete = client.prepare_delete(key, start.how(client.clone(), None))?;
            Ok(Ready::of(delete, |_| Brings::Nothing))
        })
    }
}

/// A call on the host's client.
///
/// # Safety
/// `client` is NULL or a client that is not freed before this returns.
pub(super) unsafe fn enter(client: *const us3_client) -> Result<InUse<Client>> {
    input::not_null("client", client)?;
    // SAFETY: not NULL, so our caller promises a client.
    unsafe { &*client }.0.enter()
}

fn make(config: Config) -> Result<(us3_client, Report)> {
    let client = Client::new(config)?;
    Ok((us3_client(Handle::new(client)), Report::default()))
}

// The header promises that any number of threads may use a client at once.
const _: () = {
    const fn shared_by_threads<T: Send + Sync>() {}
    shared_by_threads::<Client>();
};
