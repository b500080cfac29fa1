//! Checks object keys and upload ids before anything is sent.

use crate::error::{Error, Result};

/// Bytes of a key at most.
const MAX_KEY: usize = 1023;

/// Bytes of an upload id at most; it goes into URLs.
const MAX_UPLOAD_ID: usize = 1024;

/// 1 to 1023 bytes; no `.` or `..` segment, which proxies and clients resolve to another key.
pub(crate) fn check_key(key: &str) -> Result<()> {
    if key.is_empty() {
        return Err(Error::argument(
            "key is empty; it must have 1 to 1023 bytes",
        ));
    }
    if key.len() > MAX_KEY {
        return Err(Error::argument(format!(
            "key has {} bytes, more than {MAX_KEY}; it begins with {:?}",
            key.len(),
            key.chars().take(60).collect::<String>()
        )));
    }
    if let Some(segment) = key
        .split('/')
        .find(|segment| matches!(*segment, "." | ".."))
    {
        return Err(Error::argument(format!(
            "key {key:?} has a segment {segment:?}, which does not survive URLs: proxies resolve it to another key"
        )));
    }
    Ok(())
}

/// What keys may begin with: at most 1023 bytes.
pub(crate) fn check_prefix(prefix: &str) -> Result<()> {
    if prefix.len() > MAX_KEY {
        return Err(Error::argument(format!(
            "prefix has {} bytes; no key has more than {MAX_KEY}",
            prefix.len()
        )));
    }
    Ok(())
}

/// 1 to 1024 visible ASCII characters, as the service makes them: anything else is another thing's name.
pub(crate) fn check_upload_id(upload_id: &str) -> Result<()> {
    if upload_id.is_empty() {
        return Err(Error::argument(format!(
            "upload_id is empty; it must have 1 to {MAX_UPLOAD_ID} bytes, as the result that named it has them"
        )));
    }
    if upload_id.len() > MAX_UPLOAD_ID {
        return Err(Error::argument(format!(
            "upload_id has {} bytes, more than {MAX_UPLOAD_ID}; it begins with {:?}",
            upload_id.len(),
            upload_id.chars().take(60).collect::<String>()
        )));
    }
    match upload_id
        .char_indices()
        .find(|(_, character)| !character.is_ascii_graphic())
    {
        None => Ok(()),
        Some((offset, wrong)) => Err(Error::argument(format!(
            "upload_id has the character {wrong:?} at offset {offset}; an upload id has visible ASCII characters only, and no blanks"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use crate::error::Status;

    use super::*;

    #[test]
    fn an_upload_id_is_1_to_1024_visible_ascii_characters() {
        let longest = "u".repeat(MAX_UPLOAD_ID);
        for good in ["1", "8b1a9953-c461/~!\"", longest.as_str()] {
            check_upload_id(good).unwrap_or_else(|error| panic!("{good}: {error}"));
        }
        let too_long = "u".repeat(MAX_UPLOAD_ID + 1);
        for (bad, why) in [
            ("", "upload_id is empty"),
            (too_long.as_str(), "upload_id has 1025 bytes"),
            ("a b", "upload_id has the character ' ' at offset 1"),
            ("ab\r\n", "upload_id has the character '\\r' at offset 2"),
            (
                "\u{7f}",
                "upload_id has the character '\\u{7f}' at offset 0",
            ),
            ("é", "upload_id has the character 'é' at offset 0"),
        ] {
            let error = check_upload_id(bad).expect_err(bad);
            assert_eq!(error.status(), Status::InvalidArgument, "{bad:?}");
            assert!(error.message().starts_with(why), "{error}");
        }
    }
}
