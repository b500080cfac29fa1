//! What US3 says and means, without any I/O: from evidence about requests to what is known of them.

pub mod rerun;
pub mod settle;
pub mod verdict;
