//! Lists of unfinished uploads and of all parts of one. An incomplete list is an error here, because the caller also
//! relies on what is absent.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use serde::{Deserialize, Deserializer};

use super::call::query_value;
use super::multipart::{LONGEST_ETAG, PAGE, PartAnswer, list_parts};
use super::{Call, Failure, ListedPart, Payload, Reply, Service, UploadRef};
use crate::operation::Operation;

/// Uploads per page. Even with the longest keys, escaped, a page fits into the longest accepted answer.
const UPLOADS_PAGE: u32 = 100;

/// An upload that was neither finished nor aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unfinished {
    /// The key that it was begun with.
    pub key: String,
    /// The upload id.
    pub upload_id: String,
    /// When it was begun, in seconds since 1970-01-01 UTC; None when the service does not say.
    pub started: Option<i64>,
    /// None when the service does not say.
    pub storage_class: Option<String>,
}

/// The last upload of a page: the next page begins after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    key: String,
    upload_id: String,
}

/// Some unfinished uploads, and where the next ones are, if there are more.
pub(crate) struct UnfinishedPage {
    pub(crate) uploads: Vec<Unfinished>,
    pub(crate) next: Option<Marker>,
}

#[derive(Deserialize)]
struct UploadsAnswer {
    /// Required, but null may stand for none.
    #[serde(rename = "DataSet", deserialize_with = "Option::deserialize")]
    uploads: Option<Vec<UploadAnswer>>,
    #[serde(rename = "IsTruncated", default)]
    is_truncated: Option<bool>,
    #[serde(rename = "NextMarker", default, deserialize_with = "or_empty")]
    next_key: String,
    #[serde(rename = "UploadIdMarker", default, deserialize_with = "or_empty")]
    next_id: String,
}

#[derive(Deserialize)]
struct UploadAnswer {
    #[serde(rename = "FileName")]
    key: String,
    #[serde(rename = "UploadId")]
    upload_id: String,
    #[serde(rename = "StartTime", default)]
    started: Option<i64>,
    #[serde(rename = "StorageClass", default)]
    storage_class: Option<String>,
}

#[derive(Deserialize)]
struct PartsAnswer {
    #[serde(rename = "Key", default)]
    key: Option<String>,
    #[serde(rename = "Parts", deserialize_with = "Option::deserialize")]
    parts: Option<Vec<PartAnswer>>,
    #[serde(rename = "IsTruncated", default)]
    is_truncated: bool,
    #[serde(rename = "NextPartNumberMarker", default)]
    next_marker: Option<i64>,
}

/// All that the service has of an upload.
pub(crate) struct AllParts {
    pub(crate) parts: BTreeMap<u32, ListedPart>,
    /// The answer with the last of them.
    pub(crate) reply: Reply,
}

/// Why a list of parts cannot be used.
pub(crate) enum Unusable {
    Failed(Failure),
    /// The upload is another key's.
    OtherKey,
}

impl From<Failure> for Unusable {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Service {
    /// Unfinished uploads whose keys begin with `prefix`, after `after`.
    pub(crate) async fn list_uploads(
        &self,
        prefix: &str,
        after: Option<&Marker>,
        operation: &Arc<Operation>,
    ) -> Result<(UnfinishedPage, Reply), Failure> {
        let mut call = Call::new("GetMultiUploadId", Method::GET, "");
        call.query = format!(
            "muploadid&prefix={}&limit={UPLOADS_PAGE}",
            query_value(prefix)
        );
        if let Some(Marker { key, upload_id }) = after {
            let (key, upload_id) = (query_value(key), query_value(upload_id));
            call.query
                .push_str(&format!("&marker={key}&upload-id-marker={upload_id}"));
        }
        let reply = self.call(&call, Payload::none, operation).await?;
        match uploads_of(&reply.body, after) {
            Ok(page) => Ok((page, reply)),
            Err(why) => Err(Failure::lost(self.protocol_error(&call, &reply, why))),
        }
    }

    /// Every part of an upload, of which there may be `most`.
    pub(crate) async fn all_parts(
        &self,
        target: UploadRef<'_>,
        most: u32,
        operation: &Arc<Operation>,
    ) -> Result<AllParts, Unusable> {
        let mut parts = BTreeMap::new();
        let mut marker = None;
        loop {
            let call = list_parts(target.upload_id, marker, PAGE);
            let reply = self.call(&call, Payload::none, operation).await?;
            let unusable = |why: String| Failure::lost(self.protocol_error(&call, &reply, why));
            let page = parts_of(&reply.body, marker, most).map_err(&unusable)?;
            if page.key.is_some_and(|key| key != target.key) {
                return Err(Unusable::OtherKey);
            }
            parts.extend(page.parts);
            match page.next {
                None => return Ok(AllParts { parts, reply }),
                next => marker = next,
            }
        }
    }
}

fn uploads_of(body: &[u8], after: Option<&Marker>) -> Result<UnfinishedPage, String> {
    let answer: UploadsAnswer = serde_json::from_slice(body)
        .map_err(|cause| format!("not with a list of unfinished uploads: {cause}"))?;
    let next = Marker {
        key: answer.next_key,
        upload_id: answer.next_id,
    };
    let is_truncated = answer.is_truncated.unwrap_or(!next.key.is_empty());
    if is_truncated && (next.key.is_empty() || after == Some(&next)) {
        let why = "with a list of unfinished uploads that goes on, but does not say where";
        return Err(why.to_owned());
    }
    let uploads = answer.uploads.unwrap_or_default();
    let uploads = uploads.into_iter().map(|upload| Unfinished {
        key: upload.key,
        upload_id: upload.upload_id,
        started: upload.started,
        storage_class: upload.storage_class.filter(|class| !class.is_empty()),
    });
    Ok(UnfinishedPage {
        uploads: uploads.collect(),
        next: is_truncated.then_some(next),
    })
}

struct PartsPage {
    key: Option<String>,
    parts: BTreeMap<u32, ListedPart>,
    next: Option<u32>,
}

fn parts_of(body: &[u8], after: Option<u32>, most: u32) -> Result<PartsPage, String> {
    let answer: PartsAnswer = serde_json::from_slice(body)
        .map_err(|cause| format!("not with a list of parts: {cause}"))?;
    let mut parts = BTreeMap::new();
    for PartAnswer { number, etag, size } in answer.parts.unwrap_or_default() {
        let etag = etag.trim_matches('"').to_owned();
        // It goes into a list joined with commas.
        let is_usable = (1..=LONGEST_ETAG).contains(&etag.len())
            && etag.chars().all(|c| c.is_ascii_graphic() && c != ',');
        if number >= most || !is_usable {
            return Err(format!(
                "part {number} has a number or an ETag that no finish can name"
            ));
        }
        parts.insert(number, ListedPart { etag, size });
    }
    let next = answer.next_marker.and_then(|next| u32::try_from(next).ok());
    let next = match next.filter(|next| after.is_none_or(|after| *next > after)) {
        _ if !answer.is_truncated => None,
        None => return Err("with a list of parts that goes on, but does not say where".to_owned()),
        next => next,
    };
    Ok(PartsPage {
        key: answer.key.filter(|key| !key.is_empty()),
        parts,
        next,
    })
}

/// A string that may be null.
fn or_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_uploads_is_whole_or_an_error() {
        let after = Marker {
            key: "a".to_owned(),
            upload_id: "1".to_owned(),
        };
        for (body, next) in [
            (r#"{"DataSet":[]}"#, Ok(None)),
            (
                r#"{"DataSet":null,"IsTruncated":false,"NextMarker":""}"#,
                Ok(None),
            ),
            (
                r#"{"DataSet":[],"IsTruncated":true,"NextMarker":"b","UploadIdMarker":"1"}"#,
                Ok(Some("b")),
            ),
            // Without IsTruncated the marker says it.
            (r#"{"DataSet":[],"NextMarker":"b"}"#, Ok(Some("b"))),
            (
                r#"{"DataSet":[],"IsTruncated":false,"NextMarker":"b"}"#,
                Ok(None),
            ),
            // The same place again, or none: it would never end, or not be whole.
            (
                r#"{"DataSet":[],"IsTruncated":true,"NextMarker":"a","UploadIdMarker":"1"}"#,
                Err(()),
            ),
            (
                r#"{"DataSet":[],"IsTruncated":true,"NextMarker":null}"#,
                Err(()),
            ),
            (r#"{"IsTruncated":false}"#, Err(())),
            ("{}", Err(())),
            ("<html>", Err(())),
            (r#"{"DataSet":[{"FileName":"k"}]}"#, Err(())),
        ] {
            let page = uploads_of(body.as_bytes(), Some(&after));
            let found = page
                .map(|page| page.next.map(|next| next.key))
                .map_err(|_| ());
            assert_eq!(
                found,
                next.map(|key: Option<&str>| key.map(str::to_owned)),
                "{body}"
            );
        }
    }

    #[test]
    fn a_list_of_parts_is_whole_or_an_error() {
        for (body, next) in [
            (r#"{"Parts":[{"PartNum":0,"Etag":"e","Size":1}]}"#, Ok(None)),
            (r#"{"Parts":null}"#, Ok(None)),
            (
                r#"{"Parts":[],"IsTruncated":true,"NextPartNumberMarker":6}"#,
                Ok(Some(6)),
            ),
            (
                r#"{"Parts":[],"IsTruncated":true,"NextPartNumberMarker":5}"#,
                Err(()),
            ),
            (r#"{"Parts":[],"IsTruncated":true}"#, Err(())),
            (r#"{"Parts":[{"PartNum":9,"Etag":"e","Size":1}]}"#, Err(())),
            (
                r#"{"Parts":[{"PartNum":0,"Etag":"a,b","Size":1}]}"#,
                Err(()),
            ),
            (r#"{"Parts":[{"PartNum":0,"Etag":"","Size":1}]}"#, Err(())),
            ("{}", Err(())),
        ] {
            let page = parts_of(body.as_bytes(), Some(5), 9);
            assert_eq!(page.map(|page| page.next).map_err(|_| ()), next, "{body}");
        }
    }
}
