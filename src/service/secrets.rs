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

    /// Whether one of the secrets may stand in the text. Quick for ETags and session ids, which come with every answer: a text
    /// without escapes and blanks can be read in one way only.
    fn may_be_in(&self, text: &[u8]) -> bool {
        (0..text.len()).any(|at| match text[at] {
            b'%' | b'\\' | b'&' | b'\t'..=b'\r' | b' ' => true,
            byte => {
                self.begins[usize::from(byte)]
                    && self.needles.iter().any(|needle| needle.begins(&text[at..]))
            }
        })
    }

    /// How many bytes of the text write one of the secrets at its beginning.
    fn written_at(&self, text: &[u8]) -> Option<usize> {
        let begins = text
            .first()
            .is_some_and(|byte| self.begins[usize::from(*byte)]);
        let needles = self.needles.iter().filter(|_| begins);
        needles.filter_map(|needle| needle.written_at(text)).max()
    }
}

impl Needle {
    /// Whether the text begins with it, or with as much of it as is found when it was cut off.
    fn begins(&self, text: &[u8]) -> bool {
        let enough = &self.bytes[..self.bytes.len().min(CUT_OFF)];
        let begin = text.get(..enough.len());
        begin.is_some_and(|begin| {
            let bytes = begin.iter().map(|byte| self.in_one_alphabet(*byte));
            bytes.eq(enough.iter().copied())
        })
    }

    /// Base64 is written in two alphabets.
    fn in_one_alphabet(&self, byte: u8) -> u8 {
        match byte {
            b'-' if self.base64 => b'+',
            b'_' if self.base64 => b'/',
            byte => byte,
        }
    }

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
            if self.in_one_alphabet(byte) == expected && !ends.contains(&(at + len)) {
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
    if !secrets
        .iter()
        .any(|secrets| secrets.may_be_in(text.as_bytes()))
    {
        return text.to_owned();
    }
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
mod tests;
