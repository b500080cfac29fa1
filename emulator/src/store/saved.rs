//! The index of a persistent data folder: one JSON file that names the bodies and is replaced atomically.
//! It does not contain pending uploads.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::blob::{self, Folder};
use super::claim::{self, not_ours};
use super::{Object, Segment};
use crate::state::ObjectState;

pub(super) const INDEX: &str = "index.json";
pub(super) const INDEX_BEING_WRITTEN: &str = "us3-emulator.new";

/// Tells an index from other JSON. Changes when an older emulator must not read a newer index.
const FORMAT: &str = "us3-emulator 1";

#[derive(Serialize, Deserialize)]
struct Saved {
    format: String,
    objects: Vec<SavedObject>,
}

#[derive(Serialize, Deserialize)]
struct SavedObject {
    #[serde(flatten)]
    state: ObjectState,
    files: Vec<u64>,
}

/// Replaces the index. A kill or a power failure leaves the old one or the new one.
pub(super) fn save(folder: &Path, objects: &BTreeMap<String, Object>) -> io::Result<()> {
    let saved = Saved {
        format: FORMAT.into(),
        objects: objects.values().map(saved_object).collect(),
    };
    let being_written = folder.join(INDEX_BEING_WRITTEN);
    // Left by a kill, or somebody's link: it is never written through.
    let _ = fs::remove_file(&being_written);
    let mut file = File::create_new(&being_written)?;
    file.write_all(&serde_json::to_vec_pretty(&saved)?)?;
    file.sync_all()?;
    fs::rename(being_written, folder.join(INDEX))?;
    // Not every file system can; the index is replaced all the same.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

fn saved_object(object: &Object) -> SavedObject {
    let segments = object.segments.iter();
    SavedObject {
        state: object.state.clone(),
        files: segments.map(|segment| segment.blob.number).collect(),
    }
}

/// Whether the index is an emulator's.
pub(super) fn check(folder: &Path) -> io::Result<()> {
    read(folder).map(drop)
}

fn read(folder: &Path) -> io::Result<Vec<SavedObject>> {
    let json = fs::read(folder.join(INDEX))?;
    let saved: Saved = serde_json::from_slice(&json)
        .map_err(|error| not_ours(&format!("its {INDEX} cannot be read: {error}")))?;
    if saved.format != FORMAT {
        let why = format!("its {INDEX} is of the format {:?}", saved.format);
        return Err(not_ours(&why));
    }
    Ok(saved.objects)
}

/// Reads the index of a claimed folder, or writes the first one, and removes the bodies that it does not name.
pub(super) fn load(folder: &Path, bodies: &Folder) -> io::Result<BTreeMap<String, Object>> {
    if !folder.join(INDEX).exists() {
        save(folder, &BTreeMap::new())?;
    }
    // Only a folder with an index has this one, so that all that looks like a body in it is one.
    claim::make_folder(&bodies.path)?;
    let saved = read(folder)?;
    let named = saved.iter().flat_map(|object| object.files.clone());
    remove_leftovers(&bodies.path, &named.collect())?;
    let objects = saved.into_iter().map(|saved| {
        let segment = |number: &u64| Segment {
            blob: Arc::new(bodies.blob(*number)),
        };
        let object = Object {
            segments: saved.files.iter().map(segment).collect(),
            state: saved.state,
        };
        (object.state.key.clone(), object)
    });
    Ok(objects.collect())
}

/// Bodies of requests during which an earlier emulator was killed.
fn remove_leftovers(bodies: &Path, named: &HashSet<u64>) -> io::Result<()> {
    for entry in fs::read_dir(bodies)? {
        let entry = entry?;
        let number = entry.file_name().to_str().and_then(blob::number);
        if number.is_some_and(|number| !named.contains(&number)) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
