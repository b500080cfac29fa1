//! Receives a body into a file and hashes it. The work is done in batches on the threads for blocking work,
//! and the sink is moved there and back.

use std::fs::File;
use std::io::{self, Write};
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use md5::{Digest, Md5};

use super::{Blob, Segment};
use crate::etag::{Summer, Sums};
use crate::stop::Stop;

/// How many bytes are gathered before they are written.
const BATCH: usize = 512 << 10;

pub(crate) struct Sink {
    inner: Inner,
    batch: Vec<Bytes>,
    gathered: usize,
}

struct Inner {
    blob: Blob,
    file: File,
    summer: Summer,
    md5: Option<Md5>,
}

/// A body on the disk.
pub(crate) struct Received {
    pub segment: Segment,
    pub sums: Sums,
    /// In lower-case hex.
    pub md5: Option<String>,
}

impl Sink {
    pub fn create(blob: Blob, with_md5: bool) -> io::Result<Self> {
        let file = blob.create()?;
        let inner = Inner {
            blob,
            file,
            summer: Summer::new(),
            md5: with_md5.then(Md5::new),
        };
        Ok(Self {
            inner,
            batch: Vec::new(),
            gathered: 0,
        })
    }

    pub async fn write(mut self, bytes: Bytes) -> Result<Self, Stop> {
        self.gathered += bytes.len();
        self.batch.push(bytes);
        if self.gathered < BATCH {
            Ok(self)
        } else {
            self.flush(false).await
        }
    }

    async fn flush(self, complete: bool) -> Result<Self, Stop> {
        let Self {
            mut inner,
            mut batch,
            ..
        } = self;
        let written = tokio::task::spawn_blocking(move || -> io::Result<_> {
            for bytes in mem::take(&mut batch) {
                inner.take(&bytes)?;
            }
            if complete {
                inner.blob.complete(&inner.file)?;
            }
            Ok(Self {
                inner,
                batch,
                gathered: 0,
            })
        });
        Ok(written.await.map_err(io::Error::other)??)
    }

    pub async fn finish(self) -> Result<Received, Stop> {
        let inner = self.flush(true).await?.inner;
        Ok(Received {
            segment: Segment {
                blob: Arc::new(inner.blob),
            },
            sums: inner.summer.finish(),
            md5: inner.md5.map(|md5| hex(&md5.finalize())),
        })
    }
}

impl Inner {
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.summer.update(bytes);
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        self.file.write_all(bytes)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
