//! HeadFile, download and DeleteFile.

use std::fs::File;
use std::io::{self, Read};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream::try_unfold;

use super::Exchange;
use crate::answer::Answer;
use crate::broken::{self, Assumption, Broken};
use crate::clock;
use crate::refusal::Refusal;
use crate::stop::Stop;
use crate::store::{Object, Segment};

/// The files that are left, and the one that is being read.
type Reading = (std::vec::IntoIter<Segment>, Option<File>);

pub(super) async fn head(exchange: &mut Exchange) -> Result<Answer, Stop> {
    Ok(describe(&find(exchange)?, &exchange.app.broken))
}

pub(super) async fn get(exchange: &mut Exchange) -> Result<Answer, Stop> {
    let object = find(exchange)?;
    let mut answer = describe(&object, &exchange.app.broken);
    let begin = (object.segments.into_iter(), None);
    answer.body = Body::from_stream(try_unfold(begin, next_piece));
    Ok(answer)
}

pub(super) async fn delete(exchange: &mut Exchange) -> Result<Answer, Stop> {
    match exchange.app.store.delete(exchange.target.key()?)? {
        true => Ok(Answer::empty(204)),
        false => Err(Refusal::no_such_object().into()),
    }
}

fn find(exchange: &Exchange) -> Result<Object, Refusal> {
    let key = exchange.target.key()?;
    exchange
        .app
        .store
        .get(key)
        .ok_or_else(Refusal::no_such_object)
}

fn describe(object: &Object, broken: &Broken) -> Answer {
    let state = &object.state;
    let behind = if broken.has(Assumption::A4) {
        broken::OLDER_S
    } else {
        0
    };
    let last_modified = clock::http_date(state.last_modified.saturating_sub(behind));
    let mut answer = Answer::empty(200)
        .with("Content-Length", state.size.to_string())
        .with("Content-Type", &state.content_type)
        .with("Last-Modified", last_modified)
        .with("X-Ufile-Storage-Class", &state.storage_class)
        .with_etag(&state.etag);
    for (name, value) in &state.headers {
        answer = answer.with(name, value);
    }
    for (name, value) in &state.metadata {
        answer = answer.with(&format!("X-Ufile-Meta-{name}"), value);
    }
    answer
}

/// The files one behind the other, a piece at a time. (Not a channel: http-body-util's ends a body early when the last
/// piece comes and the sender goes while it looks.)
async fn next_piece((mut files, mut open): Reading) -> io::Result<Option<(Bytes, Reading)>> {
    let read = tokio::task::spawn_blocking(move || {
        loop {
            let Some(file) = &mut open else {
                let Some(next) = files.next() else {
                    return Ok(None);
                };
                open = Some(next.blob.open()?);
                continue;
            };
            let mut buffer = vec![0; 256 << 10];
            let len = file.read(&mut buffer)?;
            if len > 0 {
                buffer.truncate(len);
                return Ok(Some((buffer.into(), (files, open))));
            }
            open = None;
        }
    });
    read.await.map_err(io::Error::other)?
}
