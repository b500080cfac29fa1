//! What the host was told, held against what the service has seen.

use std::collections::HashMap;
use std::fmt::{self, Display};

use us3::error::{CallbackState, ObjectState, Status};
use us3_emulator::{Call, State};

use crate::host::Upload;

/// What the service has of one key.
#[derive(Default)]
struct Seen {
    object: Option<(u64, String)>,
    fired: usize,
    /// Pending uploads.
    pending: Vec<String>,
    begun: usize,
}

/// Everything that does not agree, in words.
pub fn check(uploads: &[Upload], state: &State) -> Vec<String> {
    let mut by_key = by_key(state);
    let mut wrong = Vec::new();
    for upload in uploads {
        let seen = by_key.remove(&upload.key).unwrap_or_default();
        for why in [
            object(upload, &seen),
            callback(upload, &seen),
            left_behind(upload, &seen),
        ]
        .into_iter()
        .flatten()
        {
            wrong.push(format!("{why}\n  {}\n  {:?}", upload.story, upload.report));
        }
    }
    wrong
}

fn by_key(state: &State) -> HashMap<String, Seen> {
    let mut by_key: HashMap<String, Seen> = HashMap::new();
    for object in &state.objects {
        let seen = by_key.entry(object.key.clone()).or_default();
        seen.object = Some((object.size, object.etag.clone()));
    }
    for callback in &state.callbacks {
        by_key.entry(callback.key.clone()).or_default().fired += 1;
    }
    for upload in &state.uploads {
        let seen = by_key.entry(upload.key.clone()).or_default();
        seen.pending.push(upload.upload_id.clone());
    }
    let begun = state.requests.iter();
    for request in begun.filter(|request| request.call == Call::Initiate) {
        by_key.entry(request.key.clone()).or_default().begun += 1;
    }
    by_key
}

/// Reported stored ⇒ equal; reported not stored ⇒ absent; and never anything else.
fn object(upload: &Upload, seen: &Seen) -> Option<String> {
    let whole = seen
        .object
        .as_ref()
        .map(|(size, etag)| *size == upload.size && *etag == upload.etag);
    let agrees = match upload.report.object {
        ObjectState::Stored => whole == Some(true),
        ObjectState::NotStored => whole.is_none(),
        ObjectState::Unknown => whole != Some(false),
    };
    let ok = upload.status != Status::Ok || upload.report.object == ObjectState::Stored;
    (!agrees || !ok).then(|| format!("the object is {:?}", seen.object))
}

fn callback(upload: &Upload, seen: &Seen) -> Option<String> {
    let agrees = match upload.report.callback {
        // An upload by hand that did not get to its finish was never told of the policy.
        CallbackState::NotRequested => {
            seen.fired == 0 && (!upload.policy || upload.status != Status::Ok)
        }
        CallbackState::Delivered => seen.fired == 1,
        CallbackState::NotDelivered => seen.fired == 0,
        CallbackState::Unknown => seen.fired <= 1,
        CallbackState::ReplyRefused => seen.fired == 1,
    };
    (!agrees).then(|| format!("{} callbacks were fired", seen.fired))
}

/// Uploads that are left are named; only one whose begin had no proper answer nobody can name.
fn left_behind(upload: &Upload, seen: &Seen) -> Option<String> {
    let named = upload.report.upload_id.as_deref();
    let unnamed = seen.pending.iter().filter(|id| Some(id.as_str()) != named);
    let unnamed = unnamed.count();
    // The last begin counts only when it was given up.
    let given_up = matches!(upload.status, Status::Cancelled | Status::Timeout)
        || upload.report.object != ObjectState::Stored && upload.report.bytes_sent == 0;
    let nameless = seen.begun.saturating_sub(usize::from(!given_up));
    (unnamed > nameless).then(|| {
        format!(
            "{unnamed} uploads are left without a name, {} were begun",
            seen.begun
        )
    })
}

/// A few numbers for the log.
#[derive(Default)]
pub struct Totals {
    uploads: usize,
    succeeded: usize,
    requests: usize,
    struck: usize,
    detached: usize,
    callbacks: usize,
    /// Told as not stored, stored, unknown.
    objects: [usize; 3],
    /// Told as not delivered, delivered, unknown, refused.
    told: [usize; 4],
}

impl Totals {
    pub fn add(&mut self, uploads: &[Upload], state: &State) {
        self.uploads += uploads.len();
        self.requests += state.requests.len();
        self.callbacks += state.callbacks.len();
        let requests = || state.requests.iter();
        self.struck += requests().filter(|one| one.rule.is_some()).count();
        self.detached += requests()
            .filter(|one| one.detached_status.is_some())
            .count();
        for upload in uploads {
            self.succeeded += usize::from(upload.status == Status::Ok);
            let object = match upload.report.object {
                ObjectState::NotStored => 0,
                ObjectState::Stored => 1,
                ObjectState::Unknown => 2,
            };
            self.objects[object] += 1;
            let callback = match upload.report.callback {
                CallbackState::NotRequested => continue,
                CallbackState::NotDelivered => 0,
                CallbackState::Delivered => 1,
                CallbackState::Unknown => 2,
                CallbackState::ReplyRefused => 3,
            };
            self.told[callback] += 1;
        }
    }

    pub fn uploads(&self) -> usize {
        self.uploads
    }
}

impl Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            uploads,
            succeeded,
            requests,
            struck,
            detached,
            callbacks,
            objects: [not_stored, stored, unknown],
            told: [not_delivered, delivered, in_doubt, refused],
        } = self;
        write!(
            f,
            "{uploads} uploads, {succeeded} succeeded; {requests} requests, {struck} of them struck, {detached} ran detached; {callbacks} callbacks\n\
             objects: {stored} told as stored, {not_stored} as not stored, {unknown} as unknown\n\
             callbacks: {delivered} told as delivered, {not_delivered} as not delivered, {refused} as refused, {in_doubt} as unknown"
        )
    }
}
