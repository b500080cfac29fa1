//! Replays the corpora of the fuzz targets on any compiler: what was ever found stays found.

#![allow(unsafe_code)]

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::path::Path;

/// Every file of a corpus, by name.
fn replay(corpus: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(corpus);
    let files = std::fs::read_dir(&folder).expect("a corpus");
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    assert!(
        paths.len() >= 5,
        "{}: where is the corpus?",
        folder.display()
    );
    for path in paths {
        // Shown when the test fails: the last one is it.
        println!("{}", path.display());
        target(&std::fs::read(&path).expect("a readable file"));
    }
}

#[test]
fn policies() {
    replay("policy", targets::policy);
}

#[test]
fn configurations() {
    replay("config", targets::config);
}

#[test]
fn checkpoints() {
    replay("checkpoint", targets::checkpoint);
}

#[test]
fn responses() {
    replay("response", targets::response);
}

#[test]
fn requests() {
    replay("request", targets::request);
}

#[test]
fn answers_of_gateways() {
    replay("gateway", targets::gateway);
}

#[test]
fn refusals_likewise() {
    replay("likewise", targets::likewise);
}

#[test]
fn checkpoints_again() {
    replay("checkpoint_again", targets::checkpoint_again);
}
