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

#[cfg(test)]
mod tests {
    use crate::error::Status;
    use crate::upload::tests::{Answer, FakeService, memory, usual};
    use crate::upload::{Mode, UploadRequest};

    fn in_parts(content: &'static str, jobs: i32) -> UploadRequest {
        let mut request = memory(content);
        (request.mode, request.jobs) = (Mode::Multipart, jobs);
        request
    }

    #[tokio::test(start_paused = true)]
    async fn the_part_that_fails_first_is_the_one_reported() {
        let service = FakeService::new(|asked| match asked.part {
            0 if asked.operation == "UploadPart" => Answer::refused(403, -10).after(20),
            1 => Answer::refused(403, -11).after(10),
            2 => usual(asked, 4).after(5),
            _ => usual(asked, 4),
        });
        let error = service
            .upload(in_parts("aaaabbbbcccc", 3))
            .await
            .unwrap_err();
        assert_eq!(error.report().ret_code, -11, "{error}");
        assert_eq!(service.asked().last().unwrap(), "AbortMultipartUpload");
        assert_eq!(error.report().upload_id, None);
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_parts_are_in_flight_as_there_are_jobs() {
        for (jobs, times) in [
            (1, [0, 10, 20, 30]),
            (2, [0, 0, 10, 10]),
            (3, [0, 0, 0, 10]),
            (256, [0, 0, 0, 0]),
        ] {
            let service = FakeService::new(|asked| match asked.operation {
                "UploadPart" => usual(asked, 2).after(10),
                _ => usual(asked, 2),
            });
            service.upload(in_parts("aabbccdd", jobs)).await.unwrap();
            assert_eq!(service.times("UploadPart"), times, "{jobs} jobs");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_whose_answer_is_lost_is_sent_again() {
        let service = FakeService::new(|asked| match (asked.operation, asked.before) {
            ("UploadPart", 0) => Answer::Lost,
            _ => usual(asked, 16),
        });
        service.upload(in_parts("content", 1)).await.unwrap();
        assert_eq!(service.count("UploadPart"), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_without_a_usable_part_size_is_aborted() {
        for (part_size, status) in [(0, Status::ProtocolError), (1 << 31, Status::ProtocolError)] {
            let service = FakeService::new(move |asked| usual(asked, part_size));
            let error = service.upload(in_parts("content", 1)).await.unwrap_err();
            assert_eq!(error.status(), status, "{error}");
            let asked = ["InitiateMultipartUpload", "AbortMultipartUpload"];
            assert_eq!(service.asked(), asked, "{part_size}");
        }
    }
}
