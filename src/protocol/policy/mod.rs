//! Put policies: check, compact, encode, build.
//!
//! A policy asks the service to call back once the object is stored. It is checked before anything is sent,
//! because the service refuses a bad policy with nothing but "invalid put policy", sometimes only after the
//! upload.

mod build;
mod json;

use std::collections::BTreeSet;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use url::Url;

use crate::error::{Error, Result, Status, shown_url};
use build::{Parts, Vars};
use json::Json;

/// The service's limit for the policy as it goes on the wire.
pub const MAX_ENCODED_LEN: usize = 4096;

/// The limit for the text as it is given, including blanks: far larger than any policy, and small enough to
/// be parsed safely.
const MAX_TEXT_LEN: usize = 1 << 20;

/// A put policy that has passed every check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutPolicy {
    json: String,
    encoded: String,
}

impl PutPolicy {
    /// Checks the policy and removes the blanks. Numbers, escapes, order and unknown members stay
    /// unchanged.
    ///
    /// The policy is a JSON object in which `callbackUrl` is an http(s) URL, `callbackBody` and
    /// `callbackBodyType`, if present, are strings, and `callbackVar`, if present, is an object
    /// of strings that defines every `$(x:name)` of the body. Encoded it has at most
    /// [`MAX_ENCODED_LEN`] bytes.
    ///
    /// # Errors
    /// [`Status::InvalidPolicy`] naming the member.
    pub fn parse(json: &str) -> Result<Self> {
        if json.trim().is_empty() {
            return Err(invalid(
                "it is empty; give no policy at all for an upload without a callback",
            ));
        }
        if json.len() > MAX_TEXT_LEN {
            return Err(too_long(json.len()));
        }
        let policy: Json = serde_json::from_str(json).map_err(|error| not_json(json, &error))?;
        check(&policy)?;

        let json = compact(json);
        let encoded = URL_SAFE.encode(&json);
        if encoded.len() > MAX_ENCODED_LEN {
            return Err(too_long(encoded.len()));
        }
        Ok(Self { json, encoded })
    }

    /// Builds a policy. With `body_type` None or empty, the service sends `body` as the query of `url`. The
    /// names in `vars` include their `x:`, as in `$(x:name)`.
    ///
    /// # Errors
    /// [`Status::InvalidPolicy`] as for [`PutPolicy::parse`].
    pub fn build(
        url: &str,
        body: &str,
        body_type: Option<&str>,
        vars: &[(&str, &str)],
    ) -> Result<Self> {
        let parts = Parts {
            url,
            body,
            body_type: body_type.filter(|body_type| !body_type.is_empty()),
            vars: Vars(vars),
        };
        let json = serde_json::to_string(&parts)
            .map_err(|error| invalid(format!("it cannot be written as JSON: {error}")))?;
        Self::parse(&json)
    }

    /// Compact JSON.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// base64url of the compact JSON, as it goes on the wire.
    pub fn encoded(&self) -> &str {
        &self.encoded
    }

    /// Whether a URL is the one that the service calls for this policy: `callbackUrl`, in the query form
    /// followed by the body. (After a redirect the service would name another URL.)
    pub(crate) fn calls(&self, url: &str) -> bool {
        let Ok(Json::Object(members)) = serde_json::from_str(&self.json) else {
            return false;
        };
        let text = |name| optional_text(&members, name).ok().flatten();
        let own = text("callbackUrl").unwrap_or_default();
        if text("callbackBodyType").is_some_and(|body_type| !body_type.is_empty()) {
            return same_url(url, own);
        }
        let separator = if own.contains('?') { '&' } else { '?' };
        let body = filled_in(text("callbackBody").unwrap_or_default(), &members);
        same_url(url, own) || same_url(url, &format!("{own}{separator}{body}"))
    }
}

/// Whether both URLs are the same after normalising their encoding.
fn same_url(one: &str, other: &str) -> bool {
    one == other
        || match (Url::parse(one), Url::parse(other)) {
            (Ok(one), Ok(other)) => one == other,
            _ => false,
        }
}

/// The body with each `$(x:name)` replaced from `callbackVar`, as the service does it.
fn filled_in(body: &str, members: &Members) -> String {
    let vars = match member(members, "callbackVar") {
        Ok(Some(Json::Object(vars))) => vars.as_slice(),
        _ => &[],
    };
    let mut text = String::new();
    let mut rest = body;
    while let Some((before, piece)) = rest.split_once("$(") {
        text.push_str(before);
        let named = piece.split_once(')').and_then(|(name, after)| {
            let (_, value) = vars.iter().find(|(var, _)| var == name)?;
            match value {
                Json::Text(value) => Some((value, after)),
                _ => None,
            }
        });
        match named {
            Some((value, after)) => {
                text.push_str(value);
                rest = after;
            }
            None => {
                text.push_str("$(");
                rest = piece;
            }
        }
    }
    text.push_str(rest);
    text
}

// ---- errors

fn invalid(why: impl fmt::Display) -> Error {
    Error::new(Status::InvalidPolicy, format!("put policy: {why}"))
}

fn too_long(len: usize) -> Error {
    invalid(format!(
        "it is {len} bytes long, at most {MAX_ENCODED_LEN} are possible once encoded (3072 of compact JSON); shorten callbackBody or callbackVar"
    ))
}

fn not_json(text: &str, error: &serde_json::Error) -> Error {
    if text.starts_with('\u{feff}') {
        return invalid("it begins with a byte order mark; save it as UTF-8 without one");
    }
    invalid(format!("not valid JSON: {error}"))
}

// ---- checks

fn check(policy: &Json) -> Result<()> {
    let Json::Object(members) = policy else {
        return Err(invalid(format!(
            "it is {}; it must be a JSON object",
            policy.kind()
        )));
    };
    check_url(required_url(members)?)?;
    let body = optional_text(members, "callbackBody")?;
    if let Some(body_type) = optional_text(members, "callbackBodyType")? {
        check_body_type(body_type)?;
    }
    let defined = check_vars(members)?;
    check_placeholders(body.unwrap_or_default(), &defined)
}

type Members = [(String, Json)];

/// The member with this name. A repeated member is an error, because parsers differ in which one counts.
fn member<'a>(members: &'a Members, name: &str) -> Result<Option<&'a Json>> {
    let mut found = members.iter().filter(|(member, _)| member == name);
    let first = found.next().map(|(_, value)| value);
    if found.next().is_some() {
        return Err(invalid(format!("{name} is there twice; remove one")));
    }
    Ok(first)
}

fn optional_text<'a>(members: &'a Members, name: &str) -> Result<Option<&'a str>> {
    match member(members, name)? {
        None => Ok(None),
        Some(Json::Text(text)) => Ok(Some(text)),
        Some(other) => Err(invalid(format!(
            "{name} is {}; it must be a string",
            other.kind()
        ))),
    }
}

fn required_url(members: &Members) -> Result<&str> {
    if let Some(url) = optional_text(members, "callbackUrl")? {
        return Ok(url);
    }
    let similar = members
        .iter()
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("callbackUrl"));
    match similar {
        Some((name, _)) => Err(invalid(format!(
            "callbackUrl is missing; {name:?} must be written callbackUrl"
        ))),
        None => Err(invalid(
            "callbackUrl is missing; it is the http(s) URL that US3 is to call",
        )),
    }
}

fn check_url(url: &str) -> Result<()> {
    let Some(problem) = url_problem(url) else {
        return Ok(());
    };
    Err(invalid(format!(
        "callbackUrl {} {problem}; write http(s)://host[:port]/path",
        shown_url(url)
    )))
}

/// Checked before the url crate parses the URL: its WHATWG rules would silently strip or repair some
/// characters, but the service receives the text unchanged.
fn url_problem(url: &str) -> Option<String> {
    if url.trim().is_empty() {
        return Some("is empty".into());
    }
    if url.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Some("contains a blank or a control character".into());
    }
    let Some((scheme, rest)) = url.split_once("://") else {
        return Some("has no scheme".into());
    };
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Some("is neither http nor https".into());
    }
    if rest.is_empty() || rest.starts_with(['/', '\\', '?', '#']) {
        return Some("has no host".into());
    }
    match Url::parse(url) {
        Ok(parsed) if parsed.has_host() => None,
        Ok(_) => Some("has no host".into()),
        Err(error) => Some(format!("is not a URL ({error})")),
    }
}

fn check_body_type(body_type: &str) -> Result<()> {
    // The type becomes a header of the callback: a line break would add other headers.
    if !body_type.contains(char::is_control) {
        return Ok(());
    }
    Err(invalid(format!(
        "callbackBodyType {body_type:?} contains a line break or another control character; write a content type such as application/json"
    )))
}

/// The names that `callbackVar` defines.
fn check_vars(members: &Members) -> Result<BTreeSet<&str>> {
    let vars = match member(members, "callbackVar")? {
        None => return Ok(BTreeSet::new()),
        Some(Json::Object(vars)) => vars,
        Some(other) => {
            return Err(invalid(format!(
                "callbackVar is {}; it must be an object of strings",
                other.kind()
            )));
        }
    };
    let mut defined = BTreeSet::new();
    for (name, value) in vars {
        if !matches!(value, Json::Text(_)) {
            return Err(invalid(format!(
                "callbackVar {name:?} is {}; its values must be strings, so put it in quotes",
                value.kind()
            )));
        }
        if !defined.insert(name.as_str()) {
            return Err(invalid(format!(
                "callbackVar {name:?} is there twice; remove one"
            )));
        }
    }
    Ok(defined)
}

/// Every `$(x:name)` of the body must be defined.
fn check_placeholders(body: &str, defined: &BTreeSet<&str>) -> Result<()> {
    // The text before the first "$(" is no placeholder.
    for piece in body.split("$(").skip(1) {
        if !piece.starts_with("x:") {
            continue;
        }
        let Some((name, _)) = piece.split_once(')') else {
            let start: String = piece.chars().take(40).collect();
            return Err(invalid(format!(
                "callbackBody has \"$(\" without its \")\" at {:?}",
                format!("$({start}")
            )));
        };
        if !defined.contains(name) {
            return Err(undefined(name, defined));
        }
    }
    Ok(())
}

fn undefined(name: &str, defined: &BTreeSet<&str>) -> Error {
    let bare = name.trim_start_matches("x:");
    if defined.contains(bare) {
        return invalid(format!(
            "callbackBody uses $({name}), which callbackVar calls {bare:?}; write {name:?} there"
        ));
    }
    invalid(format!(
        "callbackBody uses $({name}), which callbackVar does not define; add {name:?} to it"
    ))
}

// ---- compaction

/// Removes the blanks outside strings, and nothing else. `json` must be valid JSON.
fn compact(json: &str) -> String {
    let mut in_string = false;
    let mut escaped = false;
    let keep = |c: &char| {
        if !in_string {
            in_string = *c == '"';
            return !matches!(c, ' ' | '\t' | '\n' | '\r');
        }
        in_string = escaped || *c != '"';
        escaped = !escaped && *c == '\\';
        true
    };
    json.chars().filter(keep).collect()
}

#[cfg(test)]
mod tests;
