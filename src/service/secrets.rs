//! Masks the secrets of a request in texts from outside: some gateways repeat the request's headers in
//! their pages.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

/// The replacement of a secret.
pub(super) const MASK: &str = "***";

/// The shortest secret that is masked. Shorter ones, and their base64, would be found in ordinary text.
const SHORTEST: usize = 4;
const SHORTEST_IN_BASE64: usize = 8;

/// This many first bytes of a longer secret are recognised, because gateways cut what they repeat.
const CUT_OFF: usize = 16;

/// The most blanks and line breaks at one place within a secret that was wrapped.
const WRAPPED: usize = 8;

/// The most levels of escaping that are read: a hostile text must not take long.
const MOST_ESCAPES: usize = 8;

/// The text after an `&` that HTML has escaped.
const AMP: &[u8] = b"amp;";

/// HTML's names for characters that occur in secrets.
const NAMED: [(&[u8], u8); 7] = [
    (b"lt;", b'<'),
    (b"gt;", b'>'),
    (b"quot;", b'"'),
    (b"apos;", b'\''),
    (b"plus;", b'+'),
    (b"sol;", b'/'),
    (b"equals;", b'='),
];

/// The secrets that must not be shown.
pub(super) struct Secrets {
    needles: Vec<Needle>,
    /// The bytes with which a secret can begin in a text.
    begins: [bool; 256],
}

/// A secret, or its base64.
struct Needle {
    bytes: Zeroizing<Vec<u8>>,
    base64: bool,
}

impl Secrets {
    /// Secrets of less than four bytes are ignored.
    pub(super) fn new(secrets: &[&str]) -> Self {
        let mut needles = Vec::new();
        for secret in secrets.iter().filter(|secret| secret.len() >= SHORTEST) {
            needles.push(Needle {
                bytes: Zeroizing::new(secret.as_bytes().to_vec()),
                base64: false,
            });
            if secret.len() >= SHORTEST_IN_BASE64 {
                needles.extend(in_base64(secret).map(|bytes| Needle {
                    bytes,
                    base64: true,
                }));
            }
        }
        let mut begins = [false; 256];
        for byte in [b'%', b'\\', b'&', b'-', b'_'] {
            begins[usize::from(byte)] = true;
        }
        for needle in &needles {
            begins[usize::from(needle.bytes[0])] = true;
        }
        Self { needles, begins }
    }

    /// The length of a secret at the beginning of the text, in whatever spelling.
    fn written_at(&self, text: &[u8]) -> Option<usize> {
        let begins = text
            .first()
            .is_some_and(|byte| self.begins[usize::from(*byte)]);
        let needles = self.needles.iter().filter(|_| begins);
        needles.filter_map(|needle| needle.written_at(text)).max()
    }
}

impl Needle {
    fn written_at(&self, text: &[u8]) -> Option<usize> {
        let (first, others) = self.bytes.split_first()?;
        // A text can be decoded in several ways: `%25` is three characters or one.
        let mut ends = self.read(text, 0, *first, Vec::new());
        for (found, expected) in (1..).zip(others) {
            let longer = Vec::with_capacity(ends.len());
            let longer = ends.iter().fold(longer, |longer, end| {
                let begin = end + blanks(&text[*end..]);
                self.read(text, begin, *expected, longer)
            });
            if longer.is_empty() {
                return ends.into_iter().max().filter(|_| found >= CUT_OFF);
            }
            ends = longer;
        }
        ends.into_iter().max()
    }

    /// Adds the positions in the text after this byte.
    fn read(&self, text: &[u8], at: usize, expected: u8, mut ends: Vec<usize>) -> Vec<usize> {
        for (byte, len) in readings(&text[at..]) {
            let byte = match byte {
                // The two base64 alphabets are treated as one.
                b'-' if self.base64 => b'+',
                b'_' if self.base64 => b'/',
                byte => byte,
            };
            if byte == expected && !ends.contains(&(at + len)) {
                ends.push(at + len);
            }
        }
        ends
    }
}

/// The number of blanks and line breaks at the beginning of a text, up to a limit.
fn blanks(text: &[u8]) -> usize {
    let blanks = text.iter().take(WRAPPED);
    blanks.take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// The text with every secret masked: unchanged, cut off, wrapped, percent-encoded, escaped as in JSON, C
/// or HTML (once or several times), or in base64.
pub(super) fn masked(text: &str, secrets: &[&Secrets]) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let written = secrets.iter();
        let written = written.filter_map(|secrets| secrets.written_at(rest.as_bytes()));
        let (piece, len) = match written.max() {
            Some(len) => (MASK, len),
            None => (&rest[..first.len_utf8()], first.len_utf8()),
        };
        shown.push_str(piece);
        rest = &rest[len..];
    }
    shown
}

/// Every way to decode one byte at the beginning of a text: the byte, and the length of its spelling.
fn readings(text: &[u8]) -> impl Iterator<Item = (u8, usize)> {
    let plain = text.first().map(|byte| (*byte, 1));
    let escaped = match text.first() {
        Some(b'%') => {
            let encoded_again = 1 + repeated(&text[1..], b"25");
            [percent(text, 1), percent(text, encoded_again), None]
        }
        Some(b'\\') => {
            let backslash_itself = text[1..].starts_with(b"\\").then_some((b'\\', 2));
            [backslash(text), backslash_itself, None]
        }
        Some(b'&') => html(text),
        _ => [None, None, None],
    };
    plain.into_iter().chain(escaped.into_iter().flatten())
}

/// `%2B`, and `%252B` when the text was encoded twice.
fn percent(text: &[u8], begin: usize) -> Option<(u8, usize)> {
    Some((number(text.get(begin..begin + 2)?, 16)?, begin + 2))
}

/// `\u002b`, `\u{2b}`, `\x2b`, `\053` and `\/`, with more backslashes when the text was escaped more than
/// once.
fn backslash(text: &[u8]) -> Option<(u8, usize)> {
    let begin = repeated(text, b"\\");
    let rest = &text[begin..];
    let braced = |digits: &[u8]| {
        let end = digits.iter().take(6).position(|byte| *byte == b'}')?;
        Some((number(&digits[..end], 16)?, end + 3))
    };
    let read = match rest {
        [b'u', b'{', digits @ ..] => braced(digits),
        [b'u', digits @ ..] => digits
            .get(..4)
            .and_then(|digits| Some((number(digits, 16)?, 5))),
        [b'x', digits @ ..] => digits
            .get(..2)
            .and_then(|digits| Some((number(digits, 16)?, 3))),
        [b'0'..=b'3', _, _, ..] => number(&rest[..3], 8).map(|byte| (byte, 3)),
        _ => None,
    };
    let (byte, len) = read.or_else(|| rest.first().map(|byte| (*byte, 1)))?;
    Some((byte, begin + len))
}

/// `&#43;`, `&#x2b;` and `&plus;`, with `amp;` in between when the text was escaped more than once. Also
/// `&amp;` alone, an escaped `&`.
fn html(text: &[u8]) -> [Option<(u8, usize)>; 3] {
    let begin = 1 + repeated(&text[1..], AMP);
    let ampersand = |len| (begin >= len).then_some((b'&', len));
    let rest = &text[begin..];
    let read = match rest {
        [b'#', digits @ ..] => numbered(digits).map(|(byte, len)| (byte, len + 1)),
        _ => {
            let named = NAMED.iter().find(|(name, _)| rest.starts_with(name));
            named.map(|(name, byte)| (*byte, name.len()))
        }
    };
    let read = read.map(|(byte, len)| (byte, begin + len));
    let once = 1 + AMP.len();
    [read, ampersand(once), ampersand(begin.max(once))]
}

/// `43;` and `x2b;`.
fn numbered(digits: &[u8]) -> Option<(u8, usize)> {
    let end = digits.iter().take(8).position(|byte| *byte == b';')?;
    let byte = match &digits[..end] {
        [b'x' | b'X', hex @ ..] => number(hex, 16)?,
        decimal => number(decimal, 10)?,
    };
    Some((byte, end + 1))
}

/// The length of the repetitions of `what` at the beginning of a text, up to a limit.
fn repeated(text: &[u8], what: &[u8]) -> usize {
    let count = text
        .chunks_exact(what.len())
        .take(MOST_ESCAPES)
        .take_while(|chunk| *chunk == what);
    count.count() * what.len()
}

fn number(digits: &[u8], radix: u32) -> Option<u8> {
    let digits = std::str::from_utf8(digits).ok()?;
    // from_str_radix would accept a sign.
    let all = digits.bytes().all(|digit| digit.is_ascii_alphanumeric());
    u8::from_str_radix(digits, radix).ok().filter(|_| all)
}

/// The base64 characters that depend only on the secret, for each offset (0, 1, 2 modulo 3) of the secret
/// in the encoded text.
fn in_base64(secret: &str) -> [Zeroizing<Vec<u8>>; 3] {
    [0, 1, 2].map(|before| {
        let mut bytes = Zeroizing::new(vec![0; before]);
        bytes.extend_from_slice(secret.as_bytes());
        let encoded = Zeroizing::new(STANDARD_NO_PAD.encode(&*bytes));
        let (first, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        Zeroizing::new(encoded.as_bytes()[first..end].to_vec())
    })
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    use super::*;

    const SECRET: &str = "aB3+/x=?~9";

    fn without(text: &str, secrets: &[&str]) -> String {
        masked(text, &[&Secrets::new(secrets)])
    }

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        for written in [
            "aB3+/x=?~9",
            "aB3%2B%2Fx%3D%3F%7E9",
            "aB3%2b/x=%3f~9",
            "%61%42%33%2B%2F%78%3D%3F%7E%39",
            "aB3%252B%25252Fx=?~9",
            r"aB3+\/x=?~9",
            r"aB3+\\/x=?~9",
            r"aB3\u002b\u002Fx\u003d?~9",
            r"aB3\\u002b\\\\/x\u{3D}?~9",
            r"aB3\x2b\x2Fx\x3D?~9",
            r"aB3\053\057x=?~9",
            "aB3&#43;&#x2F;x&#61;?~9",
            "aB3&amp;#43;&#X2f;x&#0061;?~9",
            "aB3&plus;&sol;x&equals;?~9",
        ] {
            let text = format!("<p>Authorization: UCloud k:{written}</p> 中文");
            let expected = format!("<p>Authorization: UCloud k:{MASK}</p> 中文");
            assert_eq!(without(&text, &[SECRET]), expected, "{written}");
        }
    }

    #[test]
    fn a_secret_that_looks_like_an_escape_is_found_as_it_is_and_escaped() {
        for (secret, written) in [
            ("a%2Bc", "a%2Bc"),
            ("a%2Bc", "a%252Bc"),
            (r"a\x2bc", r"a\x2bc"),
            (r"a\x2bc", r"a\\x2bc"),
            ("a&#43;c", "a&#43;c"),
            ("a&#43;c", "a&amp;#43;c"),
            ("a&amp;c", "a&amp;c"),
            ("a&amp;c", "a&amp;amp;c"),
            ("a&lt;c", "a&amp;lt;c"),
            ("a&b<c", "a&amp;b&lt;c"),
        ] {
            assert_eq!(
                without(&format!("<{written}>"), &[secret]),
                "<***>",
                "{written}"
            );
        }
    }

    #[test]
    fn what_stands_before_a_secret_does_not_hide_it() {
        for before in [
            "%", "%4", r"\", r"\x", r"\x4", r"\u00", "&", "&#", "&#6", "&amp;", "=",
        ] {
            let shown = without(&format!("{before}4BaB3+/x"), &["4BaB3+/x"]);
            assert!(shown.ends_with(MASK), "{before}: {shown}");
        }
    }

    #[test]
    fn a_secret_within_base64_is_found_wherever_it_begins() {
        for before in ["", "k", "k:", "key", "key:1"] {
            for encoded in [
                STANDARD.encode(format!("{before}{SECRET} and more")),
                URL_SAFE.encode(format!("{before}{SECRET} and more")),
            ] {
                let shown = without(&encoded, &[SECRET]);
                assert!(shown.contains(MASK), "{before:?}: {shown}");
                let bytes = STANDARD.decode(shown.replace(MASK, ""));
                let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                assert!(!text.unwrap_or_default().contains("B3+/x=?~"), "{before:?}");
            }
        }
    }

    #[test]
    fn a_secret_that_was_cut_off_or_wrapped_is_found() {
        let token: String = (0..400u32)
            .map(|n| char::from(b'A' + (n * 7 % 26) as u8))
            .collect();
        let wrapped: Vec<&str> = [&token[..76], &token[76..152], &token[152..]].to_vec();
        for (written, shown) in [
            (format!("{}...", &token[..250]), format!("{MASK}...")),
            (format!("{}…", &token[..CUT_OFF]), format!("{MASK}…")),
            (wrapped.join("\r\n "), MASK.to_owned()),
            (
                token[..CUT_OFF - 1].to_owned(),
                token[..CUT_OFF - 1].to_owned(),
            ),
        ] {
            assert_eq!(without(&written, &[&token]), shown);
        }
        let encoded = STANDARD.encode(format!("SecurityToken: {token}"));
        let shown = without(&encoded[..200], &[&token]);
        assert!(shown.len() < 40, "{shown}");
    }

    /// Reading in all ways that an escape can be read must not grow with the square of the text: then this takes minutes.
    #[test]
    fn a_text_of_escapes_is_read_to_its_end() {
        for escape in [r"\", "%25", "&amp;", "%", "&", "%25%", r"\x"] {
            let text = escape.repeat(4 << 10);
            let secrets = [SECRET, r"\\\\", "%25%25%25", "&&&&&&"];
            assert!(!without(&text, &secrets).is_empty());
        }
    }

    #[test]
    fn other_text_stays_as_it_is() {
        for text in [
            "",
            "aB3",
            "aB3+/x=?~8",
            "100 % & <b>",
            "%zz \\ &#; &#x; %25 %+4 \\u{ \\",
            "中%",
        ] {
            assert_eq!(without(text, &[SECRET, "", "abc"]), text);
        }
    }
}
