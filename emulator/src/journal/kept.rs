//! The recorded requests and callbacks, bounded in number and in bytes.
//!
//! Each record has texts that may be long: headers, queries, bodies. When all texts together have too many
//! bytes, the oldest records lose their texts; the records stay, so that they can still be counted.

use std::collections::VecDeque;

use crate::state::{CallbackSent, RequestSeen};

/// How many requests, and how many callbacks, are remembered.
const REMEMBERED: usize = 100_000;

/// The most bytes of the texts of all requests, and of those of all callbacks.
const BYTES: usize = 64 << 20;

/// A longer text is cut. It is more than a header of an object's metadata or a policy can have.
const TEXT: usize = 8 << 10;

/// A longer key is none, and is cut.
const KEY: usize = 1023;

/// A longer method is cut.
const METHOD: usize = 64;

/// What is left of a callback's error when it loses its texts.
const SHORT_ERROR: usize = 256;

/// What a header takes beside its two texts.
const HEADER_OVERHEAD: usize = 64;

/// What was seen, of which the sequence numbers follow each other.
pub(super) trait Seen {
    fn sequence(&self) -> u64;
    /// The bytes of its texts.
    fn bytes(&self) -> usize;
    /// Cuts what is too long.
    fn cut(&mut self);
    fn drop_texts(&mut self);
}

/// The latest, in their order.
pub(super) struct Kept<T> {
    seen: VecDeque<T>,
    /// The bytes of the texts of all.
    bytes: usize,
    /// How many of the oldest have lost their texts.
    bare: usize,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            seen: VecDeque::new(),
            bytes: 0,
            bare: 0,
        }
    }
}

impl<T: Seen> Kept<T> {
    pub fn push(&mut self, mut seen: T) {
        if self.seen.len() == REMEMBERED
            && let Some(oldest) = self.seen.pop_front()
        {
            self.bytes -= oldest.bytes();
            self.bare = self.bare.saturating_sub(1);
        }
        seen.cut();
        self.bytes += seen.bytes();
        self.seen.push_back(seen);
        self.trim();
    }

    /// Completes one that is still kept.
    pub fn update(&mut self, sequence: u64, change: impl FnOnce(&mut T)) {
        let Some(index) = self.seen.front().and_then(|oldest| {
            let behind = sequence.checked_sub(oldest.sequence())?;
            usize::try_from(behind).ok()
        }) else {
            return;
        };
        let Some(seen) = self.seen.get_mut(index) else {
            return;
        };
        self.bytes -= seen.bytes();
        change(seen);
        seen.cut();
        if index < self.bare {
            seen.drop_texts();
        }
        self.bytes += seen.bytes();
        self.trim();
    }

    fn trim(&mut self) {
        while self.bytes > BYTES
            && let Some(oldest) = self.seen.get_mut(self.bare)
        {
            self.bytes -= oldest.bytes();
            oldest.drop_texts();
            self.bytes += oldest.bytes();
            self.bare += 1;
        }
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.seen.iter()
    }

    /// How many of the oldest have lost their texts.
    pub fn bare(&self) -> u64 {
        self.bare as u64
    }
}

impl Seen for RequestSeen {
    fn sequence(&self) -> u64 {
        self.sequence
    }

    fn bytes(&self) -> usize {
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| name.len() + value.len() + HEADER_OVERHEAD);
        self.query.len() + headers.sum::<usize>()
    }

    fn cut(&mut self) {
        cut(&mut self.method, METHOD);
        cut(&mut self.key, KEY);
        cut(&mut self.query, TEXT);
        for (name, value) in &mut self.headers {
            cut(name, TEXT);
            cut(value, TEXT);
        }
    }

    fn drop_texts(&mut self) {
        self.query = String::new();
        self.headers = Vec::new();
    }
}

impl Seen for CallbackSent {
    fn sequence(&self) -> u64 {
        self.sequence
    }

    fn bytes(&self) -> usize {
        let sometimes = [&self.reply, &self.error].into_iter().flatten();
        let always = [&self.url, &self.query, &self.content_type, &self.body];
        always.into_iter().chain(sometimes).map(String::len).sum()
    }

    fn cut(&mut self) {
        let sometimes = [&mut self.reply, &mut self.error].into_iter().flatten();
        let always = [
            &mut self.url,
            &mut self.query,
            &mut self.content_type,
            &mut self.body,
        ];
        for text in always.into_iter().chain(sometimes) {
            cut(text, TEXT);
        }
    }

    fn drop_texts(&mut self) {
        self.url = String::new();
        self.query = String::new();
        self.content_type = String::new();
        self.body = String::new();
        self.reply = None;
        if let Some(error) = &mut self.error {
            cut(error, SHORT_ERROR);
        }
    }
}

/// Leaves the beginning of a text that is too long, and says how long it was. What was cut is not cut again.
fn cut(text: &mut String, most: usize) {
    const MARK: &str = "… (";
    if text.len() <= most || text.len() <= most + 32 && text.ends_with(" bytes)") {
        return;
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    *text = format!("{}{MARK}{} bytes)", &text[..end], text.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An entry with so many bytes of text.
    struct Text(u64, usize);

    impl Seen for Text {
        fn sequence(&self) -> u64 {
            self.0
        }

        fn bytes(&self) -> usize {
            self.1
        }

        fn cut(&mut self) {}

        fn drop_texts(&mut self) {
            self.1 = 0;
        }
    }

    fn filled(count: u64, bytes: usize) -> Kept<Text> {
        let mut kept = Kept::default();
        for sequence in 1..=count {
            kept.push(Text(sequence, bytes));
        }
        kept
    }

    fn bytes(kept: &Kept<Text>) -> Vec<usize> {
        kept.iter().map(Seen::bytes).collect()
    }

    #[test]
    fn small_ones_keep_their_texts_and_only_the_latest_are_remembered() {
        let kept = filled(REMEMBERED as u64 + 5, 100);
        let sequences: Vec<u64> = kept.iter().map(Seen::sequence).collect();
        assert_eq!((sequences.len(), sequences[0]), (REMEMBERED, 6));
        assert_eq!((kept.bare(), kept.bytes), (0, 100 * REMEMBERED));
    }

    #[test]
    fn the_oldest_lose_their_texts_when_all_are_too_many_bytes() {
        let quarter = BYTES / 4;
        let mut kept = filled(6, quarter);
        assert_eq!(bytes(&kept), [0, 0, quarter, quarter, quarter, quarter]);
        kept.update(6, |last| last.1 += 1);
        assert_eq!(bytes(&kept), [0, 0, 0, quarter, quarter, quarter + 1]);
        kept.update(1, |first| first.1 = quarter);
        assert_eq!((bytes(&kept)[0], kept.bare()), (0, 3));
        kept.push(Text(7, BYTES + 1));
        assert_eq!((bytes(&kept), kept.bytes), (vec![0; 7], 0));
    }

    /// A request with a header of this size, as JSON has it.
    fn request(sequence: u64, size: usize) -> RequestSeen {
        serde_json::from_value(serde_json::json!({
            "sequence": sequence, "connection": 1, "call": "get", "method": "GET", "key": "k", "query": "",
            "part": null, "headers": [["x-large", "v".repeat(size)]], "has_policy": false,
            "body_received": 0, "status": null, "ret_code": null, "session_id": "s", "rule": null,
            "started_ms": 0, "took_ms": null,
        }))
        .unwrap()
    }

    #[test]
    fn thousands_of_large_requests_all_count_within_the_bytes() {
        const REQUESTS: u64 = 20_000;
        let mut kept = Kept::default();
        for sequence in 1..=REQUESTS {
            kept.push(request(sequence, TEXT));
            kept.update(sequence, |seen| seen.status = Some(401));
        }
        assert!(kept.iter().map(Seen::bytes).sum::<usize>() <= BYTES);
        let counted = |seen: &&RequestSeen| seen.status == Some(401) && seen.key == "k";
        assert_eq!(kept.iter().filter(counted).count() as u64, REQUESTS);
        let bare = kept.iter().take_while(|seen| seen.headers.is_empty());
        assert_eq!(bare.count() as u64, kept.bare());
        assert!(kept.bare() > 0 && kept.bare() < REQUESTS);
    }

    #[test]
    fn one_that_is_not_kept_is_not_changed() {
        let mut kept = filled(REMEMBERED as u64 + 5, 1);
        for sequence in [0, 5, REMEMBERED as u64 + 6, u64::MAX] {
            kept.update(sequence, |_| panic!("{sequence} is not kept"));
        }
        Kept::<Text>::default().update(1, |_| panic!("nothing is kept"));
    }

    #[test]
    fn a_text_is_cut_once_between_two_characters() {
        for (text, expected) in [
            ("abcd".to_string(), "abcd"),
            ("abcde".to_string(), "abcd… (5 bytes)"),
            ("abc中文".to_string(), "abc… (9 bytes)"),
        ] {
            let mut text = text;
            for _ in 0..2 {
                cut(&mut text, 4);
                assert_eq!(text, expected);
            }
        }
    }
}
