//! A line per request on stderr, for people.

use std::io::Write;

use crate::state::{CallbackSent, RequestSeen};

/// `#12 put /a.txt 1048576 bytes → 200 in 12 ms`, and a note indented below.
pub(crate) fn request(seen: &RequestSeen, note: Option<&str>) {
    let part = seen
        .part
        .map(|part| format!(" part {part}"))
        .unwrap_or_default();
    let policy = if seen.has_policy { " with policy" } else { "" };
    let status = seen
        .status
        .map_or("no answer".into(), |status| status.to_string());
    let code = seen
        .ret_code
        .map(|code| format!(" RetCode {code}"))
        .unwrap_or_default();
    let rule = seen
        .rule
        .map(|rule| format!(", rule {rule}"))
        .unwrap_or_default();
    let mut line = format!(
        "#{} connection {} {}{part} {:?}{policy}, {} bytes → {status}{code} in {} ms{rule}\n",
        seen.sequence,
        seen.connection,
        seen.call,
        seen.key,
        seen.body_received,
        seen.took_ms.unwrap_or_default(),
    );
    for text in note.iter().flat_map(|note| note.lines()) {
        line.push_str(&format!("    {text}\n"));
    }
    write(&line);
}

/// `#12 callback POST http://… → 200 in 3 ms`.
pub(crate) fn callback(sent: &CallbackSent) {
    let query = if sent.query.is_empty() {
        String::new()
    } else {
        format!("?{}", sent.query)
    };
    let ended = match (&sent.error, sent.status) {
        (Some(error), _) => error.clone(),
        (None, Some(status)) => status.to_string(),
        (None, None) => "no answer".into(),
    };
    let took = sent.took_ms.unwrap_or_default();
    write(&format!(
        "#{} callback POST {}{query} {:?} → {ended} in {took} ms\n",
        sent.request, sent.url, sent.body
    ));
}

/// A closed stderr is no reason to fail.
fn write(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
