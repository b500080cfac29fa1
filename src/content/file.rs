//! A file to upload, and the facts (size, times, inode) that show whether it has changed.

use std::fmt::Display;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, IoSliceMut};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use rustix::io::{ReadWriteFlags, preadv2};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, Status};

#[derive(Debug)]
pub(super) struct OpenFile {
    file: File,
    /// Absolute, because the host may change its working directory during the upload.
    pub(super) path: PathBuf,
    pub(super) identity: Identity,
    changed: ChangeTime,
    /// Fresh: the file was written shortly before it was opened. A later write may leave no trace in its
    /// times.
    fresh: bool,
}

/// The kernel's clock for file times ticks every 1 to 10 ms, depending on its build. A second write in the
/// same tick does not change the times.
const LONGEST_TICK: Duration = Duration::from_millis(10);

/// A file is fresh if it changed less than this before it was opened: one tick, plus the time for which a
/// write may continue after it has set the times.
const FRESH: Duration = Duration::from_millis(100);

/// The same for file systems whose times are whole seconds (FAT: two seconds).
const FRESH_IN_WHOLE_SECONDS: Duration = Duration::from_secs(2);

/// The facts that show whether a file has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// Absolute, for messages; bytes that are not UTF-8 are replaced.
    path: String,
    device: u64,
    inode: u64,
    pub(super) size: u64,
    modified: (i64, i64),
}

/// The change time (ctime): when the content, name, links, owner or permissions last changed. Unlike the
/// modification time, a program cannot set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ChangeTime(i64, i64);

/// A file that may have been written to while it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Touched {
    changed: ChangeTime,
    /// True if its change time changed (touched). False if the file is only fresh.
    pub(crate) since_opened: bool,
}

impl OpenFile {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let failed = |cause: std::io::Error| {
            Error::file(format_args!("cannot open file {}", path.display()), &cause)
        };
        // Non-blocking, so that a FIFO without a writer does not block the caller. Regular files ignore the
        // flag.
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
        let changed = ChangeTime::of(&metadata);
        Ok(Self {
            file,
            identity: Identity::of(&path, &metadata),
            changed,
            fresh: changed.is_fresh(SystemTime::now()),
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

    /// The error of a file that is shorter than when it was opened.
    fn ended_early(&self, end: u64) -> Error {
        match self.touched() {
            Ok(touched) if !is_since_opened(touched) => {
                self.size_is_not_true(format_args!("ends after {end}"))
            }
            Ok(_) => self.changed("it became shorter while it was read"),
            Err(changed) => changed,
        }
    }

    /// Fills the buffer from the page cache, without waiting for the disk. False if the page cache lacks a
    /// part of it.
    pub(super) fn read_cached(&self, buffer: &mut [u8], offset: u64) -> bool {
        let len = buffer.len();
        let buffers = &mut [IoSliceMut::new(buffer)];
        // Some file systems refuse this call. Any other failure appears again in the read that may block.
        preadv2(&self.file, buffers, offset, ReadWriteFlags::NOWAIT) == Ok(len)
    }

    /// Fails if the path now names another file; otherwise like [`Self::look`].
    pub(super) fn look_with_name(&self) -> Result<Option<Touched>> {
        let touched = self.look()?;
        match std::fs::metadata(&self.path) {
            Ok(named) if !self.identity.is_unchanged(&named) => {
                Err(self.changed("another file took its place"))
            }
            // A file that was unlinked while open is still complete.
            _ => Ok(touched),
        }
    }

    /// Fails if the file was written to, or has more bytes than its size. Says if the file may have been
    /// written to since it was opened: its change time changed (perhaps only by a rename, a link or new
    /// permissions), or it is fresh.
    pub(super) fn look(&self) -> Result<Option<Touched>> {
        let beyond = self.read_at(&mut [0], self.identity.size)?;
        let touched = self.touched()?;
        if beyond > 0 {
            return Err(match is_since_opened(touched) {
                false => self.size_is_not_true("holds more"),
                true => self.changed("it became longer"),
            });
        }
        Ok(touched)
    }

    fn touched(&self) -> Result<Option<Touched>> {
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
        let since_opened = changed != self.changed;
        Ok((since_opened || self.fresh).then_some(Touched {
            changed,
            since_opened,
        }))
    }

    /// Files in /proc, /sys and some FUSE file systems are generated while they are read, so their size is
    /// not true.
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

fn is_since_opened(touched: Option<Touched>) -> bool {
    touched.is_some_and(|touched| touched.since_opened)
}

impl ChangeTime {
    fn of(metadata: &Metadata) -> Self {
        Self(metadata.ctime(), metadata.ctime_nsec())
    }

    /// Measured by the kernel's clock for file times.
    fn of_a_write_now() -> Self {
        let now = clock_gettime(ClockId::RealtimeCoarse);
        Self(now.tv_sec, now.tv_nsec)
    }

    /// Whether a later write may have left the same change time.
    fn is_fresh(self, now: SystemTime) -> bool {
        let longest = match self.1 {
            0 => FRESH_IN_WHOLE_SECONDS,
            _ => FRESH,
        };
        self.age(now) < longest
    }

    /// Zero for a time in the future, which another machine's clock has set.
    fn age(self, now: SystemTime) -> Duration {
        let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH);
        let changed = u64::try_from(self.0).map(Duration::from_secs);
        let changed = changed.unwrap_or_default() + Duration::from_nanos(self.1.unsigned_abs());
        since_1970.unwrap_or_default().saturating_sub(changed)
    }
}

impl Touched {
    /// Waits until the clock tick of the last change is over, so that a later change leaves a trace. At
    /// most 10 ms.
    pub(crate) fn wait_for_next_tick(self) {
        let longest = LONGEST_TICK.saturating_sub(self.changed.age(SystemTime::now()));
        let end = Instant::now() + longest;
        while self.changed >= ChangeTime::of_a_write_now() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Identity {
    /// Bytes in it.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Whether it is the same file with the same content, as far as these facts show. The path is ignored.
    /// So is the device, whose number may differ after each mount (btrfs, overlay, NFS).
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_fresh_while_a_write_may_leave_no_trace() {
        let ms = Duration::from_millis;
        for (nanoseconds, age, fresh) in [
            (1, ms(0), true),
            (1, ms(99), true),
            (1, ms(100), false),
            (0, ms(100), true),
            (0, ms(1999), true),
            (0, ms(2000), false),
        ] {
            let changed = ChangeTime(1_000_000, nanoseconds);
            let at = SystemTime::UNIX_EPOCH + Duration::new(1_000_000, nanoseconds as u32);
            assert_eq!(
                changed.is_fresh(at + age),
                fresh,
                "{nanoseconds} ns, {age:?}"
            );
        }
        let yet_to_come = ChangeTime(1_000_000, 1);
        assert!(yet_to_come.is_fresh(SystemTime::UNIX_EPOCH));
        let before_1970 = ChangeTime(-5, 1);
        assert!(!before_1970.is_fresh(SystemTime::now()));
    }
}
