//! Tokens that may not ask: what cannot be found out is unknown, and a refusal of everything is a refusal.

use us3::error::CallbackState;
use us3_emulator::{Fault, Place, Rights, Rule};

use crate::support::bench::{Bench, succeeded};
use crate::support::{reply, scripted};
use crate::truth::STORING;
use crate::truth::honest::{NOTHING, UNKNOWN, agrees, failed};

/// May upload, and nothing else.
const WRITE: Rights = Rights {
    write: true,
    ..Rights::NONE
};

#[test]
fn a_token_that_may_only_write_uploads() {
    for (mode, _) in STORING {
        let bench = Bench::with_blocks(1);
        bench.emulator.set_rights(WRITE);
        let result = bench.client().upload(bench.request_with_policy(mode, 1));
        agrees(&bench, &result);
        assert_eq!(succeeded(result).callback, CallbackState::Delivered);
    }
}

#[test]
fn a_lost_answer_is_unknown_to_a_token_that_may_only_write() {
    for (mode, call) in STORING {
        for place in [Place::AfterBody, Place::AfterExecuting] {
            let bench = Bench::with_blocks(1);
            bench.emulator.set_rights(WRITE);
            bench.emulator.rule(Rule::on(call, Fault::Reset).at(place));
            let result = bench.client().upload(bench.request_with_policy(mode, 1));
            agrees(&bench, &result);
            failed(result, UNKNOWN);
            assert_eq!(bench.count(call), 1, "{call}");
        }
    }
}

#[test]
fn a_failed_callback_is_unknown_to_a_token_that_may_only_write() {
    for (mode, call) in STORING {
        for status in ["403 Forbidden", "503 Service Unavailable"] {
            let mut bench = Bench::with_blocks(1);
            bench.emulator.set_rights(WRITE);
            let headers = "Content-Type: application/json\r\n";
            let answer = reply(status, headers, r#"{"RetCode":17,"ErrMsg":"no"}"#);
            bench.callbacks = scripted(move |_| answer.clone());
            let result = bench.client().upload(bench.request_with_policy(mode, 1));
            agrees(&bench, &result);
            failed(result, UNKNOWN);
            assert_eq!((bench.count(call), bench.fired()), (1, 1), "{call}");
        }
    }
}

#[test]
fn a_request_refused_as_everything_is_refused_stored_nothing() {
    for (mode, call) in STORING {
        let bench = Bench::with_blocks(1);
        let denied = Fault::error(403, -190_403, "permission denied");
        bench.emulator.rule(Rule::on(call, denied));
        bench.emulator.set_rights(WRITE);
        let result = bench.client().upload(bench.request_with_policy(mode, 1));
        agrees(&bench, &result);
        failed(result, NOTHING);
    }
}
