//! Checks the headers that a caller may set, before anything is sent.

use crate::error::{Error, Result};

/// Bytes of all metadata names and values at most.
const MAX_METADATA: usize = 8 << 10;

/// Checks a content type: visible ASCII and inner blanks. Empty is allowed: the type is then detected.
pub(crate) fn check_mime_type(mime_type: &str) -> Result<()> {
    check_value("mime_type", mime_type)
}

/// The headers for storage class and metadata.
pub(crate) fn of(
    storage_class: Option<&str>,
    metadata: &[(String, String)],
) -> Result<Vec<(String, String)>> {
    let mut headers = Vec::with_capacity(metadata.len() + 1);
    match storage_class {
        None | Some("") => {}
        Some(class @ ("STANDARD" | "IA" | "ARCHIVE")) => {
            headers.push(("X-Ufile-Storage-Class".to_owned(), class.to_owned()));
        }
        Some(other) => {
            return Err(Error::argument(format!(
                "storage_class is {other:?}; it must be STANDARD, IA or ARCHIVE"
            )));
        }
    }
    check_metadata(metadata)?;
    for (name, value) in metadata {
        headers.push((format!("X-Ufile-Meta-{name}"), value.clone()));
    }
    Ok(headers)
}

fn check_metadata(metadata: &[(String, String)]) -> Result<()> {
    let mut seen = std::collections::HashSet::new();
    let mut total = 0;
    for (name, value) in metadata {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if name.is_empty() || !name.chars().all(allowed) {
            return Err(Error::argument(format!(
                "metadata name {name:?} must be made of letters, digits and '-'"
            )));
        }
        if !seen.insert(name.to_ascii_lowercase()) {
            return Err(Error::argument(format!(
                "metadata name {name:?} is given twice; case does not count"
            )));
        }
        check_value(&format!("metadata {name:?}"), value)?;
        total += name.len() + value.len();
    }
    if total > MAX_METADATA {
        return Err(Error::argument(format!(
            "metadata has {total} bytes of names and values, more than {MAX_METADATA}"
        )));
    }
    Ok(())
}

/// CR and LF would add headers to the request; other characters do not reach the service unchanged.
fn check_value(what: &str, value: &str) -> Result<()> {
    let wrong = value.chars().find(|c| !matches!(c, ' '..='~'));
    if let Some(wrong) = wrong {
        return Err(Error::argument(format!(
            "{what} has the character {wrong:?}; only visible ASCII and blanks can be sent (encode the rest yourself, such as with percent signs)"
        )));
    }
    if value.trim() != value {
        return Err(Error::argument(format!(
            "{what} begins or ends with a blank, which would be lost on the way"
        )));
    }
    Ok(())
}
