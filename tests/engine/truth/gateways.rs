//! What a gateway answers in the service's place proves nothing, whatever its page says.

use us3::error::{CallbackState, ObjectState, Status};
use us3::upload::Mode;
use us3_emulator::{Call, Fault, Gateway, Place, Rule};

use crate::support::bench::{Bench, PART, PATIENCE, told};
use crate::truth::STORING;
use crate::truth::honest::{STORED, UNKNOWN, agrees, failed, states};

const MIB: usize = 1 << 20;

/// Pages as gateways send them, to every kind of trouble, and a portal's.
const PAGES: [u16; 6] = [200, 404, 502, 503, 504, 599];

#[test]
fn a_page_in_the_middle_of_the_body_stores_nothing() {
    for status in PAGES {
        // More than sockets hold, so that the library knows.
        let bench = Bench::new(32 * MIB);
        let rule = Rule::on(Call::Put, Fault::gateway(status)).at(Place::Body(PART as u64));
        bench.emulator.rule(rule);
        let result = bench
            .client_with(|config| config.max_retries = 0)
            .upload(bench.request_with_policy(Mode::Put, 1));
        agrees(&bench, &result);
        let (object, callback) = states(&result);
        let told = told(&result);
        assert_eq!(object, ObjectState::NotStored, "{status}: {told}");
        assert_eq!(callback, CallbackState::NotDelivered, "{status}: {told}");
    }
}

#[test]
fn a_page_after_the_body_leaves_everything_open() {
    for (mode, call) in STORING {
        for status in PAGES {
            let bench = Bench::with_parts(1);
            let rule = Rule::on(call, Fault::gateway(status)).at(Place::AfterBody);
            bench.emulator.rule(rule);
            let result = bench.client().upload(bench.request_with_policy(mode, 1));
            agrees(&bench, &result);
            failed(result, UNKNOWN);
            assert_eq!(bench.count(call), 1, "{call} {status}");
        }
    }
}

#[test]
fn a_page_after_the_request_ran_is_settled_by_the_object_and_is_no_failed_callback() {
    for (mode, call) in STORING {
        for status in PAGES {
            let bench = Bench::with_blocks(1);
            let rule = Rule::on(call, Fault::gateway(status)).at(Place::AfterExecuting);
            bench.emulator.rule(rule);
            let result = bench.client().upload(bench.request_with_policy(mode, 1));
            agrees(&bench, &result);
            let error = failed(result, STORED);
            assert_ne!(error.status(), Status::CallbackFailed, "{call} {error}");
            assert_eq!(bench.count(call), 1, "{call} {status}");
        }
    }
}

#[test]
fn a_portals_page_to_a_put_without_a_policy_is_no_success() {
    let bench = Bench::with_parts(1);
    let rule = Rule::on(Call::Put, Fault::gateway(200)).at(Place::AfterBody);
    bench.emulator.rule(rule);
    let result = bench.client().upload(bench.request(Mode::Put, 1));
    agrees(&bench, &result);
    failed(result, (ObjectState::Unknown, CallbackState::NotRequested));
}

/// Pages that repeat the URL, and with it `uploadId`.
fn repeating(call: Call, status: u16) -> Rule {
    Rule::on(call, Fault::Gateway(Gateway::new(status).repeats()))
}

#[test]
fn an_upload_is_not_gone_because_a_page_repeats_its_name() {
    for status in [400, 404] {
        let bench = Bench::with_parts(3);
        let refused = Rule::on(Call::Part, Fault::error(403, -1, "no")).part(2);
        bench.emulator.rule(refused.nth(1));
        // Nothing is to run into a time limit here, on a busy machine neither.
        let client = bench.client_with(|config| config.response_timeout = PATIENCE);
        let error = client.upload(bench.resumable()).expect_err("refused");
        let upload_id = error.report().upload_id.clone();
        let rule = bench.emulator.rule(repeating(Call::List, status));
        let error = client.upload(bench.resumable()).expect_err("a page");
        assert_eq!(error.report().upload_id, upload_id, "{error}");
        assert_eq!(bench.count(Call::Initiate), 1, "{error}");
        bench.emulator.remove_rule(rule);
        let report = client.upload(bench.resumable()).expect("the rest");
        assert_eq!(report.parts_resumed, 2);
        assert_eq!(bench.count(Call::Initiate), 1);
    }
}

#[test]
fn an_upload_is_not_aborted_because_a_page_repeats_its_name() {
    for status in [400, 404] {
        let bench = Bench::with_parts(1);
        let refused = Rule::on(Call::Part, Fault::error(403, -1, "no"));
        bench.emulator.rule(refused);
        let page = bench.emulator.rule(repeating(Call::Abort, status));
        let client = bench.client();
        let request = bench.request_with_policy(Mode::Multipart, 1);
        let error = client.upload(request).expect_err("refused");
        assert_eq!(error.report().http_status, 403, "{error}");
        let named = error.report().upload_id.clone().expect("a name");
        bench.emulator.remove_rule(page);
        let key = crate::support::bench::KEY;
        client.abort_upload(key, &named).expect("an abort");
        bench.assert_no_upload();
    }
}
