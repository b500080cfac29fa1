//! Objects and pending uploads. The index is in memory, the bytes are in files.

mod blob;
mod claim;
mod saved;
mod sink;
mod upload;

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::mem;
use std::path::{Path, PathBuf};
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
use claim::Claim;

/// What the client tells about an object besides its bytes.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub content_type: String,
    pub storage_class: String,
    pub metadata: BTreeMap<String, String>,
    /// Headers that are kept as they came, by name.
    pub headers: BTreeMap<String, String>,
}

impl Default for About {
    fn default() -> Self {
        Self {
            content_type: "application/octet-stream".into(),
            storage_class: "STANDARD".into(),
            metadata: BTreeMap::new(),
            headers: BTreeMap::new(),
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
    /// The folder of an index that outlives us.
    data_dir: Option<PathBuf>,
    /// Removed when dropped.
    _temporary: Option<TempDir>,
}

#[derive(Default)]
struct Index {
    objects: BTreeMap<String, Object>,
    uploads: HashMap<String, Upload>,
    /// On the folder of an index that outlives us, until the store is closed.
    claim: Option<Claim>,
}

impl Store {
    /// Opens the folder, or a temporary one.
    pub fn open(data_dir: Option<&Path>, clock: Clock) -> io::Result<Self> {
        let (folder, index, temporary) = match data_dir {
            Some(path) => {
                let claim = Claim::take(path)?;
                let folder = Folder::new(&path.join("bodies"), true);
                let index = Index {
                    objects: saved::load(path, &folder)?,
                    uploads: HashMap::new(),
                    claim: Some(claim),
                };
                (folder, index, None)
            }
            None => {
                let temporary = tempfile::tempdir()?;
                let folder = Folder::new(temporary.path(), false);
                (folder, Index::default(), Some(temporary))
            }
        };
        let segments = index.objects.values().flat_map(|object| &object.segments);
        let last_file = segments.map(|segment| segment.blob.number).max();
        Ok(Self {
            clock,
            folder,
            next_file: AtomicU64::new(last_file.map_or(1, |last| last + 1)),
            index: Mutex::new(index),
            data_dir: data_dir.map(PathBuf::from),
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
        let mut file = blob.create()?;
        file.write_all(bytes)?;
        blob.complete(&file)?;
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
            headers: about.headers,
            last_modified: self.clock.ago(age),
        };
        let object = Object {
            state: state.clone(),
            segments,
        };
        self.replace(|objects| drop(objects.insert(key.into(), object)))?;
        Ok(state)
    }

    pub fn get(&self, key: &str) -> Option<Object> {
        self.index.lock().unwrap().objects.get(key).cloned()
    }

    /// Says whether it was there.
    pub fn delete(&self, key: &str) -> io::Result<bool> {
        self.replace(|objects| objects.remove(key).is_some())
    }

    /// Forgets all objects and uploads.
    pub fn clear(&self) -> io::Result<()> {
        let uploads = mem::take(&mut self.index.lock().unwrap().uploads);
        drop(uploads);
        self.replace(BTreeMap::clear)
    }

    /// Changes the objects. The bodies of older ones are removed only when the index that is saved does not name
    /// them any more; when it cannot be saved, the objects stay as they were.
    fn replace<T>(&self, change: impl FnOnce(&mut BTreeMap<String, Object>) -> T) -> io::Result<T> {
        let mut index = self.index.lock().unwrap();
        let Some(data_dir) = &self.data_dir else {
            return Ok(change(&mut index.objects));
        };
        if index.claim.is_none() {
            return Err(io::Error::other("the emulator has stopped"));
        }
        let before = index.objects.clone();
        let result = change(&mut index.objects);
        if let Err(error) = saved::save(data_dir, &index.objects) {
            index.objects = before;
            return Err(error);
        }
        Ok(result)
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

    /// Keeps the files of a folder that outlives us, and gives the folder back.
    pub fn close(&self) {
        if self.data_dir.is_some() {
            self.folder.keep();
        }
        self.index.lock().unwrap().claim = None;
    }
}
