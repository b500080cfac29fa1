//! The journal: records requests, callbacks and connections, and how many there are at once.

mod kept;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::http::header;
use axum::http::request::Parts;

use crate::answer::Answer;
use crate::log::{self, Said};
use crate::net::Conn;
use crate::rules::Traits;
use crate::state::{CallbackSent, RequestSeen, State};
use crate::target::{Call, Target};
use kept::{Kept, Seen};

pub(crate) struct Journal {
    began: Instant,
    book: Mutex<Book>,
}

/// How many there are now, and were at most.
#[derive(Default)]
struct Gauge {
    now: u64,
    most: u64,
}

impl Gauge {
    fn enter(&mut self) {
        self.now += 1;
        self.most = self.most.max(self.now);
    }

    fn leave(&mut self) {
        self.now -= 1;
    }
}

#[derive(Default)]
struct Book {
    requests: Kept<Entry>,
    callbacks: Kept<CallbackSent>,
    last_request: u64,
    last_callback: u64,
    last_connection: u64,
    accepted: u64,
    requests_now: Gauge,
    parts_now: Gauge,
    connections: Gauge,
}

struct Entry {
    seen: RequestSeen,
    received: Arc<AtomicU64>,
}

impl Seen for Entry {
    fn sequence(&self) -> u64 {
        self.seen.sequence
    }

    fn bytes(&self) -> usize {
        self.seen.bytes()
    }

    fn cut(&mut self) {
        self.seen.cut();
    }

    fn drop_texts(&mut self) {
        self.seen.drop_texts();
    }
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            book: Mutex::default(),
        }
    }
}

impl Journal {
    fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    /// Counts a connection; gives its number.
    pub fn connected(&self) -> u64 {
        let mut book = self.book.lock().unwrap();
        book.accepted += 1;
        book.last_connection += 1;
        book.connections.enter();
        book.last_connection
    }

    pub fn disconnected(&self) {
        self.book.lock().unwrap().connections.leave();
    }

    /// Records a request. It counts as being served until the visit is dropped.
    pub fn begin(self: &Arc<Self>, conn: &Conn, head: &Parts, target: &Target, log: bool) -> Visit {
        let mut seen = seen(conn, head, target);
        let received = Arc::new(AtomicU64::new(0));
        let mut book = self.book.lock().unwrap();
        book.last_request += 1;
        seen.sequence = book.last_request;
        seen.started_ms = self.now_ms();
        book.requests_now.enter();
        if seen.call == Call::Part {
            book.parts_now.enter();
        }
        book.requests.push(Entry {
            seen: seen.clone(),
            received: received.clone(),
        });
        drop(book);
        Visit {
            journal: self.clone(),
            began: Instant::now(),
            seen,
            received,
            said: Said::default(),
            log,
        }
    }

    fn finish(&self, visit: &RequestSeen) {
        let mut book = self.book.lock().unwrap();
        book.requests_now.leave();
        if visit.call == Call::Part {
            book.parts_now.leave();
        }
        // Not the texts: they are cut here, and may be gone.
        book.requests.update(visit.sequence, |Entry { seen, .. }| {
            seen.status = visit.status;
            seen.ret_code = visit.ret_code;
            seen.detached_status = visit.detached_status;
            seen.took_ms = visit.took_ms;
        });
    }

    /// Writes a callback down; gives its number.
    pub fn callback_sent(&self, mut callback: CallbackSent) -> u64 {
        let mut book = self.book.lock().unwrap();
        book.last_callback += 1;
        callback.sequence = book.last_callback;
        callback.sent_ms = self.now_ms();
        book.callbacks.push(callback);
        book.last_callback
    }

    /// Completes what was written down.
    pub fn callback_ended(&self, sequence: u64, complete: impl FnOnce(&mut CallbackSent)) {
        let now = self.now_ms();
        let mut book = self.book.lock().unwrap();
        book.callbacks.update(sequence, |callback| {
            callback.took_ms = Some(now.saturating_sub(callback.sent_ms));
            complete(callback);
        });
    }

    /// Removes everything except requests that are being served.
    pub fn clear(&self) {
        let book = &mut *self.book.lock().unwrap();
        book.requests.clear();
        book.callbacks.clear();
        book.accepted = 0;
        for gauge in [
            &mut book.requests_now,
            &mut book.parts_now,
            &mut book.connections,
        ] {
            gauge.most = gauge.now;
        }
    }

    /// The state, but for what the store knows.
    pub fn state(&self) -> State {
        let book = self.book.lock().unwrap();
        State {
            requests: book.requests.iter().map(Entry::snapshot).collect(),
            callbacks: book.callbacks.iter().cloned().collect(),
            texts_dropped: book.requests.bare() + book.callbacks.bare(),
            in_flight: book.requests_now.now,
            parts_in_flight: book.parts_now.now,
            max_parts_in_flight: book.parts_now.most,
            connections_accepted: book.accepted,
            connections_open: book.connections.now,
            max_connections_open: book.connections.most,
            ..State::default()
        }
    }
}

impl Entry {
    fn snapshot(&self) -> RequestSeen {
        RequestSeen {
            body_received: self.received.load(Ordering::Relaxed),
            ..self.seen.clone()
        }
    }
}

fn seen(conn: &Conn, head: &Parts, target: &Target) -> RequestSeen {
    let authorization = head
        .headers
        .get(header::AUTHORIZATION)
        .map(|value| value.as_bytes());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    RequestSeen {
        sequence: 0,
        connection: conn.id,
        call: target.call,
        method: head.method.to_string(),
        key: target.shown_key(),
        query: head.uri.query().unwrap_or_default().into(),
        part: target.number("partNumber").ok().flatten(),
        headers: head
            .headers
            .iter()
            .filter(|(name, _)| *name != header::AUTHORIZATION)
            .map(|(name, value)| (name.as_str().into(), text(value.as_bytes())))
            .collect(),
        has_policy: authorization
            .is_some_and(|value| value.iter().filter(|byte| **byte == b':').count() == 2),
        body_received: 0,
        status: None,
        ret_code: None,
        detached_status: None,
        session_id: session_id(),
        rule: None,
        started_ms: 0,
        took_ms: None,
    }
}

/// Of the shape of the service's.
fn session_id() -> String {
    let [a, b] = [fastrand::u64(..), fastrand::u64(..)];
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xfff,
        b >> 52,
        b & 0xffff_ffff_ffff
    )
}

/// A request that is being served.
pub(crate) struct Visit {
    journal: Arc<Journal>,
    began: Instant,
    pub seen: RequestSeen,
    pub received: Arc<AtomicU64>,
    said: Said,
    log: bool,
}

impl Visit {
    /// What rules look at.
    pub fn traits(&self) -> Traits<'_> {
        let seen = &self.seen;
        Traits {
            call: seen.call,
            part: seen.part,
            key: &seen.key,
            policy: seen.has_policy,
        }
    }

    /// Notes the rule that the request has met, at once.
    pub fn met(&mut self, rule: Option<u64>) {
        self.seen.rule = rule;
        let mut book = self.journal.book.lock().unwrap();
        let sequence = self.seen.sequence;
        book.requests
            .update(sequence, |entry| entry.seen.rule = rule);
    }

    /// The request has run without its connection; a reset may have stopped it.
    pub fn executed_detached(&mut self, answer: Option<&Answer>) {
        self.seen.detached_status = answer.map(|answer| answer.status);
    }

    pub fn answered(&mut self, answer: &Answer) {
        self.seen.status = Some(answer.status);
        self.seen.ret_code = answer.ret_code;
        self.said = Said {
            err_msg: answer.err_msg.clone(),
            note: answer.note.clone(),
        };
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.seen.body_received = self.received.load(Ordering::Relaxed);
        self.seen.took_ms = Some(self.began.elapsed().as_millis() as u64);
        self.journal.finish(&self.seen);
        if self.log {
            log::request(&self.seen, &self.said);
        }
    }
}
