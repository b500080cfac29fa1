//! The rules of evidence as tables: what is known of a request, for each way in which it can end.

use super::*;
use CallbackState::{NotDelivered, ReplyRefused, Unknown};
use End::{Broken, Garbage, GivenUp, NoConnection, TimedOut, Unreadable};
use Known::{Answered, Done, Lost, NotRun, Stored};

const PASSES: bool = true;
const FOR_GOOD: bool = false;

fn answer(status: u16, form: Form) -> End {
    End::Answered(Answer {
        status,
        form,
        whole: true,
    })
}

fn broken_off(status: u16) -> End {
    End::Answered(Answer {
        status,
        form: Form::Other,
        whole: false,
    })
}

fn form(ret_code: i32) -> Form {
    Form::Service {
        ret_code,
        failed_dial: false,
    }
}

fn failed_dial(ret_code: i32) -> Form {
    Form::Service {
        ret_code,
        failed_dial: true,
    }
}

fn check(stores: bool, policy: bool, through: bool, rows: &[(End, Known, bool)]) {
    for &(end, known, transient) in rows {
        let evidence = Evidence {
            stores,
            policy,
            through,
            end,
        };
        let expected = Verdict { known, transient };
        assert_eq!(judge(&evidence), expected, "{evidence:?}");
    }
}

#[test]
fn a_body_that_was_not_through_did_not_run() {
    for (stores, policy) in [(true, true), (true, false), (false, false)] {
        check(
            stores,
            policy,
            false,
            &[
                (NoConnection { transient: true }, NotRun, PASSES),
                (NoConnection { transient: false }, NotRun, FOR_GOOD),
                (Unreadable, NotRun, FOR_GOOD),
                (Broken, NotRun, PASSES),
                (Garbage, NotRun, FOR_GOOD),
                (TimedOut, NotRun, PASSES),
                (GivenUp, NotRun, FOR_GOOD),
                (answer(200, Form::Json), NotRun, FOR_GOOD),
                (answer(403, form(-148_643)), NotRun, FOR_GOOD),
                (answer(503, form(-1)), NotRun, PASSES),
                (answer(502, Form::Other), NotRun, PASSES),
                (answer(599, form(20_003)), NotRun, FOR_GOOD),
                (answer(599, Form::Other), NotRun, FOR_GOOD),
            ],
        );
    }
}

#[test]
fn a_put_or_finish_with_a_policy() {
    check(
        true,
        true,
        true,
        &[
            // No answer.
            (NoConnection { transient: true }, NotRun, PASSES),
            (Broken, Lost, PASSES),
            (TimedOut, Lost, PASSES),
            (Garbage, Lost, FOR_GOOD),
            (GivenUp, Lost, FOR_GOOD),
            // 2xx: the callback service's reply, which is JSON.
            (answer(200, Form::Json), Done, FOR_GOOD),
            (answer(201, Form::Json), Done, FOR_GOOD),
            (answer(200, form(-1)), Done, FOR_GOOD),
            (answer(200, Form::Empty), Lost, FOR_GOOD),
            (answer(200, Form::Other), Lost, FOR_GOOD),
            (answer(200, Form::Page), Lost, FOR_GOOD),
            (answer(599, Form::Page), Lost, FOR_GOOD),
            (broken_off(200), Lost, PASSES),
            // The pairs that come before the policy (A1).
            (answer(400, form(-148_653)), NotRun, FOR_GOOD),
            (answer(400, form(-15_036)), NotRun, FOR_GOOD),
            (answer(400, form(-148_660)), NotRun, FOR_GOOD),
            (answer(401, form(-148_643)), NotRun, FOR_GOOD),
            (answer(403, form(-148_643)), NotRun, FOR_GOOD),
            (answer(403, form(-148_658)), NotRun, FOR_GOOD),
            (answer(404, form(-30_010)), NotRun, FOR_GOOD),
            // The same RetCodes with another status are not these pairs.
            (answer(500, form(-148_643)), Answered, PASSES),
            (answer(400, form(-148_643)), Answered, FOR_GOOD),
            // Any other error in US3's form: HEAD decides.
            (answer(400, form(17)), Answered, FOR_GOOD),
            (answer(403, form(-1)), Answered, FOR_GOOD),
            (answer(404, form(-148_654)), Answered, FOR_GOOD),
            (answer(408, form(-1)), Answered, PASSES),
            (answer(429, form(17)), Answered, PASSES),
            (answer(500, form(-1)), Answered, PASSES),
            (answer(502, form(-1)), Answered, PASSES),
            (answer(503, form(17)), Answered, PASSES),
            (answer(504, form(-1)), Answered, PASSES),
            (answer(302, form(1)), Answered, FOR_GOOD),
            // 599 in US3's form: stored (A6).
            (
                answer(599, failed_dial(20_003)),
                Stored(NotDelivered),
                FOR_GOOD,
            ),
            (answer(599, form(20_003)), Stored(Unknown), FOR_GOOD),
            (answer(599, form(20_008)), Stored(ReplyRefused), FOR_GOOD),
            (
                answer(599, failed_dial(20_008)),
                Stored(ReplyRefused),
                FOR_GOOD,
            ),
            (answer(599, form(1)), Stored(Unknown), FOR_GOOD),
            (answer(599, failed_dial(1)), Stored(Unknown), FOR_GOOD),
            // 599 not in US3's form: from a gateway.
            (answer(599, Form::Other), Lost, FOR_GOOD),
            (answer(599, Form::Empty), Lost, FOR_GOOD),
            (answer(599, Form::Json), Lost, FOR_GOOD),
            (broken_off(599), Lost, FOR_GOOD),
            // Anything else not in US3's form: from a gateway or the callback service.
            (answer(302, Form::Other), Lost, FOR_GOOD),
            (answer(400, Form::Json), Lost, FOR_GOOD),
            (answer(403, Form::Other), Lost, FOR_GOOD),
            (answer(404, Form::Json), Lost, FOR_GOOD),
            (answer(408, Form::Empty), Lost, PASSES),
            (answer(429, Form::Json), Lost, PASSES),
            (answer(500, Form::Json), Lost, PASSES),
            (answer(502, Form::Other), Lost, PASSES),
            (answer(503, Form::Empty), Lost, PASSES),
            (answer(503, Form::Other), Lost, PASSES),
            (answer(504, Form::Other), Lost, PASSES),
        ],
    );
}

#[test]
fn a_put_or_finish_without_a_policy() {
    check(
        true,
        false,
        true,
        &[
            (Broken, Lost, PASSES),
            (TimedOut, Lost, PASSES),
            (GivenUp, Lost, FOR_GOOD),
            (answer(200, Form::Empty), Done, FOR_GOOD),
            (answer(200, Form::Json), Done, FOR_GOOD),
            (answer(200, Form::Other), Lost, FOR_GOOD),
            (broken_off(200), Lost, PASSES),
            // The answer cannot come from a callback service: the service itself refused.
            (answer(400, form(17)), NotRun, FOR_GOOD),
            (answer(403, form(-1)), NotRun, FOR_GOOD),
            (answer(429, form(-1)), NotRun, PASSES),
            (answer(503, form(-1)), NotRun, PASSES),
            // "The upload is gone" may mean that it was finished.
            (answer(404, form(-190_404)), Answered, FOR_GOOD),
            (answer(408, form(-1)), Answered, PASSES),
            (answer(500, form(-1)), Answered, PASSES),
            (answer(504, form(-1)), Answered, PASSES),
            (answer(599, form(20_003)), Answered, FOR_GOOD),
            (answer(302, Form::Empty), Lost, FOR_GOOD),
            (answer(403, Form::Other), Lost, FOR_GOOD),
            (answer(502, Form::Other), Lost, PASSES),
            (answer(503, Form::Other), Lost, PASSES),
            (answer(599, Form::Other), Lost, FOR_GOOD),
        ],
    );
}

#[test]
fn a_request_that_stores_nothing() {
    check(
        false,
        false,
        true,
        &[
            (Broken, Lost, PASSES),
            (TimedOut, Lost, PASSES),
            (answer(200, Form::Other), Done, FOR_GOOD),
            (answer(204, Form::Empty), Done, FOR_GOOD),
            (answer(200, Form::Page), Lost, FOR_GOOD),
            (answer(404, Form::Page), NotRun, FOR_GOOD),
            (broken_off(200), Lost, PASSES),
            (answer(404, Form::Empty), NotRun, FOR_GOOD),
            (answer(404, form(-148_654)), NotRun, FOR_GOOD),
            (answer(403, Form::Other), NotRun, FOR_GOOD),
            (answer(408, Form::Other), Lost, PASSES),
            (answer(429, Form::Other), NotRun, PASSES),
            (answer(500, form(-1)), Lost, PASSES),
            (answer(502, Form::Other), Lost, PASSES),
            (answer(503, form(-1)), NotRun, PASSES),
            (answer(504, Form::Empty), Lost, PASSES),
        ],
    );
}

#[test]
fn only_what_did_not_run_is_sent_again_by_itself() {
    for (known, once, twice) in [
        (NotRun, true, true),
        (Answered, false, true),
        (Lost, false, true),
        (Done, false, false),
        (Stored(NotDelivered), false, false),
        (Stored(Unknown), false, false),
        (Stored(ReplyRefused), false, false),
    ] {
        let transient = |transient| Verdict { known, transient };
        assert_eq!(may_send_again(transient(true), false), once, "{known:?}");
        assert_eq!(may_send_again(transient(true), true), twice, "{known:?}");
        assert!(!may_send_again(transient(false), true), "{known:?}");
    }
}

#[test]
fn a_lost_try_before_keeps_everything_open() {
    for (now, together) in [
        (NotRun, Lost),
        (Answered, Lost),
        (Lost, Lost),
        (Done, Done),
        (Stored(NotDelivered), Stored(Unknown)),
        (Stored(Unknown), Stored(Unknown)),
        (Stored(ReplyRefused), Stored(ReplyRefused)),
    ] {
        assert_eq!(after_a_lost_one(now), together, "{now:?}");
    }
}

#[test]
fn only_a_failed_dial_to_the_policys_own_url_proves_that_nothing_was_sent() {
    let own = "https://cb.example:8443/done";
    for (err_msg, proves) in [
        (
            "Post https://cb.example:8443/done: dial tcp 10.0.0.1:8443: getsockopt: connection refused",
            true,
        ),
        (
            "Post https://cb.example:8443/done: dial tcp 10.0.0.1:8443: connect: connection refused",
            true,
        ),
        (
            "Post \"https://cb.example:8443/done\": dial tcp 10.0.0.1:8443: connect: connection refused",
            true,
        ),
        (
            "Post https://cb.example:8443/done: dial tcp: lookup cb.example: no such host",
            true,
        ),
        (
            "Post https://cb.example:8443/done: dial tcp 10.0.0.1:8443: i/o timeout",
            true,
        ),
        (
            "Post https://cb.example:8443/done: dial tcp 10.0.0.1:8443: connect: network is unreachable",
            true,
        ),
        (
            "Post https://cb.example:8443/done: dial tcp 10.0.0.1:8443: connect: no route to host",
            true,
        ),
        (
            "Post https://cb.example:8443/done: x509: certificate signed by unknown authority",
            true,
        ),
        (
            "Post https://cb.example:8443/done: tls: failed to verify certificate: x509: expired",
            true,
        ),
        (
            "Post https://cb.example:8443/done: remote error: tls: handshake failure",
            true,
        ),
        (
            "Post https://cb.example:8443/done: net/http: TLS handshake timeout",
            true,
        ),
        (
            "Post https://cb.example:8443/done: http: server gave HTTP response to HTTPS client",
            true,
        ),
        // It may have run.
        ("Post https://cb.example:8443/done: EOF", false),
        (
            "Post https://cb.example:8443/done: read tcp 10.0.0.2:1->10.0.0.1:2: read: connection reset by peer",
            false,
        ),
        (
            "Post https://cb.example:8443/done: write tcp 10.0.0.2:1->10.0.0.1:2: i/o timeout",
            false,
        ),
        (
            "Post https://cb.example:8443/done: net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
            false,
        ),
        (
            "Post https://cb.example:8443/done: context deadline exceeded",
            false,
        ),
        (
            "Post https://cb.example:8443/done: dial tcp 10.0.0.1:8443: operation was canceled",
            false,
        ),
        (
            "Post https://cb.example:8443/done: remote error: tls: internal error",
            false,
        ),
        // After a redirect the policy's own address has answered.
        (
            "Post https://other.example/: dial tcp 10.0.0.9:443: connect: connection refused",
            false,
        ),
        (
            "Get https://cb.example:8443/done: dial tcp 10.0.0.1:8443: connect: connection refused",
            false,
        ),
        ("dial tcp 10.0.0.1:8443: connect: connection refused", false),
        ("", false),
    ] {
        let text = format!("send request error: {err_msg}");
        assert_eq!(is_failed_dial(&text, |url| url == own), proves, "{text}");
        assert!(!is_failed_dial(err_msg, |_| true), "{err_msg}");
    }
}

#[test]
fn a_callback_service_answers_json_or_a_redirect_a_gateway_html_or_nothing() {
    for (status, form, callbacks) in [
        (400, Form::Json, true),
        (404, Form::Json, true),
        (500, Form::Json, true),
        (503, form(17), true),
        (302, Form::Empty, true),
        (302, Form::Other, true),
        (200, Form::Json, false),
        (404, Form::Other, false),
        (404, Form::Page, false),
        (302, Form::Page, true),
        (502, Form::Other, false),
        (504, Form::Empty, false),
        (599, Form::Other, false),
    ] {
        let answer = Answer {
            status,
            form,
            whole: true,
        };
        assert_eq!(is_of_the_callback_service(answer), callbacks, "{answer:?}");
    }
}
