//! The checkpoint file of a resumable upload: which upload it is, of which file, and no secrets.
//!
//! It is written when the upload has begun, before each finish, and after a finish that did not run; which parts are
//! there the service itself tells. Each write is atomic, so that a process that is killed leaves
//! the old or the new checkpoint. Whoever works on it holds a lock on it.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, Status};
use crate::service::LARGEST_PART;
use crate::source::Identity;

/// Changes when an older library must not read a newer checkpoint.
const VERSION: u32 = 2;

/// It does not tell when the finish was sent.
const FIRST_VERSION: u32 = 1;

/// More than any checkpoint; the file may be anything.
const MAX_LEN: u64 = 64 << 10;

/// Rounds of opening and locking, when others remove or replace the file meanwhile.
const TRIES: usize = 100;

/// An upload that can go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    version: u32,
    /// Scheme and authority.
    pub(super) endpoint: String,
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) file: Identity,
    pub(super) part_size: u64,
    pub(super) upload_id: String,
    /// The finish may have been sent.
    pub(super) finishing: bool,
    /// When that was. Checkpoints of the first version do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) finish: Option<FinishSent>,
}

/// A finish that may have been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FinishSent {
    /// It carries a policy.
    pub(super) policy: bool,
    /// By the service's Date, in seconds since 1970; None when it had not told the time.
    pub(super) at: Option<u64>,
    /// Milliseconds after `at` until it can no longer run.
    pub(super) lasts_ms: u64,
}

impl Checkpoint {
    pub(super) fn new(endpoint: String, bucket: &str, key: &str, file: Identity) -> Self {
        Self {
            version: VERSION,
            endpoint,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            file,
            part_size: 0,
            upload_id: String::new(),
            finishing: false,
            finish: None,
        }
    }

    /// Whether both are about the same object.
    pub(super) fn same_object(&self, other: &Self) -> bool {
        (&self.endpoint, &self.bucket, &self.key) == (&other.endpoint, &other.bucket, &other.key)
    }
}

/// What a claimed file held.
#[derive(Debug)]
pub(super) enum Found {
    Nothing,
    Checkpoint(Box<Checkpoint>),
    /// It could not be read as a checkpoint, and why. What it held was kept, beside it.
    Damaged(String),
}

/// A checkpoint file that nobody else may use while this value lives. Without a checkpoint in
/// it, the file is removed at the end.
#[derive(Debug)]
pub(super) struct Claim {
    path: PathBuf,
    locked: File,
    keep: bool,
}

impl Claim {
    /// Locks the file, which is made if need be. Blocks on the disk, never on another's lock.
    pub(super) fn take(path: &Path, source: &Identity) -> Result<(Self, Found)> {
        let mut damaged = None;
        for _ in 0..TRIES {
            let locked = open(path)?;
            match locked.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(in_use(path)),
                Err(TryLockError::Error(cause)) => return Err(failed("lock", path, &cause)),
            }
            if source.is_of(&metadata(&locked, path)?) {
                return Err(Error::argument(format!(
                    "resume_path {} is the file to be uploaded; it must be a file of its own",
                    path.display()
                )));
            }
            // Between opening and locking, its owner may have removed or replaced it.
            if !is_at(&locked, path) {
                continue;
            }
            let mut claim = Self {
                path: path.to_owned(),
                locked,
                keep: true,
            };
            match (claim.read()?, damaged.take()) {
                (Found::Damaged(why), _) => {
                    claim.move_away()?;
                    damaged = Some(why);
                }
                (Found::Nothing, Some(why)) => {
                    claim.keep = false;
                    return Ok((claim, Found::Damaged(why)));
                }
                (found, _) => {
                    claim.keep = !matches!(found, Found::Nothing);
                    return Ok((claim, found));
                }
            }
        }
        Err(in_use(path))
    }

    fn read(&mut self) -> Result<Found> {
        let mut text = Vec::new();
        let read = (&self.locked).take(MAX_LEN + 1).read_to_end(&mut text);
        read.map_err(|cause| failed("read", &self.path, &cause))?;
        if text.is_empty() {
            return Ok(Found::Nothing);
        }
        if text.len() as u64 > MAX_LEN {
            return Ok(Found::Damaged("it is too long".to_owned()));
        }
        Ok(parse(&text))
    }

    /// Keeps what is no checkpoint: it may be a file of the host's that was named by mistake.
    fn move_away(&self) -> Result<()> {
        let moved = std::fs::rename(&self.path, beside(&self.path, ".damaged"));
        moved.map_err(|cause| failed("move away", &self.path, &cause))
    }

    /// Replaces what the file holds, at once or not at all.
    pub(super) fn write(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let text = serde_json::to_vec_pretty(checkpoint)
            .map_err(|cause| Error::new(Status::InternalError, format!("checkpoint: {cause}")))?;
        let written = replace(&beside(&self.path, ".us3-tmp"), &self.path, &text);
        let _ = self.locked.unlock();
        self.locked = written.map_err(|cause| failed("write", &self.path, &cause))?;
        self.keep = true;
        Ok(())
    }

    /// The upload is over: the file is removed at the end.
    pub(super) fn forget(&mut self) {
        self.keep = false;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.keep && is_at(&self.locked, &self.path) {
            // A checkpoint that stays is found out to be over by the next run.
            let _ = std::fs::remove_file(&self.path);
        }
        // Closing would not do: a process that was forked meanwhile holds the lock as well.
        let _ = self.locked.unlock();
    }
}

fn parse(text: &[u8]) -> Found {
    match serde_json::from_slice::<Checkpoint>(text) {
        Ok(read) if !(FIRST_VERSION..=VERSION).contains(&read.version) => {
            Found::Damaged(format!("it is of version {}", read.version))
        }
        Ok(read) if !(1..=LARGEST_PART).contains(&read.part_size) || read.upload_id.is_empty() => {
            Found::Damaged("it names no upload".to_owned())
        }
        Ok(read) => Found::Checkpoint(Box::new(read)),
        Err(cause) => Found::Damaged(cause.to_string()),
    }
}

/// A path with something added to its last segment.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Writes `text` to `temporary`, locks it and moves it to `path`; the locked file.
fn replace(temporary: &Path, path: &Path, text: &[u8]) -> std::io::Result<File> {
    // Left by a process that was killed; a new file gets our permissions.
    let _ = std::fs::remove_file(temporary);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(temporary)?;
    file.write_all(text)?;
    file.sync_all()?;
    file.try_lock()?;
    std::fs::rename(temporary, path)?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(file)
}

/// Opens the file, or makes it: never at the other end of a link to nothing, which another user may have put into a
/// folder that both write to.
fn open(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    // A FIFO must not hold the caller.
    options
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK);
    let is =
        |opened: &std::io::Result<File>, kind| matches!(opened, Err(cause) if cause.kind() == kind);
    let mut opened = options.open(path);
    if is(&opened, ErrorKind::NotFound) {
        opened = options.clone().create_new(true).mode(0o600).open(path);
    }
    // Another upload has made it meanwhile.
    if is(&opened, ErrorKind::AlreadyExists) {
        opened = options.open(path);
    }
    let opened = opened.map_err(|cause| failed("open", path, &cause))?;
    if !metadata(&opened, path)?.is_file() {
        return Err(Error::new(
            Status::FileError,
            format!("checkpoint {} is not a regular file", path.display()),
        ));
    }
    Ok(opened)
}

fn metadata(file: &File, path: &Path) -> Result<Metadata> {
    file.metadata()
        .map_err(|cause| failed("look at", path, &cause))
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(ours), Ok(named)) => (ours.dev(), ours.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

fn in_use(path: &Path) -> Error {
    Error::new(
        Status::FileError,
        format!(
            "checkpoint {} is in use by another upload, in this process or another; wait for it, or use one resume_path for each upload",
            path.display()
        ),
    )
}

fn failed(what: &str, path: &Path, cause: &std::io::Error) -> Error {
    Error::file(
        format_args!("cannot {what} checkpoint {}", path.display()),
        cause,
    )
}
