//! Why a request ends early.

use std::io;

use crate::refusal::Refusal;

/// What ends a request early.
pub(crate) enum Stop {
    Refused(Refusal),
    /// A rule has another answer for it.
    Replaced,
    /// The client left, or a rule ended the connection.
    Gone,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Refused(error.into())
    }
}
