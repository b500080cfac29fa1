//! Where the bytes come from when their number is unknown: a stream.

use std::fmt;
use std::io::Read;
use std::sync::{Arc, Mutex};

use crate::runtime::sync::unpoisoned;

/// A stream. The first upload that uses it reads it; its clones are the same stream.
#[derive(Clone)]
pub struct Reader(SharedRead);

type SharedRead = Arc<Mutex<Option<Box<dyn Read + Send>>>>;

impl Reader {
    /// It may block as long as it likes. Every error of it ends the upload, `Interrupted` included.
    pub fn new(read: impl Read + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(read)))))
    }

    /// What to read from, for the first who asks.
    pub(crate) fn take(&self) -> Option<Box<dyn Read + Send>> {
        unpoisoned(self.0.lock()).take()
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader")
    }
}
