//! Runs the checker, and prints what it saw.

use std::collections::BTreeSet;
use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model, Path, Property};

use crate::model::{Action, Us3};
use crate::properties;
use crate::rules::Rules;
use crate::state::State;
use crate::subjects::Subject;
use crate::world::{Assumptions, KEPT};

/// Within the assumptions, no state breaks a promise, and each of `sometimes` has an example.
pub fn keeps_its_promises(subject: Subject, sometimes: Vec<Property<Us3>>) {
    let name = subject.name;
    let begun = Instant::now();
    let model = Us3 {
        bounds: subject.bounds,
        rules: Rules::default(),
        assumptions: KEPT,
        setups: subject.setups,
        properties: [properties::always(), sometimes].concat(),
    };
    let checker = model.checker().threads(2);
    let checker = checker.finish_when(HasDiscoveries::AnyFailures);
    let checker = checker.spawn_bfs().join();
    println!(
        "{name}: states: {} unique, {} generated, depth {}, in {:.1} s",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        begun.elapsed().as_secs_f32(),
    );
    for (property, path) in checker.discoveries() {
        let property = checker.model().property(property);
        if property.expectation.discovery_is_failure() {
            panic!(
                "{name}: \"{}\" does not hold:\n{}",
                property.name,
                text(path)
            );
        }
    }
    checker.assert_properties();
}

/// With an old rule, or beyond an assumption, the checker finds a state in which the property does not hold.
pub fn finds(subject: Subject, rules: Rules, assumptions: Assumptions, property: &'static str) {
    let search = |fewer_than| {
        let model = Us3 {
            bounds: subject.bounds,
            rules,
            assumptions,
            setups: subject.setups.clone(),
            properties: properties::always(),
        };
        let checker = model.checker().target_max_depth(fewer_than);
        let checker = checker.finish_when(HasDiscoveries::AnyOf(BTreeSet::from([property])));
        checker.spawn_bfs().join().discovery(property)
    };
    let name = subject.name;
    let Some(mut path) = search(usize::MAX) else {
        panic!("{name}: no state was found in which \"{property}\" does not hold");
    };
    // The checker reports the last that it came across before it stopped.
    while let Some(shorter) = search(path.clone().into_states().len()) {
        path = shorter;
    }
    println!("{name}: \"{property}\" does not hold:\n{}", text(path));
}

/// A counter-example, one action a line.
fn text(path: Path<State, Action>) -> String {
    let last = path.last_state().clone();
    let actions = path.into_actions().into_iter();
    let lines: String = actions.map(|action| format!("    {action:?}\n")).collect();
    let claims = last.claims.iter().flatten();
    let claims: String = claims.map(|claim| format!("  {claim:?}\n")).collect();
    format!("  {:?}\n{lines}{claims}", last.setup)
}
