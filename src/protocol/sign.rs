//! Signs a request: from the string to sign to the `Authorization` header.
//!
//! ```text
//! Authorization: UCloud <public_key>:<signature>[:<encoded_policy>]
//! signature      = base64( HMAC-SHA1( private_key, string_to_sign ) )
//! string_to_sign = METHOD \n Content-MD5 \n Content-Type \n Date \n
//!                  <canonical x-ucloud- headers> /bucket/key <encoded_policy>
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;

use crate::protocol::policy::PutPolicy;

/// Headers with this prefix are part of the signature; `X-Ufile-*` headers are not.
const SIGNED_PREFIX: &str = "x-ucloud-";

/// The parts of a request that the signature covers. A missing header is empty.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// In capitals.
    pub method: &'a str,
    /// The value of the header, as it is sent.
    pub content_md5: &'a str,
    /// The value of the header, as it is sent.
    pub content_type: &'a str,
    /// The value of the header, as it is sent.
    pub date: &'a str,
    /// All headers of the request. Only those that begin with `x-ucloud-` are signed.
    pub headers: &'a [(&'a str, &'a str)],
    /// The bucket's name, even if it is not in the URL.
    pub bucket: &'a str,
    /// The raw key, never percent-encoded. Empty for calls about the bucket.
    pub key: &'a str,
    /// The policy that the request carries.
    pub policy: Option<&'a PutPolicy>,
}

impl Signed<'_> {
    /// The value of the `Authorization` header. It is a valid header value, because both keys have passed
    /// [`Config::check`](crate::config::Config::check).
    pub fn authorization(&self, public_key: &str, private_key: &SecretString) -> String {
        let signature = signature(&self.string_to_sign(), private_key);
        match self.policy {
            Some(policy) => format!("UCloud {public_key}:{signature}:{}", policy.encoded()),
            None => format!("UCloud {public_key}:{signature}"),
        }
    }

    fn string_to_sign(&self) -> String {
        let Self {
            method,
            content_md5,
            content_type,
            date,
            bucket,
            key,
            ..
        } = self;
        let headers = canonical_headers(self.headers);
        let policy = self.policy.map_or("", PutPolicy::encoded);
        format!("{method}\n{content_md5}\n{content_type}\n{date}\n{headers}/{bucket}/{key}{policy}")
    }
}

/// Lower-cased, sorted, equal names joined with ',' in the order of the request, each followed
/// by a line break.
fn canonical_headers(headers: &[(&str, &str)]) -> String {
    let mut signed: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        if name.starts_with(SIGNED_PREFIX) {
            signed.entry(name).or_default().push(value.trim());
        }
    }
    let mut canonical = String::new();
    for (name, values) in signed {
        // Writing into a String cannot fail.
        let _ = writeln!(canonical, "{name}:{}", values.join(","));
    }
    canonical
}

fn signature(string_to_sign: &str, private_key: &SecretString) -> String {
    let key = private_key.expose_secret().as_bytes();
    let mut mac = Hmac::<Sha1>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(string_to_sign.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn text<'a>(case: &'a Value, member: &str) -> &'a str {
        case[member].as_str().unwrap_or_default()
    }

    fn headers(case: &Value) -> Vec<(&str, &str)> {
        let pairs = case["headers"].as_array().expect("headers");
        pairs
            .iter()
            .map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap()))
            .collect()
    }

    #[test]
    fn signatures_equal_the_independent_ones() {
        let vectors = include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/vectors/vectors.json"
        ));
        let vectors: Value = serde_json::from_str(vectors).unwrap();
        let cases = vectors["signatures"].as_array().unwrap();
        assert!(cases.len() >= 15);
        for case in cases {
            let policy = case["policy"].as_str().map(PutPolicy::parse);
            let policy = policy.transpose().unwrap();
            let signed = Signed {
                method: text(case, "method"),
                content_md5: text(case, "content_md5"),
                content_type: text(case, "content_type"),
                date: text(case, "date"),
                headers: &headers(case),
                bucket: text(case, "bucket"),
                key: text(case, "key"),
                policy: policy.as_ref(),
            };
            assert_eq!(signed.string_to_sign(), text(case, "string_to_sign"));
            let private_key = SecretString::from(text(case, "private_key"));
            let authorization = signed.authorization(text(case, "public_key"), &private_key);
            assert_eq!(authorization, text(case, "authorization"));
        }
    }

    #[test]
    fn the_documented_shape_with_its_headers_sorted() {
        let signed = Signed {
            method: "PUT",
            content_md5: "",
            content_type: "image/jpeg",
            date: "",
            headers: &[
                ("X-UCloud-Foo", "foo"),
                ("X-UCloud-Bar", "bar1"),
                ("X-UCloud-Bar", "bar2"),
            ],
            bucket: "demobucket",
            key: "demokey",
            policy: None,
        };
        assert_eq!(
            signed.string_to_sign(),
            "PUT\n\nimage/jpeg\n\nx-ucloud-bar:bar1,bar2\nx-ucloud-foo:foo\n/demobucket/demokey"
        );
    }
}
