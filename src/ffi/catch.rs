//! Stops panics: a panic that reached C would abort the host, so every exported function runs within
//! [`catch_or`].

use crate::runtime::panics;

/// Runs a function of the header; a panic gives `fallback`.
pub(super) fn catch_or<T>(fallback: T, call: impl FnOnce() -> T) -> T {
    panics::stay_silent();
    panics::catch(call).unwrap_or(fallback)
}
