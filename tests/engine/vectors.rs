//! The committed vectors are what the independent script makes of the protocol.

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn the_script_reproduces_the_committed_vectors() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let made = scratch.path().join("vectors.json");
    let run = Command::new("python3")
        .arg(dir.join("make_vectors.py"))
        .arg(&made)
        .output();
    let output = match run {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("SKIPPED: python3 is not installed, the vectors were not made again");
            return;
        }
        Err(error) => panic!("python3 cannot be run: {error}"),
    };
    assert!(
        output.status.success(),
        "make_vectors.py failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let made = fs::read(&made).expect("what the script wrote");
    let committed = fs::read(dir.join("vectors.json")).expect("the committed vectors");
    assert!(
        made == committed,
        "tests/vectors/vectors.json is out of date: run tests/vectors/make_vectors.py"
    );
}
