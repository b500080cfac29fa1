//! A connection that broke is no proof that the service stopped: it may run the request seconds later.

use std::time::Duration;

use us3::client::Client;
use us3_emulator::{Call, Fault, Place, Rule};

use crate::support::bench::{Bench, PATIENCE};
use crate::truth::STORING;
use crate::truth::honest::{STORED, UNKNOWN, agrees, failed};

/// The front end resets the connection after the body, and the service behind it goes on.
fn reset_and_go_on(call: Call, after_ms: u64) -> Rule {
    let rule = Rule::on(call, Fault::Reset).at(Place::AfterBody);
    rule.nth(1).detached(Duration::from_millis(after_ms))
}

fn settling_for(bench: &Bench, time: Duration) -> Client {
    bench.client_with(|config| config.settle_timeout = time)
}

#[test]
fn what_runs_after_its_connection_broke_is_found_stored() {
    for (mode, call) in STORING {
        let bench = Bench::with_blocks(1);
        bench.emulator.rule(reset_and_go_on(call, 300));
        let client = settling_for(&bench, PATIENCE);
        let result = client.upload(bench.request_with_policy(mode, 1));
        agrees(&bench, &result);
        failed(result, STORED);
        assert_eq!((bench.count(call), bench.fired()), (1, 1), "{call}");
    }
}

#[test]
fn what_runs_after_the_settling_is_unknown_and_not_sent_again() {
    for (mode, call) in STORING {
        let bench = Bench::with_blocks(1);
        bench.emulator.rule(reset_and_go_on(call, 1500));
        let client = settling_for(&bench, Duration::from_millis(100));
        let result = client.upload(bench.request_with_policy(mode, 1));
        assert_eq!(bench.fired(), 0, "the test is too slow");
        failed(result, UNKNOWN);
        bench.idle();
        assert_eq!((bench.count(call), bench.fired()), (1, 1), "{call}");
    }
}

#[test]
fn without_a_policy_what_runs_after_its_connection_broke_may_be_sent_again() {
    for (mode, call) in STORING {
        let bench = Bench::with_blocks(1);
        bench.emulator.rule(reset_and_go_on(call, 300));
        let client = settling_for(&bench, PATIENCE);
        let result = client.upload(bench.request(mode, 1));
        agrees(&bench, &result);
        bench.assert_stored();
    }
}
