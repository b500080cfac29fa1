//! The index of a folder that outlives the emulator: one JSON file, replaced as a whole.
//! Pending uploads are not in it.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::{fs, path::Path};

use serde::{Deserialize, Serialize};

use super::blob::Folder;
use super::{Object, Segment};
use crate::state::ObjectState;

#[derive(Serialize, Deserialize)]
struct Saved {
    #[serde(flatten)]
    state: ObjectState,
    files: Vec<u64>,
}

pub(super) fn save(folder: &Folder, objects: &BTreeMap<String, Object>) -> io::Result<()> {
    let saved: Vec<Saved> = objects
        .values()
        .map(|object| Saved {
            state: object.state.clone(),
            files: object
                .segments
                .iter()
                .map(|segment| segment.blob.number)
                .collect(),
        })
        .collect();
    let written = folder.path.join("index.json.new");
    fs::write(&written, serde_json::to_vec_pretty(&saved)?)?;
    fs::rename(written, folder.path.join("index.json"))
}

/// Reads the index, and removes the files that are not in it.
pub(super) fn load(folder: &Folder) -> io::Result<BTreeMap<String, Object>> {
    let saved: Vec<Saved> = match fs::read(folder.path.join("index.json")) {
        Ok(json) => serde_json::from_slice(&json)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let known: Vec<u64> = saved
        .iter()
        .flat_map(|object| object.files.clone())
        .collect();
    remove_strays(&folder.path, &known)?;
    let objects = saved.into_iter().map(|saved| {
        let segments = saved
            .files
            .iter()
            .map(|number| Segment {
                blob: Arc::new(folder.blob(*number)),
            })
            .collect();
        (
            saved.state.key.clone(),
            Object {
                state: saved.state,
                segments,
            },
        )
    });
    Ok(objects.collect())
}

/// What an earlier run that was killed left behind. Only files of our own name are touched.
fn remove_strays(path: &Path, known: &[u64]) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        let ours = path
            .extension()
            .is_some_and(|extension| extension == "blob");
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        if ours && number.is_some_and(|number| !known.contains(&number)) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
