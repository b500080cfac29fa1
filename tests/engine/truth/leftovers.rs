//! What is left at the service after a finish that failed.

use us3::upload::Mode;
use us3_emulator::{Call, Fault, Place, Rule};

use crate::support::bench::{Bench, KEY};
use crate::truth::honest::{NOTHING, UNKNOWN, agrees, failed};

#[test]
fn a_refused_finish_leaves_nothing() {
    for (status, ret_code, words) in [
        (400, -148_653, "bucket not exists"),
        (403, -148_643, "invalid signature"),
        (400, -148_660, "invalid put policy"),
        (400, 17, "no"),
    ] {
        let bench = Bench::with_parts(2);
        let refused = Fault::error(status, ret_code, words);
        bench.emulator.rule(Rule::on(Call::Finish, refused));
        let request = bench.request_with_policy(Mode::Multipart, 2);
        let result = bench.client().upload(request);
        agrees(&bench, &result);
        let error = failed(result, NOTHING);
        assert_eq!(error.report().upload_id, None, "{error}");
        bench.assert_no_upload();
    }
}

#[test]
fn a_finish_that_may_still_run_leaves_an_upload_that_can_be_aborted_by_its_name() {
    let bench = Bench::with_parts(2);
    let lost = Rule::on(Call::Finish, Fault::Reset).at(Place::AfterBody);
    bench.emulator.rule(lost);
    let client = bench.client();
    let result = client.upload(bench.request_with_policy(Mode::Multipart, 2));
    agrees(&bench, &result);
    let error = failed(result, UNKNOWN);
    assert_eq!(bench.count(Call::Abort), 0, "{error}");
    let left = bench.emulator.state().uploads;
    let named = error.report().upload_id.clone().expect("a name");
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].upload_id, named, "{error}");
    client.abort_upload(KEY, &named).expect("an abort");
    bench.assert_no_upload();
}
