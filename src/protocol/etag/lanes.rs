//! SHA-1 over eight contents at once, one in each lane of a SIMD register: for processors with AVX2. With all lanes in
//! use it costs a third of hashing them one by one, and about two thirds where the processor has SHA instructions.
//!
//! All lanes execute the same steps, those of FIPS 180-4, so the contents must have equal lengths. The code
//! is the textbook algorithm on vectors of eight words; docs/performance.md has the numbers.

#![allow(clippy::needless_range_loop, clippy::manual_memcpy)]

use fearless_simd::{Level, Simd, dispatch, prelude::*, u32x8};

/// The state of SHA-1: five words.
pub(super) type State = [u32; 5];

/// Contents that are hashed together.
pub(super) const LANES: usize = 8;

/// One word of each lane.
type Words<S> = u32x8<S>;

/// One constant for each twenty rounds.
const CONSTANTS: [u32; 4] = [0x5a82_7999, 0x6ed9_eba1, 0x8f1b_bcdc, 0xca62_c1d6];

/// The instruction set that the processor has.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
#[derive(Clone, Copy, Debug)]
pub(super) struct Lanes {
    level: Level,
    /// With fewer contents than this, hashing them one by one is cheaper than leaving lanes idle.
    fewest: usize,
}

impl Lanes {
    /// None on a processor on which the `sha1` crate alone is cheaper.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn where_they_pay() -> Option<Self> {
        // In an unoptimised build the lanes are slower.
        if cfg!(debug_assertions) {
            return None;
        }
        // The crate's own switch makes it leave the SHA instructions alone.
        let sha = cfg!(not(sha1_backend = "soft")) && std::arch::is_x86_feature_detected!("sha");
        let fewest = if sha { 6 } else { 4 };
        let level = Level::new();
        level.as_avx2().map(|_| Self { level, fewest })
    }

    #[cfg(not(target_arch = "x86_64"))]
    pub(super) fn where_they_pay() -> Option<Self> {
        None
    }

    /// For tests: the lanes, also where they do not pay, with this processor's best instructions and with
    /// AVX2.
    #[cfg(test)]
    pub(super) fn anywhere() -> Vec<Self> {
        let mut levels = vec![Level::new()];
        #[cfg(target_arch = "x86_64")]
        levels.extend(Level::new().as_avx2().map(Level::Avx2));
        let lanes = |level| Self { level, fewest: 4 };
        levels.into_iter().map(lanes).collect()
    }

    /// Whether this number of contents is cheaper in lanes.
    pub(super) fn pay_for(self, contents: usize) -> bool {
        contents >= self.fewest
    }

    /// Updates each state with its content. All contents have the same number of 64-byte blocks.
    pub(super) fn compress(self, states: &mut [State; LANES], contents: [&[[u8; 64]]; LANES]) {
        dispatch!(self.level, simd => compress(simd, states, contents));
    }
}

// Everything is inlined into `dispatch`, because only there may the compiler use the SIMD instructions.
// Closures that the standard library calls may not be inlined, so this code has index loops and no
// iterators.
#[inline(always)]
fn compress<S: Simd>(simd: S, states: &mut [State; LANES], contents: [&[[u8; 64]]; LANES]) {
    let mut sums = [Words::splat(simd, 0); 5];
    for word in 0..5 {
        let mut lanes = [0; LANES];
        for lane in 0..LANES {
            lanes[lane] = states[lane][word];
        }
        sums[word] = lanes.simd_into(simd);
    }
    let mut words = [Words::splat(simd, 0); 80];
    for block in 0..contents[0].len() {
        transpose(simd, &contents, block, 0, &mut words);
        transpose(simd, &contents, block, 8, &mut words);
        let before = sums;
        rounds(simd, &mut sums, &mut words, 0, |b, c, d| d ^ (b & (c ^ d)));
        rounds(simd, &mut sums, &mut words, 1, |b, c, d| b ^ c ^ d);
        rounds(simd, &mut sums, &mut words, 2, |b, c, d| {
            (b & c) | (d & (b | c))
        });
        rounds(simd, &mut sums, &mut words, 3, |b, c, d| b ^ c ^ d);
        for word in 0..5 {
            sums[word] += before[word];
        }
    }
    for word in 0..5 {
        let lanes: [u32; LANES] = sums[word].into();
        for lane in 0..LANES {
            states[lane][word] = lanes[lane];
        }
    }
}

/// Loads eight words of each content's block, beginning with word `first`, and transposes them: from one
/// row per content to one row per word.
#[inline(always)]
fn transpose<S: Simd>(
    simd: S,
    contents: &[&[[u8; 64]]; LANES],
    block: usize,
    first: usize,
    words: &mut [Words<S>; 80],
) {
    let mut rows = [Words::splat(simd, 0); LANES];
    for row in 0..LANES {
        let (bytes, _) = contents[row][block].as_chunks::<4>();
        let mut numbers = [0; 8];
        for word in 0..8 {
            numbers[word] = u32::from_be_bytes(bytes[first + word]);
        }
        rows[row] = numbers.simd_into(simd);
    }
    // Three perfect shuffles exchange rows and columns.
    for _ in 0..3 {
        let shuffled = rows;
        for pair in 0..4 {
            let (a, b) = (shuffled[pair], shuffled[pair + 4]);
            rows[2 * pair] = a.zip_low(b);
            rows[2 * pair + 1] = a.zip_high(b);
        }
    }
    for row in 0..8 {
        words[first + row] = rows[row];
    }
}

/// Twenty rounds with their round function. The words of the message schedule are computed between the
/// rounds, because the processor can do both in parallel.
#[inline(always)]
fn rounds<S: Simd>(
    simd: S,
    sums: &mut [Words<S>; 5],
    words: &mut [Words<S>; 80],
    which: usize,
    function: impl Fn(Words<S>, Words<S>, Words<S>) -> Words<S>,
) {
    let constant = Words::splat(simd, CONSTANTS[which]);
    let [mut a, mut b, mut c, mut d, mut e] = *sums;
    let round = |a: Words<S>, b: &mut Words<S>, c, d, e: &mut Words<S>, word: Words<S>| {
        *e = rotated(a, 5) + (function(*b, c, d) + (*e + (word + constant)));
        *b = rotated(*b, 30);
    };
    for five in 0..4 {
        let first = which * 20 + five * 5;
        for t in first.max(16)..first + 5 {
            words[t] = rotated(
                words[t - 3] ^ words[t - 8] ^ words[t - 14] ^ words[t - 16],
                1,
            );
        }
        // The five state words rotate after each round, so five rounds are unrolled: then all are back in
        // place.
        round(a, &mut b, c, d, &mut e, words[first]);
        round(e, &mut a, b, c, &mut d, words[first + 1]);
        round(d, &mut e, a, b, &mut c, words[first + 2]);
        round(c, &mut d, e, a, &mut b, words[first + 3]);
        round(b, &mut c, d, e, &mut a, words[first + 4]);
    }
    *sums = [a, b, c, d, e];
}

#[inline(always)]
fn rotated<S: Simd>(words: Words<S>, bits: u32) -> Words<S> {
    (words << bits) | (words >> (32 - bits))
}
