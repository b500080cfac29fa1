//! What breaks beyond each assumption: with all of them kept, the same subjects hold (`promises`).

use crate::check::finds;
use crate::properties::{NOT_DELIVERED, NOT_STORED, ONE_CALLBACK, STORED};
use crate::rules::Rules;
use crate::subjects::{self, Subject};
use crate::world::{Assumptions, KEPT};

fn breaks(assumptions: Assumptions, subject: Subject, property: &'static str) {
    finds(subject, Rules::default(), assumptions, property);
}

#[test]
fn without_a1_a_callback_service_answers_as_the_service_refuses() {
    let beyond = Assumptions {
        a1_no_callback_service_answers_a_pair_of_the_service: false,
        ..KEPT
    };
    breaks(beyond, subjects::put(), NOT_STORED);
    breaks(beyond, subjects::put(), NOT_DELIVERED);
}

#[test]
fn without_a2_a_finish_runs_after_the_rerun_has_waited() {
    let beyond = Assumptions {
        a2_a_request_runs_within_f: false,
        ..KEPT
    };
    breaks(beyond, subjects::finish_with_kills(), ONE_CALLBACK);
}

#[test]
fn without_a3_a_callback_service_answers_an_error_and_deletes() {
    let beyond = Assumptions {
        a3_an_error_in_the_form_leaves_the_object: false,
        ..KEPT
    };
    breaks(beyond, subjects::put(), NOT_STORED);
    breaks(beyond, subjects::put(), ONE_CALLBACK);
    breaks(beyond, subjects::finish(), NOT_DELIVERED);
}

#[test]
fn without_a4_head_does_not_show_what_is_stored() {
    let beyond = Assumptions {
        a4_head_shows_an_object_at_once: false,
        ..KEPT
    };
    breaks(beyond, subjects::put(), NOT_STORED);
    breaks(beyond, subjects::put(), ONE_CALLBACK);
}

#[test]
fn without_a4_an_object_seems_older_than_its_request() {
    let mut subject = subjects::put();
    for setup in &mut subject.setups {
        setup.skew = -4;
    }
    breaks(KEPT, subject, NOT_STORED);
}

#[test]
fn without_a4_an_object_from_before_seems_new() {
    let mut subject = subjects::put();
    for setup in &mut subject.setups {
        setup.skew = 100;
    }
    breaks(KEPT, subject, STORED);
}

#[test]
fn without_a5_a_finished_upload_is_finished_again() {
    let beyond = Assumptions {
        a5_a_finish_ends_its_upload: false,
        ..KEPT
    };
    breaks(beyond, subjects::finish_with_kills(), ONE_CALLBACK);
}

#[test]
fn without_a6_a_599_is_sent_of_an_object_that_is_not_stored() {
    let beyond = Assumptions {
        a6_599_in_the_form_means_stored: false,
        ..KEPT
    };
    breaks(beyond, subjects::put(), STORED);
    breaks(beyond, subjects::finish(), STORED);
}

/// `judge` takes an error in the form as the end of the work. No numbered assumption says so.
#[test]
fn a_service_that_works_on_after_an_error_in_the_form_breaks_the_promises() {
    let beyond = Assumptions {
        an_error_in_the_form_ends_the_work: false,
        ..KEPT
    };
    breaks(beyond, subjects::put(), ONE_CALLBACK);
    breaks(beyond, subjects::put(), NOT_STORED);
}
