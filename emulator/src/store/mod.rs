//! Objects and pending uploads. The index is in memory, the bytes are in files.

mod blob;
mod saved;
mod sink;
mod upload;

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;

pub(crate) use blob::{Blob, Segment};
pub(crate) use sink::{Received, Sink};
pub(crate) use upload::{Part, Unfinished, Upload};

use crate::clock::Clock;
use crate::etag::Summer;
use crate::state::{ObjectState, State};
use blob::Folder;

/// What the client tells about an object besides its bytes.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub content_type: String,
    pub storage_class: String,
    pub metadata: BTreeMap<String, String>,
}

impl Default for About {
    fn default() -> Self {
        Self {
            content_type: "application/octet-stream".into(),
            storage_class: "STANDARD".into(),
            metadata: BTreeMap::new(),
        }
    }
}

/// A stored object; its bytes are those of its segments, one after the other.
#[derive(Clone)]
pub(crate) struct Object {
    pub state: ObjectState,
    pub segments: Vec<Segment>,
}

pub(crate) struct Store {
    pub clock: Clock,
    folder: Folder,
    next_file: AtomicU64,
    index: Mutex<Index>,
    /// Whether the index outlives us.
    lasting: bool,
    /// Removed when dropped.
    _temporary: Option<TempDir>,
}

#[derive(Default)]
struct Index {
    objects: BTreeMap<String, Object>,
    uploads: HashMap<String, Upload>,
}

impl Store {
    /// Opens the folder, or a temporary one.
    pub fn open(data_dir: Option<&Path>, clock: Clock) -> io::Result<Self> {
        let temporary = if data_dir.is_none() {
            Some(tempfile::tempdir()?)
        } else {
            None
        };
        let path = data_dir
            .or(temporary.as_ref().map(TempDir::path))
            .expect("one of the two is given");
        std::fs::create_dir_all(path)?;
        let folder = Folder::new(path);
        let objects = if data_dir.is_some() {
            saved::load(&folder)?
        } else {
            BTreeMap::new()
        };
        let last_file = objects
            .values()
            .flat_map(|object| &object.segments)
            .map(|segment| segment.blob.number)
            .max();
        Ok(Self {
            clock,
            folder,
            next_file: AtomicU64::new(last_file.map_or(1, |last| last + 1)),
            index: Mutex::new(Index {
                objects,
                uploads: HashMap::new(),
            }),
            lasting: data_dir.is_some(),
            _temporary: temporary,
        })
    }

    /// A new file to receive a body.
    pub fn sink(&self, with_md5: bool) -> io::Result<Sink> {
        Sink::create(self.new_blob(), with_md5)
    }

    fn new_blob(&self) -> Blob {
        let number = self.next_file.fetch_add(1, Ordering::Relaxed);
        self.folder.blob(number)
    }

    /// Stores an object, in the place of an older one.
    pub fn put(
        &self,
        key: &str,
        about: About,
        size: u64,
        etag: String,
        segments: Vec<Segment>,
    ) -> io::Result<()> {
        self.put_aged(key, about, size, etag, segments, Duration::ZERO)
            .map(drop)
    }

    /// Stores an object that no request brought, as if it had been stored this long ago.
    pub fn put_bytes(
        &self,
        key: &str,
        about: About,
        bytes: &[u8],
        age: Duration,
    ) -> io::Result<ObjectState> {
        let (blob, mut summer) = (self.new_blob(), Summer::new());
        blob.create()?.write_all(bytes)?;
        summer.update(bytes);
        let (sums, blob) = (summer.finish(), Arc::new(blob));
        let segments = vec![Segment { blob }];
        self.put_aged(key, about, sums.size, sums.object_etag(), segments, age)
    }

    fn put_aged(
        &self,
        key: &str,
        about: About,
        size: u64,
        etag: String,
        segments: Vec<Segment>,
        age: Duration,
    ) -> io::Result<ObjectState> {
        let state = ObjectState {
            key: key.into(),
            size,
            etag,
            content_type: about.content_type,
            storage_class: about.storage_class,
            metadata: about.metadata,
            last_modified: self.clock.ago(age),
        };
        let mut index = self.index.lock().unwrap();
        let object = Object {
            state: state.clone(),
            segments,
        };
        index.objects.insert(key.into(), object);
        self.save(&index)?;
        Ok(state)
    }

    pub fn get(&self, key: &str) -> Option<Object> {
        self.index.lock().unwrap().objects.get(key).cloned()
    }

    /// Says whether it was there.
    pub fn delete(&self, key: &str) -> io::Result<bool> {
        let mut index = self.index.lock().unwrap();
        let was_there = index.objects.remove(key).is_some();
        self.save(&index)?;
        Ok(was_there)
    }

    /// Forgets all objects and uploads.
    pub fn clear(&self) {
        let mut index = self.index.lock().unwrap();
        *index = Index::default();
        let _ = self.save(&index);
    }

    /// The part of the state that is known here.
    pub fn describe(&self, state: &mut State) {
        let index = self.index.lock().unwrap();
        state.objects = index
            .objects
            .values()
            .map(|object| object.state.clone())
            .collect();
        state.uploads = index.uploads.values().map(Upload::state).collect();
        state.uploads.sort_by(|a, b| a.upload_id.cmp(&b.upload_id));
    }

    /// Keeps the files of a folder that outlives us.
    pub fn close(&self) {
        if self.lasting {
            self.folder.keep();
        }
    }

    fn save(&self, index: &Index) -> io::Result<()> {
        if self.lasting {
            saved::save(&self.folder, &index.objects)
        } else {
            Ok(())
        }
    }
}
