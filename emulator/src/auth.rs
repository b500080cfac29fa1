//! Authenticates a request: checks the Authorization header and its signature.

mod guess;

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::options::Options;
use crate::refusal::Refusal;
use crate::target::Target;

/// What the Authorization header holds.
struct Credentials<'a> {
    public_key: &'a str,
    signature: &'a str,
    policy: Option<&'a str>,
}

/// Checks the signature and the bucket. Gives the encoded policy, when there is one.
pub(crate) fn check(
    options: &Options,
    head: &Parts,
    target: &Target,
) -> Result<Option<String>, Refusal> {
    let given = credentials(&head.headers)?;
    if given.public_key != options.public_key {
        let note = guess::unknown_key(options, head, target, &given);
        return Err(Refusal::invalid_signature().with_note(note));
    }
    let is_signed_for = |bucket: &str| {
        let text = string_to_sign(head, &target.key, bucket, given.policy);
        sign(&options.private_key, &text) == given.signature
    };
    if is_signed_for(&options.bucket) {
        return Ok(given.policy.map(String::from));
    }
    let missing = options
        .missing_buckets
        .iter()
        .map(String::as_str)
        .chain(target.host_bucket());
    if let Some(bucket) = missing.into_iter().find(|bucket| is_signed_for(bucket)) {
        return Err(Refusal::bucket_not_exists().with_note(format!(
            "the bucket here is {:?}, not {bucket:?}",
            options.bucket
        )));
    }
    Err(Refusal::invalid_signature().with_note(guess::explain(options, head, target, &given)))
}

fn credentials(headers: &HeaderMap) -> Result<Credentials<'_>, Refusal> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Err(Refusal::no_authorization()
            .with_note("the request has no Authorization header: the client did not sign it, or a proxy dropped it"));
    };
    let Some(rest) = value
        .to_str()
        .ok()
        .and_then(|value| value.strip_prefix("UCloud "))
    else {
        return Err(Refusal::no_authorization()
            .with_note("the Authorization header does not begin with \"UCloud \""));
    };
    let mut fields = rest.splitn(3, ':');
    let public_key = fields.next().unwrap_or_default();
    let Some(signature) = fields.next() else {
        return Err(Refusal::invalid_signature()
            .with_note("the Authorization header has no \":<signature>\""));
    };
    Ok(Credentials {
        public_key,
        signature,
        policy: fields.next(),
    })
}

/// The header that a client sends for such a request without a policy.
pub(crate) fn authorization(options: &Options, head: &Parts, key: &[u8]) -> String {
    let text = string_to_sign(head, key, &options.bucket, None);
    let signature = sign(&options.private_key, &text);
    format!("UCloud {}:{signature}", options.public_key)
}

/// The string that both sides sign.
fn string_to_sign(head: &Parts, key: &[u8], bucket: &str, policy: Option<&str>) -> Vec<u8> {
    let mut text = head.method.as_str().as_bytes().to_vec();
    for name in ["content-md5", "content-type", "date"] {
        text.push(b'\n');
        text.extend(
            head.headers
                .get(name)
                .map_or(&b""[..], |value| value.as_bytes()),
        );
    }
    text.push(b'\n');
    text.extend(canonical_headers(&head.headers));
    text.push(b'/');
    text.extend(bucket.as_bytes());
    text.push(b'/');
    text.extend(key);
    text.extend(policy.unwrap_or_default().as_bytes());
    text
}

/// The `X-UCloud-` headers: lower-cased, sorted, equal names joined, one to a line.
fn canonical_headers(headers: &HeaderMap) -> Vec<u8> {
    let mut names: Vec<&str> = headers.keys().map(|name| name.as_str()).collect();
    names.retain(|name| name.starts_with("x-ucloud-"));
    names.sort_unstable();
    let mut text = Vec::new();
    for name in names {
        let values: Vec<&[u8]> = headers
            .get_all(name)
            .iter()
            .map(|value| value.as_bytes().trim_ascii())
            .collect();
        text.extend(name.as_bytes());
        text.push(b':');
        text.extend(values.join(&b','));
        text.push(b'\n');
    }
    text
}

fn sign(private_key: &str, text: &[u8]) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(private_key.as_bytes())
        .expect("HMAC takes keys of any length");
    mac.update(text);
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn head(request: axum::http::request::Builder) -> Parts {
        request.body(()).unwrap().into_parts().0
    }

    /// The signatures come from Python's hmac module.
    #[test]
    fn signatures_are_those_of_an_independent_implementation() {
        let plain = head(
            Request::put("/demokey")
                .header("content-type", "image/jpeg")
                .header("x-ucloud-foo", "foo")
                .header("X-UCloud-Bar", "bar1")
                .header("x-ucloud-bar", "bar2")
                .header("x-ufile-meta-a", "unsigned"),
        );
        let text = string_to_sign(&plain, b"demokey", "demo", None);
        assert_eq!(
            sign("demo-private-key", &text),
            "NSCJJaMf7w5Fr5k8l7i3hyCJaMU="
        );

        let policy = head(
            Request::put("/ignored")
                .header("content-md5", "5d41402abc4b2a76b9719d911017c592")
                .header("content-type", "text/plain")
                .header("date", "Thu, 01 Jan 2026 00:00:00 GMT"),
        );
        let text = string_to_sign(
            &policy,
            "/a b/%2F中.txt".as_bytes(),
            "demo",
            Some("eyJhIjoxfQ=="),
        );
        assert_eq!(
            sign("demo-private-key", &text),
            "2IPFGa8z2dAgTNVh1OalZ1T6J50="
        );
    }
}
