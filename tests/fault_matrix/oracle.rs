//! What must be true of every case, whatever its fault: small rules, each of which looks at what the
//! library told and at what really happened.

use std::time::Duration;

use us3::error::{CallbackState, ObjectState, Report, Status};
use us3_emulator::{Call, EtagFault, Place};

use crate::cases::{Case, Kind, Loss, Operation, RET_CODE, Repeats, Reply, Spot, Words, World};
use crate::run::{Facts, Ground, SECURITY_TOKEN, Told};
use crate::support::{PRIVATE_KEY, PUBLIC_KEY};

/// What a rule finds wrong.
type Wrong = Option<String>;

type Rule = fn(&View<'_>) -> Wrong;

const RULES: [Rule; 20] = [
    quiet,
    in_time,
    object_is_as_told,
    callback_is_as_told,
    never_fired_twice,
    a_lost_finish_with_a_policy_is_not_sent_again,
    success_is_whole,
    no_doubt_without_a_loss,
    no_doubt_of_a_callback_without_a_loss,
    what_is_there_is_found,
    nothing_left_behind,
    nothing_named_that_is_gone,
    benign_faults_do_no_harm,
    passing_faults_pass,
    refusals_are_final_and_told_in_full,
    the_first_failure_is_told,
    what_the_callback_service_answered_is_told,
    what_was_not_compared_is_noted,
    no_secret_is_told,
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
            Spot::Initiate | Spot::Abort | Spot::List => false,
            Spot::Delete | Spot::Head | Spot::AbortByName => false,
        }
    }

    /// The answer to the request that stores is lost: it says nothing, or not in the service's form.
    fn loses(&self) -> bool {
        let lost = match &self.case.kind {
            Kind::End(_) | Kind::Stall | Kind::Stale(_) => true,
            Kind::Detached(_) | Kind::Gateway(_) | Kind::Redirect => true,
            Kind::GarbageStatusLine | Kind::GarbageBody | Kind::TruncatedBody => true,
            Kind::HugeHeaders | Kind::HugeBody | Kind::EndlessDrip => true,
            Kind::Busy(_, Words::Gateway) => true,
            Kind::Repeats(repeats) => !matches!(repeats, Repeats::ErrMsg | Repeats::Token),
            // 599 and 2xx say that it is stored.
            Kind::Reply(Reply::Json(status)) => !matches!(status, 200..300),
            Kind::Reply(Reply::Redirect) => true,
            Kind::Reply(_) | Kind::CallbackFailed => false,
            Kind::Busy(..) | Kind::Refused(_) | Kind::Etag(_) => false,
            Kind::Nothing | Kind::Continues | Kind::Drip => false,
        };
        // An end of the callback's connection is answered 599.
        let ended = self.case.spot == Spot::Callback && matches!(self.case.kind, Kind::End(_));
        self.after_loss() || lost && self.hits_storing() && !ended
    }

    /// The answer to the request that stores is in the service's form, and may be the callback service's.
    fn answers_in_the_form(&self) -> bool {
        let policy = self.case.row.policy;
        self.hits_storing()
            && match self.case.kind {
                Kind::Busy(status, Words::Service | Words::RetryAfter) => policy || status != 503,
                Kind::Reply(Reply::Form(status)) => status != 599,
                _ => false,
            }
    }

    /// An answer in the form cannot be settled, because HEAD or the ETag says nothing.
    fn cannot_settle(&self) -> bool {
        let stored = self.case.spot == Spot::Callback;
        let answered = self.answers_in_the_form();
        // One that may run twice is sent again without a look, and an earlier try then counts as lost.
        if answered && !self.case.row.policy && !self.case.once {
            return !matches!(self.case.kind, Kind::Busy(429, _));
        }
        match self.case.world {
            // It answers 503 in the form by itself.
            World::Pressure(_) => self.hits_storing() && (answered || self.case.row.policy),
            World::Rights(rights) if !rights.read => answered,
            _ => answered && stored && !self.case.row.is_comparable(),
        }
    }

    /// A request that stores was sent, or may have been where the service saw none.
    fn was_sent(&self) -> bool {
        let unseen = self.case.spot == Spot::Connection || matches!(self.case.kind, Kind::Stale(_));
        unseen || self.facts.requests(Call::Put) + self.facts.requests(Call::Finish) > 0
    }

    /// The token may do what uploads and HEAD need, and no request is one too many.
    fn may_upload_and_look(&self) -> bool {
        match self.case.world {
            World::Usual | World::Older(_) => true,
            World::Rights(rights) => rights.read && rights.write,
            World::Pressure(_) => false,
        }
    }

    fn may_upload(&self) -> bool {
        match self.case.world {
            World::Usual | World::Older(_) => true,
            World::Rights(rights) => rights.write,
            World::Pressure(_) => false,
        }
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
                | Kind::Gateway(502..=504)
                | Kind::Detached(Loss::End(_) | Loss::Gateway(502..=504))
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

/// Three tries of the slowest request, the settling (5 s) and the clean-up, with the pauses between them, on a machine that
/// runs many cases at once: this finds what hangs.
fn in_time(view: &View<'_>) -> Wrong {
    let limit = Duration::from_secs(if view.case.is_slow() { 15 } else { 12 });
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
    let Facts { reached, .. } = *view.facts;
    let policy = view.case.row.policy;
    let told = view.report().callback;
    let right = match told {
        CallbackState::NotRequested => !policy && reached == 0,
        CallbackState::Delivered => policy && reached == 1,
        CallbackState::NotDelivered => policy && reached == 0,
        CallbackState::Unknown => policy,
        CallbackState::ReplyRefused => policy && reached == 1,
    };
    wrong(
        !right,
        format!("callback told as {told:?}, and {reached} reached the callback service"),
    )
}

fn never_fired_twice(view: &View<'_>) -> Wrong {
    let (fired, reached) = (view.facts.fired(), view.facts.reached);
    wrong(
        fired > 1 || reached > 1,
        format!("{fired} callbacks were fired, {reached} reached the callback service"),
    )
}

/// Not by the next run either, before it cannot run any more.
fn a_lost_finish_with_a_policy_is_not_sent_again(view: &View<'_>) -> Wrong {
    let row = view.case.row;
    let finishes = view.facts.requests(Call::Finish);
    wrong(
        row.operation == Operation::AfterLostFinish && row.policy && finishes != 1,
        format!("a finish was sent {finishes} times"),
    )
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
    let doubt = view.report().object == ObjectState::Unknown;
    let allowed = (view.loses() || view.cannot_settle()) && view.was_sent();
    wrong(
        doubt && !allowed,
        "the object is told as unknown, although no answer of a request that stores was lost",
    )
}

/// Beyond a lost answer, only an answer of the callback service, or 599, leaves its run in doubt.
fn no_doubt_of_a_callback_without_a_loss(view: &View<'_>) -> Wrong {
    let report = view.report();
    if report.callback != CallbackState::Unknown {
        return None;
    }
    let answered = view.case.spot == Spot::Callback
        && !matches!(
            view.case.kind,
            Kind::Reply(Reply::Html | Reply::Refused | Reply::Json(200..300))
        );
    let allowed = match report.object {
        ObjectState::Unknown => true,
        ObjectState::Stored => answered || view.loses(),
        ObjectState::NotStored => false,
    };
    wrong(
        !allowed,
        "the callback is told as unknown, although it is known",
    )
}

/// Where HEAD answers and the ETag can be compared, an object that is there is told as stored; without a policy
/// that is a success.
fn what_is_there_is_found(view: &View<'_>) -> Wrong {
    let broken = match view.case.spot {
        Spot::HeadAfterLoss => true,
        Spot::Connection => !view.case.once,
        _ => false,
    };
    let found = view.is_upload()
        && view.is_stored()
        && view.case.row.is_comparable()
        && view.may_upload_and_look()
        && !broken;
    if !found {
        return None;
    }
    let success = view.is_ok() || view.case.row.policy || view.status() == Status::IntegrityError;
    wrong(
        view.report().object != ObjectState::Stored || !success,
        "the object is there and HEAD finds it, but it is not told as stored",
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
    // The service said that the upload is gone; who keeps it does not abort it then.
    let keeps = view.case.row.operation == Operation::ByHand || view.case.row.is_resumable();
    let lie = keeps && view.case.spot == Spot::Finish && view.case.kind == Kind::Refused(404);
    wrong(
        unnamed > nameless && !lie,
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
    let Case {
        row,
        spot,
        place,
        world,
        ..
    } = view.case;
    let in_form = matches!(
        view.case.kind,
        Kind::Busy(_, Words::Service | Words::RetryAfter)
    );
    // What ran is not sent again, or is found gone: then only its ETag tells.
    let ran = *place == Place::AfterExecuting || matches!(view.case.kind, Kind::Detached(_));
    let told_apart = row.is_comparable() || *spot != Spot::Finish || !ran;
    let repeatable = match row.policy && view.hits_storing() {
        true => in_form,
        false => told_apart,
    };
    let asked_again = view.after_loss() && !row.policy && row.is_comparable();
    let expected = view.is_passing()
        && matches!(world, World::Usual | World::Older(_))
        && (view.hits_the_work() && repeatable || asked_again);
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
    if !view.hits_the_work() || !view.may_upload() {
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
    // A redirect is no answer of the service's.
    let object = match status {
        302 if view.hits_storing() => ObjectState::Unknown,
        _ => ObjectState::NotStored,
    };
    let missing = report.session_id.is_none() || report.object != object;
    wrong(
        repeated != 1 || missing,
        format!("a refusal was asked {repeated} times, or not told in full"),
    )
}

/// What the clean-up, or the search for a lost answer, meets does not replace the failure that made it necessary.
fn the_first_failure_is_told(view: &View<'_>) -> Wrong {
    if !view.may_upload() {
        return None;
    }
    let expected = match (view.case.spot, &view.case.kind) {
        (Spot::Abort, _) => (Status::ServiceError, 403, RET_CODE),
        _ if view.case.row.operation == Operation::AfterLostFinish => return None,
        (Spot::Put | Spot::Finish, Kind::End(_)) if !view.case.once && !view.is_ok() => {
            (Status::NetworkError, 0, 0)
        }
        _ => return None,
    };
    let report = view.report();
    let told = (view.status(), report.http_status, report.ret_code);
    wrong(
        told != expected,
        format!("the first failure was {expected:?}, but told was {told:?}"),
    )
}

fn what_the_callback_service_answered_is_told(view: &View<'_>) -> Wrong {
    use CallbackState::{Delivered, NotDelivered, ReplyRefused, Unknown};
    let Kind::Reply(reply) = view.case.kind else {
        return None;
    };
    let settled = view.may_upload_and_look() && view.case.row.is_comparable();
    let (status, callback) = match reply {
        _ if !view.may_upload() => return None,
        Reply::Json(200..300) => (Status::Ok, Delivered),
        Reply::Html => (Status::CallbackFailed, ReplyRefused),
        Reply::Refused => (Status::CallbackFailed, NotDelivered),
        Reply::Form(599) | Reply::HangUp | Reply::TimeOut | Reply::FailedDialElsewhere => {
            (Status::CallbackFailed, Unknown)
        }
        Reply::Form(_) | Reply::Json(_) | Reply::Redirect if settled => {
            (Status::CallbackFailed, Unknown)
        }
        Reply::Form(_) | Reply::Json(_) | Reply::Redirect => return None,
    };
    let report = view.report();
    let told = (view.status(), report.object, report.callback);
    let expected = (status, ObjectState::Stored, callback);
    wrong(
        told != expected,
        format!("told was {told:?} in place of {expected:?}"),
    )
}

/// A success without an ETag is compared by HEAD, or says that it was not.
fn what_was_not_compared_is_noted(view: &View<'_>) -> Wrong {
    let missing = matches!(view.case.kind, Kind::Etag(EtagFault::Missing));
    if !missing || !view.is_ok() || !view.is_upload() || !view.hits_storing() || view.after_loss() {
        return None;
    }
    let report = view.report();
    let etag = Some(&view.ground.etag);
    let compared = match view.case.row.is_comparable() {
        true => report.etag.as_ref() == etag,
        false => report.etag.is_some(),
    };
    let right = match view.may_upload_and_look() {
        true => compared && report.note.is_none(),
        false => compared || report.note.is_some(),
    };
    wrong(
        !right,
        format!("ETag {:?}, note {:?}", report.etag, report.note),
    )
}

/// Also when a gateway's page repeats the request with its headers.
fn no_secret_is_told(view: &View<'_>) -> Wrong {
    let error = view.told.result.as_ref().err();
    let message = error.map(ToString::to_string).unwrap_or_default();
    let note = view.report().note.clone().unwrap_or_default();
    let body = String::from_utf8_lossy(&view.report().body).into_owned();
    let repeated = body.split_once("UCloud ").map(|(_, rest)| rest);
    let signature = repeated.and_then(|rest| rest.split([':', '\n']).nth(1));
    // Of those the signature is made up: no secret.
    let signature = signature.filter(|_| !matches!(view.case.kind, Kind::Repeats(_)));
    let secrets = [PRIVATE_KEY, SECURITY_TOKEN, PUBLIC_KEY];
    let told = secrets
        .into_iter()
        .chain(signature)
        .find(|secret| message.contains(secret) || note.contains(secret));
    told.map(|secret| format!("the message tells {secret:?}"))
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
