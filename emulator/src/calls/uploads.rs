//! GetMultiUploadId: the unfinished uploads of the bucket, a page at a time.

use serde_json::{Value, json};

use super::Exchange;
use crate::answer::Answer;
use crate::refusal::Refusal;
use crate::stop::Stop;
use crate::store::Unfinished;

const LISTED_BY_DEFAULT: u32 = 20;
const MOST_LISTED: u32 = 1000;

/// Which uploads a page begins after: those of smaller keys, and of this key those of smaller ids. Without an
/// id all uploads of this key are before the page.
struct After<'a> {
    key: &'a str,
    id: Option<&'a str>,
}

impl After<'_> {
    fn includes(&self, upload: &Unfinished) -> bool {
        let is_same_key = upload.key == self.key;
        upload.key.as_str() > self.key
            || is_same_key && self.id.is_some_and(|id| upload.id.as_str() > id)
    }
}

pub(super) async fn list(exchange: &mut Exchange) -> Result<Answer, Stop> {
    let target = &exchange.target;
    if !target.key.is_empty() {
        return Err(Refusal::bad_request("uploads are listed with an empty key").into());
    }
    let given = |name| target.query.get(name).map_or("", String::as_str);
    let limit = target.number("limit")?.unwrap_or(LISTED_BY_DEFAULT);
    if !(1..=MOST_LISTED).contains(&limit) {
        return Err(Refusal::bad_request("invalid parameter limit").into());
    }
    let after = After {
        key: given("marker"),
        id: Some(given("upload-id-marker")).filter(|id| !id.is_empty()),
    };
    let uploads = exchange.app.store.unfinished();
    Ok(Answer::json(&page(
        uploads,
        given("prefix"),
        &after,
        limit as usize,
    )))
}

/// Of uploads that are sorted by key and id.
fn page(mut uploads: Vec<Unfinished>, prefix: &str, after: &After<'_>, limit: usize) -> Value {
    uploads.retain(|upload| upload.key.starts_with(prefix) && after.includes(upload));
    let is_truncated = uploads.len() > limit;
    uploads.truncate(limit);
    let last = uploads.last().filter(|_| is_truncated);
    json!({
        "RetCode": 0,
        "NextMarker": last.map_or("", |upload| &upload.key),
        "DataSet": uploads.iter().map(described).collect::<Vec<Value>>(),
        "IsTruncated": is_truncated,
        "UploadIdMarker": last.map_or("", |upload| &upload.id),
    })
}

fn described(upload: &Unfinished) -> Value {
    json!({
        "UploadId": upload.id,
        "FileName": upload.key,
        "StartTime": upload.started,
        "StorageClass": upload.storage_class,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_begins_after_its_markers() {
        let uploads = || {
            ["a 1", "b 1", "b 2", "b 3", "c 1"].map(|name| {
                let (key, id) = name.split_once(' ').unwrap();
                Unfinished {
                    id: id.into(),
                    key: key.into(),
                    started: 5,
                    storage_class: "IA".into(),
                }
            })
        };
        for (prefix, marker, id, limit, listed, next) in [
            (
                "",
                "",
                None,
                9,
                &["a 1", "b 1", "b 2", "b 3", "c 1"][..],
                "",
            ),
            ("", "", None, 5, &["a 1", "b 1", "b 2", "b 3", "c 1"], ""),
            ("", "", None, 2, &["a 1", "b 1"], "b 1"),
            ("", "b", Some("1"), 2, &["b 2", "b 3"], "b 3"),
            ("", "b", Some("3"), 2, &["c 1"], ""),
            ("", "b", None, 9, &["c 1"], ""),
            ("", "aa", None, 1, &["b 1"], "b 1"),
            ("b", "", None, 9, &["b 1", "b 2", "b 3"], ""),
            ("z", "", None, 9, &[], ""),
        ] {
            let after = After { key: marker, id };
            let page = page(uploads().into(), prefix, &after, limit);
            let name = |key: &Value, id: &Value| {
                format!("{} {}", key.as_str().unwrap(), id.as_str().unwrap())
                    .trim()
                    .to_string()
            };
            let seen: Vec<String> = page["DataSet"]
                .as_array()
                .unwrap()
                .iter()
                .map(|upload| name(&upload["FileName"], &upload["UploadId"]))
                .collect();
            assert_eq!(seen, listed, "{prefix:?} {marker:?} {id:?}");
            assert_eq!(name(&page["NextMarker"], &page["UploadIdMarker"]), next);
            assert_eq!(page["IsTruncated"], !next.is_empty());
        }
    }
}
