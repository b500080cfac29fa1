//! One upload at the service: its parts, its finish and its abort, against a service in memory.

use super::*;
use crate::error::{CallbackState, Status};
use crate::upload::tests::{Answer, FakeService, UPLOAD_ID, digest, memory, policy, usual};
use crate::upload::{Mode, UploadRequest};

fn in_parts(content: &'static str) -> UploadRequest {
    let mut request = memory(content);
    request.mode = Mode::Multipart;
    request
}

#[tokio::test(start_paused = true)]
async fn finish_lists_the_etags_in_the_order_of_the_parts() {
    let service = FakeService::new(|asked| match asked.operation {
        // The last part is answered first.
        "UploadPart" => usual(asked, 4).after(100 - asked.part as u64),
        "FinishMultipartUpload" => {
            let etags = ["aaaa", "bbbb", "cc"].map(|part| digest(part.as_bytes()).object_etag());
            assert_eq!(asked.body, etags.join(","));
            usual(asked, 4)
        }
        _ => usual(asked, 4),
    });
    let report = service.upload(in_parts("aaaabbbbcc")).await.unwrap();
    assert_eq!(report.upload_id.as_deref(), Some(UPLOAD_ID));
    assert_eq!(service.count("FinishMultipartUpload"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_part_counts_only_with_an_etag_that_finish_can_list() {
    let other = digest(b"other").object_etag();
    let (empty, two, other) = (String::new(), "a,b".to_owned(), other);
    for (etag, status) in [
        (empty, Status::ProtocolError),
        (two, Status::ProtocolError),
        (other, Status::IntegrityError),
    ] {
        let service = FakeService::new(move |asked| match asked.operation {
            "UploadPart" => Answer::new(200, "{}").with("etag", &etag),
            _ => usual(asked, 16),
        });
        let error = service.upload(in_parts("content")).await.unwrap_err();
        assert_eq!(error.status(), status, "{error}");
        let asked = [
            "InitiateMultipartUpload",
            "UploadPart 0",
            "AbortMultipartUpload",
        ];
        assert_eq!(service.asked(), asked, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn with_verify_etag_off_any_etag_is_taken() {
    let service = FakeService::with(
        |config| config.verify_etag = false,
        |asked| match asked.operation {
            "UploadPart" => Answer::new(200, "{}").with("etag", "W/any"),
            _ => usual(asked, 16),
        },
    );
    service.upload(in_parts("content")).await.unwrap();
}

/// What finish, HEAD and ListParts answer; what the host is told, whether the upload is aborted, and whether it is named.
type Case = (
    &'static str,
    fn() -> Answer,
    fn() -> Answer,
    (ObjectState, CallbackState, bool, bool),
);

const FINISHES: [Case; 5] = [
    (
        "refused",
        || Answer::refused(403, -148_643),
        none,
        (
            ObjectState::NotStored,
            CallbackState::NotDelivered,
            true,
            false,
        ),
    ),
    (
        "no connection",
        || Answer::Unsent,
        none,
        (
            ObjectState::NotStored,
            CallbackState::NotDelivered,
            true,
            false,
        ),
    ),
    (
        "lost",
        || Answer::Lost,
        none,
        (ObjectState::Unknown, CallbackState::Unknown, false, true),
    ),
    (
        "lost, another object",
        || Answer::Lost,
        || Answer::object(b"other", 0),
        (ObjectState::Unknown, CallbackState::Unknown, false, true),
    ),
    (
        "lost, stored",
        || Answer::Lost,
        || Answer::object(b"content", 0),
        (ObjectState::Stored, CallbackState::Unknown, false, false),
    ),
];

fn none() -> Answer {
    Answer::refused(404, -1)
}

#[tokio::test(start_paused = true)]
async fn only_a_finish_that_cannot_run_any_more_is_followed_by_an_abort() {
    for (name, finish, head, expected) in FINISHES {
        let service = FakeService::new(move |asked| match asked.operation {
            "FinishMultipartUpload" => finish(),
            "HeadFile" => head(),
            _ => usual(asked, BLOCK_SIZE),
        });
        let mut request = in_parts("content");
        request.policy = Some(policy());
        let error = service.upload(request).await.unwrap_err();
        let report = error.report();
        let aborted = service.count("AbortMultipartUpload") == 1;
        let named = report.upload_id.is_some();
        assert_eq!(
            (report.object, report.callback, aborted, named),
            expected,
            "{name}: {error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_cannot_be_aborted_is_named() {
    let service = FakeService::new(|asked| match asked.operation {
        "FinishMultipartUpload" => Answer::refused(403, -148_643),
        "AbortMultipartUpload" => Answer::refused(403, -7),
        _ => usual(asked, 4),
    });
    let error = service.upload(in_parts("content")).await.unwrap_err();
    assert_eq!(
        error.report().ret_code,
        -148_643,
        "the first failure is told"
    );
    assert_eq!(error.report().upload_id.as_deref(), Some(UPLOAD_ID));
    assert!(
        error.message().ends_with(&left_behind(UPLOAD_ID)),
        "{error}"
    );
}

/// An earlier try may have run without its answer arriving.
#[tokio::test(start_paused = true)]
async fn an_abort_that_finds_no_upload_has_done_its_work() {
    let service = FakeService::new(|asked| match asked.operation {
        "FinishMultipartUpload" => Answer::refused(403, -148_643),
        "AbortMultipartUpload" if asked.before == 0 => Answer::Lost,
        "AbortMultipartUpload" => Answer::refused(404, -1),
        _ => usual(asked, 4),
    });
    let error = service.upload(in_parts("content")).await.unwrap_err();
    assert_eq!(service.count("AbortMultipartUpload"), 2);
    assert_eq!(error.report().upload_id, None, "{error}");
}
