//! What a test of failures puts an upload on: an emulator with small parts, a callback service, a
//! file, and clients that lose patience quickly.

use std::path::PathBuf;
use std::time::Duration;

use us3::client::Client;
use us3::config::Config;
use us3::content::Source;
use us3::error::{Report, Result};
use us3::upload::{Mode, UploadRequest};
use us3_emulator::{Call, Emulator, RequestSeen, State};

use super::{HandMade, TempFile, callback_service, config, content, emulator_with, json_policy};

/// Bytes of a part.
pub const PART: usize = 64 << 10;

/// The service's own part size, and the block of the object's ETag.
pub const BLOCK: usize = 4 << 20;

/// The key that is uploaded to.
pub const KEY: &str = "folder/object.bin";

/// How long a test waits for what must happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Bench {
    pub emulator: Emulator,
    pub callbacks: HandMade,
    pub file: TempFile,
    pub content: Vec<u8>,
}

/// Limits that a test can wait for.
pub fn impatient(address: impl std::fmt::Display) -> Config {
    let mut config = config(address);
    config.connect_timeout = Duration::from_secs(2);
    config.idle_timeout = Duration::from_millis(300);
    config.response_timeout = Duration::from_millis(500);
    config.max_retries = 2;
    config
}

impl Bench {
    /// With a file of this many bytes.
    pub fn new(size: usize) -> Self {
        Self::of(size, PART)
    }

    /// With parts of 4 MiB, of which the object's ETag can be told: a few and a short one.
    pub fn with_blocks(whole: usize) -> Self {
        Self::of(whole * BLOCK + 1234, BLOCK)
    }

    fn of(size: usize, part: usize) -> Self {
        let content = content(size);
        Self {
            emulator: emulator_with(|options| options.part_size = part as u64),
            callbacks: callback_service(),
            file: TempFile::new(&content),
            content,
        }
    }

    /// With a file of whole parts and a short one.
    pub fn with_parts(whole: usize) -> Self {
        Self::new(whole * PART + 1234)
    }

    pub fn client(&self) -> Client {
        self.client_with(|_| {})
    }

    pub fn client_with(&self, change: impl FnOnce(&mut Config)) -> Client {
        let mut config = impatient(self.emulator.address());
        change(&mut config);
        Client::new(config).expect("client")
    }

    /// Uploads the file to [`KEY`], without a policy.
    pub fn request(&self, mode: Mode, jobs: i32) -> UploadRequest {
        let mut request = UploadRequest::new(Source::File(self.file.path.clone()), KEY);
        request.mode = mode;
        request.jobs = jobs;
        request
    }

    /// The same with a policy.
    pub fn request_with_policy(&self, mode: Mode, jobs: i32) -> UploadRequest {
        let mut request = self.request(mode, jobs);
        request.policy = Some(json_policy(self.callbacks.address));
        request
    }

    /// In parts, one at a time, with a checkpoint and a policy.
    pub fn resumable(&self) -> UploadRequest {
        let mut request = self.request_with_policy(Mode::Multipart, 1);
        request.resume_path = Some(self.checkpoint());
        request
    }

    pub fn checkpoint(&self) -> PathBuf {
        self.file.folder().join("upload.checkpoint")
    }

    /// Requests of one call so far.
    pub fn requests(&self, call: Call) -> Vec<RequestSeen> {
        let mut requests = self.emulator.requests();
        requests.retain(|request| request.call == call);
        requests
    }

    pub fn count(&self, call: Call) -> usize {
        self.requests(call).len()
    }

    /// Callbacks that were sent for [`KEY`].
    pub fn fired(&self) -> usize {
        let fired = self.emulator.callbacks();
        fired.iter().filter(|callback| callback.key == KEY).count()
    }

    /// Waits until no request is being served.
    pub fn idle(&self) -> State {
        let idle = self
            .emulator
            .wait_until(PATIENCE, |state| state.in_flight == 0);
        idle.expect("requests that end")
    }

    /// Waits until a rule holds this many requests.
    pub fn stalled(&self, rule: u64, count: u64) {
        let held = self.emulator.wait_until(PATIENCE, |state| {
            let mut rules = state.rules.iter();
            rules.any(|state| state.id == rule && state.stalled == count)
        });
        held.expect("requests that stall");
    }

    /// The object is there, byte for byte, and no upload is left.
    pub fn assert_stored(&self) {
        let stored = self.emulator.object_bytes(KEY).expect("object");
        assert!(stored == self.content, "other bytes are stored");
        self.assert_no_upload();
    }

    pub fn assert_absent(&self) {
        assert!(self.emulator.object(KEY).is_none(), "the object is there");
    }

    pub fn assert_no_upload(&self) {
        let uploads = self.emulator.state().uploads;
        assert!(uploads.is_empty(), "left behind: {uploads:?}");
    }
}

/// Status and message of a failure, to see at a glance in a failed assertion.
pub fn told<T>(result: &Result<T>) -> String {
    match result {
        Ok(_) => "Ok".to_owned(),
        Err(error) => format!("{:?}: {error}\n{:?}", error.status(), error.report()),
    }
}

/// The report of what must have worked.
pub fn succeeded(result: Result<Report>) -> Report {
    let told = told(&result);
    result.unwrap_or_else(|_| panic!("{told}"))
}

/// Waits longer than any deadline here.
pub fn patient(bench: &Bench) -> Client {
    bench.client_with(|config| {
        config.idle_timeout = PATIENCE;
        config.response_timeout = PATIENCE;
    })
}
