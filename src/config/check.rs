//! Checks each member of a configuration, and says what is wrong with an invalid one.

use std::ops::RangeInclusive;
use std::time::Duration;

use url::Url;

use super::invalid;
use crate::error::{Result, shown_url, without_userinfo};

/// A longer time is a mistake in the unit, such as microseconds.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);
/// A larger number is a negative number that was cast to an unsigned type.
pub(super) const MAX_RETRIES: u32 = 100;
pub(super) const WORKER_THREADS: RangeInclusive<usize> = 1..=256;
pub(super) const CONCURRENT_UPLOADS: RangeInclusive<usize> = 1..=4096;
/// The length of a DNS label, and of a whole name (RFC 1035).
const MAX_LABEL_LEN: usize = 63;
pub(super) const MAX_HOST_LEN: usize = 253;

/// Keys and token become part of headers, so only visible ASCII is allowed. The message describes the
/// mistake and never quotes the value.
pub(super) fn check_credential(member: &str, value: &str) -> Result<()> {
    let Some(problem) = credential_problem(value) else {
        return Ok(());
    };
    Err(invalid(format!(
        "{member} {problem}; copy it again from the console, without blanks or line breaks"
    )))
}

fn credential_problem(value: &str) -> Option<&'static str> {
    let edge = |c: char| c.is_whitespace() || c == '\u{feff}';
    if value.is_empty() {
        return Some("is empty");
    }
    if value.trim().is_empty() {
        return Some("is blank");
    }
    if value.ends_with(['\n', '\r']) {
        return Some("ends with a line break (as happens when it is read from a file)");
    }
    if value.ends_with(edge) {
        return Some("ends with a blank");
    }
    if value.starts_with(edge) {
        return Some("begins with a blank or an invisible character");
    }
    if value.chars().any(char::is_control) {
        return Some("contains a control character");
    }
    if value.contains(' ') {
        return Some("contains a blank");
    }
    if !value.is_ascii() {
        return Some("contains a character that is not ASCII");
    }
    None
}

pub(super) fn check_bucket(bucket: &str) -> Result<()> {
    let Some(problem) = bucket_problem(bucket) else {
        return Ok(());
    };
    Err(invalid(format!(
        "bucket_name {:?} {problem}",
        bucket.chars().take(100).collect::<String>()
    )))
}

/// The bucket becomes the first label of a host name and a segment of the string to sign.
fn bucket_problem(bucket: &str) -> Option<String> {
    if bucket.trim().is_empty() {
        return Some("is empty; it names the bucket to upload to".into());
    }
    if bucket.trim() != bucket {
        return Some("has a blank or a line break at an end; remove it".into());
    }
    if bucket.len() > MAX_LABEL_LEN {
        return Some(format!(
            "is {} bytes long, at most {MAX_LABEL_LEN} are possible",
            bucket.len()
        ));
    }
    if bucket.contains('.') {
        return Some(
            "contains a dot; give the bucket alone, its domain belongs in file_host".into(),
        );
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if let Some(other) = bucket.chars().find(|&c| !allowed(c)) {
        return Some(format!(
            "contains {other:?}; only letters, digits, '-' and '_' are possible"
        ));
    }
    if bucket.starts_with('-') || bucket.ends_with('-') {
        return Some("begins or ends with '-', which a host name cannot".into());
    }
    None
}

pub(super) fn check_timeout(member: &str, value: Duration) -> Result<()> {
    if (Duration::from_millis(1)..=MAX_TIMEOUT).contains(&value) {
        return Ok(());
    }
    Err(invalid(format!(
        "{member} is {} ms, outside 1 to {} (24 hours)",
        value.as_millis(),
        MAX_TIMEOUT.as_millis()
    )))
}

pub(super) fn check_range(member: &str, value: usize, range: RangeInclusive<usize>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(invalid(format!(
        "{member} is {value}, outside {} to {}",
        range.start(),
        range.end()
    )))
}

/// `[http://|https://]host[:port][/]` → TLS or not, and the URL for its host and port.
pub(super) fn parse_address(member: &str, text: &str) -> Result<(bool, Url)> {
    let wrong = |why: &str| {
        invalid(format!(
            "{member} {} {why}; write [http://|https://]host[:port]",
            shown_url(text)
        ))
    };
    let (https, rest) = match split_scheme(text) {
        (None, rest) => (false, rest),
        (Some(scheme), rest) if scheme.eq_ignore_ascii_case("http") => (false, rest),
        (Some(scheme), rest) if scheme.eq_ignore_ascii_case("https") => (true, rest),
        (Some(_), _) => return Err(wrong("has a scheme that is neither http nor https")),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if let Some(why) = authority_problem(rest) {
        return Err(wrong(why));
    }
    let scheme = if https { "https" } else { "http" };
    let url = Url::parse(&format!("{scheme}://{rest}/"))
        .map_err(|error| wrong(&format!("is not an address ({error})")))?;
    if url.port() == Some(0) {
        return Err(wrong("has port 0"));
    }
    let labels = url.host_str().unwrap_or_default();
    let labels = labels.strip_suffix('.').unwrap_or(labels);
    if labels.split('.').any(str::is_empty) {
        return Err(wrong("has a dot too many"));
    }
    Ok((https, url))
}

fn split_scheme(text: &str) -> (Option<&str>, &str) {
    match text.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, text),
    }
}

/// Characters that the url crate, by the WHATWG rules, would silently drop or read as something else.
fn authority_problem(rest: &str) -> Option<&'static str> {
    if rest.is_empty() {
        return Some("has no host");
    }
    if rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Some("contains a blank or a control character");
    }
    if !rest.is_ascii() {
        return Some("contains a character that is not ASCII");
    }
    if rest.contains('@') {
        return Some("carries a user name, which US3 does not have");
    }
    if rest.contains(['/', '\\']) {
        return Some("has a path");
    }
    if rest.contains(['?', '#']) {
        return Some("has a query or a fragment");
    }
    if rest.contains('%') {
        return Some("contains '%'");
    }
    if rest.ends_with(':') {
        return Some("has a colon without a port");
    }
    None
}

/// Host and port as in a URL, without the scheme's default port, as HTTP clients write it.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// The message quotes nothing of the value: in a malformed URL, nobody can tell where the password ends.
pub(super) fn check_proxy(proxy: &str) -> Result<()> {
    let Some(problem) = proxy_problem(proxy) else {
        return Ok(());
    };
    Err(invalid(format!(
        "proxy {problem}; write http://[user:password@]host:port"
    )))
}

fn proxy_problem(proxy: &str) -> Option<&'static str> {
    if proxy.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Some("contains a blank or a control character");
    }
    let (scheme, rest) = split_scheme(proxy);
    if !scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("http")) {
        return Some("does not begin with http://, the only kind that is supported");
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '\\', '?', '#']) {
        return Some(
            "has a path or a query (in a user name or password, percent-encode '/', '?' and '#')",
        );
    }
    let Ok(url) = Url::parse(&format!("http://{rest}/")) else {
        return Some("is not an address");
    };
    let host_and_port = without_userinfo(rest);
    let port = host_and_port.rsplit(':').next().unwrap_or_default();
    let has_port = host_and_port.contains(':') && !port.is_empty() && !port.ends_with(']');
    if !has_port || url.port() == Some(0) {
        return Some("has no port");
    }
    None
}
