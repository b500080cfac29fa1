//! Reads the body of a request piece by piece and counts it; the whole body is never in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header;
use bytes::Bytes;
use http_body_util::BodyExt;

use crate::faults::Hook;
use crate::refusal::Refusal;
use crate::rules::Place;
use crate::stop::Stop;

pub(crate) struct Intake {
    body: Body,
    /// The Content-Length.
    pub declared: Option<u64>,
    received: Arc<AtomicU64>,
    hook: Hook,
    /// Bytes that came too early for the place of a fault.
    held: Option<Bytes>,
    /// Whether the client waits for a 100 before it sends the body.
    awaited: bool,
}

impl Intake {
    pub fn new(body: Body, headers: &HeaderMap, received: Arc<AtomicU64>, hook: Hook) -> Self {
        let declared = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse().ok());
        Self {
            body,
            declared,
            received,
            hook,
            held: None,
            awaited: headers.contains_key(header::EXPECT),
        }
    }

    /// The length of the body, which must be known before it comes.
    pub fn length(&self) -> Result<u64, Refusal> {
        self.declared.ok_or_else(Refusal::length_required)
    }

    /// The next bytes; none at the end. Stops at the places where faults are.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Stop> {
        let offset = self.hook.body_offset();
        let before =
            offset.map(|offset| offset.saturating_sub(self.received.load(Ordering::Relaxed)));
        if let (Some(offset), Some(0)) = (offset, before) {
            self.hook.reach(Place::Body(offset)).await?;
        }
        let Some(mut bytes) = self.read().await? else {
            return self.end(offset).await;
        };
        if let Some(before @ 1..) = before
            && before < bytes.len() as u64
        {
            self.held = Some(bytes.split_off(before as usize));
        }
        self.received
            .fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(Some(bytes))
    }

    async fn read(&mut self) -> Result<Option<Bytes>, Stop> {
        self.awaited = false;
        if let Some(bytes) = self.held.take() {
            return Ok(Some(bytes));
        }
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|_| Stop::Gone)?;
            if let Ok(bytes) = frame.into_data() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    async fn end(&mut self, offset: Option<u64>) -> Result<Option<Bytes>, Stop> {
        if let Some(offset) = offset {
            self.hook.reach(Place::Body(offset)).await?;
        }
        self.hook.reach(Place::AfterBody).await?;
        Ok(None)
    }

    /// A body that is small by its nature.
    pub async fn small(&mut self, limit: usize) -> Result<Vec<u8>, Stop> {
        let mut body = Vec::new();
        while let Some(bytes) = self.chunk().await? {
            if body.len() + bytes.len() > limit {
                return Err(Refusal::bad_request("body too large").into());
            }
            body.extend(bytes);
        }
        Ok(body)
    }

    /// Reads the rest of a refused request's body, so that the client, which is still sending, can read the
    /// answer and keep its connection.
    pub async fn drain(&mut self) -> Result<(), Stop> {
        if self.awaited {
            return Ok(());
        }
        while self.chunk().await?.is_some() {}
        Ok(())
    }
}
