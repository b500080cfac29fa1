//! A stream: a source of unknown length.

use std::fmt;
use std::io::Read;
use std::sync::{Arc, Mutex};

use crate::runtime::sync::unpoisoned;

/// A stream. The first upload that uses it reads it; its clones are the same stream.
#[derive(Clone)]
pub struct Reader(SharedRead);

type SharedRead = Arc<Mutex<Option<Box<dyn Read + Send>>>>;

impl Reader {
    /// A read may block for any time. Every error ends the upload, also `Interrupted`.
    pub fn new(read: impl Read + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(read)))))
    }

    /// The reader; the first upload that uses the stream takes it.
    pub(crate) fn take(&self) -> Option<Box<dyn Read + Send>> {
        unpoisoned(self.0.lock()).take()
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader")
    }
}
