//! The streaming US3 ETag: SHA-1 over blocks of 4 MiB, and over the blocks' digests.
//!
//! ```text
//! blocks = ceil(size / 4 MiB)
//! etag   = base64url( u32 little-endian(blocks) ++ digest )         32 characters
//! digest = sha1(content)                                 when size <= 4 MiB
//!        = sha1( sha1(block 0) ++ sha1(block 1) ++ … )   otherwise
//! ```
//! A part's ETag may also be the plain base64url( sha1(part) ), 28 characters.

mod lanes;
mod sha1;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
pub(crate) use sha1::BatchHasher;
use sha1::Sha1;

/// The block of the ETag's definition.
pub const BLOCK_SIZE: u64 = 4 << 20;

/// Length of base64url(sha1), padded.
const SHA1_ETAG_LEN: usize = 28;
/// Length of base64url(block count ++ sha1), which needs no padding.
const BLOCK_ETAG_LEN: usize = 32;

type Sha1Digest = sha1::Digest;

/// Hashes content as it goes by. Keeps 20 bytes for every 4 MiB, whatever else the content is.
#[derive(Clone, Debug)]
pub struct EtagHasher {
    /// The current block; closed only when a byte of the next one arrives, because its state is
    /// also where the SHA-1 of the whole content begins.
    block: Sha1,
    /// Bytes in `block`, at most [`BLOCK_SIZE`].
    filled: u64,
    closed: Vec<Sha1Digest>,
    size: u64,
    whole: Whole,
}

/// The SHA-1 of content that is longer than one block.
#[derive(Clone, Debug)]
enum Whole {
    Unwanted,
    /// Up to one block it is the block's own.
    FirstBlock,
    Running(Sha1),
}

/// What was computed while content went by; enough for every ETag the service may answer.
/// A clone shares the blocks' digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentDigest {
    size: u64,
    /// One for each started block; none for no content.
    blocks: Arc<[Sha1Digest]>,
    /// The plain SHA-1 of content longer than one block, where it was asked for.
    whole: Option<Sha1Digest>,
}

/// An ETag of the service held against the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EtagMatch {
    /// It is the content's.
    Same,
    /// It is not.
    Different {
        /// The ETag of the same form that the content has.
        expected: String,
    },
    /// Of a form that the library cannot compute.
    Incomparable,
}

impl EtagHasher {
    /// For a whole object.
    pub fn object() -> Self {
        Self::with(Whole::Unwanted)
    }

    /// For a part: also keeps the plain SHA-1 of content longer than a block, which costs a
    /// second hash of the bytes after the first block.
    pub fn part() -> Self {
        Self::with(Whole::FirstBlock)
    }

    fn with(whole: Whole) -> Self {
        Self {
            block: Sha1::new(),
            filled: 0,
            closed: Vec::new(),
            size: 0,
            whole,
        }
    }

    /// Takes the next bytes, in pieces of any length.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = self.room();
            let (now, later) = bytes.split_at(bytes.len().min(room));
            self.block.update(now);
            if let Whole::Running(sha1) = &mut self.whole {
                sha1.update(now);
            }
            self.count(now.len());
            bytes = later;
        }
    }

    /// Bytes that the current block still takes: a new one, if the last is full.
    fn room(&mut self) -> usize {
        if self.filled == BLOCK_SIZE {
            self.close_block();
        }
        // At most 4 MiB, so it fits any usize.
        (BLOCK_SIZE - self.filled) as usize
    }

    fn count(&mut self, len: usize) {
        self.filled += len as u64;
        self.size += len as u64;
    }

    fn close_block(&mut self) {
        if matches!(self.whole, Whole::FirstBlock) {
            self.whole = Whole::Running(self.block.clone());
        }
        let block = std::mem::replace(&mut self.block, Sha1::new());
        self.closed.push(block.finish());
        self.filled = 0;
    }

    /// Whole blocks of SHA-1 at the beginning of `bytes` that need nothing but the current block's hash.
    fn plain<'a>(&mut self, bytes: &'a [u8]) -> &'a [[u8; 64]] {
        let room = self.room();
        match self.whole {
            Whole::Running(_) => &[],
            _ => self.block.blocks(&bytes[..bytes.len().min(room)]),
        }
    }

    /// No more bytes.
    pub fn finish(mut self) -> ContentDigest {
        if self.filled > 0 {
            self.closed.push(self.block.finish());
        }
        let whole = match self.whole {
            Whole::Running(sha1) => Some(sha1.finish()),
            Whole::Unwanted | Whole::FirstBlock => None,
        };
        ContentDigest {
            size: self.size,
            blocks: self.closed.into(),
            whole,
        }
    }
}

impl BatchHasher {
    /// Takes the next bytes of several contents: together as long as enough of them have some, where that is
    /// cheaper.
    pub(crate) fn update_all(self, jobs: &mut [(&mut EtagHasher, &[u8])]) {
        while self.update_some(jobs) {}
        for (hasher, bytes) in jobs {
            hasher.update(bytes);
        }
    }

    /// As many bytes of each as the shortest has; false when nothing was done.
    fn update_some(self, jobs: &mut [(&mut EtagHasher, &[u8])]) -> bool {
        let mut batch: Vec<_> = jobs
            .iter_mut()
            .map(|(hasher, bytes)| (hasher.plain(bytes).len(), hasher, bytes))
            .filter(|(blocks, ..)| *blocks > 0)
            .collect();
        let shortest = batch.iter().map(|(blocks, ..)| *blocks).min();
        let blocks = shortest.unwrap_or(0);
        let mut together: Vec<_> = batch
            .iter_mut()
            .map(|(_, hasher, bytes)| (&mut hasher.block, &bytes.as_chunks().0[..blocks]))
            .collect();
        if !self.update(&mut together) {
            return false;
        }
        for (_, hasher, bytes) in batch {
            hasher.count(blocks * 64);
            *bytes = &bytes[blocks * 64..];
        }
        true
    }
}

impl ContentDigest {
    /// Bytes hashed.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The ETag of an object with this content: 32 characters.
    pub fn object_etag(&self) -> String {
        let digest = match &*self.blocks {
            [] => Sha1::of(b""),
            [only] => *only,
            many => Sha1::of(many.as_flattened()),
        };
        block_etag(self.blocks.len(), &digest)
    }

    /// The other form of a part's ETag, 28 characters. None when the content is longer than one
    /// block and was not hashed as a part.
    fn sha1_etag(&self) -> Option<String> {
        let whole: Sha1Digest = match &*self.blocks {
            [] => Sha1::of(b""),
            [only] => *only,
            _ => self.whole?,
        };
        Some(URL_SAFE.encode(whole))
    }

    /// The digest of an object made of these contents in order. Every part but the last must
    /// be a multiple of [`BLOCK_SIZE`]; None otherwise.
    pub fn concat<'a>(parts: impl IntoIterator<Item = &'a ContentDigest>) -> Option<ContentDigest> {
        let mut blocks = Vec::new();
        let mut size = 0u64;
        for part in parts {
            // A part that does not begin on a boundary has blocks that are not the object's.
            if !size.is_multiple_of(BLOCK_SIZE) {
                return None;
            }
            blocks.extend_from_slice(&part.blocks);
            size = size.checked_add(part.size)?;
        }
        Some(ContentDigest {
            size,
            blocks: blocks.into(),
            whole: None,
        })
    }

    /// Compares the ETag the service gave an object with this content. Only the form of 32
    /// characters can be compared.
    pub fn compare_object(&self, etag: &str) -> EtagMatch {
        let etag = unquoted(etag);
        if !is_block_etag(etag) {
            return EtagMatch::Incomparable;
        }
        verdict(etag, self.object_etag())
    }

    /// Compares the ETag the service gave a part: 28 characters are base64url(sha1), 32 are
    /// block count and digest; others cannot be compared.
    pub fn compare_part(&self, etag: &str) -> EtagMatch {
        let etag = unquoted(etag);
        if is_block_etag(etag) {
            return verdict(etag, self.object_etag());
        }
        if !is_sha1_etag(etag) {
            return EtagMatch::Incomparable;
        }
        match self.sha1_etag() {
            Some(expected) => verdict(etag, expected),
            None => EtagMatch::Incomparable,
        }
    }
}

fn block_etag(blocks: usize, digest: &Sha1Digest) -> String {
    // 2^32 blocks are 16 EiB, as much as a u64 counts in bytes: more cannot have been hashed.
    let blocks = u32::try_from(blocks).unwrap_or(u32::MAX);
    let mut bytes = [0; 24];
    bytes[..4].copy_from_slice(&blocks.to_le_bytes());
    bytes[4..].copy_from_slice(digest);
    URL_SAFE.encode(bytes)
}

fn verdict(etag: &str, expected: String) -> EtagMatch {
    if etag == expected {
        return EtagMatch::Same;
    }
    EtagMatch::Different { expected }
}

fn unquoted(etag: &str) -> &str {
    let inner = etag.strip_prefix('"').and_then(|e| e.strip_suffix('"'));
    inner.unwrap_or(etag)
}

fn is_sha1_etag(etag: &str) -> bool {
    etag.len() == SHA1_ETAG_LEN && etag.strip_suffix('=').is_some_and(is_base64url)
}

fn is_block_etag(etag: &str) -> bool {
    etag.len() == BLOCK_ETAG_LEN && is_base64url(etag)
}

fn is_base64url(text: &str) -> bool {
    text.bytes()
        .all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
}

#[cfg(test)]
mod tests {
    use ::sha1::Digest as _;
    use serde_json::Value;

    use super::*;

    const BLOCK: usize = BLOCK_SIZE as usize;

    /// As the script of the vectors makes it.
    fn content(size: usize) -> Vec<u8> {
        (0..size).map(|i| (i % 251) as u8).collect()
    }

    fn digest(mut hasher: EtagHasher, content: &[u8], piece: usize) -> ContentDigest {
        content.chunks(piece).for_each(|piece| hasher.update(piece));
        hasher.finish()
    }

    fn part(content: &[u8]) -> ContentDigest {
        digest(EtagHasher::part(), content, 1 << 20)
    }

    fn object(content: &[u8]) -> ContentDigest {
        digest(EtagHasher::object(), content, 1 << 20)
    }

    fn is_different(verdict: EtagMatch, right: &str) -> bool {
        matches!(verdict, EtagMatch::Different { expected } if expected == right)
    }

    #[test]
    fn etags_equal_the_independent_ones() {
        let vectors = include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/vectors/vectors.json"
        ));
        let vectors: Value = serde_json::from_str(vectors).unwrap();
        for case in vectors["etags"].as_array().unwrap() {
            let size = case["size"].as_u64().unwrap();
            let (object_etag, part_etag) = (
                case["object"].as_str().unwrap(),
                case["part"].as_str().unwrap(),
            );
            let digest = part(&content(size as usize));
            assert_eq!(digest.size(), size);
            assert_eq!(digest.object_etag(), object_etag);
            assert_eq!(digest.compare_object(object_etag), EtagMatch::Same);
            assert_eq!(digest.compare_part(object_etag), EtagMatch::Same);
            assert_eq!(digest.compare_part(part_etag), EtagMatch::Same);
            assert_eq!(digest.compare_object(part_etag), EtagMatch::Incomparable);
        }
    }

    #[test]
    fn the_pieces_do_not_matter() {
        let content = content(BLOCK + 10);
        let expected = part(&content);
        for piece in [4096 + 1, BLOCK - 1, BLOCK, BLOCK + 1, content.len()] {
            assert_eq!(digest(EtagHasher::part(), &content, piece), expected);
        }
        let mut hasher = EtagHasher::part();
        hasher.update(&content[..BLOCK]);
        hasher.update(&[]);
        hasher.update(&content[BLOCK..]);
        hasher.update(&[]);
        assert_eq!(hasher.finish(), expected);
    }

    /// Contents of different lengths, in pieces of different lengths, some of them more than a block.
    #[test]
    fn batching_changes_no_digest() {
        let contents = [0, 10, 5 * 64, 64_000, BLOCK + 64, BLOCK + 9, 70].map(content);
        for together in BatchHasher::both() {
            for piece in [100, 64 * 1000, 2 * BLOCK] {
                let mut hashers = [(); 7].map(|()| EtagHasher::part());
                let mut rest: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
                while rest.iter().any(|rest| !rest.is_empty()) {
                    let mut jobs: Vec<_> = hashers
                        .iter_mut()
                        .zip(&mut rest)
                        .filter(|(_, rest)| !rest.is_empty())
                        .map(|(hasher, rest)| {
                            let (now, later) = rest.split_at(piece.min(rest.len()));
                            *rest = later;
                            (hasher, now)
                        })
                        .collect();
                    together.update_all(&mut jobs);
                }
                for (hasher, content) in hashers.into_iter().zip(&contents) {
                    assert_eq!(hasher.finish(), part(content));
                }
            }
        }
    }

    #[test]
    fn an_object_hasher_has_the_plain_sha1_up_to_one_block() {
        let (short, long) = (content(BLOCK), content(BLOCK + 1));
        let plain = |content: &[u8]| URL_SAFE.encode(::sha1::Sha1::digest(content));
        assert_eq!(object(&short).compare_part(&plain(&short)), EtagMatch::Same);
        assert_eq!(
            object(&long).compare_part(&plain(&long)),
            EtagMatch::Incomparable
        );
        assert_eq!(part(&long).compare_part(&plain(&long)), EtagMatch::Same);
    }

    #[test]
    fn parts_make_the_object() {
        let content = content(3 * BLOCK + 5);
        let whole = object(&content);
        let parts: Vec<_> = content.chunks(BLOCK).map(part).collect();
        assert_eq!(ContentDigest::concat(&parts).unwrap(), whole);
        let pairs: Vec<_> = content.chunks(2 * BLOCK).map(part).collect();
        assert_eq!(ContentDigest::concat(&pairs).unwrap(), whole);
        let empty = part(b"");
        let with_empty = [&empty, &parts[0], &parts[1], &parts[2], &empty, &parts[3]];
        assert_eq!(ContentDigest::concat(with_empty).unwrap(), whole);
        assert_eq!(ContentDigest::concat([]).unwrap(), object(b""));
        assert_eq!(ContentDigest::concat([&parts[3]]).unwrap(), parts[3]);
    }

    #[test]
    fn parts_across_blocks_make_nothing() {
        let (a, b) = (part(b"a"), part(b"b"));
        assert_eq!(ContentDigest::concat([&a, &b]), None);
        assert_eq!(ContentDigest::concat([&a, &part(b"")]), None);
    }

    #[test]
    fn another_etag_of_the_same_form_is_different() {
        let (one, two) = (part(b"one"), part(b"two"));
        let right = one.object_etag();
        assert!(is_different(one.compare_object(&two.object_etag()), &right));
        assert!(is_different(one.compare_part(&two.object_etag()), &right));
        let plain = |digest: &ContentDigest| digest.sha1_etag().unwrap();
        assert!(is_different(one.compare_part(&plain(&two)), &plain(&one)));
        let other_case = right.to_ascii_lowercase();
        assert!(is_different(one.compare_object(&other_case), &right));
    }

    #[test]
    fn quotes_do_not_matter() {
        let digest = part(b"one");
        let quoted = format!("\"{}\"", digest.object_etag());
        assert_eq!(digest.compare_object(&quoted), EtagMatch::Same);
        assert_eq!(digest.compare_part(&quoted), EtagMatch::Same);
    }

    #[test]
    fn other_forms_are_incomparable() {
        let digest = part(b"one");
        let right = digest.object_etag();
        let others = [
            String::new(),
            "\"".into(),
            "\"\"".into(),
            right[..31].into(),
            format!("{right}A"),
            "d41d8cd98f00b204e9800998ecf8427e-3".into(),
            format!("{} {}", &right[..15], &right[16..]),
            "é".repeat(16),
            "é".repeat(14),
            "A".repeat(28),
            "\0".repeat(32),
            "x".repeat(1 << 20),
        ];
        for other in &others {
            assert_eq!(digest.compare_object(other), EtagMatch::Incomparable);
            assert_eq!(digest.compare_part(other), EtagMatch::Incomparable);
        }
    }
}
