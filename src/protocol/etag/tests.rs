//! Compares ETags, computed at once and in pieces, with test vectors of an independent script.

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

/// What was hashed in a batch is compared with what was hashed alone. Full blocks, in full batches.
#[test]
fn full_blocks_have_the_same_digest_in_a_batch_and_alone() {
    let content = content(BLOCK);
    let alone = part(&content);
    for together in BatchHasher::both() {
        let mut hashers = [(); 8].map(|()| EtagHasher::part());
        for piece in content.chunks(256 << 10) {
            let mut jobs: Vec<_> = hashers.iter_mut().map(|hasher| (hasher, piece)).collect();
            together.update_all(&mut jobs);
        }
        for hasher in hashers {
            assert_eq!(hasher.finish(), alone);
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
    let object = two.object_etag();
    let other_case = one.object_etag().to_ascii_lowercase();
    for etag in [&object, &other_case] {
        assert_eq!(one.compare_object(etag), EtagMatch::Different, "{etag}");
    }
    let plain = |digest: &ContentDigest| digest.sha1_etag().unwrap();
    for (etag, expected) in [(object, one.object_etag()), (plain(&two), plain(&one))] {
        assert_eq!(one.compare_part(&etag), EtagMatch::Different, "{etag}");
        assert_eq!(one.part_etag(&etag), Some(expected), "{etag}");
    }
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
