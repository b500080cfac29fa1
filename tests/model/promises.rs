//! Within the assumptions: no lie, no second callback, at most N requests.

use crate::check::keeps_its_promises;
use crate::properties;
use crate::subjects;

#[test]
fn no_lie_and_no_second_callback_of_a_put() {
    let mut sometimes = properties::sometimes_with_a_policy();
    sometimes.push(properties::sometimes_sent_again());
    keeps_its_promises(subjects::put(), sometimes);
}

#[test]
fn no_lie_of_a_put_that_may_run_twice() {
    let sometimes = properties::sometimes_with_a_policy();
    keeps_its_promises(subjects::put_at_least_once(), sometimes);
}

#[test]
fn no_lie_and_no_second_callback_of_a_finish_and_another_by_the_host() {
    let sometimes = properties::sometimes_with_a_policy();
    keeps_its_promises(subjects::finish(), sometimes);
}

#[test]
fn no_lie_and_no_second_callback_of_a_finish_whose_process_is_killed() {
    let sometimes = properties::sometimes_with_a_policy();
    keeps_its_promises(subjects::finish_with_kills(), sometimes);
}

#[test]
fn no_lie_without_a_policy() {
    let sometimes = properties::sometimes_without_a_policy();
    keeps_its_promises(subjects::without_a_policy(), sometimes);
}
