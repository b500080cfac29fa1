//! What a rerun makes of what an earlier run left, against a service in memory.

use std::io::Write;

use tempfile::NamedTempFile;

use super::*;
use crate::content::Source;
use crate::upload::UploadRequest;
use crate::upload::tests::{Answer, Asked, BEGIN, FakeService, UPLOAD_ID, digest, policy, usual};

/// What the service lists of the file aaaabbbb: a part, its size and whose ETag it has.
fn listed(number: u32, size: u64, content: &[u8]) -> Answer {
    let etag = digest(content).object_etag();
    let part = format!(r#"{{"PartNum":{number},"Etag":"{etag}","Size":{size}}}"#);
    Answer::new(200, format!(r#"{{"Parts":[{part}]}}"#))
}

/// An upload of aaaabbbb with a policy, and the checkpoint of its earlier run.
fn earlier(service: &FakeService, file: &NamedTempFile) -> (Upload, Checkpoint) {
    file.as_file().write_all(b"aaaabbbb").unwrap();
    let mut request = UploadRequest::new(Source::File(file.path().to_owned()), "key");
    request.policy = Some(policy());
    let upload = service.opened(request);
    let identity = upload.content.identity().unwrap();
    let mut checkpoint = Checkpoint::new("http://service".to_owned(), "bucket", &upload, identity);
    (checkpoint.part_size, checkpoint.upload_id) = (4, UPLOAD_ID.to_owned());
    (upload, checkpoint)
}

fn finish_sent(checkpoint: &mut Checkpoint, seconds_ago: u64) {
    checkpoint.finishing = true;
    let lasts = Duration::from_secs(70);
    checkpoint.finish = Some(FinishSent::new(
        true,
        Some(BEGIN - seconds_ago),
        lasts,
        None,
    ));
}

/// In words, so that a table can hold it.
fn told(decision: Result<ResumeDecision>) -> String {
    match decision {
        Ok(ResumeDecision::Resume(session, finish)) => {
            let parts: Vec<_> = session.parts().keys().copied().collect();
            let lost = session.is_lost();
            format!("resume {parts:?} finish {} lost {lost}", finish.is_some())
        }
        Ok(ResumeDecision::Afresh { note, open, left }) => {
            let note = note.unwrap_or_default();
            format!("afresh open {open} left {}: {note}", left.is_some())
        }
        Ok(ResumeDecision::Over(result)) => format!("over {}", result.is_ok()),
        Err(error) => format!("{:?} {:?}", error.status(), error.report().object),
    }
}

async fn decided(
    script: fn(&Asked) -> Answer,
    change: fn(&mut Checkpoint),
) -> (String, FakeService) {
    let service = FakeService::new(script);
    let file = NamedTempFile::new().unwrap();
    let (upload, asked) = earlier(&service, &file);
    let mut checkpoint = asked.clone();
    change(&mut checkpoint);
    let found = Found::Checkpoint(Box::new(checkpoint));
    let decision = decide(&service.run, &upload, &asked, found).await;
    (told(decision), service)
}

type Case = (
    &'static str,
    fn(&Asked) -> Answer,
    &'static str,
    &'static [&'static str],
);

#[tokio::test(start_paused = true)]
async fn parts_that_the_service_has_are_not_sent_again_if_they_are_the_files() {
    const CASES: [Case; 6] = [
        (
            "the file's",
            |_| listed(1, 4, b"bbbb"),
            "resume [1] finish false lost false",
            &["ListParts"],
        ),
        (
            "of other content",
            |_| listed(1, 4, b"xxxx"),
            "resume [] finish false lost false",
            &["ListParts"],
        ),
        (
            "of another size",
            |_| listed(1, 3, b"bbbb"),
            "resume [] finish false lost false",
            &["ListParts"],
        ),
        (
            "beyond the file",
            |_| listed(2, 4, b"bbbb"),
            "resume [] finish false lost false",
            &["ListParts"],
        ),
        (
            "gone",
            |_| Answer::refused(404, -1),
            "afresh open false left false: the service no longer knows the upload of the checkpoint; the upload started afresh",
            &["ListParts"],
        ),
        (
            "refused",
            |_| Answer::refused(403, -9),
            "ServiceError NotStored",
            &["ListParts"],
        ),
    ];
    for (name, script, expected, asked) in CASES {
        let (told, service) = decided(script, |_| {}).await;
        assert_eq!(told, expected, "{name}");
        assert_eq!(service.asked(), asked, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_with_other_headers_is_dropped() {
    const WHY: &str = "the content type, storage class or metadata changed since the checkpoint; the upload started afresh";
    for (status, left) in [(204, false), (404, false), (403, true)] {
        let service = FakeService::new(move |_| match status {
            204 => Answer::new(204, ""),
            _ => Answer::refused(status, -9),
        });
        let file = NamedTempFile::new().unwrap();
        let (mut upload, checkpoint) = earlier(&service, &file);
        upload.mime_type = "text/other".to_owned();
        let identity = upload.content.identity().unwrap();
        let asked = Checkpoint::new("http://service".to_owned(), "bucket", &upload, identity);
        let found = Found::Checkpoint(Box::new(checkpoint));
        let decision = decide(&service.run, &upload, &asked, found).await;
        let expected = format!("afresh open false left {left}: {WHY}");
        assert_eq!(told(decision), expected, "{status}");
        assert_eq!(service.asked(), ["AbortMultipartUpload"], "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_of_another_object_is_refused_before_anything_is_sent() {
    for change in [
        (|checkpoint| checkpoint.key.push('2')) as fn(&mut Checkpoint),
        |checkpoint| checkpoint.bucket.push('2'),
        |checkpoint| checkpoint.endpoint.push('2'),
    ] {
        let (told, service) = decided(|asked| usual(asked, 4), change).await;
        assert_eq!(told, "InvalidArgument NotStored");
        assert!(service.asked().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_usable_checkpoint_nothing_is_asked() {
    let service = FakeService::new(|asked| usual(asked, 4));
    let file = NamedTempFile::new().unwrap();
    let (upload, asked) = earlier(&service, &file);
    for (found, expected) in [
        (Found::Nothing, "afresh open false left false: "),
        (
            Found::Damaged("x".to_owned()),
            "afresh open false left false: the checkpoint was damaged (x); the upload started afresh",
        ),
    ] {
        let decision = decide(&service.run, &upload, &asked, found).await;
        assert_eq!(told(decision), expected);
    }
    assert!(service.asked().is_empty());
}

/// It lasts 70 s and 3 s for the clocks; the service is looked at every 2 s.
#[tokio::test(start_paused = true)]
async fn a_finish_of_an_earlier_run_is_not_sent_again_before_it_is_over() {
    for (change, seconds, looks) in [
        (
            (|checkpoint| finish_sent(checkpoint, 0)) as fn(&mut Checkpoint),
            70,
            36,
        ),
        (|checkpoint| finish_sent(checkpoint, 60), 13, 8),
        (|checkpoint| finish_sent(checkpoint, 73), 0, 1),
    ] {
        let (told, service) = decided(|asked| usual(asked, 4), change).await;
        assert_eq!(told, "resume [] finish true lost false");
        assert_eq!(service.elapsed().as_secs(), seconds);
        assert_eq!(service.count("ListParts"), looks);
    }
}

/// Uploading afresh would fire the callback a second time.
#[tokio::test(start_paused = true)]
async fn of_an_upload_that_is_gone_after_its_finish_the_object_is_asked_for() {
    const CASES: [Case; 2] = [
        (
            "no object",
            |_| Answer::refused(404, -1),
            "NetworkError Unknown",
            &["ListParts", "HeadFile", "HeadFile"],
        ),
        (
            "an object",
            |asked| match asked.operation {
                "ListParts" => Answer::refused(404, -1),
                _ => Answer::object(b"aaaabbbb", 0),
            },
            "NetworkError Unknown",
            &["ListParts", "HeadFile", "HeadFile"],
        ),
    ];
    for (name, script, expected, asked) in CASES {
        let (told, service) = decided(script, |checkpoint| finish_sent(checkpoint, 10)).await;
        assert_eq!(told, expected, "{name}");
        assert_eq!(service.asked()[..3], *asked, "{name}");
    }
}
