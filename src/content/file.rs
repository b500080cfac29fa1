//! A file to be uploaded, and what tells it from its changed self.

use std::fmt::Display;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, IoSliceMut};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::io::{ReadWriteFlags, preadv2};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, Status};

#[derive(Debug)]
pub(super) struct OpenFile {
    file: File,
    /// Absolute: the host may change its working directory while we read.
    pub(super) path: PathBuf,
    pub(super) identity: Identity,
    changed: ChangeTime,
}

/// What tells a file from its changed self.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// Absolute, for people; bytes that are not UTF-8 are replaced.
    path: String,
    device: u64,
    inode: u64,
    pub(super) size: u64,
    modified: (i64, i64),
}

/// When a file's content, name, links, owner or permissions last changed (its ctime). Nobody can set it, unlike
/// the modification time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChangeTime(i64, i64);

impl OpenFile {
    pub(super) fn open(path: &Path) -> Result<Self> {
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
        let path = std::path::absolute(path).map_err(failed)?;
        Ok(Self {
            file,
            identity: Identity::of(&path, &metadata),
            changed: ChangeTime::of(&metadata),
            path,
        })
    }

    /// A short read is not the end of a file.
    pub(super) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            let at = offset + filled as u64;
            match self.read_at(&mut buffer[filled..], at)? {
                0 => return Err(self.ended_early(at)),
                count => filled += count,
            }
        }
        Ok(())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        loop {
            match self.file.read_at(buffer, offset) {
                Err(cause) if cause.kind() == ErrorKind::Interrupted => {}
                read => return read.map_err(|cause| self.unreadable(offset, &cause)),
            }
        }
    }

    fn unreadable(&self, offset: u64, cause: &std::io::Error) -> Error {
        let path = self.path.display();
        Error::file(
            format_args!("cannot read file {path} at byte {offset}"),
            cause,
        )
    }

    /// The file ended before the size that it had when it was opened.
    fn ended_early(&self, end: u64) -> Error {
        match self.touched() {
            Ok(None) => self.size_is_not_true(format_args!("ends after {end}")),
            Ok(Some(_)) => self.changed("it became shorter while it was read"),
            Err(changed) => changed,
        }
    }

    /// Reads what the page cache has, without waiting for the disk; false unless that is all of it.
    pub(super) fn read_cached(&self, buffer: &mut [u8], offset: u64) -> bool {
        let len = buffer.len();
        let buffers = &mut [IoSliceMut::new(buffer)];
        // A file system that cannot tell refuses; every other failure shows again where it may wait.
        preadv2(&self.file, buffers, offset, ReadWriteFlags::NOWAIT) == Ok(len)
    }

    /// Fails when it is no longer the file of that name, as it was; else as [`Self::look`].
    pub(super) fn look_with_name(&self) -> Result<Option<ChangeTime>> {
        let touched = self.look()?;
        match std::fs::metadata(&self.path) {
            Ok(named) if !self.identity.is_unchanged(&named) => {
                Err(self.changed("another file took its place"))
            }
            // A file that was unlinked while open is still whole.
            _ => Ok(touched),
        }
    }

    /// Fails when it was written to, or holds more than its size. The time of the change if it was perhaps
    /// written to since it was opened; it may as well have been renamed, linked or given other permissions.
    pub(super) fn look(&self) -> Result<Option<ChangeTime>> {
        let beyond = self.read_at(&mut [0], self.identity.size)?;
        let touched = self.touched()?;
        if beyond > 0 {
            return Err(match touched {
                None => self.size_is_not_true("holds more"),
                Some(_) => self.changed("it became longer"),
            });
        }
        Ok(touched)
    }

    fn touched(&self) -> Result<Option<ChangeTime>> {
        let now = self.file.metadata().map_err(|cause| {
            Error::file(
                format_args!("cannot look at file {}", self.path.display()),
                &cause,
            )
        })?;
        if !self.identity.is_unchanged(&now) {
            return Err(self.changed("its size or modification time changed"));
        }
        let changed = ChangeTime::of(&now);
        Ok((changed != self.changed).then_some(changed))
    }

    /// Files of /proc and /sys and of some FUSE are made while they are read.
    fn size_is_not_true(&self, how: impl Display) -> Error {
        Error::new(
            Status::FileError,
            format!(
                "file {} says that it has {} bytes, but {how}: it never had a true size, as in /proc, /sys and some FUSE; read it yourself and upload it as a stream",
                self.path.display(),
                self.identity.size
            ),
        )
    }

    pub(super) fn changed(&self, how: &str) -> Error {
        Error::new(
            Status::FileChanged,
            format!(
                "file {} changed during the upload: {how}; upload it again when nobody writes to it",
                self.path.display()
            ),
        )
    }
}

impl ChangeTime {
    fn of(metadata: &Metadata) -> Self {
        Self(metadata.ctime(), metadata.ctime_nsec())
    }
}

impl Identity {
    /// Bytes in it.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Whether it is the same file with the same content, as far as this tells. Its path does not count, nor its
    /// device, whose number may be another after each mount (btrfs, overlay, NFS).
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (self.inode, self.size, self.modified) == (other.inode, other.size, other.modified)
    }

    /// Whether it is the same file, whatever its path and content.
    pub(crate) fn is_of(&self, metadata: &Metadata) -> bool {
        (self.device, self.inode) == (metadata.dev(), metadata.ino())
    }

    /// Whether it is the same file with the same content, whatever its path.
    fn is_unchanged(&self, metadata: &Metadata) -> bool {
        self.is_of(metadata) && (self.size, self.modified) == (metadata.size(), modified(metadata))
    }

    fn of(path: &Path, metadata: &Metadata) -> Self {
        Self {
            path: path.to_string_lossy().into_owned(),
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: modified(metadata),
        }
    }
}

/// Seconds and nanoseconds.
fn modified(metadata: &Metadata) -> (i64, i64) {
    (metadata.mtime(), metadata.mtime_nsec())
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
