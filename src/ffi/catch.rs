//! A panic that reached C would abort the host: every export runs within [`catch_or`].

use crate::runtime::panics;

/// Runs a function of the header; a panic gives `fallback`.
pub(super) fn catch_or<T>(fallback: T, call: impl FnOnce() -> T) -> T {
    panics::stay_silent();
    panics::catch(call).unwrap_or(fallback)
}
