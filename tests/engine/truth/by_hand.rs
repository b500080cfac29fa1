//! Uploads that the host drives: finishing again after a lost finish is the host's own decision.

use std::time::Duration;

use bytes::Bytes;
use us3::client::Client;
use us3::upload::Multipart;
use us3_emulator::{Call, Fault, Place, Rule};

use crate::support::bench::{Bench, KEY};
use crate::support::json_policy;
use crate::truth::honest::{NOTHING, STORED, UNKNOWN, failed};

/// An upload with its one part.
fn begun(bench: &Bench, client: &Client) -> Multipart {
    let (upload, _) = client.initiate(KEY, None).expect("an upload");
    let part = Bytes::from(bench.content.clone());
    upload.upload_part(0, part).expect("a part");
    upload
}

/// One block exactly, so that it is one part.
fn bench() -> Bench {
    let mut bench = Bench::with_blocks(1);
    bench.content.truncate(crate::support::bench::BLOCK);
    bench
}

#[test]
fn a_second_finish_is_sent_only_when_the_host_asks_for_it_and_finds_the_first() {
    let bench = bench();
    let client = bench.client();
    let upload = begun(&bench, &client);
    let lost = Rule::on(Call::Finish, Fault::Reset).at(Place::AfterBody);
    let lost = lost.nth(1).detached(Duration::from_millis(1500));
    bench.emulator.rule(lost);
    let policy = || Some(json_policy(bench.callbacks.address));
    let error = failed(upload.finish(policy()), UNKNOWN);
    assert_eq!(
        error.report().upload_id.as_deref(),
        Some(upload.upload_id())
    );
    bench.idle();
    assert_eq!((bench.count(Call::Finish), bench.fired()), (1, 1));

    failed(upload.finish(policy()), STORED);
    assert_eq!((bench.count(Call::Finish), bench.fired()), (2, 1));
}

#[test]
fn a_404_to_a_finish_after_a_lost_one_does_not_mean_that_nothing_is_stored() {
    let bench = bench();
    let client = bench.client();
    let upload = begun(&bench, &client);
    let lost = Rule::on(Call::Finish, Fault::Reset).at(Place::AfterExecuting);
    bench.emulator.rule(lost.nth(1));
    // The object does not show yet.
    bench
        .emulator
        .rule(Rule::on(Call::Head, Fault::status(404)));
    let policy = || Some(json_policy(bench.callbacks.address));
    failed(upload.finish(policy()), UNKNOWN);
    let error = failed(upload.finish(policy()), UNKNOWN);
    assert_eq!(error.report().http_status, 404, "{error}");
    assert_eq!(bench.fired(), 1);
}

#[test]
fn a_404_to_the_only_finish_means_that_nothing_is_stored() {
    let bench = bench();
    let client = bench.client();
    let upload = begun(&bench, &client);
    client
        .abort_upload(KEY, upload.upload_id())
        .expect("an abort");
    let policy = json_policy(bench.callbacks.address);
    let error = failed(upload.finish(Some(policy)), NOTHING);
    assert_eq!(error.report().http_status, 404, "{error}");
    assert_eq!(error.report().upload_id, None, "{error}");
    assert_eq!(bench.fired(), 0);
}

#[test]
fn a_refusal_of_a_second_finish_does_not_mean_that_the_first_stored_nothing() {
    let bench = bench();
    let client = bench.client();
    let upload = begun(&bench, &client);
    let lost = Rule::on(Call::Finish, Fault::Reset).at(Place::AfterExecuting);
    bench.emulator.rule(lost.nth(1));
    let refused = Fault::error(403, -148_643, "invalid signature");
    bench.emulator.rule(Rule::on(Call::Finish, refused).nth(2));
    let deaf = bench.emulator.rule(Rule::on(Call::Head, Fault::Reset));
    let policy = || Some(json_policy(bench.callbacks.address));
    failed(upload.finish(policy()), UNKNOWN);
    bench.emulator.remove_rule(deaf);
    failed(upload.finish(policy()), STORED);
    assert_eq!(bench.fired(), 1);
}
