//! Where the bytes come from: a file or memory, opened once and read in ranges, as often as needed.
//!
//! [`Chunks`] is the one place that reads what is sent. It is driven by whoever sends: when nobody asks for
//! more, nothing more is read.

mod buffers;
mod chunks;
mod file;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::error::{Error, Result};
use crate::etag::{ContentDigest, EtagHasher};
use crate::hashing::Hashing;
pub use crate::reader::Reader;
pub(crate) use buffers::Buffers;
use chunks::Read;
pub(crate) use chunks::{Chunks, Outcome};
pub(crate) use file::Identity;
use file::OpenFile;

/// Bytes read at once: large enough that the calls do not matter, small enough to stay in cache
/// between reading, hashing and sending.
const CHUNK_SIZE: usize = 256 << 10;

/// A file up to here is read when it is opened, instead of another trip to a thread that may block.
const SMALL_FILE: u64 = 64 << 10;

/// What to upload.
#[derive(Clone, Debug)]
pub enum Source {
    /// A regular file, read with positioned reads while it is sent.
    File(PathBuf),
    /// Bytes in memory, never copied.
    Memory(Bytes),
    /// Bytes of unknown number, read in order while they are sent, from one thread at a time.
    Reader(Reader),
}

/// An opened source. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    kind: Kind,
    size: u64,
    /// A small file's bytes as they were when it was opened, for the first who reads them.
    small: Arc<Mutex<Option<Bytes>>>,
    buffers: Buffers,
    hashing: Hashing,
}

#[derive(Clone, Debug)]
enum Kind {
    File(Arc<OpenFile>),
    Memory(Bytes),
}

impl Content {
    /// Opens the source. Blocks on the disk.
    pub(crate) fn open(source: &Source, hashing: Hashing) -> Result<Self> {
        let (kind, size) = match source {
            Source::File(path) => {
                let file = OpenFile::open(path)?;
                let size = file.identity.size;
                (Kind::File(Arc::new(file)), size)
            }
            Source::Memory(bytes) => (Kind::Memory(bytes.clone()), bytes.len() as u64),
            Source::Reader(_) => return Err(Error::argument("a stream is read only once")),
        };
        let content = Self {
            kind,
            size,
            small: Arc::default(),
            buffers: Buffers::default(),
            hashing,
        };
        content.read_small()?;
        Ok(content)
    }

    /// Other bytes, in memory, that belong to the same upload.
    pub(crate) fn with(&self, bytes: Bytes) -> Self {
        Self {
            size: bytes.len() as u64,
            kind: Kind::Memory(bytes),
            small: Arc::default(),
            buffers: self.buffers.clone(),
            hashing: self.hashing.clone(),
        }
    }

    fn read_small(&self) -> Result<()> {
        let Kind::File(file) = &self.kind else {
            return Ok(());
        };
        if self.size > SMALL_FILE {
            return Ok(());
        }
        let Read { chunk, .. } = self.read(0..self.size, false)?;
        // It was opened a moment ago, so its name is not looked up again.
        file.check_untouched()?;
        *self.small() = Some(chunk);
        Ok(())
    }

    fn small(&self) -> MutexGuard<'_, Option<Bytes>> {
        self.small.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes in all.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The file's path, for messages and content types.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.kind {
            Kind::File(file) => Some(&file.path),
            Kind::Memory(_) => None,
        }
    }

    /// What tells the file from its changed self; None for memory.
    pub(crate) fn identity(&self) -> Option<Identity> {
        match &self.kind {
            Kind::File(file) => Some(file.identity.clone()),
            Kind::Memory(_) => None,
        }
    }

    /// How messages call it.
    pub(crate) fn describe(&self) -> String {
        match &self.kind {
            Kind::File(file) => format!("file {}", file.path.display()),
            Kind::Memory(_) => "the data in memory".to_owned(),
        }
    }

    /// The first bytes, at most `limit`. Blocks on the disk.
    pub(crate) fn head(&self, limit: usize) -> Result<Vec<u8>> {
        Ok(self.load(0..self.size.min(limit as u64))?.to_vec())
    }

    /// Fails when the file is no longer the one that was opened. Blocks on the disk.
    pub(crate) fn check_unchanged(&self) -> Result<()> {
        match &self.kind {
            Kind::File(file) => file.check_unchanged(),
            Kind::Memory(_) => Ok(()),
        }
    }

    /// Reads a range chunk by chunk. Before the last chunk is handed out the file must still be
    /// unchanged, so that a changed file is never sent to its end. A small file was compared when it was read.
    /// What becomes of the reading is told to `outcome`.
    pub(crate) fn chunks(
        &self,
        range: Range<u64>,
        hasher: Option<EtagHasher>,
        outcome: &Outcome,
    ) -> Chunks {
        debug_assert!(range.end <= self.size);
        let whole = range == (0..self.size);
        let content = match self.small().take_if(|_| whole) {
            Some(bytes) => self.with(bytes),
            None => self.clone(),
        };
        let lane = hasher.map(|hasher| Arc::new(self.hashing.lane(hasher)));
        let len = range.end - range.start;
        Chunks::new(content, range.start, len, lane, outcome.clone())
    }

    /// Whether a chunk can be had without the disk: before the last one of a file leaves, the file must
    /// still be the one that was opened, so that a service that lacks it cannot store a changed file.
    fn is_at_hand(&self, last: bool) -> bool {
        !last || matches!(self.kind, Kind::Memory(_))
    }

    /// Reads a range if that needs no disk.
    fn cached(&self, range: Range<u64>) -> Result<Option<Bytes>> {
        let Kind::File(file) = &self.kind else {
            return self.load(range).map(Some);
        };
        let len = (range.end - range.start) as usize;
        let mut buffer = self.buffers.take(len)?;
        let read = file.read_cached(&mut buffer.data[..len], range.start);
        Ok(read.then(|| buffer.into_bytes(len)))
    }

    /// Reads a chunk. Blocks on the disk.
    fn read(&self, range: Range<u64>, last: bool) -> Result<Read> {
        let cached = self.cached(range.clone())?;
        let read = Read {
            cached: cached.is_some(),
            chunk: cached.map_or_else(|| self.load(range), Ok)?,
        };
        if last {
            self.check_unchanged()?;
        }
        Ok(read)
    }

    /// Reads a whole range into one of the reused buffers. Blocks on the disk.
    pub(crate) fn load(&self, range: Range<u64>) -> Result<Bytes> {
        let len = (range.end - range.start) as usize;
        // Not locked while the disk is read: the threads that drive sockets look here as well.
        let small = self.small().clone();
        match (&self.kind, &small) {
            (Kind::Memory(bytes), _) | (_, Some(bytes)) => {
                let start = range.start as usize;
                Ok(bytes.slice(start..start + len))
            }
            (Kind::File(file), None) => {
                let mut buffer = self.buffers.take(len)?;
                file.read_exact_at(&mut buffer.data[..len], range.start)?;
                Ok(buffer.into_bytes(len))
            }
        }
    }

    /// Hashes a range. Blocks on the disk.
    pub(crate) fn digest(
        &self,
        range: Range<u64>,
        mut hasher: EtagHasher,
    ) -> Result<ContentDigest> {
        self.for_each_piece(range, |piece| hasher.update(piece))?;
        Ok(hasher.finish())
    }

    /// Reads a range once, piece by piece. Blocks on the disk.
    pub(crate) fn for_each_piece(
        &self,
        range: Range<u64>,
        mut take: impl FnMut(&[u8]),
    ) -> Result<()> {
        let mut offset = range.start;
        while offset < range.end {
            let end = range.end.min(offset + CHUNK_SIZE as u64);
            take(&self.load(offset..end)?);
            offset = end;
        }
        Ok(())
    }
}
