//! Claims a persistent data folder: makes sure that it belongs to the emulator and that nobody else uses it
//! now.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use super::saved::{INDEX, INDEX_BEING_WRITTEN};

/// The file that is locked. It is never removed: a lock on a removed file would keep nobody out.
const LOCK: &str = "us3-emulator.lock";

/// The folder is locked while this value lives.
pub(super) struct Claim {
    locked: File,
}

impl Claim {
    /// Makes the folder if need be. Touches nothing in a folder that is not the emulator's.
    pub fn take(folder: &Path) -> io::Result<Self> {
        make_folder(folder)?;
        check_ours(folder)?;
        let locked = open_lock(&folder.join(LOCK))?;
        match locked.try_lock() {
            Ok(()) => Ok(Self { locked }),
            Err(TryLockError::WouldBlock) => Err(io::Error::new(
                ErrorKind::ResourceBusy,
                "another emulator uses it; stop that one, or choose another folder",
            )),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Closing alone would not do while a child process that is being started has the file, too.
        let _ = self.locked.unlock();
    }
}

/// A new folder is its owner's alone.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// A link to nothing, which somebody may have put there, makes no file at the other end.
fn open_lock(path: &Path) -> io::Result<File> {
    match File::create_new(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            File::options().write(true).open(path)
        }
        opened => opened,
    }
}

/// A folder is ours when it has an index, or nothing but what a start leaves that was killed before its first index.
fn check_ours(folder: &Path) -> io::Result<()> {
    if folder.join(INDEX).exists() {
        return super::saved::check(folder);
    }
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if name != LOCK && name != INDEX_BEING_WRITTEN {
            let why = format!("it is not empty and has no {INDEX}, but {name:?}");
            return Err(not_ours(&why));
        }
    }
    Ok(())
}

/// Nothing in such a folder was touched.
pub(super) fn not_ours(why: &str) -> io::Error {
    let text = format!("not a folder of the emulator: {why}; choose an empty folder or a new one");
    io::Error::new(ErrorKind::InvalidInput, text)
}
