//! What must be true in each state, and what must be true in some.
//!
//! A claim is held against what the world knows, now and in every later state: a request that runs after the
//! claim makes it false as well.

use stateright::Property;
use us3::error::{CallbackState, ObjectState};

use crate::library::Claim;
use crate::model::Us3;
use crate::state::State;

pub const ONE_CALLBACK: &str = "no callback twice without at_least_once or an order of the host";
pub const NOT_STORED: &str = "NOT_STORED is true";
pub const STORED: &str = "STORED is true";
pub const DELIVERED: &str = "DELIVERED is true";
pub const NOT_DELIVERED: &str = "NOT_DELIVERED is true";
pub const REPLY_REFUSED: &str = "REPLY_REFUSED is true";
pub const STEPS: &str = "at most N requests";

pub fn always() -> Vec<Property<Us3>> {
    vec![
        Property::always(ONE_CALLBACK, |_, state: &State| {
            state.setup.at_least_once || state.called.iter().all(|&called| called <= 1)
        }),
        // An order speaks for the earlier one as well: both are finishes of the same upload.
        Property::always(NOT_STORED, |_, state| {
            holds(state, |order, claim| {
                claim.object != ObjectState::NotStored || !stored(state, order)
            })
        }),
        // Deleted or replaced afterwards is as good: it was stored.
        Property::always(STORED, |_, state| {
            holds(state, |order, claim| {
                claim.object != ObjectState::Stored || claim.other_bytes || stored(state, order)
            })
        }),
        Property::always(DELIVERED, |_, state| {
            holds(state, |order, claim| {
                claim.callback != CallbackState::Delivered
                    || (claim.reply_of_the_callback_service && called(state, order))
            })
        }),
        Property::always(NOT_DELIVERED, |_, state| {
            holds(state, |order, claim| {
                claim.callback != CallbackState::NotDelivered || !called(state, order)
            })
        }),
        Property::always(REPLY_REFUSED, |_, state| {
            holds(state, |order, claim| {
                claim.callback != CallbackState::ReplyRefused || called(state, order)
            })
        }),
        Property::always(STEPS, |model: &Us3, state: &State| {
            state.library.asked <= model.bounds.steps()
        }),
    ]
}

/// With a policy, each claim is made somewhere: a library that always says "unknown" does not pass.
pub fn sometimes_with_a_policy() -> Vec<Property<Us3>> {
    use CallbackState::{Delivered, NotDelivered, ReplyRefused, Unknown};
    use ObjectState::{NotStored, Stored};
    vec![
        Property::sometimes("OK, stored and delivered", |_, state| {
            claimed(state, Stored, Delivered)
        }),
        Property::sometimes("not stored", |_, state| {
            claimed(state, NotStored, NotDelivered)
        }),
        Property::sometimes("stored, not delivered", |_, state| {
            claimed(state, Stored, NotDelivered)
        }),
        Property::sometimes("stored, reply refused", |_, state| {
            claimed(state, Stored, ReplyRefused)
        }),
        Property::sometimes("stored, callback unknown", |_, state| {
            claimed(state, Stored, Unknown)
        }),
        Property::sometimes("unknown", |_, state| {
            claimed(state, ObjectState::Unknown, Unknown)
        }),
    ]
}

/// An answer in the form, HEAD that shows no new object, and another try.
pub fn sometimes_sent_again() -> Property<Us3> {
    Property::sometimes(
        "sent again because HEAD showed nothing",
        |_, state: &State| state.library.tries == 2 && state.library.asked == 3,
    )
}

pub fn sometimes_without_a_policy() -> Vec<Property<Us3>> {
    use CallbackState::NotRequested;
    vec![
        Property::sometimes("OK, stored", |_, state| {
            claimed(state, ObjectState::Stored, NotRequested)
        }),
        Property::sometimes("not stored", |_, state| {
            claimed(state, ObjectState::NotStored, NotRequested)
        }),
        Property::sometimes("unknown", |_, state| {
            claimed(state, ObjectState::Unknown, NotRequested)
        }),
    ]
}

fn holds(state: &State, rule: impl Fn(usize, &Claim) -> bool) -> bool {
    let mut claims = state.claims.iter().enumerate();
    claims.all(|(order, claim)| claim.as_ref().is_none_or(|claim| rule(order, claim)))
}

fn claimed(state: &State, object: ObjectState, callback: CallbackState) -> bool {
    let mut claims = state.claims.iter().flatten();
    claims.any(|claim| claim.object == object && claim.callback == callback && !claim.other_bytes)
}

fn stored(state: &State, order: usize) -> bool {
    state.stored[..=order].contains(&true)
}

fn called(state: &State, order: usize) -> bool {
    state.called[..=order].iter().any(|&called| called > 0)
}
