//! What must be true of every case, whatever its fault: small rules, each of which looks at what the
//! library told and at what really happened.

use std::time::Duration;

use us3::error::{CallbackState, ObjectState, Report, Status};
use us3_emulator::{Call, EtagFault, Place};

use crate::cases::{Case, Kind, Operation, RET_CODE, Spot, Words};
use crate::run::{Facts, Ground, Told};

/// What a rule finds wrong.
type Wrong = Option<String>;

type Rule = fn(&View<'_>) -> Wrong;

const RULES: [Rule; 14] = [
    quiet,
    in_time,
    object_is_as_told,
    callback_is_as_told,
    never_fired_twice,
    success_is_whole,
    no_doubt_without_a_loss,
    nothing_left_behind,
    nothing_named_that_is_gone,
    benign_faults_do_no_harm,
    passing_faults_pass,
    refusals_are_final_and_told_in_full,
    the_first_failure_is_told,
    reads_deletes_and_aborts,
];

/// One case and all that is known of it.
struct View<'a> {
    case: &'a Case,
    told: &'a Told,
    facts: &'a Facts,
    ground: &'a Ground,
}

/// Everything that is wrong with a case; empty when it is well.
pub fn judge(case: &Case, told: &Told, facts: &Facts, ground: &Ground) -> Vec<String> {
    let view = View {
        case,
        told,
        facts,
        ground,
    };
    RULES.iter().filter_map(|rule| rule(&view)).collect()
}

fn wrong(is_wrong: bool, why: impl Into<String>) -> Wrong {
    is_wrong.then(|| why.into())
}

impl View<'_> {
    fn report(&self) -> &Report {
        match &self.told.result {
            Ok(report) => report,
            Err(error) => error.report(),
        }
    }

    fn is_ok(&self) -> bool {
        self.told.result.is_ok()
    }

    fn status(&self) -> Status {
        self.told
            .result
            .as_ref()
            .err()
            .map_or(Status::Ok, us3::error::Error::status)
    }

    fn is_upload(&self) -> bool {
        self.case.row.is_upload()
    }

    /// The bytes that were to be stored are.
    fn is_stored(&self) -> bool {
        self.facts.stored.as_ref() == Some(&self.ground.content)
    }

    fn pending(&self) -> Vec<&str> {
        let uploads = self.facts.state.iter().flat_map(|state| &state.uploads);
        uploads.map(|upload| upload.upload_id.as_str()).collect()
    }

    /// A request that stores, and may carry a policy, is the one that is hit.
    fn hits_storing(&self) -> bool {
        let first_is_put = self.case.row.operation == Operation::PutFile;
        match self.case.spot {
            Spot::Put | Spot::Finish | Spot::Callback => true,
            Spot::ListAfterLoss | Spot::HeadAfterLoss => true,
            // Every connection, or the one of which the storing request is the next.
            Spot::Connection => first_is_put || !self.case.once,
            Spot::Before => first_is_put,
            Spot::Part(_) => matches!(self.case.kind, Kind::Stale(_)),
            Spot::Initiate | Spot::Abort | Spot::Delete | Spot::Head | Spot::AbortByName => false,
        }
    }

    /// An answer to the request that stores may have been lost.
    fn may_lose(&self) -> bool {
        let loses = match &self.case.kind {
            Kind::End(_) | Kind::Stall | Kind::Stale(_) => true,
            Kind::Busy(status, words) => *words == Words::Gateway || !matches!(status, 429 | 503),
            Kind::GarbageStatusLine | Kind::HugeHeaders | Kind::EndlessDrip => true,
            Kind::TruncatedBody | Kind::HugeBody => true,
            // It may be the callback's own status, handed through.
            Kind::Redirect => self.case.row.policy,
            _ => false,
        };
        self.after_loss() || loses && self.hits_storing()
    }

    fn after_loss(&self) -> bool {
        matches!(self.case.spot, Spot::ListAfterLoss | Spot::HeadAfterLoss)
    }

    fn is_benign(&self) -> bool {
        matches!(
            self.case.kind,
            Kind::Etag(EtagFault::Unquoted | EtagFault::LowerCase) | Kind::Continues | Kind::Drip
        )
    }

    fn is_passing(&self) -> bool {
        let passing = matches!(
            self.case.kind,
            Kind::End(_)
                | Kind::Stall
                | Kind::Stale(_)
                | Kind::Busy(..)
                | Kind::TruncatedBody
                | Kind::HugeBody
        );
        passing && self.case.once
    }

    /// The fault hits what the operation consists of, not what comes after a failure.
    fn hits_the_work(&self) -> bool {
        !matches!(
            self.case.spot,
            Spot::Abort | Spot::ListAfterLoss | Spot::HeadAfterLoss | Spot::Callback
        )
    }
}

fn quiet(view: &View<'_>) -> Wrong {
    wrong(
        view.facts.state.is_none(),
        "a request or a connection is still open although the client is gone",
    )
}

/// Three tries of the slowest request and the clean-up, with the pauses between them.
fn in_time(view: &View<'_>) -> Wrong {
    let limit = Duration::from_secs(if view.case.is_slow() { 10 } else { 8 });
    let elapsed = view.facts.elapsed;
    wrong(elapsed > limit, format!("it took {elapsed:?}"))
}

fn object_is_as_told(view: &View<'_>) -> Wrong {
    if !view.is_upload() {
        return None;
    }
    match view.report().object {
        ObjectState::NotStored => wrong(
            view.facts.stored.is_some(),
            "told as not stored, but it is there",
        ),
        ObjectState::Stored => wrong(
            !view.is_stored() && view.status() != Status::IntegrityError,
            "told as stored, but it is not there as it should be",
        ),
        ObjectState::Unknown => None,
    }
}

fn callback_is_as_told(view: &View<'_>) -> Wrong {
    let fired = view.facts.fired();
    let failed = view.report().http_status == 599;
    let told = view.report().callback;
    let right = match told {
        CallbackState::NotRequested => !view.case.row.policy,
        CallbackState::Delivered => view.case.row.policy && fired == 1,
        CallbackState::NotDelivered => view.case.row.policy && (fired == 0 || failed),
        CallbackState::Unknown => view.case.row.policy,
        CallbackState::ReplyRefused => view.case.row.policy && fired == 1 && failed,
    };
    wrong(!right, format!("callback told as {told:?}, {fired} fired"))
}

fn never_fired_twice(view: &View<'_>) -> Wrong {
    let fired = view.facts.fired();
    wrong(fired > 1, format!("{fired} callbacks were fired"))
}

fn success_is_whole(view: &View<'_>) -> Wrong {
    if !view.is_ok() || !view.is_upload() {
        return None;
    }
    let callback = match view.case.row.policy {
        true => CallbackState::Delivered,
        false => CallbackState::NotRequested,
    };
    let report = view.report();
    let whole = report.object == ObjectState::Stored && report.callback == callback;
    wrong(!whole, "success, but not all of it was told")
}

fn no_doubt_without_a_loss(view: &View<'_>) -> Wrong {
    let report = view.report();
    let doubt = report.object == ObjectState::Unknown || report.callback == CallbackState::Unknown;
    wrong(
        doubt && !view.may_lose(),
        "told as unknown, although no answer of a request that stores was lost",
    )
}

/// What is left is named; but nobody can name an upload whose begin was not answered properly, and
/// which was therefore begun again, or given up.
fn nothing_left_behind(view: &View<'_>) -> Wrong {
    // The upload was left behind before.
    if view.case.row.operation == Operation::AbortByName {
        return None;
    }
    let named = view.report().upload_id.as_deref();
    let pending = view.pending();
    let unnamed = pending.iter().filter(|id| Some(**id) != named).count();
    let begun = view.facts.requests(Call::Initiate);
    let went_on = view.is_ok() || view.facts.requests(Call::Part) > 0;
    let nameless = begun.saturating_sub(usize::from(went_on));
    wrong(
        unnamed > nameless,
        format!("{unnamed} uploads are left that the result does not name"),
    )
}

fn nothing_named_that_is_gone(view: &View<'_>) -> Wrong {
    let named = view.report().upload_id.as_deref()?;
    // Of a finish or an abort whose answer was lost nobody knows whether it ran.
    let in_doubt = view.report().object == ObjectState::Unknown || view.case.spot == Spot::Abort;
    let gone = !view.pending().contains(&named);
    wrong(
        !view.is_ok() && gone && !in_doubt,
        "the result names an upload that does not exist",
    )
}

fn benign_faults_do_no_harm(view: &View<'_>) -> Wrong {
    let expected = view.is_benign() && view.hits_the_work();
    wrong(expected && !view.is_ok(), "an odd but valid answer failed")
}

/// Once, and harmless to repeat: the operation must get over it.
fn passing_faults_pass(view: &View<'_>) -> Wrong {
    let unsure = view.case.row.policy && view.hits_storing();
    let refused = matches!(
        view.case.kind,
        Kind::Busy(429 | 503, Words::Service | Words::RetryAfter)
    );
    let repeatable = !unsure || (refused && view.hits_the_work());
    let asked_again = view.after_loss() && !view.case.row.policy;
    let expected = view.is_passing() && (view.hits_the_work() && repeatable || asked_again);
    wrong(
        expected && !view.is_ok(),
        "a fault that passes was not got over",
    )
}

fn refusals_are_final_and_told_in_full(view: &View<'_>) -> Wrong {
    let status = match view.case.kind {
        Kind::Refused(status) => status,
        Kind::Redirect => 302,
        _ => return None,
    };
    if !view.hits_the_work() {
        return None;
    }
    let report = view.report();
    let expected = match status {
        302 => (Status::ProtocolError, 302, 0),
        // The answer to a head has no body.
        _ if view.case.call() == Call::Head => (Status::ServiceError, status, 0),
        _ => (Status::ServiceError, status, RET_CODE),
    };
    let told = (view.status(), report.http_status, report.ret_code);
    if told != expected {
        return Some(format!("the refusal was told as {told:?}"));
    }
    let repeated = match view.case.spot {
        // Other parts have requests of their own.
        Spot::Part(_) => 1,
        _ => view.facts.requests(view.case.call()),
    };
    let missing = report.session_id.is_none() || report.object != ObjectState::NotStored;
    wrong(
        repeated != 1 || missing,
        format!("a refusal was asked {repeated} times, or not told in full"),
    )
}

/// What the clean-up meets does not replace the failure that made it necessary.
fn the_first_failure_is_told(view: &View<'_>) -> Wrong {
    if view.case.spot != Spot::Abort {
        return None;
    }
    let told = (view.status(), view.report().http_status);
    wrong(
        told != (Status::ServiceError, 403),
        format!("the part was refused, but told was {told:?}"),
    )
}

fn reads_deletes_and_aborts(view: &View<'_>) -> Wrong {
    match view.case.row.operation {
        Operation::Delete => wrong(
            view.is_ok() && view.facts.stored.is_some(),
            "told as deleted, but it is there",
        ),
        Operation::AbortByName => wrong(
            view.is_ok() && !view.pending().is_empty(),
            "told as aborted, but it is there",
        ),
        Operation::Head => head(view),
        _ => None,
    }
}

fn head(view: &View<'_>) -> Wrong {
    let (size, etag) = view.told.head.as_ref()?;
    let altered =
        matches!(view.case.kind, Kind::Etag(_)) && view.case.place == Place::AfterExecuting;
    let right = *size == view.ground.content.len() as u64
        && (altered || etag.as_ref() == Some(&view.ground.etag));
    wrong(!right, format!("head told {size} bytes, ETag {etag:?}"))
}
