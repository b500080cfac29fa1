//! Put policies: decoding, checking, and filling in the variables.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Map, Value};
use url::Url;

/// The encoded policy is at most this long.
const LIMIT: usize = 4096;

/// A callback that is to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub url: Url,
    /// As the policy spells it, for messages.
    pub shown_url: String,
    /// With the variables filled in.
    pub body: String,
    /// The type of the body; without it the body goes into the URL's query.
    pub body_type: Option<String>,
    /// What could be better about it.
    pub advice: Option<String>,
}

/// Reads an encoded policy; the error says what is wrong with it. When strict, what could be better is wrong.
pub(crate) fn read(encoded: &str, strict: bool) -> Result<Policy, String> {
    if encoded.len() > LIMIT {
        return Err(format!(
            "the encoded policy has {} bytes, allowed are {LIMIT}",
            encoded.len()
        ));
    }
    let json = URL_SAFE
        .decode(encoded)
        .map_err(|error| format!("not base64url: {error}"))?;
    let json = String::from_utf8(json).map_err(|_| "not UTF-8".to_string())?;
    let members: Map<String, Value> = serde_json::from_str(&json)
        .map_err(|error| format!("not a JSON object: {error}: {json:?}"))?;
    let advice =
        has_blanks(&json).then(|| format!("not compact, blanks outside strings: {json:?}"));
    if let Some(advice) = advice.clone().filter(|_| strict) {
        return Err(advice);
    }
    let shown_url = text(&members, "callbackUrl")?.ok_or("no callbackUrl")?;
    let body_type = text(&members, "callbackBodyType")?.filter(|body_type| !body_type.is_empty());
    if body_type
        .as_ref()
        .is_some_and(|text| text.chars().any(char::is_control))
    {
        return Err("callbackBodyType has control characters".into());
    }
    let body = text(&members, "callbackBody")?.unwrap_or_default();
    Ok(Policy {
        url: callback_url(&shown_url)?,
        shown_url,
        body: fill_in(&body, &variables(&members)?)?,
        body_type,
        advice,
    })
}

fn text(members: &Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("{name} is not a string")),
    }
}

fn callback_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("invalid callbackUrl {text:?}: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(format!(
            "invalid callbackUrl {text:?}: not an http or https URL"
        ));
    }
    Ok(url)
}

fn variables(members: &Map<String, Value>) -> Result<Map<String, Value>, String> {
    let variables = match members.get("callbackVar") {
        None => return Ok(Map::new()),
        Some(Value::Object(variables)) => variables,
        Some(_) => return Err("callbackVar is not an object".into()),
    };
    if let Some((name, _)) = variables.iter().find(|(_, value)| !value.is_string()) {
        return Err(format!("callbackVar {name:?} is not a string"));
    }
    Ok(variables.clone())
}

/// Replaces each `$(x:name)`.
fn fill_in(body: &str, variables: &Map<String, Value>) -> Result<String, String> {
    let mut filled = String::with_capacity(body.len());
    let mut rest = body;
    while let Some(start) = rest.find("$(x:") {
        let Some(len) = rest[start..].find(')') else {
            break;
        };
        let name = &rest[start + 2..start + len];
        let value = variables.get(name).and_then(Value::as_str);
        filled.push_str(&rest[..start]);
        filled.push_str(value.ok_or_else(|| format!("$({name}) is not in callbackVar"))?);
        rest = &rest[start + len + 1..];
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Whether valid JSON has blanks outside its strings.
fn has_blanks(json: &str) -> bool {
    let (mut in_string, mut escaped) = (false, false);
    json.chars().any(|character| {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_string = !in_string,
            _ => return !in_string && character.is_ascii_whitespace(),
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_json(json: &str) -> Result<Policy, String> {
        read(&URL_SAFE.encode(json), false)
    }

    #[test]
    fn a_policy_that_is_not_compact_is_taken_with_advice_and_refused_only_when_strict() {
        for (json, compact) in [
            (r#"{"callbackUrl":"http://h/","callbackBody":"a b"}"#, true),
            (
                r#"{"callbackUrl": "http://h/","callbackBody":"a b"}"#,
                false,
            ),
            ("{\n\t\"callbackUrl\":\"http://h/\"}\n", false),
        ] {
            let advice = read_json(json).unwrap().advice;
            assert_eq!(advice.is_none(), compact, "{json}: {advice:?}");
            let strict = read(&URL_SAFE.encode(json), true);
            assert_eq!(strict.map(drop).err(), advice, "{json}");
        }
    }

    #[test]
    fn the_policies_of_the_page_are_read() {
        let policy = read_json(r#"{"callbackUrl":"https://1.2.3.4:5/path","callbackBody":"{\"Name\":\"Alice\", \"Age\":20}","callbackBodyType":"application/json"}"#).unwrap();
        assert_eq!(policy.body, r#"{"Name":"Alice", "Age":20}"#);
        assert_eq!(policy.body_type.as_deref(), Some("application/json"));
        let policy = read_json(r#"{"callbackUrl":"http://h/p","callbackBody":"Name=$(x:name)&Age=$(x:age)","callbackVar":{"x:name":"Alice","x:age":"20"}}"#).unwrap();
        assert_eq!(policy.body, "Name=Alice&Age=20");
        assert_eq!(policy.body_type, None);
    }

    #[test]
    fn bad_policies_are_named() {
        for (json, why) in [
            ("[]", "JSON object"),
            ("{", "JSON object"),
            ("{}", "no callbackUrl"),
            (r#"{"callbackUrl":1}"#, "not a string"),
            (r#"{"callbackUrl":"ftp://h/"}"#, "http or https"),
            (r#"{"callbackUrl":"/path"}"#, "invalid callbackUrl"),
            (
                r#"{"callbackUrl":"http://h/","callbackBody":"$(x:a)"}"#,
                "$(x:a)",
            ),
            (
                r#"{"callbackUrl":"http://h/","callbackVar":{"x:a":1}}"#,
                "\"x:a\" is not a string",
            ),
            (
                r#"{"callbackUrl":"http://h/","callbackVar":[]}"#,
                "not an object",
            ),
        ] {
            let error = read_json(json).unwrap_err();
            assert!(error.contains(why), "{json}: {error}");
        }
        assert!(read("***", false).unwrap_err().contains("base64url"));
        assert!(read(&"A".repeat(4097), false).unwrap_err().contains("4097"));
    }
}
