//! SHA-1 with the `sha1` crate, and several hashes as a SIMD batch where that is cheaper.
//!
//! The crate's own hasher does not expose its state, so padding and the last bytes are handled here.

use sha1::block_api;

use super::lanes::{LANES, Lanes, State};

pub(super) type Digest = [u8; 20];

/// Bytes of a block.
const BLOCK: usize = 64;

/// A SHA-1 hash in progress.
#[derive(Clone, Debug)]
pub(super) struct Sha1 {
    state: State,
    /// Bytes taken.
    len: u64,
    /// The bytes after the last whole block: the first `len % 64` bytes of this buffer.
    rest: [u8; BLOCK],
}

impl Sha1 {
    pub(super) fn new() -> Self {
        Self {
            state: [
                0x6745_2301,
                0xefcd_ab89,
                0x98ba_dcfe,
                0x1032_5476,
                0xc3d2_e1f0,
            ],
            len: 0,
            rest: [0; BLOCK],
        }
    }

    pub(super) fn of(content: &[u8]) -> Digest {
        let mut sha1 = Self::new();
        sha1.update(content);
        sha1.finish()
    }

    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        let held = self.held();
        self.len += bytes.len() as u64;
        if held > 0 {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK - held));
            self.rest[held..held + now.len()].copy_from_slice(now);
            if held + now.len() < BLOCK {
                return;
            }
            block_api::compress(&mut self.state, &[self.rest]);
            bytes = later;
        }
        let (blocks, rest) = bytes.as_chunks();
        block_api::compress(&mut self.state, blocks);
        self.rest[..rest.len()].copy_from_slice(rest);
    }

    /// The digest of the bytes so far.
    pub(super) fn finish(mut self) -> Digest {
        let bits = self.len * 8;
        // The padding: one bit, zeros, and the length in bits at the end of a block.
        let zeros = (BLOCK + 55 - self.held()) % BLOCK;
        self.update(&[0x80]);
        self.update(&[0; BLOCK][..zeros]);
        self.update(&bits.to_be_bytes());
        let mut digest = [0; 20];
        for (bytes, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(self.state) {
            *bytes = word.to_be_bytes();
        }
        digest
    }

    /// Bytes that do not fill a block yet.
    fn held(&self) -> usize {
        (self.len % BLOCK as u64) as usize
    }

    /// The number of whole blocks at the beginning of `bytes` that can be hashed in lanes.
    pub(super) fn blocks<'a>(&self, bytes: &'a [u8]) -> &'a [[u8; BLOCK]] {
        match self.held() {
            0 => bytes.as_chunks().0,
            _ => &[],
        }
    }
}

/// How several contents are hashed: in the lanes of a SIMD register, or one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchHasher(Option<Lanes>);

impl Default for BatchHasher {
    /// The cheapest way on this processor.
    fn default() -> Self {
        Self(Lanes::where_they_pay())
    }
}

impl BatchHasher {
    /// The best batch size for this number of contents: 1 where batches gain nothing.
    pub(crate) fn batch_size(self, contents: usize) -> usize {
        match self.0 {
            Some(lanes) if lanes.pay_for(contents) => LANES,
            _ => 1,
        }
    }

    /// Hashes the same number of blocks of each content. False when nothing was done, because one after the
    /// other is cheaper.
    pub(super) fn update(self, jobs: &mut [(&mut Sha1, &[[u8; BLOCK]])]) -> bool {
        let pays = |lanes: &Lanes| lanes.pay_for(jobs.len()) && jobs.len() <= LANES;
        let Some(lanes) = self.0.filter(pays) else {
            return false;
        };
        // An unused lane hashes the content of the first lane again.
        let job = |lane: usize| if lane < jobs.len() { lane } else { 0 };
        let mut states = std::array::from_fn(|lane| jobs[job(lane)].0.state);
        let contents = std::array::from_fn(|lane| jobs[job(lane)].1);
        lanes.compress(&mut states, contents);
        for ((sha1, blocks), state) in jobs.iter_mut().zip(states) {
            sha1.state = state;
            sha1.len += blocks.as_flattened().len() as u64;
        }
        true
    }

    /// For tests: in lanes, and one after the other, whatever the processor is.
    #[cfg(test)]
    pub(crate) fn both() -> [Self; 2] {
        [Self(Lanes::anywhere().pop()), Self(None)]
    }
}

#[cfg(test)]
mod tests {
    use ::sha1::{Digest as _, Sha1 as Crate};

    use super::*;

    /// Numbers that look random and are the same each time.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (self.0 >> 33) as usize % limit
        }

        fn bytes(&mut self, len: usize) -> Vec<u8> {
            (0..len).map(|_| self.below(256) as u8).collect()
        }
    }

    #[test]
    fn in_pieces_it_is_the_crate_s() {
        let mut numbers = Numbers(1);
        for len in (0..300).chain([1 << 16, (1 << 16) + 55]) {
            let content = numbers.bytes(len);
            let mut sha1 = Sha1::new();
            let mut rest = &content[..];
            while !rest.is_empty() {
                let (now, later) = rest.split_at(1 + numbers.below(rest.len()));
                sha1.update(now);
                rest = later;
            }
            let expected: Digest = Crate::digest(&content).into();
            assert_eq!(sha1.finish(), expected, "{len} bytes");
            assert_eq!(Sha1::of(&content), expected, "{len} bytes");
        }
    }

    #[test]
    fn in_lanes_it_is_the_crate_s() {
        let mut numbers = Numbers(2);
        for round in 0..200 {
            let count = 1 + numbers.below(LANES + 2);
            let in_lanes = round % 10 != 0;
            let levels = Lanes::anywhere();
            let lanes = levels[round % levels.len()];
            let together = BatchHasher(in_lanes.then_some(lanes));
            // What was taken before, what is taken together, and what comes after.
            let blocks = numbers.below(20);
            let contents: Vec<[Vec<u8>; 3]> = (0..count)
                .map(|_| {
                    let before = 64 * numbers.below(4);
                    [before, 64 * blocks, numbers.below(150)].map(|len| numbers.bytes(len))
                })
                .collect();
            let mut sha1s = vec![Sha1::new(); count];
            for (sha1, [before, ..]) in sha1s.iter_mut().zip(&contents) {
                sha1.update(before);
            }
            let mut jobs: Vec<_> = sha1s
                .iter_mut()
                .zip(&contents)
                .map(|(sha1, [_, now, _])| {
                    let blocks = sha1.blocks(now);
                    (sha1, blocks)
                })
                .collect();
            let done = together.update(&mut jobs);
            assert_eq!(done, in_lanes && (4..=LANES).contains(&count));
            for (mut sha1, [before, now, after]) in sha1s.into_iter().zip(&contents) {
                if !done {
                    sha1.update(now);
                }
                sha1.update(after);
                let whole = [&before[..], now, after].concat();
                let expected: Digest = Crate::digest(whole).into();
                assert_eq!(sha1.finish(), expected, "round {round}, {count} at once");
            }
        }
    }
}
