//! `us3_progress`: the progress of an upload.

use crate::operation::Progress;

use super::catch::catch_or;
use super::structs::{self, OutStruct, PublicStruct, member_ends};

/// The progress of an upload. It owns nothing and needs no clearing.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct us3_progress {
    /// sizeof(us3_progress), set by the initialiser.
    pub struct_size: usize,
    /// Bytes of content in all; US3_TOTAL_UNKNOWN before the source is opened, and for a stream
    /// until it has ended.
    pub total: u64,
    /// Bytes of content that were sent. When a request fails, the bytes that it had sent are
    /// subtracted.
    pub sent: u64,
    /// Bytes of content that the service has confirmed.
    pub acknowledged: u64,
    /// Parts that the service has confirmed; a PutFile is one part.
    pub parts_done: u32,
    /// Parts in all; 0 while unknown.
    pub parts_total: u32,
    /// 1 + the requests that had to be sent again; 0 before the first.
    pub attempts: u32,
    /// Milliseconds since the upload was started, including the time in the queue.
    pub elapsed_ms: u64,
}

/// Initialises a us3_progress, as US3_PROGRESS_INIT does.
///
/// @param progress  NULL is allowed and ignored
///
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_progress_init(progress: *mut us3_progress) {
    // SAFETY: NULL, or memory for a us3_progress: the header asks the host for it.
    catch_or((), || unsafe { structs::init(progress) });
}

/// US3_TOTAL_UNKNOWN.
const TOTAL_UNKNOWN: u64 = u64::MAX;

impl us3_progress {
    /// The engine's, as C sees it.
    pub(super) fn of(progress: &Progress) -> Self {
        Self {
            total: progress.total.unwrap_or(TOTAL_UNKNOWN),
            sent: progress.sent,
            acknowledged: progress.acknowledged,
            parts_done: progress.parts_done,
            parts_total: progress.parts_total,
            attempts: progress.attempts,
            elapsed_ms: u64::try_from(progress.elapsed.as_millis()).unwrap_or(u64::MAX),
            ..Self::INIT
        }
    }
}

// SAFETY: repr(C), struct_size first, only integers, ends by the macro.
unsafe impl PublicStruct for us3_progress {
    const NAME: &'static str = "us3_progress";
    const INIT: Self = Self {
        struct_size: size_of::<Self>(),
        total: 0,
        sent: 0,
        acknowledged: 0,
        parts_done: 0,
        parts_total: 0,
        attempts: 0,
        elapsed_ms: 0,
    };
    const SMALLEST: usize = Self::MEMBER_ENDS[1];
    const MEMBER_ENDS: &'static [usize] = member_ends!(us3_progress {
        struct_size,
        total,
        sent,
        acknowledged,
        parts_done,
        parts_total,
        attempts,
        elapsed_ms,
    });
}

impl OutStruct for us3_progress {
    unsafe fn release(&mut self) {}
}
