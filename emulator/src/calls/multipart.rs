//! Multipart uploads: initiate, part, finish, abort, list.

use std::io;

use serde_json::{Value, json};

use super::{Exchange, about, check_md5, conclude, receive};
use crate::answer::Answer;
use crate::broken::Assumption;
use crate::policy::Policy;
use crate::refusal::Refusal;
use crate::stop::Stop;
use crate::store::Part;
use crate::target::check_key;

/// The largest body of a finish: more than any list of ETags.
const FINISH_LIMIT: usize = 4 << 20;
const MOST_PARTS_LISTED: u32 = 1000;

pub(super) async fn initiate(exchange: &mut Exchange) -> Result<Answer, Stop> {
    let key = exchange.target.key()?.to_string();
    let about = about::read(&exchange.head.headers, &exchange.app.broken)?;
    if !exchange.intake.small(0).await?.is_empty() {
        return Err(Refusal::bad_request("initiate takes no body").into());
    }
    let options = &exchange.app.options;
    let id = exchange.app.store.initiate(&key, about);
    Ok(Answer::json(&json!({
        "UploadId": id,
        "BlkSize": options.part_size,
        "Bucket": options.bucket,
        "Key": key,
    })))
}

pub(super) async fn part(exchange: &mut Exchange) -> Result<Answer, Stop> {
    let id = exchange.target.param("uploadId")?.to_string();
    exchange.target.param("partNumber")?;
    let number = exchange.target.number("partNumber")?.unwrap_or_default();
    exchange
        .app
        .store
        .check_upload(&id, exchange.target.key()?)?;
    let (length, most) = (exchange.intake.length()?, exchange.app.options.part_size);
    if length > most {
        let why =
            format!("invalid part size: part {number} has {length} bytes, allowed are {most}");
        return Err(Refusal::invalid_part(why).into());
    }
    let received = receive(exchange).await?;
    check_md5(exchange, &received)?;
    let etag = received.sums.part_etag();
    let part = Part {
        sums: received.sums,
        segment: received.segment,
        uploaded: exchange.app.store.clock.now(),
    };
    exchange.app.store.add_part(&id, number, part)?;
    Ok(Answer::json(&json!({ "PartNumber": number })).with_etag(&etag))
}

pub(super) async fn finish(
    exchange: &mut Exchange,
    policy: Option<Policy>,
) -> Result<Answer, Stop> {
    let id = exchange.target.param("uploadId")?.to_string();
    let key = exchange.target.key()?.to_string();
    let new_key = exchange
        .target
        .query
        .get("newKey")
        .cloned()
        .filter(|key| !key.is_empty());
    if let Some(key) = &new_key {
        check_key(key.as_bytes())?;
    }
    exchange.app.store.check_upload(&id, &key)?;
    let etags = exchange.intake.small(FINISH_LIMIT).await?;
    let etags =
        String::from_utf8(etags).map_err(|_| Refusal::bad_request("the ETags are not text"))?;

    let (store, options) = (&exchange.app.store, &exchange.app.options);
    let stays = exchange.app.broken.has(Assumption::A5);
    let finished = store.finish(&id, &key, &split(&etags), options.part_size, stays)?;
    let (about, segments, part_size) = (
        finished.about.clone(),
        finished.segments(),
        options.part_size,
    );
    let sums = tokio::task::spawn_blocking(move || finished.sums(part_size))
        .await
        .map_err(io::Error::other)??;
    let (key, etag) = (new_key.unwrap_or(key), sums.object_etag());
    store.put(&key, about, sums.size, etag.clone(), segments)?;
    let plain = json!({ "Bucket": options.bucket, "Key": key, "FileSize": sums.size });
    conclude(
        &exchange.app,
        exchange.sequence,
        &key,
        policy,
        &etag,
        Answer::json(&plain),
    )
    .await
}

fn split(etags: &str) -> Vec<&str> {
    if etags.is_empty() {
        Vec::new()
    } else {
        etags.split(',').collect()
    }
}

pub(super) async fn abort(exchange: &mut Exchange) -> Result<Answer, Stop> {
    let id = exchange.target.param("uploadId")?;
    exchange.app.store.abort(id, exchange.target.key()?)?;
    Ok(Answer::empty(204))
}

pub(super) async fn list(exchange: &mut Exchange) -> Result<Answer, Stop> {
    let target = &exchange.target;
    if !target.key.is_empty() {
        return Err(Refusal::bad_request("parts are listed with an empty key").into());
    }
    let id = target.param("uploadId")?;
    let most = target.number("max-parts")?.unwrap_or(MOST_PARTS_LISTED);
    if !(1..=MOST_PARTS_LISTED).contains(&most) {
        return Err(Refusal::bad_request("invalid parameter max-parts").into());
    }
    let marker = target.number("part-number-marker")?;
    let (key, parts) = exchange.app.store.parts(id)?;
    let after_marker = parts
        .iter()
        .filter(|(number, _)| marker.is_none_or(|marker| **number > marker));
    let mut listed: Vec<Value> = after_marker
        .take(most as usize + 1)
        .map(|(number, part)| listed(*number, part))
        .collect();
    let is_truncated = listed.len() > most as usize;
    listed.truncate(most as usize);
    let next = listed
        .last()
        .map_or(json!(marker.unwrap_or(0)), |part| part["PartNum"].clone());
    Ok(Answer::json(&json!({
        "UploadId": id,
        "Bucket": exchange.app.options.bucket,
        "Key": key,
        "Parts": listed,
        "MaxParts": most,
        "IsTruncated": is_truncated,
        "NextPartNumberMarker": next,
    })))
}

fn listed(number: u32, part: &Part) -> Value {
    json!({
        "PartNum": number,
        "Etag": part.sums.part_etag(),
        "Size": part.sums.size,
        "LastModified": part.uploaded,
    })
}
