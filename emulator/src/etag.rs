//! Computes ETags while the bytes are received.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use sha1::{Digest, Sha1};

/// The size of the blocks an object's ETag is made of.
pub(crate) const BLOCK: u64 = 4 << 20;

type Sum = [u8; 20];

/// Sums of each block, and of the whole.
#[derive(Clone, Debug)]
pub(crate) struct Sums {
    pub size: u64,
    /// One for each block of 4 MiB.
    pub blocks: Vec<Sum>,
    /// Over everything.
    pub whole: Sum,
}

impl Sums {
    /// The ETag of an object of this content.
    pub fn object_etag(&self) -> String {
        let digest = if self.blocks.len() <= 1 {
            self.whole
        } else {
            Sha1::digest(self.blocks.as_flattened()).into()
        };
        let mut bytes = (self.blocks.len() as u32).to_le_bytes().to_vec();
        bytes.extend(digest);
        URL_SAFE.encode(bytes)
    }

    /// The ETag of a part of this content.
    pub fn part_etag(&self) -> String {
        URL_SAFE.encode(self.whole)
    }
}

/// Takes the bytes in as they come.
pub(crate) struct Summer {
    size: u64,
    blocks: Vec<Sum>,
    block: Sha1,
    in_block: u64,
    /// Only when there is a second block: until then the first block is the whole.
    whole: Option<Sha1>,
}

impl Summer {
    pub fn new() -> Self {
        Self {
            size: 0,
            blocks: Vec::new(),
            block: Sha1::new(),
            in_block: 0,
            whole: None,
        }
    }

    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.in_block == BLOCK {
                self.close_block();
            }
            let room = (BLOCK - self.in_block).min(bytes.len() as u64) as usize;
            let (now, rest) = bytes.split_at(room);
            self.block.update(now);
            if let Some(whole) = &mut self.whole {
                whole.update(now);
            }
            self.in_block += now.len() as u64;
            self.size += now.len() as u64;
            bytes = rest;
        }
    }

    fn close_block(&mut self) {
        self.whole.get_or_insert_with(|| self.block.clone());
        let block = std::mem::replace(&mut self.block, Sha1::new());
        self.blocks.push(block.finalize().into());
        self.in_block = 0;
    }

    pub fn finish(mut self) -> Sums {
        let whole = self
            .whole
            .take()
            .unwrap_or_else(|| self.block.clone())
            .finalize()
            .into();
        if self.in_block > 0 {
            self.blocks.push(self.block.finalize().into());
        }
        Sums {
            size: self.size,
            blocks: self.blocks,
            whole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(size: usize) -> Sums {
        let content: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
        let mut summer = Summer::new();
        content
            .chunks(1_000_003)
            .for_each(|chunk| summer.update(chunk));
        summer.finish()
    }

    /// Expected values come from Python's hashlib.
    #[test]
    fn etags_are_those_of_an_independent_implementation() {
        for (size, object, part) in VECTORS {
            let sums = sums(size);
            assert_eq!(sums.object_etag(), object, "object of {size} bytes");
            assert_eq!(sums.part_etag(), part, "part of {size} bytes");
        }
    }

    const M: usize = 4 << 20;
    const VECTORS: [(usize, &str, &str); 6] = [
        (
            0,
            "AAAAANo5o-5ea0sNMlW_75VgGJCv2AcJ",
            "2jmj7l5rSw0yVb_vlWAYkK_YBwk=",
        ),
        (
            1,
            "AQAAAFupPJ2wz_k_UrUh10IOQ_btonhP",
            "W6k8nbDP-T9StSHXQg5D9u2ieE8=",
        ),
        (
            M - 1,
            "AQAAAH9tkLHM2wFqBpgIZJ4NMMYVKZLl",
            "f22QsczbAWoGmAhkng0wxhUpkuU=",
        ),
        (
            M,
            "AQAAAAd8eREZ4FXnoK5eUHCJo_kRSDb1",
            "B3x5ERngVeegrl5QcImj-RFINvU=",
        ),
        (
            M + 1,
            "AgAAAAV4TNEnA2AXSRVyDqVW4bohMKad",
            "tK-PUmm1qa7ehBfPT2mPTZxlsjo=",
        ),
        (
            5 * M + 3,
            "BgAAAJkv-S4uxB04on3DptpoaPFdtSTE",
            "dGtoWGJLv1N4bS-GcDpGft-yLZs=",
        ),
    ];
}
