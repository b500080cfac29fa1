//! Where the bytes come from: a file or memory, opened once and read in ranges, as often as needed.
//!
//! [`Chunks`] is the one place that reads and hashes content. It is driven by whoever sends: one
//! chunk is read ahead, on a thread that may block, and hashed there while it is still in cache.
//! When nobody asks for more, nothing more is read.

use std::fs::{File, Metadata, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::error::{Error, Result, Status};
use crate::etag::{ContentDigest, EtagHasher};
pub use crate::reader::Reader;

/// Bytes read at once: large enough that the calls do not matter, small enough to stay in cache
/// between reading, hashing and sending.
const CHUNK_SIZE: usize = 256 << 10;

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
    buffers: Buffers,
}

#[derive(Clone, Debug)]
enum Kind {
    File(Arc<OpenFile>),
    Memory(Bytes),
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    /// As the caller wrote it, for messages.
    path: PathBuf,
    /// The host may change its working directory while we read.
    absolute: PathBuf,
    identity: Identity,
}

/// What tells a file from its changed self.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// Absolute; bytes that are not UTF-8 are replaced, which the inode makes up for.
    path: String,
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Content {
    /// Opens the source. Blocks on the disk.
    pub(crate) fn open(source: &Source) -> Result<Self> {
        let (kind, size) = match source {
            Source::File(path) => {
                let file = OpenFile::open(path)?;
                let size = file.identity.size;
                (Kind::File(Arc::new(file)), size)
            }
            Source::Memory(bytes) => (Kind::Memory(bytes.clone()), bytes.len() as u64),
            Source::Reader(_) => return Err(Error::argument("a stream is read only once")),
        };
        Ok(Self {
            kind,
            size,
            buffers: Buffers::default(),
        })
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
    /// unchanged, so that a changed file is never sent to its end.
    /// What becomes of the reading is told to `outcome`.
    pub(crate) fn chunks(
        &self,
        range: Range<u64>,
        hasher: Option<EtagHasher>,
        outcome: &Outcome,
    ) -> Chunks {
        debug_assert!(range.end <= self.size);
        let mut chunks = Chunks {
            content: self.clone(),
            offset: range.start,
            remaining: range.end - range.start,
            state: ReadState::Idle(hasher.map(Box::new)),
            outcome: outcome.clone(),
        };
        if chunks.remaining == 0 {
            chunks.finish();
        }
        chunks
    }

    /// Reads a whole range into one of the reused buffers. Blocks on the disk.
    pub(crate) fn load(&self, range: Range<u64>) -> Result<Bytes> {
        let len = (range.end - range.start) as usize;
        match &self.kind {
            Kind::Memory(bytes) => Ok(bytes.slice(range.start as usize..range.end as usize)),
            Kind::File(file) => {
                let mut buffer = self.buffers.take(len)?;
                file.read_exact_at(&mut buffer.data[..len], range.start)?;
                Ok(Bytes::from_owner(buffer).slice(..len))
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

impl OpenFile {
    fn open(path: &Path) -> Result<Self> {
        let failed = |cause: std::io::Error| {
            Error::file(format_args!("cannot open file {}", path.display()), &cause)
        };
        // Non-blocking, so that a FIFO without a writer cannot hold the caller; regular files
        // ignore it.
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(Error::new(
                Status::FileError,
                format!(
                    "{} is {}, not a regular file; only regular files can be uploaded by path",
                    path.display(),
                    kind_of(&metadata)
                ),
            ));
        }
        let absolute = std::path::absolute(path).map_err(failed)?;
        Ok(Self {
            file,
            path: path.to_owned(),
            identity: Identity::of(&absolute, &metadata),
            absolute,
        })
    }

    /// A short read is not the end of a file, and an end before the size seen at opening is a
    /// change.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.file
            .read_exact_at(buffer, offset)
            .map_err(|cause| match cause.kind() {
                std::io::ErrorKind::UnexpectedEof => {
                    self.changed("it became shorter while it was read")
                }
                _ => Error::file(
                    format_args!("cannot read file {} at byte {offset}", self.path.display()),
                    &cause,
                ),
            })
    }

    fn check_unchanged(&self) -> Result<()> {
        let identity = |metadata: Metadata| Identity::of(&self.absolute, &metadata);
        let opened = self.file.metadata().map(identity);
        let named = std::fs::metadata(&self.absolute).map(identity);
        match (opened, named) {
            (Ok(opened), _) if opened != self.identity => {
                Err(self.changed("its size or modification time changed"))
            }
            (_, Ok(named)) if named != self.identity => {
                Err(self.changed("another file took its place"))
            }
            // A file that was unlinked while open is still whole.
            _ => Ok(()),
        }
    }

    fn changed(&self, how: &str) -> Error {
        Error::new(
            Status::FileChanged,
            format!(
                "file {} changed during the upload: {how}; upload it again when nobody writes to it",
                self.path.display()
            ),
        )
    }
}

impl Identity {
    /// Whether it is the same file, whatever its path and content.
    pub(crate) fn is_of(&self, metadata: &Metadata) -> bool {
        (self.device, self.inode) == (metadata.dev(), metadata.ino())
    }

    fn of(path: &Path, metadata: &Metadata) -> Self {
        Self {
            path: path.to_string_lossy().into_owned(),
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

fn kind_of(metadata: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = metadata.file_type();
    if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

/// What reading a range has come to, for those who do not hold the [`Chunks`] any more.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome(Arc<Mutex<OutcomeState>>);

#[derive(Debug, Default)]
struct OutcomeState {
    digest: Option<ContentDigest>,
    error: Option<Error>,
}

impl Outcome {
    /// The digest of the range, once it was read to its end and a hasher was given.
    pub(crate) fn digest(&self) -> Option<ContentDigest> {
        self.lock().digest.clone()
    }

    /// Why reading failed.
    pub(crate) fn error(&self) -> Option<Error> {
        self.lock().error.clone()
    }

    fn lock(&self) -> MutexGuard<'_, OutcomeState> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// A range of the content, chunk by chunk.
#[derive(Debug)]
pub(crate) struct Chunks {
    content: Content,
    offset: u64,
    /// Bytes not yet handed out.
    remaining: u64,
    state: ReadState,
    outcome: Outcome,
}

#[derive(Debug)]
enum ReadState {
    Idle(Option<Box<EtagHasher>>),
    Reading(JoinHandle<Result<Read>>),
    /// At the end, or failed.
    Done,
}

#[derive(Debug)]
struct Read {
    bytes: Bytes,
    hasher: Option<Box<EtagHasher>>,
}

impl Chunks {
    /// Where the digest and a failure will be found.
    pub(crate) fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }

    /// Bytes not yet handed out.
    pub(crate) fn remaining(&self) -> u64 {
        self.remaining
    }

    /// The next chunk; None at the end.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        if self.remaining == 0 {
            return Poll::Ready(None);
        }
        if matches!(self.state, ReadState::Idle(_)) {
            self.start_reading();
        }
        let ReadState::Reading(reading) = &mut self.state else {
            return Poll::Ready(None);
        };
        let read = ready!(Pin::new(reading).poll(cx)).unwrap_or_else(|_| {
            Err(Error::new(
                Status::InternalError,
                "the thread that read the file failed; this is a bug in libus3",
            ))
        });
        match read {
            Ok(read) => Poll::Ready(Some(Ok(self.take(read)))),
            Err(error) => {
                self.state = ReadState::Done;
                self.outcome.lock().error = Some(error.clone());
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    fn take(&mut self, read: Read) -> Bytes {
        let len = read.bytes.len() as u64;
        self.offset += len;
        self.remaining -= len;
        self.state = ReadState::Idle(read.hasher);
        if self.remaining > 0 {
            self.start_reading();
        } else {
            self.finish();
        }
        read.bytes
    }

    fn finish(&mut self) {
        if let ReadState::Idle(hasher) = std::mem::replace(&mut self.state, ReadState::Done) {
            self.outcome.lock().digest = hasher.map(|hasher| hasher.finish());
        }
    }

    fn start_reading(&mut self) {
        let ReadState::Idle(hasher) = std::mem::replace(&mut self.state, ReadState::Done) else {
            return;
        };
        let content = self.content.clone();
        let offset = self.offset;
        let len = self.remaining.min(CHUNK_SIZE as u64);
        let last = self.remaining == len;
        let job = move || content.read_chunk(offset, len, last, hasher);
        self.state = ReadState::Reading(spawn_blocking(job));
    }
}

impl Content {
    fn read_chunk(
        &self,
        offset: u64,
        len: u64,
        last: bool,
        mut hasher: Option<Box<EtagHasher>>,
    ) -> Result<Read> {
        let bytes = self.load(offset..offset + len)?;
        // Before the last chunk leaves: a service that lacks it cannot store a changed file.
        if last {
            self.check_unchanged()?;
        }
        if let Some(hasher) = &mut hasher {
            hasher.update(&bytes);
        }
        Ok(Read { bytes, hasher })
    }
}

/// Chunk buffers of one upload, used again and again: fresh memory costs a page fault for every
/// 4 KiB.
#[derive(Clone, Debug, Default)]
struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

/// A buffer that goes back when the last slice of it is dropped.
#[derive(Debug)]
struct Buffer {
    data: Vec<u8>,
    home: Buffers,
}

impl Buffers {
    fn take(&self, len: usize) -> Result<Buffer> {
        let mut data = self.lock().pop().unwrap_or_default();
        // Memory that is not to be had must not abort the host.
        let missing = len.saturating_sub(data.len());
        data.try_reserve_exact(missing).map_err(|_| {
            Error::new(
                Status::InternalError,
                format!("no memory for a buffer of {len} bytes; use fewer jobs"),
            )
        })?;
        data.resize(len.max(data.len()), 0);
        Ok(Buffer {
            data,
            home: self.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.home.lock().push(std::mem::take(&mut self.data));
    }
}
