//! A line per request on stderr, for people.

use std::io::{self, Write};

use crate::state::{CallbackSent, RequestSeen};

/// As much of a callback service's reply as belongs into a line.
const REPLY_SHOWN: usize = 200;

/// What a refusal says.
#[derive(Default)]
pub(crate) struct Said {
    pub err_msg: Option<String>,
    /// More than the client is told.
    pub note: Option<String>,
}

/// `#12 connection 3 put "a.txt", 1048576 bytes → 200 in 12 ms`, and a note indented below.
pub(crate) fn request(seen: &RequestSeen, said: &Said) {
    let part = seen.part.map(|part| format!(" {part}")).unwrap_or_default();
    let policy = if seen.has_policy { " with policy" } else { "" };
    let status = seen
        .status
        .map_or("no answer".into(), |status| status.to_string());
    let code = seen
        .ret_code
        .map(|code| format!(" RetCode {code}"))
        .unwrap_or_default();
    let err_msg = said
        .err_msg
        .as_ref()
        .map(|text| format!(" {text:?}"))
        .unwrap_or_default();
    let rule = seen
        .rule
        .map(|rule| format!(", rule {rule}"))
        .unwrap_or_default();
    let detached = seen
        .detached_status
        .map(|status| format!(", went on without its connection: {status}"))
        .unwrap_or_default();
    let mut line = format!(
        "#{} connection {} {}{part} {:?}{policy}, {} bytes → {status}{code}{err_msg} in {} ms{rule}{detached}\n",
        seen.sequence,
        seen.connection,
        seen.call,
        seen.key,
        seen.body_received,
        seen.took_ms.unwrap_or_default(),
    );
    for text in said.note.iter().flat_map(|note| note.lines()) {
        line.push_str(&format!("    {text}\n"));
    }
    write(&line);
}

/// `#12 callback POST http://… "body" → 200 "reply" in 3 ms`.
pub(crate) fn callback(sent: &CallbackSent) {
    let query = if sent.query.is_empty() {
        String::new()
    } else {
        format!("?{}", sent.query)
    };
    let ended = match (&sent.error, sent.status) {
        (Some(error), _) => error.clone(),
        (None, Some(status)) => format!("{status} {:?}", shown(sent.reply.as_deref())),
        (None, None) => "no answer".into(),
    };
    let took = sent.took_ms.unwrap_or_default();
    write(&format!(
        "#{} callback POST {}{query} {:?} → {ended} in {took} ms\n",
        sent.request, sent.url, sent.body
    ));
}

/// `accept on the listener of --tls-ca: Too many open files`.
pub(crate) fn accept_failed(option: &str, error: &io::Error) {
    write(&format!(
        "accept on the listener of {option}: {error}; it goes on\n"
    ));
}

fn shown(reply: Option<&str>) -> String {
    let reply = reply.unwrap_or_default();
    let mut shown: String = reply.chars().take(REPLY_SHOWN).collect();
    if shown.len() < reply.len() {
        shown.push('…');
    }
    shown
}

/// A closed stderr is not an error.
fn write(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
