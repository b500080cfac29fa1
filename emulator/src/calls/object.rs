//! HeadFile, download and DeleteFile.

use std::io::{self, Read};
use std::time::{Duration, UNIX_EPOCH};

use axum::body::Body;
use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};

use super::Exchange;
use crate::answer::Answer;
use crate::refusal::Refusal;
use crate::serve::Stop;
use crate::store::{Object, Segment};

pub(super) async fn head(exchange: &mut Exchange) -> Result<Answer, Stop> {
    Ok(describe(&find(exchange)?))
}

pub(super) async fn get(exchange: &mut Exchange) -> Result<Answer, Stop> {
    let object = find(exchange)?;
    let mut answer = describe(&object);
    let (sender, body) = Channel::<Bytes, io::Error>::new(2);
    tokio::spawn(send(object.segments, sender));
    answer.body = Body::new(body);
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

fn describe(object: &Object) -> Answer {
    let state = &object.state;
    let modified = UNIX_EPOCH + Duration::from_secs(state.last_modified);
    let mut answer = Answer::empty(200)
        .with("Content-Length", state.size.to_string())
        .with("Content-Type", &state.content_type)
        .with("Last-Modified", httpdate::fmt_http_date(modified))
        .with("X-Ufile-Storage-Class", &state.storage_class)
        .with_etag(&state.etag);
    for (name, value) in &state.metadata {
        answer = answer.with(&format!("X-Ufile-Meta-{name}"), value);
    }
    answer
}

/// Sends the files, a piece at a time, until the client has enough.
async fn send(segments: Vec<Segment>, mut sender: Sender<Bytes, io::Error>) {
    for segment in segments {
        let Ok(mut file) = segment.blob.open() else {
            return;
        };
        loop {
            let read = tokio::task::spawn_blocking(move || {
                let mut buffer = vec![0; 256 << 10];
                let len = file.read(&mut buffer)?;
                buffer.truncate(len);
                io::Result::Ok((file, buffer))
            });
            let Ok(Ok((back, buffer))) = read.await else {
                return;
            };
            file = back;
            if buffer.is_empty() {
                break;
            }
            if sender.send_data(buffer.into()).await.is_err() {
                return;
            }
        }
    }
}
