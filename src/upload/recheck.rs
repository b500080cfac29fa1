//! Whether a file still holds the parts that were sent of it, by this run or an earlier one.

use std::collections::BTreeMap;
use std::ops::Range;

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};

use super::layout::parts_of;
use super::session::{Part, Parts, Session};
use crate::content::{COMPARISONS, Content, Touched};
use crate::error::Result;
use crate::protocol::etag::{ContentDigest, EtagHasher, EtagMatch};
use crate::runtime::blocking;
use crate::service::ListedPart;

/// Before the parts become an object: fails unless the file is unchanged. If it may have been written to,
/// all parts are read again and compared with what was sent.
pub(super) async fn check_unchanged(
    session: &Session,
    content: &Content,
    jobs: usize,
) -> Result<()> {
    let mut touched = look(content).await?;
    for _ in 0..COMPARISONS {
        let Some(seen) = touched.filter(|seen| seen.since_opened || all_are_hashed(session)) else {
            return Ok(());
        };
        wait_for_next_tick(seen).await?;
        check_parts(session, content, jobs).await?;
        let before = touched;
        touched = look(content).await?;
        if touched == before {
            return Ok(());
        }
    }
    Err(content.touched_again())
}

/// Whether every part has a digest. Without digests (verify_etag off), a file that is only fresh is not
/// compared.
fn all_are_hashed(session: &Session) -> bool {
    session.parts().values().all(|part| part.digest.is_some())
}

/// After the next clock tick, a write during the comparison changes the file's times.
async fn wait_for_next_tick(touched: Touched) -> Result<()> {
    blocking::begin(move || {
        touched.wait_for_next_tick();
        Ok(())
    })
    .await
}

async fn look(content: &Content) -> Result<Option<Touched>> {
    let content = content.clone();
    blocking::begin(move || content.look()).await
}

async fn check_parts(session: &Session, content: &Content, jobs: usize) -> Result<()> {
    let sent = session.parts().clone();
    let parts = parts_of(content.size(), session.part_size)?
        .filter_map(|(number, range)| Some((range, sent.get(&number)?)));
    hashed(content, parts, jobs)
        .try_for_each(|(now, part)| std::future::ready(check_part(content, &now, part)))
        .await
}

/// Compares with the digest computed during the sending, or else with the service's ETag of the part.
fn check_part(content: &Content, now: &ContentDigest, part: &Part) -> Result<()> {
    let same = match &part.digest {
        Some(sent) if sent == now => EtagMatch::Same,
        Some(_) => EtagMatch::Different,
        None => now.compare_part(&part.etag),
    };
    match same {
        EtagMatch::Same => Ok(()),
        EtagMatch::Different => Err(content.differs()),
        EtagMatch::Incomparable => Err(content.untold()),
    }
}

/// Of the parts that the service has, those with the file's content.
pub(super) async fn verified(
    session: &Session,
    content: &Content,
    mut listed: BTreeMap<u32, ListedPart>,
    jobs: usize,
) -> Result<Parts> {
    let parts = parts_of(content.size(), session.part_size)?.filter_map(|(number, range)| {
        let part = listed.remove(&number)?;
        (part.size == range.end - range.start).then_some((range, (number, part)))
    });
    hashed(content, parts, jobs)
        .try_filter_map(|(digest, (number, part))| {
            let same = digest.compare_part(&part.etag) == EtagMatch::Same;
            let ListedPart { etag, size } = part;
            let digest = Some(digest);
            std::future::ready(Ok(same.then_some((number, Part { etag, size, digest }))))
        })
        .try_collect()
        .await
}

/// Reads and hashes parts of a file, several at once. What else is known of each comes with its digest.
fn hashed<'a, T: Send + 'a>(
    content: &'a Content,
    parts: impl Iterator<Item = (Range<u64>, T)> + Send + 'a,
    jobs: usize,
) -> BoxStream<'a, Result<(ContentDigest, T)>> {
    stream::iter(parts)
        .map(|(range, known)| {
            let content = content.clone();
            async move {
                let digest = move || content.digest(range, EtagHasher::part());
                Ok((blocking::begin(digest).await?, known))
            }
        })
        .buffer_unordered(jobs)
        // Boxed, because the compiler cannot prove through the closures that the stream is Send.
        .boxed()
}
