//! A file to be uploaded, and what tells it from its changed self.

use std::fs::{File, Metadata, OpenOptions};
use std::io::IoSliceMut;
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
}

/// What tells a file from its changed self.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// Absolute; bytes that are not UTF-8 are replaced, which the inode makes up for.
    path: String,
    device: u64,
    inode: u64,
    pub(super) size: u64,
    modified: (i64, i64),
}

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
            path,
        })
    }

    /// A short read is not the end of a file, and an end before the size seen at opening is a
    /// change.
    pub(super) fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
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

    /// Reads what the page cache has, without waiting for the disk; false unless that is all of it.
    pub(super) fn read_cached(&self, buffer: &mut [u8], offset: u64) -> bool {
        let len = buffer.len();
        let buffers = &mut [IoSliceMut::new(buffer)];
        // A file system that cannot tell refuses; every other failure shows again where it may wait.
        preadv2(&self.file, buffers, offset, ReadWriteFlags::NOWAIT) == Ok(len)
    }

    /// Whether it is still the file of that name, as it was.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        self.check_untouched()?;
        match std::fs::metadata(&self.path) {
            Ok(named) if !self.identity.is_unchanged(&named) => {
                Err(self.changed("another file took its place"))
            }
            // A file that was unlinked while open is still whole.
            _ => Ok(()),
        }
    }

    /// Whether nobody has written to it, whatever its name stands for by now.
    pub(super) fn check_untouched(&self) -> Result<()> {
        match self.file.metadata() {
            Ok(opened) if !self.identity.is_unchanged(&opened) => {
                Err(self.changed("its size or modification time changed"))
            }
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
