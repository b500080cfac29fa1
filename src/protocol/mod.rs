//! What US3 says and means, without any I/O: from evidence about requests to what is known of them.

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

/// A4: two of the service's times can be apart by 2 s, and by one more because both are cut to whole seconds.
const CLOCKS_APART: Duration = Duration::from_secs(3);
