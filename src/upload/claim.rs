//! The file of a checkpoint, which one upload at a time has to itself.
//!
//! Whoever works on it holds a lock on it. It is written when the upload has begun, before each finish, and after a
//! finish that did not run. Each write is atomic, so that a process that is killed leaves the old or the new
//! checkpoint.
//!
//! The folder may be one that other users write to, such as /tmp. What they put in the file's place is neither
//! followed nor read. Only a checkpoint, or an empty file in its place, is ever replaced or removed; what else is there
//! keeps its content, and other files beside it keep their names as well.

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

/// Rounds of opening and locking, when others remove or replace the file meanwhile.
const TRIES: usize = 100;

/// Names that are tried for a file beside the checkpoint, when others have them.
const MOST_NAMES: usize = 100;

/// Of the temporary file, and of what was found in the checkpoint's place and is none.
const TEMPORARY: &str = ".us3-tmp";
const DAMAGED: &str = ".damaged";

/// A checkpoint file that nobody else may use while this value lives. Without a checkpoint in
/// it, the file is removed at the end.
#[derive(Debug)]
pub(super) struct Claim {
    /// Where the file is; no symbolic link.
    path: PathBuf,
    locked: File,
    keep: bool,
    /// Why the last checkpoint may not outlive a power failure.
    unsynced: Option<io::Error>,
}

impl Claim {
    /// Locks the file, which is made if need be. Blocks on the disk, never on another's lock.
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
            // Between opening and locking, its owner may have removed or replaced it.
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

    /// Replaces what the file holds, at once or not at all.
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
        // The old file is held until the new one is.
        let _ = self.locked.unlock();
        self.locked = locked;
        self.unsynced = unsynced;
        self.keep = true;
        Ok(())
    }

    /// What the host should know of the last write.
    pub(super) fn note(&self) -> Option<String> {
        let cause = self.unsynced.as_ref()?;
        let path = self.path.display();
        Some(format!(
            "the file system of checkpoint {path} refuses to sync it ({cause}): a killed process can go on, but after a power failure the upload may start afresh, its callback included"
        ))
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

/// A path with something added to its last segment, and from the second on a number as well.
fn beside(path: &Path, ending: &str, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    if number > 1 {
        name.push(format!("-{number}"));
    }
    PathBuf::from(name)
}

/// The first name beside `path` that nobody has, and what `make` made under it.
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

/// Fails when the source has one of the names that the checkpoint needs. Where it has another of them it is only in
/// the way, as any other file.
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

/// Keeps what is no checkpoint: it may be a file of the host's that was named by mistake.
fn move_away(path: &Path) -> Result<()> {
    let moved = under_a_free_name(path, DAMAGED, |name| rename_to_free(path, name));
    moved
        .map(|_| ())
        .map_err(|cause| failed("move away", path, &cause))
}

/// Renames unless the new name is taken.
fn rename_to_free(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE).map_err(io::Error::from) {
        // Not every file system can.
        Err(cause) if is_unsupported(&cause) => {
            std::fs::hard_link(from, to)?;
            std::fs::remove_file(from)
        }
        renamed => renamed,
    }
}

/// Writes a checkpoint to a temporary file, locks that and moves it to `path`. The locked file, and why it may not
/// outlive a power failure. A failure leaves nothing behind.
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

/// Whether a process that was killed left this temporary file: a checkpoint of the same object, written by this user
/// and in use by nobody.
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
    // A process that was forked meanwhile must not keep the lock.
    let _ = file.unlock();
    left
}

/// What a file holds, from where it was read to.
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

/// Writes and locks a new file. Some file systems cannot sync, and say why.
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

/// The new file is in its place whatever comes of this: it only has to outlive a power failure as well.
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

/// It may be any file of the host's, and whoever made the link may be another.
fn no_checkpoint(path: &Path, why: &str) -> Error {
    Error::new(
        Status::FileError,
        format!(
            "resume_path is a symbolic link to {}, which is no checkpoint ({why}) and is left alone; remove the link or the file, or name another resume_path",
            path.display()
        ),
    )
}
