//! How a content is divided into parts.

use std::ops::Range;

use crate::error::{Error, Result};

/// The most parts of one upload. No service would accept a longer list of ETags in a finish.
pub(super) const MAX_PARTS: u32 = 1_000_000;

/// All parts of a content, in order.
pub(super) fn parts_of(
    size: u64,
    part_size: u64,
) -> Result<impl Iterator<Item = (u32, Range<u64>)> + use<>> {
    let count = size.div_ceil(part_size);
    if count > u64::from(MAX_PARTS) {
        return Err(Error::argument(format!(
            "{size} bytes make {count} parts of {part_size} bytes, more than {MAX_PARTS}"
        )));
    }
    Ok((0..count as u32).map(move |number| {
        let start = u64::from(number) * part_size;
        (number, start..size.min(start + part_size))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_but_the_last_is_whole() {
        for (size, part_size, parts) in [
            (0, 4, vec![]),
            (1, 4, vec![(0, 0..1)]),
            (4, 4, vec![(0, 0..4)]),
            (5, 4, vec![(0, 0..4), (1, 4..5)]),
            (8, 4, vec![(0, 0..4), (1, 4..8)]),
        ] {
            let made: Vec<_> = parts_of(size, part_size).expect("parts").collect();
            assert_eq!(made, parts, "{size} bytes in parts of {part_size}");
        }
        assert!(parts_of(u64::from(MAX_PARTS), 1).is_ok());
        assert!(parts_of(u64::from(MAX_PARTS) + 1, 1).is_err());
    }
}
