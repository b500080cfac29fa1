//! The strategy "parts": a file or memory in parts, `jobs` of them in flight at once.

use std::ops::Range;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::layout::parts_of;
use super::session::{Parts, Session};
use super::{Upload, recheck};
use crate::engine::Run;
use crate::error::{Report, Result};

/// Sends the upload in parts and joins them.
pub(super) async fn run(run: &Run, upload: &Upload) -> Result<Report> {
    let session = Session::begin(run, upload).await?;
    if let Err(error) = send_parts(&session, upload, run).await {
        return Err(session.abandon(error, run).await);
    }
    session
        .finish_or_abandon(upload.plan.policy.as_ref(), run)
        .await
}

/// Sends every part that the session lacks. The first failure ends the upload: parts in flight are dropped,
/// which closes their connections.
pub(super) async fn send_parts(session: &Session, upload: &Upload, run: &Run) -> Result<()> {
    let size = upload.content.size();
    let missing = missing(size, session.part_size, &session.parts())?;
    let there = session
        .parts()
        .values()
        .map(|part| part.size)
        .collect::<Vec<_>>();
    run.operation
        .set_total(size, (missing.len() + there.len()) as u32);
    there
        .into_iter()
        .for_each(|size| run.operation.count_part(size));
    stream::iter(missing)
        .map(|(number, range)| session.send_part(number, &upload.content, range, run))
        .buffer_unordered(upload.plan.jobs)
        .try_for_each(|_| std::future::ready(Ok(())))
        .await?;
    let unchanged = recheck::check_unchanged(session, &upload.content, upload.plan.jobs);
    run.operation.work(unchanged).await?
}

/// The parts that are still missing, in order.
fn missing(size: u64, part_size: u64, have: &Parts) -> Result<Vec<(u32, Range<u64>)>> {
    Ok(parts_of(size, part_size)?
        .filter(|(number, _)| !have.contains_key(number))
        .collect())
}
