//! What the host is told of a PutFile, against a service in memory.

use super::*;
use crate::upload::tests::{Answer, FakeService, memory, policy, usual};
use CallbackState::{Delivered, NotDelivered, NotRequested, ReplyRefused, Unknown};
use ObjectState::{NotStored, Stored};

/// PutFile's first answer, HEAD's every answer; what the host is told, and how often PutFile was sent.
type Case = (
    &'static str,
    bool,
    fn() -> Answer,
    fn() -> Answer,
    (Status, ObjectState, CallbackState, usize),
);

const CASES: [Case; 12] = [
    (
        "lost",
        false,
        || Answer::Lost,
        none,
        (Status::Ok, Stored, NotRequested, 2),
    ),
    (
        "busy",
        false,
        || Answer::refused(503, -1),
        none,
        (Status::Ok, Stored, NotRequested, 2),
    ),
    (
        "refused",
        false,
        || Answer::refused(403, -1),
        none,
        (Status::ServiceError, NotStored, NotRequested, 1),
    ),
    (
        "no connection",
        true,
        || Answer::Unsent,
        none,
        (Status::Ok, Stored, Delivered, 2),
    ),
    (
        "lost, not there",
        true,
        || Answer::Lost,
        none,
        (Status::NetworkError, ObjectState::Unknown, Unknown, 1),
    ),
    (
        "lost, there",
        true,
        || Answer::Lost,
        ours,
        (Status::NetworkError, Stored, Unknown, 1),
    ),
    (
        "lost, an older one",
        true,
        || Answer::Lost,
        || Answer::object(b"content", 60),
        (Status::NetworkError, ObjectState::Unknown, Unknown, 1),
    ),
    (
        "before the policy",
        true,
        || Answer::refused(403, -148_643),
        none,
        (Status::ServiceError, NotStored, NotDelivered, 1),
    ),
    (
        "an error, not there",
        true,
        || Answer::refused(500, -1),
        none,
        (Status::Ok, Stored, Delivered, 2),
    ),
    (
        "an error, there",
        true,
        || Answer::refused(500, -1),
        ours,
        (Status::CallbackFailed, Stored, Unknown, 1),
    ),
    (
        "the reply was refused",
        true,
        || Answer::refused(599, 20_008),
        ours,
        (Status::CallbackFailed, Stored, ReplyRefused, 1),
    ),
    (
        "599, not there",
        true,
        || Answer::refused(599, 20_008),
        none,
        (Status::ProtocolError, ObjectState::Unknown, Unknown, 1),
    ),
];

fn none() -> Answer {
    Answer::refused(404, -1)
}

fn ours() -> Answer {
    Answer::object(b"content", 0)
}

#[tokio::test(start_paused = true)]
async fn the_host_is_told_what_was_seen_and_no_callback_is_risked_twice() {
    for (name, with_policy, put, head, expected) in CASES {
        let service = FakeService::new(move |asked| match (asked.operation, asked.before) {
            ("PutFile", 0) => put(),
            ("HeadFile", _) => head(),
            _ => usual(asked, 4),
        });
        let mut request = memory("content");
        request.policy = with_policy.then(policy);
        let result = service.upload(request).await;
        let status = result.as_ref().map_or_else(Error::status, |_| Status::Ok);
        let report = crate::error::report_of(&result);
        let told = (
            status,
            report.object,
            report.callback,
            service.count("PutFile"),
        );
        assert_eq!(told, expected, "{name}: {result:?}");
    }
}
