//! Secrets of a request, taken out of what the service and gateways say: some repeat a request's headers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// What a secret is replaced by.
pub(super) const MASK: &str = "***";

/// Shorter ones would be found everywhere.
const SHORTEST: usize = 4;

/// The same text without any of the secrets, as they are, percent-encoded, escaped as in JSON or HTML, or in
/// base64.
pub(super) fn masked(text: &str, secrets: &[&str]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| secret.len() >= SHORTEST) {
        text = without(&text, secret.as_bytes(), byte_at);
        for encoded in in_base64(secret) {
            text = without(&text, encoded.as_bytes(), base64_at);
        }
    }
    text
}

/// Reads one byte of a secret at the beginning of a text: the byte, and how long it is written.
type ReadByte = fn(&[u8]) -> Option<(u8, usize)>;

fn without(text: &str, secret: &[u8], read: ReadByte) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (piece, len) = match written_at(rest.as_bytes(), secret, read) {
            Some(len) => (MASK, len),
            None => (&rest[..first.len_utf8()], first.len_utf8()),
        };
        shown.push_str(piece);
        rest = &rest[len..];
    }
    shown
}

/// How many bytes of the text write the secret at its beginning.
fn written_at(text: &[u8], secret: &[u8], read: ReadByte) -> Option<usize> {
    let mut at = 0;
    for expected in secret {
        let (byte, len) = read(&text[at..])?;
        if byte != *expected {
            return None;
        }
        at += len;
    }
    Some(at)
}

fn byte_at(text: &[u8]) -> Option<(u8, usize)> {
    escaped(text).or_else(|| text.first().map(|byte| (*byte, 1)))
}

/// One byte that is written as `%2B`, `\u002b`, `\/`, `&#43;` or `&#x2b;`.
fn escaped(text: &[u8]) -> Option<(u8, usize)> {
    let number = |digits: &[u8], radix| {
        let digits = std::str::from_utf8(digits).ok()?;
        u8::from_str_radix(digits, radix).ok()
    };
    match text {
        [b'%', digits @ ..] => Some((number(digits.get(..2)?, 16)?, 3)),
        [b'\\', b'u', digits @ ..] => Some((number(digits.get(..4)?, 16)?, 6)),
        [b'\\', byte, ..] => Some((*byte, 2)),
        [b'&', b'#', digits @ ..] => {
            let end = digits.iter().take(6).position(|byte| *byte == b';')?;
            let byte = match &digits[..end] {
                [b'x' | b'X', hex @ ..] => number(hex, 16)?,
                decimal => number(decimal, 10)?,
            };
            Some((byte, end + 3))
        }
        _ => None,
    }
}

/// Both alphabets of base64 as one.
fn base64_at(text: &[u8]) -> Option<(u8, usize)> {
    let (byte, len) = byte_at(text)?;
    let byte = match byte {
        b'-' => b'+',
        b'_' => b'/',
        byte => byte,
    };
    Some((byte, len))
}

/// The base64 characters that depend on the secret alone, for each offset (0, 1, 2 modulo 3) at which the secret can
/// begin in the encoded text.
fn in_base64(secret: &str) -> [String; 3] {
    [0, 1, 2].map(|before| {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(secret.as_bytes());
        let encoded = STANDARD_NO_PAD.encode(&bytes);
        let (first, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        encoded[first..end].to_owned()
    })
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    use super::*;

    const SECRET: &str = "aB3+/x=?~9";

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        for written in [
            "aB3+/x=?~9",
            "aB3%2B%2Fx%3D%3F%7E9",
            "aB3%2b/x=%3f~9",
            "%61%42%33%2B%2F%78%3D%3F%7E%39",
            r"aB3+\/x=?~9",
            r"aB3\u002b\u002Fx\u003d?~9",
            "aB3&#43;&#x2F;x&#61;?~9",
        ] {
            let text = format!("<p>Authorization: UCloud k:{written}</p> 中文");
            let expected = format!("<p>Authorization: UCloud k:{MASK}</p> 中文");
            assert_eq!(masked(&text, &[SECRET]), expected, "{written}");
        }
    }

    #[test]
    fn a_secret_within_base64_is_found_wherever_it_begins() {
        for before in ["", "k", "k:", "key", "key:1"] {
            for encoded in [
                STANDARD.encode(format!("{before}{SECRET} and more")),
                URL_SAFE.encode(format!("{before}{SECRET} and more")),
            ] {
                let shown = masked(&encoded, &[SECRET]);
                assert!(shown.contains(MASK), "{before:?}: {shown}");
                let bytes = STANDARD.decode(shown.replace(MASK, ""));
                let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                assert!(!text.unwrap_or_default().contains("B3+/x=?~"), "{before:?}");
            }
        }
    }

    #[test]
    fn other_text_stays_as_it_is() {
        for text in [
            "",
            "aB3",
            "aB3+/x=?~8",
            "100 % & <b>",
            "%zz \\ &#; &#x;",
            "中%",
        ] {
            assert_eq!(masked(text, &[SECRET, "", "abc"]), text);
        }
    }
}
