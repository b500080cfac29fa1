//! The files of the bodies. A file exists as long as somebody refers to it, so that a download can continue
//! while its object is deleted or replaced.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where the files are.
pub(crate) struct Folder {
    pub path: PathBuf,
    kept: Arc<AtomicBool>,
    lasting: bool,
}

impl Folder {
    /// `lasting`: the files are to outlive even a power failure.
    pub fn new(path: &Path, lasting: bool) -> Self {
        Self {
            path: path.into(),
            kept: Arc::default(),
            lasting,
        }
    }

    /// The file of this number; it need not exist yet.
    pub fn blob(&self, number: u64) -> Blob {
        Blob {
            number,
            path: self.path.join(name(number)),
            kept: self.kept.clone(),
            lasting: self.lasting,
        }
    }

    /// From now on files are left behind.
    pub fn keep(&self) {
        self.kept.store(true, Ordering::Release);
    }
}

fn name(number: u64) -> String {
    format!("{number}.blob")
}

/// The number of a file with a name of ours.
pub(super) fn number(file_name: &str) -> Option<u64> {
    let number = file_name.strip_suffix(".blob")?.parse().ok()?;
    Some(number).filter(|number| name(*number) == file_name)
}

/// A file that is removed when it is dropped.
pub(crate) struct Blob {
    pub number: u64,
    path: PathBuf,
    kept: Arc<AtomicBool>,
    lasting: bool,
}

impl Blob {
    /// Never writes into a file that is there.
    pub fn create(&self) -> io::Result<File> {
        File::create_new(&self.path)
    }

    /// The file is written: an index may name it.
    pub fn complete(&self, file: &File) -> io::Result<()> {
        if self.lasting {
            file.sync_all()
        } else {
            Ok(())
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_name_of_a_file_tells_its_number() {
        for (name, expected) in [
            ("7.blob", Some(7)),
            ("07.blob", None),
            ("+7.blob", None),
            ("7", None),
            ("7.blob.txt", None),
            (".blob", None),
        ] {
            assert_eq!(number(name), expected, "{name}");
        }
    }
}
