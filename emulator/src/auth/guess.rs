//! Explains a signature that does not verify: what was to be signed, and, when a well-known slip
//! gives the signature that came, what was signed instead.

use axum::http::HeaderMap;
use axum::http::request::Parts;

use super::{Credentials, sign, string_to_sign};
use crate::options::Options;
use crate::target::Target;

pub(super) fn explain(
    options: &Options,
    head: &Parts,
    target: &Target,
    given: &Credentials<'_>,
) -> String {
    let expected = string_to_sign(head, &target.key, &options.bucket, given.policy);
    let mut text = format!(
        "string to sign here:   {}\nsignature of it:       {}\nsignature that came:   {}",
        shown(&expected),
        sign(&options.private_key, &expected),
        given.signature,
    );
    let slip = slips(options, head, target, given)
        .into_iter()
        .find(|(_, signed)| sign(&options.private_key, signed) == given.signature);
    text.push_str(&match slip {
        Some((what, signed)) => format!("\nstring the client signed: {}  ({what})", shown(&signed)),
        None => "\nstring the client signed: unknown; with the wrong private key the strings may even be equal".into(),
    });
    text
}

/// What a client may have signed, and how it came to that.
fn slips(
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
    let mut with_line = plain(head, &target.key);
    if let Some(policy) = given.policy {
        with_line.truncate(with_line.len() - policy.len());
        with_line.push(b'\n');
        with_line.extend(policy.as_bytes());
    }
    vec![
        (
            "the key was signed percent-encoded, it must be raw",
            plain(head, path),
        ),
        (
            "the query was signed, it must not be",
            plain(head, path_and_query.as_bytes()),
        ),
        (
            "the policy was not signed",
            string_to_sign(head, &target.key, bucket, None),
        ),
        ("there is nothing between the key and the policy", with_line),
        (
            "the bucket was not signed",
            string_to_sign(head, &target.key, "", given.policy),
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
