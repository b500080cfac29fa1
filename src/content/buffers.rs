//! Reusable chunk buffers of one upload: fresh memory costs a page fault for every 4 KiB.

use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;

use crate::error::{Error, Result, Status};
use crate::runtime::sync::unpoisoned;

/// The free buffers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

/// A buffer that returns to the free buffers when its last slice is dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    /// At least as long as was asked for.
    pub(crate) data: Vec<u8>,
    home: Buffers,
}

impl Buffers {
    /// A buffer of at least `len` bytes with arbitrary content.
    pub(crate) fn take(&self, len: usize) -> Result<Buffer> {
        let mut data = self.lock().pop().unwrap_or_default();
        // A failed allocation must not abort the host.
        let missing = len.saturating_sub(data.len());
        data.try_reserve_exact(missing).map_err(|_| {
            Error::new(
                Status::InternalError,
                format!("no memory for a buffer of {len} bytes; use fewer jobs"),
            )
        })?;
        data.resize(len.max(data.len()), 0);
        Ok(Buffer {
            data,
            home: self.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        unpoisoned(self.0.lock())
    }
}

impl Buffer {
    /// The buffer's first bytes, as a shared slice.
    pub(crate) fn into_bytes(self, len: usize) -> Bytes {
        Bytes::from_owner(self).slice(..len)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.home.lock().push(std::mem::take(&mut self.data));
    }
}
