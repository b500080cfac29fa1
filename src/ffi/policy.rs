//! Put policies: built and checked without a client.

use std::ffi::c_char;
use std::ptr;

use crate::error::{Error, Report, Result, Status};
use crate::protocol::policy::PutPolicy;

use super::guard::guard;
use super::header::{pairs, us3_header};
use super::input;
use super::memory;
use super::result::us3_result;
use super::status::us3_status;

/// Builds a put policy, with all strings escaped as JSON requires.
///
/// @param url        where US3 sends the callback: an http or https URL
/// @param body       what US3 sends; it replaces $(x:name) with the variable x:name
/// @param body_type  the content type of body, e.g. "application/json": US3 then POSTs body to url.
///                   NULL or "": US3 POSTs to url with body as the query
/// @param vars       vars_len variables for $(x:name), with names such as "x:name"; NULL if none
/// @param vars_len   elements of vars
/// @param result     NULL, or receives the outcome of the call
/// @return the policy as compact JSON, for policy_json of the uploads; free it with
///         us3_string_free. NULL on failure.
///
/// Any thread. Does not block.
///
/// result.status is US3_OK; US3_INVALID_ARGUMENT (url or body is NULL, vars is NULL and vars_len is
/// not 0, a text is not UTF-8); US3_INVALID_POLICY (not an http URL, a variable in body that is
/// not in vars, more than 4096 bytes once encoded); US3_INTERNAL_ERROR (also if memory ran out).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_policy_build(
    url: *const c_char,
    body: *const c_char,
    body_type: *const c_char,
    vars: *const us3_header,
    vars_len: usize,
    result: *mut us3_result,
) -> *mut c_char {
    let mut json = ptr::null_mut();
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe {
        guard(result, || {
            let policy = PutPolicy::build(
                input::text("url", url)?,
                input::text("body", body)?,
                input::optional_text("body_type", body_type)?,
                &pairs("vars", vars, vars_len)?,
            )?;
            json = memory::string(policy.json());
            if json.is_null() {
                return Err(Error::new(Status::InternalError, "memory ran out"));
            }
            Ok(Report::default())
        });
    }
    json
}

/// Checks a put policy, as every upload does before it sends anything: the policy must be a JSON
/// object; callbackUrl must be an http or https URL; the values of callbackVar must be strings;
/// each $(x:name) of callbackBody must be defined; the encoded policy must have at most 4096 bytes.
///
/// @param policy_json  the policy
/// @param result       NULL, or receives the outcome of the call; err_msg says what is wrong, and
///                     where
///
/// Any thread. Does not block.
///
/// @return US3_OK; US3_INVALID_ARGUMENT (policy_json is NULL or not UTF-8); US3_INVALID_POLICY;
/// US3_INTERNAL_ERROR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_policy_check(
    policy_json: *const c_char,
    result: *mut us3_result,
) -> us3_status {
    // SAFETY: the host's pointers are NULL or as the header says, until we return.
    unsafe {
        guard(result, || {
            PutPolicy::parse(input::text("policy_json", policy_json)?)?;
            Ok(Report::default())
        })
    }
}

/// A policy that may be missing, but must not be empty: a setting that was forgotten must not drop
/// the callback in silence.
///
/// # Safety
/// As for [`input::text`].
pub(super) unsafe fn policy(name: &str, json: *const c_char) -> Result<Option<PutPolicy>> {
    if json.is_null() {
        return Ok(None);
    }
    // SAFETY: our caller's promise is the one that text asks for.
    let json = unsafe { input::text(name, json) }?;
    if json.is_empty() {
        return Err(Error::new(
            Status::InvalidPolicy,
            format!("{name} is empty: pass NULL to upload without a callback"),
        ));
    }
    PutPolicy::parse(json).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_policy_is_not_a_missing_one() {
        // SAFETY: NULL and C literals.
        unsafe {
            assert!(policy("policy_json", ptr::null()).unwrap().is_none());
            let empty = policy("policy_json", c"".as_ptr()).unwrap_err();
            assert_eq!(empty.status(), Status::InvalidPolicy);
            assert!(empty.message().contains("pass NULL"));
        }
    }
}
