//! Opens an unfinished upload that another handle or process began, with the parts that the service lists.

use std::collections::BTreeMap;

use super::layout::MAX_PARTS;
use super::session::{Part, Parts, Session};
use crate::engine::Run;
use crate::error::{Error, Report, Result};
use crate::protocol::etag::{BLOCK_SIZE, ContentDigest};
use crate::service::{LARGEST_PART, ListedPart, Unusable, UploadRef};

/// The upload, with every part that the service has.
pub(super) async fn adopt(run: &Run, target: UploadRef<'_>) -> Result<(Session, Report)> {
    let UploadRef { key, upload_id } = target;
    let service = &run.engine.service;
    let listed = match service.all_parts(target, MAX_PARTS, &run.operation).await {
        Ok(listed) => listed,
        Err(Unusable::Failed(failure)) => return Err(failure.error),
        Err(Unusable::OtherKey) => {
            return Err(Error::argument(format!(
                "the upload {upload_id} was begun with another key than {key}; open it with its own"
            )));
        }
    };
    let what = format!("ListParts {key}");
    let Some(part_size) = part_size(&listed.parts) else {
        let why = format_args!("a part of it has more than {LARGEST_PART} bytes");
        return Err(listed.reply.protocol_error(&what, why));
    };
    let parts: Parts = listed
        .parts
        .into_iter()
        .map(|(number, ListedPart { etag, size })| {
            let digest = ContentDigest::of_part(&etag, size);
            (number, Part { etag, size, digest })
        })
        .collect();
    let session = Session::adopted(target, part_size, parts);
    session.set_date(listed.reply.date("date"));
    let mut report = listed.reply.report();
    report.upload_id = Some(upload_id.to_owned());
    Ok((session, report))
}

/// The size of every part but the last, which ListParts does not report. Only the last part may be smaller, so of two
/// or more parts it is the size of the largest. Otherwise it is a block, or the size of the only part if that is
/// larger. None if the size cannot be used.
fn part_size(parts: &BTreeMap<u32, ListedPart>) -> Option<u64> {
    let largest = parts.values().map(|part| part.size).max();
    let size = match (parts.len(), largest) {
        (2.., Some(largest)) => largest,
        (_, largest) => largest.unwrap_or(0).max(BLOCK_SIZE),
    };
    (1..=LARGEST_PART).contains(&size).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_parts_tell_the_part_size() {
        for (sizes, expected) in [
            (&[][..], Some(BLOCK_SIZE)),
            (&[(0, 7)], Some(BLOCK_SIZE)),
            (&[(3, 8 << 20)], Some(8 << 20)),
            (&[(0, 65536), (1, 65536)], Some(65536)),
            (&[(0, 65536), (9, 5)], Some(65536)),
            (&[(1, 5), (2, 5)], Some(5)),
            (&[(0, 0), (1, 0)], None),
            (&[(0, LARGEST_PART), (1, LARGEST_PART + 1)], None),
        ] {
            let part = |size| ListedPart {
                etag: "e".to_owned(),
                size,
            };
            let parts = sizes.iter().map(|(number, size)| (*number, part(*size)));
            assert_eq!(part_size(&parts.collect()), expected, "{sizes:?}");
        }
    }
}
