//! Files that hold bodies. A file lives as long as somebody refers to it, so that a download goes
//! on while its object is deleted or replaced.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where the files are.
pub(crate) struct Folder {
    pub path: PathBuf,
    kept: Arc<AtomicBool>,
}

impl Folder {
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.into(),
            kept: Arc::default(),
        }
    }

    /// The file of this number; it need not exist yet.
    pub fn blob(&self, number: u64) -> Blob {
        Blob {
            number,
            path: self.path.join(format!("{number}.blob")),
            kept: self.kept.clone(),
        }
    }

    /// From now on files are left behind.
    pub fn keep(&self) {
        self.kept.store(true, Ordering::Release);
    }
}

/// A file that is removed when it is dropped.
pub(crate) struct Blob {
    pub number: u64,
    path: PathBuf,
    kept: Arc<AtomicBool>,
}

impl Blob {
    pub fn create(&self) -> io::Result<File> {
        File::create(&self.path)
    }

    pub fn open(&self) -> io::Result<File> {
        File::open(&self.path)
    }
}

impl Drop for Blob {
    fn drop(&mut self) {
        if !self.kept.load(Ordering::Acquire) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A file that is all or a piece of an object.
#[derive(Clone)]
pub(crate) struct Segment {
    pub blob: Arc<Blob>,
}
