//! Rules that an earlier libus3 went by, and others as near at hand: with each of them, the model finds the lie.

use crate::check::finds;
use crate::properties::{DELIVERED, NOT_DELIVERED, NOT_STORED, ONE_CALLBACK, STORED};
use crate::rules::Rules;
use crate::subjects::{self, Subject};
use crate::world::{Content, KEPT};

fn is_caught(rules: Rules, subject: Subject, property: &'static str) {
    finds(subject, rules, KEPT, property);
}

#[test]
fn old_rule_2_absence_after_a_lost_answer_proves_that_a_put_did_not_run() {
    let absence_after_a_lost_answer_is_proof = true;
    let rules = Rules {
        absence_after_a_lost_answer_is_proof,
        ..Rules::default()
    };
    is_caught(rules, subjects::put(), NOT_STORED);
    is_caught(rules, subjects::put(), NOT_DELIVERED);
}

#[test]
fn old_rule_2_absence_after_a_lost_answer_proves_that_a_finish_did_not_run() {
    let absence_after_a_lost_answer_is_proof = true;
    let rules = Rules {
        absence_after_a_lost_answer_is_proof,
        ..Rules::default()
    };
    is_caught(rules, subjects::finish(), NOT_STORED);
    is_caught(rules, subjects::finish(), NOT_DELIVERED);
}

#[test]
fn old_rule_2_a_rerun_finishes_at_once_what_may_still_run() {
    let rules = Rules {
        rerun_finishes_at_once: true,
        ..Rules::default()
    };
    is_caught(rules, subjects::finish_with_kills(), ONE_CALLBACK);
}

#[test]
fn old_rule_3_a_599_with_html_means_stored() {
    let rules = Rules {
        html_599_is_stored: true,
        ..Rules::default()
    };
    is_caught(rules, subjects::put(), STORED);
    is_caught(rules, subjects::finish(), STORED);
}

#[test]
fn old_rule_4_an_error_in_the_form_is_the_services_and_is_sent_again() {
    let rules = Rules {
        an_error_in_the_form_is_the_services: true,
        ..Rules::default()
    };
    is_caught(rules, subjects::put(), ONE_CALLBACK);
}

#[test]
fn old_rule_4_an_error_in_the_form_is_the_services_and_nothing_is_stored() {
    let rules = Rules {
        an_error_in_the_form_is_the_services: true,
        ..Rules::default()
    };
    is_caught(rules, subjects::put(), NOT_STORED);
    is_caught(rules, subjects::finish(), NOT_DELIVERED);
}

#[test]
fn old_rule_5_a_200_with_html_is_a_success() {
    let rules = Rules {
        html_200_is_success: true,
        ..Rules::default()
    };
    is_caught(rules, subjects::put(), STORED);
    is_caught(rules, subjects::put(), DELIVERED);
}

#[test]
fn old_rule_6_an_older_object_of_the_same_size_is_ours() {
    let rules = Rules {
        size_is_enough: true,
        ..Rules::default()
    };
    let mut subject = subjects::put();
    subject
        .setups
        .retain(|setup| setup.before == Content::Other);
    is_caught(rules, subject, STORED);
}

#[test]
fn old_rule_6_the_same_content_from_before_is_ours() {
    let rules = Rules {
        age_is_ignored: true,
        ..Rules::default()
    };
    is_caught(rules, subjects::put(), STORED);
}

#[test]
fn old_rule_7_each_20003_says_that_the_callback_did_not_run() {
    let rules = Rules {
        each_20003_is_not_delivered: true,
        ..Rules::default()
    };
    is_caught(rules, subjects::put(), NOT_DELIVERED);
}

#[test]
fn old_rule_7_a_20008_says_that_the_callback_did_not_run() {
    let rules = Rules {
        each_20008_is_not_delivered: true,
        ..Rules::default()
    };
    is_caught(rules, subjects::put(), NOT_DELIVERED);
}

#[test]
fn bytes_that_are_counted_before_the_connection_is_stopped_prove_nothing() {
    let rules = Rules {
        bytes_are_counted_before_the_stop: true,
        ..Rules::default()
    };
    is_caught(rules, subjects::put(), ONE_CALLBACK);
    is_caught(rules, subjects::put(), NOT_STORED);
}

#[test]
fn a_try_that_was_answered_in_the_form_counts_as_lost_once_it_is_sent_again() {
    let rules = Rules {
        a_try_answered_in_the_form_is_forgotten: true,
        ..Rules::default()
    };
    is_caught(rules, subjects::put_at_least_once(), NOT_STORED);
}
