//! The file of a checkpoint: locked by one upload at a time, and written atomically.
//!
//! An upload that uses the file holds a lock on it. The checkpoint is written when the upload has begun,
//! before each finish, and after a finish that did not run. Each write is atomic, so a killed process
//! leaves the old or the new checkpoint.
//!
//! Other users may be able to write to the folder, as in /tmp. A link or file that they put at the path is
//! neither followed nor read. Only a checkpoint or an empty file is ever replaced or removed. Any other
//! file at the path keeps its content, and other files in the folder keep their names too.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::process::geteuid;

use super::checkpoint::{Checkpoint, Found, MAX_LEN, parse};
use super::trusted::{failed, folder_of, followed, metadata, open};
use crate::content::Identity;
use crate::error::{Error, Result, Status};

/// How often opening and locking is repeated when another process removes or replaces the file meanwhile.
const TRIES: usize = 100;

/// How many names are tried for a file beside the checkpoint, when names are taken.
const MOST_NAMES: usize = 100;

/// The suffixes of the temporary file, and of a file at the checkpoint's path that is no checkpoint.
const TEMPORARY: &str = ".us3-tmp";
const DAMAGED: &str = ".damaged";

/// A checkpoint file that nobody else may use while this value lives. If it contains no checkpoint at the
/// end, it is removed.
#[derive(Debug)]
pub(super) struct Claim {
    /// The path of the file; not of a symbolic link.
    path: PathBuf,
    locked: File,
    keep: bool,
    /// Why the last checkpoint may be lost in a power failure.
    unsynced: Option<io::Error>,
}

impl Claim {
    /// Locks the file, and creates it if it does not exist. Blocks on the disk, never on another's lock.
    pub(super) fn take(path: &Path, source: &Identity) -> Result<(Self, Found)> {
        let (path, by_link) = &followed(path)?;
        check_names(path, source)?;
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
            // Between opening and locking, the previous owner may have removed or replaced the file.
            if !is_at(&locked, path) {
                continue;
            }
            let mut claim = Self {
                path: path.to_owned(),
                locked,
                keep: true,
                unsynced: None,
            };
            let found = read(&claim.locked).map_err(|cause| failed("read", path, &cause))?;
            match (found, damaged.take()) {
                (Found::Damaged(why), _) if *by_link => return Err(no_checkpoint(path, &why)),
                (Found::Damaged(why), _) => {
                    move_away(path)?;
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

    /// Writes a checkpoint: replaces the file atomically.
    pub(super) fn write(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let text = serde_json::to_vec_pretty(checkpoint)
            .map_err(|cause| Error::new(Status::InternalError, format!("checkpoint: {cause}")))?;
        let written = replace(&self.path, checkpoint, &text);
        let (locked, unsynced) = written.map_err(|cause| {
            let mut error = failed("write", &self.path, &cause);
            if cause.kind() == ErrorKind::AlreadyExists {
                error.add(format_args!(
                    "every name from {} is taken",
                    beside(&self.path, TEMPORARY, 1).display()
                ));
            }
            error
        })?;
        // The old file stays locked until the new one is locked.
        let _ = self.locked.unlock();
        self.locked = locked;
        self.unsynced = unsynced;
        self.keep = true;
        Ok(())
    }

    /// What the host should know about the last write.
    pub(super) fn note(&self) -> Option<String> {
        let cause = self.unsynced.as_ref()?;
        let path = self.path.display();
        Some(format!(
            "the file system of checkpoint {path} refuses to sync it ({cause}): a killed process can go on, but after a power failure the upload may start afresh, its callback included"
        ))
    }

    /// The upload has ended: the file will be removed.
    pub(super) fn forget(&mut self) {
        self.keep = false;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.keep && is_at(&self.locked, &self.path) {
            // If the removal fails, the next run finds out that the upload has ended.
            let _ = std::fs::remove_file(&self.path);
        }
        // Unlocked explicitly: closing is not enough, because a process that was forked meanwhile holds the
        // lock as well.
        let _ = self.locked.unlock();
    }
}

/// A path with a suffix added to its last segment, and from the second attempt on also a number.
fn beside(path: &Path, ending: &str, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    if number > 1 {
        name.push(format!("-{number}"));
    }
    PathBuf::from(name)
}

/// The first free name beside `path`, and what `make` created under it.
fn under_a_free_name<T>(
    path: &Path,
    ending: &str,
    make: impl Fn(&Path) -> io::Result<T>,
) -> io::Result<(PathBuf, T)> {
    let mut number = 1;
    loop {
        let name = beside(path, ending, number);
        match make(&name) {
            Err(cause) if cause.kind() == ErrorKind::AlreadyExists && number < MOST_NAMES => {
                number += 1;
            }
            made => return made.map(|made| (name, made)),
        }
    }
}

/// Fails when the source has the first name of the temporary file or of a damaged checkpoint. A source with
/// one of the numbered names only occupies that name, like any other file.
fn check_names(path: &Path, source: &Identity) -> Result<()> {
    for ending in [TEMPORARY, DAMAGED] {
        let name = beside(path, ending, 1);
        if std::fs::metadata(&name).is_ok_and(|found| source.is_of(&found)) {
            return Err(Error::argument(format!(
                "the file to be uploaded is {}, a name that resume_path {} needs for itself; choose another resume_path",
                name.display(),
                path.display()
            )));
        }
    }
    Ok(())
}

/// Renames a file that is no checkpoint: the host may have named it by mistake.
fn move_away(path: &Path) -> Result<()> {
    let moved = under_a_free_name(path, DAMAGED, |name| rename_to_free(path, name));
    moved
        .map(|_| ())
        .map_err(|cause| failed("move away", path, &cause))
}

/// Renames the file, unless the new name is taken.
fn rename_to_free(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE).map_err(io::Error::from) {
        // Not every file system supports this.
        Err(cause) if is_unsupported(&cause) => {
            std::fs::hard_link(from, to)?;
            std::fs::remove_file(from)
        }
        renamed => renamed,
    }
}

/// Writes a checkpoint to a temporary file, locks it and moves it to `path`. Returns the locked file, and
/// why it may be lost in a power failure. A failure leaves no file behind.
fn replace(
    path: &Path,
    checkpoint: &Checkpoint,
    text: &[u8],
) -> io::Result<(File, Option<io::Error>)> {
    let (temporary, file) = under_a_free_name(path, TEMPORARY, |name| {
        if is_left_over(name, checkpoint) {
            let _ = std::fs::remove_file(name);
        }
        // A new file gets our permissions.
        OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(name)
    })?;
    let moved = fill(&file, text).and_then(|unsynced| {
        std::fs::rename(&temporary, path)?;
        Ok(unsynced)
    });
    match moved {
        Ok(unsynced) => Ok((file, unsynced.or_else(|| sync_folder(path).err()))),
        Err(cause) => {
            let _ = std::fs::remove_file(&temporary);
            Err(cause)
        }
    }
}

/// Whether a killed process left this temporary file: it is a checkpoint of the same object, belongs to
/// this user, and nobody has locked it.
fn is_left_over(temporary: &Path, checkpoint: &Checkpoint) -> bool {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW)
        .open(temporary);
    let Ok(file) = opened else { return false };
    let ours = |found: Metadata| found.is_file() && found.uid() == geteuid().as_raw();
    if !file.metadata().is_ok_and(ours) || file.try_lock().is_err() {
        return false;
    }
    let left = matches!(read(&file), Ok(Found::Checkpoint(left)) if left.same_object(checkpoint));
    // Unlocked explicitly, because a process that was forked meanwhile would keep the lock.
    let _ = file.unlock();
    left
}

/// The content of a file from its current position on.
fn read(file: &File) -> io::Result<Found> {
    let mut text = Vec::new();
    file.take(MAX_LEN + 1).read_to_end(&mut text)?;
    if text.is_empty() {
        return Ok(Found::Nothing);
    }
    if text.len() as u64 > MAX_LEN {
        return Ok(Found::Damaged("it is too long".to_owned()));
    }
    Ok(parse(&text))
}

/// Writes and locks a new file. Returns the error of a file system that cannot sync.
fn fill(mut file: &File, text: &[u8]) -> io::Result<Option<io::Error>> {
    file.write_all(text)?;
    let unsynced = match file.sync_all() {
        Err(cause) if is_unsupported(&cause) => Some(cause),
        synced => synced.map(|()| None)?,
    };
    file.try_lock()?;
    Ok(unsynced)
}

fn is_unsupported(cause: &io::Error) -> bool {
    let unsupported = [libc::EINVAL, libc::ENOSYS, libc::EOPNOTSUPP];
    cause
        .raw_os_error()
        .is_some_and(|errno| unsupported.contains(&errno))
}

/// Syncs the folder. The new file is in place even if this fails; the sync only protects it against a power
/// failure.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::symlink_metadata(path)) {
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

/// The target of the link may be any file of the host, and another user may have made the link.
fn no_checkpoint(path: &Path, why: &str) -> Error {
    Error::new(
        Status::FileError,
        format!(
            "resume_path is a symbolic link to {}, which is no checkpoint ({why}) and is left alone; remove the link or the file, or name another resume_path",
            path.display()
        ),
    )
}
