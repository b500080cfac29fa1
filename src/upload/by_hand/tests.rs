use super::*;
use crate::upload::tests::{Answer, Asked, FakeService, UPLOAD_ID, policy, usual};

async fn begun(script: fn(&Asked) -> Answer) -> (Multipart, FakeService) {
    let settle = |config: &mut crate::config::Config| {
        config.settle_timeout = std::time::Duration::from_millis(1);
    };
    let service = FakeService::with(settle, script);
    let begun = Session::initiate(&service.run, "key", mime::UNKNOWN, &[]).await;
    let upload = Multipart::of(&service.run.engine, begun.unwrap().0);
    (upload.unwrap(), service)
}

#[tokio::test]
async fn parts_are_refused_that_finish_could_not_join() {
    let (upload, service) = begun(|asked| usual(asked, 4)).await;
    upload.upload_part(1, "bb".into()).unwrap();
    for (number, data, why) in [
        (0, "", "it is empty"),
        (0, "aaaaa", "must have exactly 4"),
        (0, "aaa", "part 1 comes after it"),
        (
            2,
            "cccc",
            "part 1 is shorter than 4 bytes and must be the last",
        ),
        (MAX_PARTS, "cccc", "part numbers go from 0 to 999999"),
    ] {
        let error = upload.upload_part(number, data.into()).unwrap_err();
        assert!(error.message().contains(why), "{number} {data:?}: {error}");
    }
    assert_eq!(service.count("UploadPart"), 1);
    let error = upload.finish(None).unwrap_err();
    assert!(
        error.message().contains("part 0 of key is missing"),
        "{error}"
    );
    assert_eq!(service.count("FinishMultipartUpload"), 0);
}

#[tokio::test]
async fn a_finish_that_failed_leaves_the_upload_and_can_be_called_again() {
    let (upload, service) = begun(|asked| match (asked.operation, asked.before) {
        ("FinishMultipartUpload", 0) => Answer::refused(403, -148_643),
        _ => usual(asked, 4),
    })
    .await;
    upload.upload_part(0, "aaaa".into()).unwrap();
    let error = upload.finish(Some(policy())).unwrap_err();
    assert_eq!(error.report().upload_id.as_deref(), Some(UPLOAD_ID));
    assert_eq!(service.count("AbortMultipartUpload"), 0);
    upload.finish(Some(policy())).unwrap();
    let error = upload.upload_part(1, "b".into()).unwrap_err();
    assert!(error.message().contains("is finished"), "{error}");
}

/// Refused now, but the lost one may have stored the object.
#[tokio::test]
async fn after_a_lost_finish_one_that_is_refused_or_not_sent_leaves_the_object_unknown() {
    let (upload, _service) = begun(|asked| match (asked.operation, asked.before) {
        ("FinishMultipartUpload", 0) => Answer::Lost,
        ("FinishMultipartUpload", _) => Answer::refused(403, -148_643),
        _ => usual(asked, 4),
    })
    .await;
    // The third is not sent, because part 1 is missing.
    for part in [0, 0, 2] {
        upload.upload_part(part, "aaaa".into()).unwrap();
        let error = upload.finish(Some(policy())).unwrap_err();
        assert_eq!(error.report().object, ObjectState::Unknown, "{error}");
        assert_eq!(error.report().callback, CallbackState::Unknown, "{error}");
    }
}

/// The process that began it may have sent a finish that is still running, or has run.
#[tokio::test]
async fn a_refused_finish_of_an_opened_upload_leaves_object_and_callback_unknown() {
    let refusals: [fn(&Asked) -> Answer; 2] = [
        |asked| match asked.operation {
            "FinishMultipartUpload" => Answer::refused(404, -1),
            _ => usual(asked, 4),
        },
        |asked| match asked.operation {
            "FinishMultipartUpload" => Answer::refused(403, -148_643),
            _ => usual(asked, 4),
        },
    ];
    for script in refusals {
        let (_, service) = begun(script).await;
        let target = UploadRef {
            key: "key",
            upload_id: UPLOAD_ID,
        };
        let (session, _) = adopt(&service.run, target).await.unwrap();
        let upload = Multipart::of(&service.run.engine, session).unwrap();
        upload.upload_part(0, "a".into()).unwrap();
        let error = upload.finish(Some(policy())).unwrap_err();
        assert_eq!(error.report().object, ObjectState::Unknown, "{error}");
        assert_eq!(error.report().callback, CallbackState::Unknown, "{error}");
    }
}
