//! A folder that outlives the emulator: whose it is, what is removed in it, and what a kill leaves.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::common::program::Program;
use crate::common::{Client, ask, put};
use us3_emulator::{Emulator, Options};

fn open(folder: &Path) -> io::Result<Emulator> {
    Emulator::start(Options {
        data_dir: Some(folder.into()),
        ..Options::default()
    })
}

#[track_caller]
fn refusal(folder: &Path) -> String {
    match open(folder) {
        Ok(_) => panic!("it was taken"),
        Err(error) => error.to_string(),
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

#[test]
fn a_folder_that_another_emulator_uses_is_refused_by_name_until_that_one_stops() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path()).unwrap();
    put("k", "x").send(first.address()).expect(200);
    let why = refusal(folder.path());
    assert!(
        why.contains(&format!("{}", folder.path().display())),
        "{why}"
    );
    assert!(why.contains("another emulator uses it"), "{why}");
    first.stop();
    let second = open(folder.path()).unwrap();
    assert_eq!(second.object_bytes("k").unwrap(), b"x");
}

#[test]
fn a_folder_that_is_not_the_emulators_is_refused_and_keeps_every_file() {
    for (name, text) in [
        ("1.blob", "somebody's"),
        ("index.json", "[]"),
        ("index.json", r#"{"objects":[]}"#),
        ("index.json", "no JSON"),
        ("bodies", "somebody's"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), text).unwrap();
        fs::write(folder.path().join("2.blob"), "somebody's").unwrap();
        let before = files(folder.path());
        let why = refusal(folder.path());
        assert!(why.contains("not a folder of the emulator"), "{why}");
        assert_eq!(files(folder.path()), before);
        let kept = fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(kept, text);
    }
}

#[test]
fn a_start_that_was_killed_before_its_first_index_leaves_a_folder_that_can_be_used() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("us3-emulator.lock"), "").unwrap();
    fs::write(folder.path().join("us3-emulator.new"), "{").unwrap();
    let emulator = open(folder.path()).unwrap();
    put("k", "x").send(emulator.address()).expect(200);
}

#[test]
fn bodies_that_no_index_names_are_removed_at_the_start_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = open(folder.path()).unwrap();
    put("k", "x").send(emulator.address()).expect(200);
    emulator.stop();
    let bodies = folder.path().join("bodies");
    let held = files(&bodies);
    assert_eq!(held.len(), 1);
    fs::write(bodies.join("99.blob"), "of a request that was killed").unwrap();
    let others = [
        folder.path().join("99.blob"),
        bodies.join("099.blob"),
        bodies.join("+99.blob"),
        bodies.join("notes.txt"),
    ];
    for other in &others {
        fs::write(other, "somebody's").unwrap();
    }
    let emulator = open(folder.path()).unwrap();
    assert!(!bodies.join("99.blob").exists());
    assert!(held[0].exists());
    for other in &others {
        assert!(other.exists(), "{}", other.display());
    }
    assert_eq!(emulator.object_bytes("k").unwrap(), b"x");
}

#[test]
fn overwritten_deleted_and_forgotten_bodies_leave_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = open(folder.path()).unwrap();
    for key in ["a", "b", "a"] {
        put(key, "x").send(emulator.address()).expect(200);
    }
    ask("DELETE", "b").send(emulator.address()).expect(204);
    assert_eq!(files(&folder.path().join("bodies")).len(), 1);
    emulator.reset();
    assert!(files(&folder.path().join("bodies")).is_empty());
}

/// The content of a version: its size and each of its bytes tell which one it is.
fn version(number: u64) -> Vec<u8> {
    vec![(number % 251) as u8; 1000 + number as usize]
}

/// How far one key has come.
#[derive(Default)]
struct Overwritten {
    answered: AtomicU64,
    begun: AtomicU64,
}

/// Overwrites a key with one version after the other, until the emulator is gone.
fn overwrite(address: SocketAddr, key: &str, seen: &Overwritten) {
    let mut client = Client::connect(address);
    loop {
        let number = seen.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let ask = put(key, version(number));
        let sent = client.write(&[ask.head().as_bytes(), ask.content()].concat());
        if sent.and_then(|()| client.read("PUT")).is_err() {
            return;
        }
        seen.answered.store(number, Ordering::SeqCst);
    }
}

#[test]
fn an_object_is_whole_old_or_new_after_a_kill_while_it_is_overwritten() {
    const ROUNDS: u64 = 12;
    let folder = tempfile::tempdir().unwrap();
    let start = || Program::start(&["--quiet", "--data-dir", folder.path().to_str().unwrap()]);
    let keys = ["a", "b"].map(|key| (key, Overwritten::default()));
    let mut program = start();
    // An index that takes a while to be written.
    let mut client = Client::connect(program.address());
    for number in 0..100 {
        let key = format!("{}{number}", "k".repeat(1000));
        client.send(&put(&key, "x")).expect(200);
    }
    for round in 0..ROUNDS {
        thread::scope(|scope| {
            let address = program.address();
            for (key, seen) in &keys {
                scope.spawn(move || overwrite(address, key, seen));
            }
            let before = keys[0].1.answered.load(Ordering::SeqCst);
            while keys[0].1.answered.load(Ordering::SeqCst) < before + 2 + round % 3 {
                thread::yield_now();
            }
            program.child.kill().unwrap();
            program.child.wait().unwrap();
        });
        program = start();
        for (key, seen) in &keys {
            let reply = ask("GET", key).send(program.address()).expect(200);
            let number = (reply.body.len() as u64).saturating_sub(1000);
            assert!(reply.body == version(number), "round {round}: {number}");
            let possible = seen.answered.load(Ordering::SeqCst)..=seen.begun.load(Ordering::SeqCst);
            assert!(possible.contains(&number), "{number}: {possible:?}");
        }
    }
}

/// What another user has put into a folder before: a link to a file of ours, for us to write to.
#[test]
fn a_link_in_the_place_of_a_file_of_the_emulators_is_not_followed() {
    for name in ["us3-emulator.new", "us3-emulator.lock"] {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let (precious, new) = (
            elsewhere.path().join("precious"),
            elsewhere.path().join("new"),
        );
        fs::write(&precious, "precious").unwrap();
        for target in [&precious, &new] {
            let link = folder.path().join(name);
            let _ = fs::remove_file(&link);
            symlink(target, &link).unwrap();
            if let Ok(emulator) = open(folder.path()) {
                put("k", "x").send(emulator.address()).expect(200);
                emulator.stop();
            }
        }
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious", "{name}");
        assert!(!new.exists(), "{name}");
    }
}

#[test]
fn a_folder_that_the_emulator_makes_is_its_owners_alone() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("a/b");
    open(&folder).unwrap().stop();
    for path in [
        parent.path().join("a"),
        folder.clone(),
        folder.join("bodies"),
    ] {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{}", path.display());
    }
}
