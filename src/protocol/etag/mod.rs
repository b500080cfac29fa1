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

/// Hashes content as it is read. Keeps 20 bytes for every 4 MiB.
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

/// The plain SHA-1 of a part that is longer than one block.
#[derive(Clone, Debug)]
enum Whole {
    Unwanted,
    /// Up to one block it is the SHA-1 of that block.
    FirstBlock,
    Running(Sha1),
}

/// The digests of a content: enough to compute every form of ETag that the service may answer. A clone
/// shares the block digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentDigest {
    size: u64,
    /// One for each started block; empty for empty content.
    blocks: Arc<[Sha1Digest]>,
    /// The plain SHA-1 of content longer than one block, if the hasher was made for a part.
    whole: Option<Sha1Digest>,
}

/// An ETag of the service held against the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EtagMatch {
    /// It is the content's.
    Same,
    /// It is not.
    Different,
    /// Of a form that the library cannot compute.
    Incomparable,
}

impl EtagHasher {
    /// For a whole object.
    pub fn object() -> Self {
        Self::with(Whole::Unwanted)
    }

    /// For a part: also computes the plain SHA-1 of content longer than a block, so the bytes after the
    /// first block are hashed twice.
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

    /// Bytes that fit into the current block, or into a new one if the current block is full.
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

    /// The number of whole 64-byte SHA-1 blocks at the beginning of `bytes` that only update the hash of
    /// the current 4 MiB block.
    fn plain<'a>(&mut self, bytes: &'a [u8]) -> &'a [[u8; 64]] {
        // A full block stays open until more bytes come, because the content may end here: the ETag of one
        // block needs its hash.
        if bytes.is_empty() {
            return &[];
        }
        let room = self.room();
        match self.whole {
            Whole::Running(_) => &[],
            _ => self.block.blocks(&bytes[..bytes.len().min(room)]),
        }
    }

    /// Ends the hashing.
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
    /// Hashes the next bytes of several contents: as a batch while enough of them have bytes and a batch is
    /// cheaper.
    pub(crate) fn update_all(self, jobs: &mut [(&mut EtagHasher, &[u8])]) {
        while self.update_some(jobs) {}
        for (hasher, bytes) in jobs {
            hasher.update(bytes);
        }
    }

    /// Hashes as many bytes of each as the shortest has; false when nothing was done.
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

    /// The digest of the object that consists of these contents in order. None unless the size of every
    /// part but the last is a multiple of [`BLOCK_SIZE`].
    pub fn concat<'a>(parts: impl IntoIterator<Item = &'a ContentDigest>) -> Option<ContentDigest> {
        let mut blocks = Vec::new();
        let mut size = 0u64;
        for part in parts {
            // A part that does not begin at a block boundary has other blocks than the object.
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

    /// Of a part of one block at most, whose ETag of 28 characters is its digest. None of any other.
    pub fn of_part(etag: &str, size: u64) -> Option<ContentDigest> {
        if size > BLOCK_SIZE || !is_sha1_etag(unquoted(etag)) {
            return None;
        }
        let digest: Sha1Digest = URL_SAFE.decode(unquoted(etag)).ok()?.try_into().ok()?;
        let blocks: &[Sha1Digest] = if size == 0 { &[] } else { &[digest] };
        Some(ContentDigest {
            size,
            blocks: blocks.into(),
            whole: None,
        })
    }

    /// Compares the ETag the service gave an object with this content. Only the form of 32
    /// characters can be compared.
    pub fn compare_object(&self, etag: &str) -> EtagMatch {
        let expected = is_block_etag(unquoted(etag)).then(|| self.object_etag());
        verdict(etag, expected)
    }

    /// Compares the service's ETag of a part with this content: 28 characters are base64url(sha1), 32 are
    /// block count and digest; other ETags cannot be compared.
    pub fn compare_part(&self, etag: &str) -> EtagMatch {
        verdict(etag, self.part_etag(etag))
    }

    /// The ETag that a part with this content has, in the form of this one; None when it cannot be computed.
    pub fn part_etag(&self, form: &str) -> Option<String> {
        match unquoted(form) {
            form if is_block_etag(form) => Some(self.object_etag()),
            form if is_sha1_etag(form) => self.sha1_etag(),
            _ => None,
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

fn verdict(etag: &str, expected: Option<String>) -> EtagMatch {
    match expected {
        Some(expected) if expected == unquoted(etag) => EtagMatch::Same,
        Some(_) => EtagMatch::Different,
        None => EtagMatch::Incomparable,
    }
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
mod tests;
