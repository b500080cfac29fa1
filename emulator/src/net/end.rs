//! The ways in which a connection can end.

use serde::{Deserialize, Serialize};

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Cleanly: the client reads the end of the stream, whatever it still sends is taken in and
    /// thrown away, and it never sees a reset.
    Close,
    /// As a plain `close()` does: the end of the stream when all was read, and a reset from the
    /// operating system when the client's bytes were still waiting.
    Drop,
    /// With a reset, at once.
    Reset,
}
