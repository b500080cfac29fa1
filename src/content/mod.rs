//! Where the bytes come from: a file or memory. It is opened once, and its ranges can be read any number of
//! times.
//!
//! [`Chunks`] is the only place that reads what is sent. The sender drives it: nothing is read before the
//! sender asks for it.

mod buffers;
mod chunks;
mod file;
pub(crate) mod hashing;
mod reader;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use md5::{Digest, Md5};

use crate::error::{Error, Result, Status};
use crate::protocol::etag::{ContentDigest, EtagHasher};
use crate::runtime::sync::unpoisoned;
pub(crate) use buffers::Buffers;
pub(crate) use chunks::{Chunks, ReadOutcome};
use chunks::{IfTouched, Read};
use file::OpenFile;
pub(crate) use file::{Identity, Touched};
use hashing::Hashing;
pub use reader::Reader;

/// Bytes per read: large enough that the cost of system calls does not matter, small enough to stay in the
/// processor's cache between reading, hashing and sending.
const CHUNK_SIZE: usize = 256 << 10;

/// A file up to this size is read when it is opened, which saves a second switch to a thread that may
/// block.
const SMALL_FILE: u64 = 64 << 10;

/// How often a file is read again when it is touched during the reading.
pub(crate) const COMPARISONS: usize = 3;

/// What to upload.
#[derive(Clone, Debug)]
pub enum Source {
    /// A regular file, read with positioned reads while it is sent.
    File(PathBuf),
    /// Bytes in memory, never copied.
    Memory(Bytes),
    /// A stream of unknown length, read in order while it is sent, by one thread at a time.
    Reader(Reader),
}

/// An opened source. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    kind: Kind,
    size: u64,
    /// The bytes of a small file, read when it was opened. The first reader takes them.
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
        content.read_first()?;
        Ok(content)
    }

    /// A second source, in memory, that shares the buffers and hashing of this one.
    pub(crate) fn with(&self, bytes: Bytes) -> Self {
        Self {
            size: bytes.len() as u64,
            kind: Kind::Memory(bytes),
            small: Arc::default(),
            buffers: self.buffers.clone(),
            hashing: self.hashing.clone(),
        }
    }

    /// Reads a small file. Checks of a larger file that its size is true, before anything is sent.
    fn read_first(&self) -> Result<()> {
        let Kind::File(file) = &self.kind else {
            return Ok(());
        };
        if self.size > SMALL_FILE {
            return file.look().map(|_| ());
        }
        let whole = 0..self.size;
        let chunk = self.load(whole.clone())?;
        // The path is not looked up again, because the file was opened a moment ago.
        if file.look()?.is_some() {
            self.check_same(|| Ok(self.load(whole.clone())? == chunk))?;
        }
        *self.small() = Some(chunk);
        Ok(())
    }

    fn small(&self) -> MutexGuard<'_, Option<Bytes>> {
        unpoisoned(self.small.lock())
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

    /// The facts that show whether the file has changed; None for memory.
    pub(crate) fn identity(&self) -> Option<Identity> {
        match &self.kind {
            Kind::File(file) => Some(file.identity.clone()),
            Kind::Memory(_) => None,
        }
    }

    /// The name of the source in messages.
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

    /// Fails if the path names another file than the one that was opened, or if the file was written to.
    /// Says if the file may have been written to: then only a comparison of its content can decide. Blocks
    /// on the disk.
    pub(crate) fn look(&self) -> Result<Option<Touched>> {
        match &self.kind {
            Kind::File(file) => file.look_with_name(),
            Kind::Memory(_) => Ok(None),
        }
    }

    /// Reads a range of a touched file again, and fails unless it has this digest, which is that of the
    /// bytes that were sent. Blocks on the disk.
    fn check_content(&self, range: Range<u64>, sent: &ContentDigest) -> Result<()> {
        self.check_same(|| Ok(self.digest(range.clone(), EtagHasher::object())? == *sent))
    }

    /// Compares until the file is not touched during a comparison; fails if the content differs.
    fn check_same(&self, is_same: impl Fn() -> Result<bool>) -> Result<()> {
        for _ in 0..COMPARISONS {
            let touched = self.look()?;
            if let Some(touched) = touched {
                touched.wait_for_next_tick();
            }
            if !is_same()? {
                return Err(self.differs());
            }
            if self.look()? == touched {
                return Ok(());
            }
        }
        Err(self.touched_again())
    }

    /// The error: the file contains other bytes than were sent.
    pub(crate) fn differs(&self) -> Error {
        self.changed("its content is no longer what was sent, although its size and modification time are as before")
    }

    /// The error: the file cannot be compared, because it keeps changing.
    pub(crate) fn touched_again(&self) -> Error {
        self.changed("it was touched again each time that it was compared with what was sent")
    }

    /// The error: the file cannot be compared, because there is no digest of what was sent.
    pub(crate) fn untold(&self) -> Error {
        self.changed("it was written to, or only renamed, linked or given other permissions, and with verify_etag off nothing tells which")
    }

    fn changed(&self, how: &str) -> Error {
        match &self.kind {
            Kind::File(file) => file.changed(how),
            Kind::Memory(_) => Error::new(Status::FileChanged, how),
        }
    }

    /// Reads the whole content chunk by chunk, for a request that stores it. The last chunk is only
    /// returned if the file is unchanged, so that a changed file is never sent to its end. A small file was
    /// checked when it was read. `outcome` receives the digest or the failure.
    pub(crate) fn whole(&self, hasher: Option<EtagHasher>, outcome: &ReadOutcome) -> Chunks {
        self.chunks_of(0..self.size, hasher, outcome, IfTouched::Compare)
    }

    /// Reads a part in the same way, but does not compare a touched file: the finish compares the file
    /// once, instead of once for each part.
    pub(crate) fn part(
        &self,
        range: Range<u64>,
        hasher: Option<EtagHasher>,
        outcome: &ReadOutcome,
    ) -> Chunks {
        self.chunks_of(range, hasher, outcome, IfTouched::Go)
    }

    fn chunks_of(
        &self,
        range: Range<u64>,
        hasher: Option<EtagHasher>,
        outcome: &ReadOutcome,
        if_touched: IfTouched,
    ) -> Chunks {
        debug_assert!(range.end <= self.size);
        let whole = range == (0..self.size);
        let content = match self.small().take_if(|_| whole) {
            Some(bytes) => self.with(bytes),
            None => self.clone(),
        };
        let queue = hasher.map(|hasher| Arc::new(self.hashing.queue(hasher)));
        Chunks::new(content, range, queue, outcome.clone(), if_touched)
    }

    /// Whether a chunk can be read without the disk. The last chunk of a file cannot: before it leaves, the
    /// file is checked, so that the service never receives all of a changed file.
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
        Ok(Read {
            cached: cached.is_some(),
            chunk: cached.map_or_else(|| self.load(range), Ok)?,
            // Checked after the read: a change that this check does not see came later.
            touched: match last {
                true => self.look()?,
                false => None,
            },
        })
    }

    /// Reads a whole range into one of the reused buffers. Blocks on the disk.
    pub(crate) fn load(&self, range: Range<u64>) -> Result<Bytes> {
        let len = (range.end - range.start) as usize;
        // Not locked during the disk read, because the threads that drive sockets use this lock too.
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

    /// Content-MD5 of the whole, in lower-case hex. Blocks on the disk.
    pub(crate) fn md5(&self) -> Result<String> {
        let mut md5 = Md5::new();
        self.for_each_piece(0..self.size, |piece| md5.update(piece))?;
        let md5 = md5.finalize();
        let hex = md5.iter().map(|byte| format!("{byte:02x}"));
        Ok(hex.collect())
    }

    /// Reads a range once, piece by piece. Blocks on the disk.
    fn for_each_piece(&self, range: Range<u64>, mut take: impl FnMut(&[u8])) -> Result<()> {
        let mut offset = range.start;
        while offset < range.end {
            let end = range.end.min(offset + CHUNK_SIZE as u64);
            take(&self.load(offset..end)?);
            offset = end;
        }
        Ok(())
    }
}
