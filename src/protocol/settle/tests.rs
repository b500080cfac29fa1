//! Tables: which question comes next, and what the answers mean.

use super::*;
use EtagMatch::{Different, Incomparable, Same};
use Object::{Absent, NoAnswer, OfUnknownAge, Older, Other, Ours, Refused};
use Step::{AskLikewise, AskObject, AskUpload, End, Pause};

const IN_FORM: Option<(u16, i32)> = Some((503, 17));
const LOST: Option<(u16, i32)> = None;

fn doubt(finish: bool, answered: Option<(u16, i32)>) -> Settling {
    Settling::new(Doubt { finish, answered })
}

/// The step after HEAD, with and without time left.
fn after(finish: bool, answered: Option<(u16, i32)>, object: Object) -> (Step, Step) {
    let mut settling = doubt(finish, answered);
    settling.saw_object(object);
    if finish && answered.is_none() {
        settling.saw_upload(UploadListing::Unsaid);
    }
    (settling.next(true), settling.next(false))
}

#[test]
fn head_comes_first_whatever_the_doubt_and_the_time() {
    for finish in [true, false] {
        for answered in [IN_FORM, LOST] {
            for time_left in [true, false] {
                assert_eq!(doubt(finish, answered).next(time_left), AskObject);
            }
        }
    }
}

#[test]
fn an_answer_in_the_form_is_settled_by_one_look() {
    let unknown = |why| End(Outcome::Unknown(why));
    for finish in [true, false] {
        for (object, with_time, without) in [
            (Ours, End(Outcome::Stored), End(Outcome::Stored)),
            (Absent, End(Outcome::NotRun), End(Outcome::NotRun)),
            (Older, End(Outcome::NotRun), End(Outcome::NotRun)),
            (Other, unknown(Why::Another), unknown(Why::Another)),
            (OfUnknownAge, unknown(Why::NoAge), unknown(Why::NoAge)),
            (
                Refused(403),
                unknown(Why::Refused(403)),
                unknown(Why::Refused(403)),
            ),
            (Refused(503), AskLikewise, AskLikewise),
            (NoAnswer, Pause, unknown(Why::NoAnswer)),
        ] {
            let expected = (with_time, without);
            assert_eq!(after(finish, IN_FORM, object), expected, "{object:?}");
        }
    }
}

#[test]
fn a_lost_answer_is_looked_for_until_the_time_is_up_and_absence_proves_nothing() {
    let unknown = |why| End(Outcome::Unknown(why));
    for finish in [true, false] {
        for (object, with_time, without) in [
            (Ours, End(Outcome::Stored), End(Outcome::Stored)),
            (Absent, Pause, unknown(Why::NotThere)),
            (Older, Pause, unknown(Why::StillTheOlder)),
            (Other, Pause, unknown(Why::Another)),
            (OfUnknownAge, unknown(Why::NoAge), unknown(Why::NoAge)),
            (
                Refused(403),
                unknown(Why::Refused(403)),
                unknown(Why::Refused(403)),
            ),
            (NoAnswer, Pause, unknown(Why::NoAnswer)),
        ] {
            let expected = (with_time, without);
            assert_eq!(after(finish, LOST, object), expected, "{object:?}");
        }
    }
}

#[test]
fn a_request_refused_as_its_question_is_refused_did_not_run() {
    for (asked, outcome) in [
        (Some((403, -7)), Outcome::NotRun),
        (Some((403, -8)), Outcome::Unknown(Why::Refused(403))),
        (Some((401, -7)), Outcome::Unknown(Why::Refused(403))),
        (None, Outcome::Unknown(Why::Refused(403))),
    ] {
        let mut settling = doubt(false, Some((403, -7)));
        settling.saw_object(Refused(403));
        settling.saw_likewise(asked);
        assert_eq!(settling.next(true), End(outcome), "{asked:?}");
    }
}

#[test]
fn of_a_lost_finish_the_upload_is_asked_for_in_each_round() {
    let mut settling = doubt(true, LOST);
    settling.saw_object(Absent);
    assert_eq!(settling.next(true), AskUpload);
    assert_eq!(settling.next(false), AskUpload);
    settling.saw_upload(UploadListing::Listed);
    assert_eq!(settling.next(true), Pause);
    settling.ask_again();
    assert_eq!(settling.next(true), AskObject);
}

#[test]
fn an_upload_is_named_unless_it_is_known_to_be_gone() {
    let unknown = Outcome::Unknown(Why::NotThere);
    for (answered, upload, outcome, named) in [
        (LOST, UploadListing::Listed, unknown, true),
        (LOST, UploadListing::Unsaid, unknown, true),
        (LOST, UploadListing::Gone, unknown, false),
        (LOST, UploadListing::Gone, Outcome::Stored, false),
        (LOST, UploadListing::Unsaid, Outcome::Stored, false),
        (IN_FORM, UploadListing::Unsaid, Outcome::NotRun, true),
        (
            Some((404, -190_404)),
            UploadListing::Unsaid,
            Outcome::NotRun,
            false,
        ),
    ] {
        let mut settling = doubt(true, answered);
        settling.saw_upload(upload);
        let row = (answered, upload, outcome);
        assert_eq!(settling.upload_may_exist(outcome), named, "{row:?}");
    }
}

#[test]
fn head_tells_what_is_ours_by_etag_and_age() {
    // The request began 10 s before HEAD's Date of 1000: at 990, give or take 3 s.
    let since = Duration::from_secs(10);
    for (status, page, etag, last_modified, date, expected) in [
        (200, false, Same, Some(990), Some(1000), Ours),
        (200, false, Same, Some(1000), Some(1000), Ours),
        (200, false, Same, Some(987), Some(1000), Ours),
        (200, false, Same, Some(986), Some(1000), Older),
        (200, false, Same, Some(5), Some(1000), Older),
        (200, false, Different, Some(986), Some(1000), Older),
        (200, false, Different, Some(990), Some(1000), Other),
        (200, false, Incomparable, Some(986), Some(1000), Older),
        (200, false, Incomparable, Some(990), Some(1000), Other),
        (200, false, Same, None, Some(1000), OfUnknownAge),
        (200, false, Same, Some(990), None, OfUnknownAge),
        (200, false, Different, None, None, Other),
        (200, false, Incomparable, None, None, Other),
        (200, true, Same, Some(990), Some(1000), Ours),
        (200, true, Same, Some(986), Some(1000), Older),
        (200, true, Same, None, None, OfUnknownAge),
        (200, true, Different, Some(5), Some(1000), NoAnswer),
        (200, true, Incomparable, Some(5), Some(1000), NoAnswer),
        (200, true, Incomparable, None, None, NoAnswer),
        (404, false, Incomparable, None, None, Absent),
        (404, true, Incomparable, None, None, NoAnswer),
        (403, true, Incomparable, None, None, NoAnswer),
        (403, false, Incomparable, None, None, Refused(403)),
        (408, false, Incomparable, None, None, NoAnswer),
        (429, false, Incomparable, None, None, NoAnswer),
        (302, false, Incomparable, None, None, NoAnswer),
        (503, false, Incomparable, None, None, NoAnswer),
    ] {
        let head = Head {
            status,
            page,
            etag,
            last_modified,
            date,
        };
        assert_eq!(object(head, since), expected, "{head:?}");
    }
}

#[test]
fn an_outcome_says_no_more_than_it_knows() {
    use CallbackState::{NotDelivered, NotRequested};
    let unknown = Outcome::Unknown(Why::NoAnswer);
    for (outcome, policy, states) in [
        (
            Outcome::NotRun,
            true,
            (ObjectState::NotStored, NotDelivered),
        ),
        (
            Outcome::NotRun,
            false,
            (ObjectState::NotStored, NotRequested),
        ),
        (
            Outcome::Stored,
            true,
            (ObjectState::Stored, CallbackState::Unknown),
        ),
        (Outcome::Stored, false, (ObjectState::Stored, NotRequested)),
        (
            unknown,
            true,
            (ObjectState::Unknown, CallbackState::Unknown),
        ),
        (unknown, false, (ObjectState::Unknown, NotRequested)),
    ] {
        assert_eq!(outcome.states(policy), states, "{outcome:?}");
    }
}
