//! Reads the object's properties from the headers of an upload: type, storage class, metadata, and headers
//! for downloads.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::broken::{Assumption, Broken};
use crate::refusal::Refusal;
use crate::store::About;

/// Headers that are stored unchanged and returned with the object.
const KEPT: [&str; 3] = ["Content-Disposition", "Cache-Control", "Content-Encoding"];
const META: &str = "x-ufile-meta-";
const META_LIMIT: usize = 8 << 10;

pub(super) fn read(headers: &HeaderMap, broken: &Broken) -> Result<About, Refusal> {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .map(text)
        .transpose()?
        .unwrap_or_default();
    let content_type = if content_type.is_empty() {
        "application/octet-stream".into()
    } else {
        content_type
    };
    Ok(About {
        content_type,
        storage_class: storage_class(headers)?,
        metadata: metadata(headers)?,
        headers: if broken.has(Assumption::A8) {
            BTreeMap::new()
        } else {
            kept(headers)?
        },
    })
}

fn storage_class(headers: &HeaderMap) -> Result<String, Refusal> {
    let Some(value) = headers.get("x-ufile-storage-class") else {
        return Ok("STANDARD".into());
    };
    let class = text(value)?;
    match class.as_str() {
        "STANDARD" | "IA" | "ARCHIVE" => Ok(class),
        _ => Err(Refusal::bad_request(format!(
            "invalid storage class {class}"
        ))),
    }
}

fn metadata(headers: &HeaderMap) -> Result<BTreeMap<String, String>, Refusal> {
    let mut metadata = BTreeMap::new();
    let mut size = 0;
    for (name, value) in headers {
        let Some(name) = meta_name(name)? else {
            continue;
        };
        let value = text(value)?;
        size += name.len() + value.len();
        metadata.insert(name.to_string(), value);
    }
    if size > META_LIMIT {
        return Err(Refusal::bad_request(format!(
            "invalid metadata: {size} bytes, allowed are {META_LIMIT}"
        )));
    }
    Ok(metadata)
}

fn kept(headers: &HeaderMap) -> Result<BTreeMap<String, String>, Refusal> {
    let given = KEPT
        .iter()
        .filter_map(|name| Some((name, headers.get(*name)?)));
    given
        .map(|(name, value)| Ok((name.to_string(), text(value)?)))
        .collect()
}

fn meta_name(name: &HeaderName) -> Result<Option<&str>, Refusal> {
    let Some(name) = name.as_str().strip_prefix(META) else {
        return Ok(None);
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if name.is_empty() || !name.bytes().all(allowed) {
        return Err(Refusal::bad_request(format!(
            "invalid metadata name {name:?}"
        )));
    }
    Ok(Some(name))
}

fn text(value: &HeaderValue) -> Result<String, Refusal> {
    let text = std::str::from_utf8(value.as_bytes());
    text.map(String::from)
        .map_err(|_| Refusal::bad_request("a header is not UTF-8"))
}
