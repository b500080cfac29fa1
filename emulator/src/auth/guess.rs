//! Explains a wrong signature: shows the string to sign, and, if a well-known mistake leads to the received
//! signature, what the client signed instead.

use axum::http::HeaderMap;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::{Credentials, sign, string_to_sign};
use crate::options::Options;
use crate::target::Target;

const NO_SLIP: &str = "string the client signed: not to be guessed. Either it signed with another private key than this \
     emulator's (--private-key),\nor it signed another string: print the client's and compare it with the one above.";

pub(super) fn explain(
    options: &Options,
    head: &Parts,
    target: &Target,
    given: &Credentials<'_>,
) -> String {
    let expected = string_to_sign(head, &target.key, &options.bucket, given.policy);
    let signature = sign(&options.private_key, &expected);
    let explained = string_slip(options, head, target, given)
        .or_else(|| key_slip(options, &expected, given))
        .or_else(|| encoding_slip(&signature, given))
        .unwrap_or_else(|| NO_SLIP.into());
    format!(
        "string to sign here:   {}\nsignature of it:       {signature}\nsignature that came:   {}\n{explained}",
        shown(&expected),
        given.signature,
    )
}

/// The account's keys differ, and perhaps nothing else.
pub(super) fn unknown_key(
    options: &Options,
    head: &Parts,
    target: &Target,
    given: &Credentials<'_>,
) -> String {
    let expected = string_to_sign(head, &target.key, &options.bucket, given.policy);
    format!(
        "unknown public key {:?}; the one here is {:?} (--public-key)\nstring to sign here:   {}",
        given.public_key,
        options.public_key,
        shown(&expected),
    )
}

/// Another string was signed.
fn string_slip(
    options: &Options,
    head: &Parts,
    target: &Target,
    given: &Credentials<'_>,
) -> Option<String> {
    let (what, signed) = strings(options, head, target, given)
        .into_iter()
        .find(|(_, signed)| sign(&options.private_key, signed) == given.signature)?;
    Some(format!(
        "string the client signed: {}  ({what})",
        shown(&signed)
    ))
}

/// The right string was signed with something else.
fn key_slip(options: &Options, expected: &[u8], given: &Credentials<'_>) -> Option<String> {
    let keys = [
        (
            format!("{}\n", options.private_key),
            "a private key with a line feed behind it",
        ),
        (
            options.public_key.clone(),
            "the public key; the private key signs",
        ),
    ];
    let (_, what) = keys
        .into_iter()
        .find(|(key, _)| sign(key, expected) == given.signature)?;
    Some(format!(
        "string the client signed: the same, but with {what}"
    ))
}

/// The right signature was encoded in another way.
fn encoding_slip(signature: &str, given: &Credentials<'_>) -> Option<String> {
    let bytes = STANDARD.decode(signature).ok()?;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let came = given.signature;
    let what = if came == URL_SAFE.encode(&bytes) {
        "in the base64 of URLs; the alphabet with + and / is the one"
    } else if came == signature.trim_end_matches('=') {
        "without the = at its end"
    } else if came.eq_ignore_ascii_case(&hex) {
        "in hex; it must be base64"
    } else {
        return None;
    };
    Some(format!(
        "string the client signed: the same, but the signature is written {what}"
    ))
}

/// The strings that a client may have signed by mistake, with the mistake.
fn strings(
    options: &Options,
    head: &Parts,
    target: &Target,
    given: &Credentials<'_>,
) -> Vec<(&'static str, Vec<u8>)> {
    let bucket = options.bucket.as_str();
    let path = head.uri.path().trim_start_matches('/').as_bytes();
    let path_and_query = head
        .uri
        .path_and_query()
        .map_or("", |uri| uri.as_str())
        .trim_start_matches('/');
    let plain = |head: &Parts, key: &[u8]| string_to_sign(head, key, bucket, given.policy);
    let right = plain(head, &target.key);
    let policy = given.policy.unwrap_or_default().as_bytes();
    let unpolicied = &right[..right.len() - policy.len()];
    let headers = &unpolicied[..unpolicied.len() - target.key.len() - bucket.len() - 2];
    let mut strings = vec![
        (
            "the key was signed percent-encoded, it must be raw",
            plain(head, path),
        ),
        (
            "the query was signed, it must not be",
            plain(head, path_and_query.as_bytes()),
        ),
        (
            "the bucket was not signed",
            string_to_sign(head, &target.key, "", given.policy),
        ),
        (
            "the bucket stands before the key",
            [headers, b"/", &target.key, policy].concat(),
        ),
        (
            "there is one slash between the bucket and the key",
            plain(head, &[b"/", &target.key[..]].concat()),
        ),
        ("the key was not signed", plain(head, b"")),
        (
            "the Content-Type was not signed",
            plain(&without(head, "content-type"), &target.key),
        ),
        (
            "the Content-MD5 was not signed",
            plain(&without(head, "content-md5"), &target.key),
        ),
        (
            "the Date was not signed",
            plain(&without(head, "date"), &target.key),
        ),
        (
            "the X-UCloud- headers were not signed",
            plain(&without(head, "x-ucloud-"), &target.key),
        ),
        (
            "there is no line feed at the end",
            [&right[..], b"\n"].concat(),
        ),
    ];
    if !policy.is_empty() {
        strings.extend(policy_strings(unpolicied, policy));
    }
    strings
}

/// The same for the policy at the end.
fn policy_strings(before: &[u8], policy: &[u8]) -> [(&'static str, Vec<u8>); 3] {
    let json = URL_SAFE.decode(policy).unwrap_or_default();
    [
        ("the policy was not signed", before.to_vec()),
        (
            "there is nothing between the key and the policy",
            [before, b"\n", policy].concat(),
        ),
        (
            "the policy was signed as JSON, it must be signed encoded",
            [before, &json].concat(),
        ),
    ]
}

fn without(head: &Parts, prefix: &str) -> Parts {
    let mut headers = HeaderMap::new();
    for (name, value) in &head.headers {
        if !name.as_str().starts_with(prefix) {
            headers.append(name.clone(), value.clone());
        }
    }
    let mut copy = head.clone();
    copy.headers = headers;
    copy
}

fn shown(text: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(text))
}
