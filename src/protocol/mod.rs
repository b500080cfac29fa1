//! The rules of US3's protocol, without any I/O, and the decisions: from evidence about a request to what
//! is known of it.

use std::time::Duration;

pub(crate) mod advice;
pub mod etag;
pub(crate) mod headers;
pub(crate) mod keys;
pub mod mime;
pub mod policy;
pub mod rerun;
pub mod settle;
pub mod sign;
pub mod verdict;

/// A4: two of the service's clocks may differ by 2 s; one more second because both times are whole seconds.
const CLOCKS_APART: Duration = Duration::from_secs(3);
