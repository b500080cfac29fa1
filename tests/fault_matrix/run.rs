//! One case: the operation is run against the emulator, and everything about it is written down.

use std::time::{Duration, Instant};

use bytes::Bytes;
use us3::client::Client;
use us3::error::{CallbackState, Error, Report, Result};
use us3::policy::PutPolicy;
use us3::source::Source;
use us3::upload::{Mode, UploadRequest};
use us3_emulator::{Call, Emulator, State};

use crate::cases::{Case, Operation, PARTS, Spot};
use crate::support::{HandMade, TempFile, config, content, emulator_with, json_policy};

pub const KEY: &str = "folder/object.bin";
const PART: usize = 8 << 10;
const BEFORE: &str = "before";

/// How long a request may stay at the emulator once its client is gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the cases of one thread share.
pub struct Ground {
    emulator: Emulator,
    policy: PutPolicy,
    file: TempFile,
    pub content: Vec<u8>,
    pub etag: String,
}

/// What really happened.
pub struct Facts {
    /// The service's state once everything is quiet; None when it never is.
    pub state: Option<State>,
    /// What is stored under the key.
    pub stored: Option<Vec<u8>>,
    pub elapsed: Duration,
}

/// What the library told.
pub struct Told {
    pub result: Result<Report>,
    /// Size and ETag that a head told.
    pub head: Option<(u64, Option<String>)>,
}

impl Ground {
    pub fn new(callbacks: &HandMade) -> Self {
        let content = content((PARTS as usize - 1) * PART + 1000);
        let mut hasher = us3::etag::EtagHasher::object();
        hasher.update(&content);
        Self {
            emulator: emulator_with(|options| options.part_size = PART as u64),
            policy: json_policy(callbacks.address),
            file: TempFile::new(&content),
            etag: hasher.finish().object_etag(),
            content,
        }
    }

    pub fn run(&self, case: &Case) -> (Told, Facts) {
        self.emulator.reset();
        let _ = std::fs::remove_file(self.checkpoint());
        let client = self.client(case);
        let begun = self.prepare(case, &client);
        for rule in case.rules() {
            self.emulator.rule(rule);
        }
        if case.spot == Spot::Before {
            client.head(BEFORE).expect("before");
        }
        let started = Instant::now();
        let told = self.operate(case, &client, begun);
        let elapsed = started.elapsed();
        drop(client);
        if case.spot == Spot::Callback {
            self.emulator.release_all();
        }
        let state = self.emulator.wait_until(PATIENCE, |state| {
            state.in_flight == 0 && state.connections_open == 0
        });
        let stored = self.emulator.object_bytes(KEY);
        let facts = Facts {
            state,
            stored,
            elapsed,
        };
        (told, facts)
    }

    /// Limits are short only where one has to pass: the machine may be busy.
    fn client(&self, case: &Case) -> Client {
        let mut config = config(self.emulator.address());
        config.max_retries = 2;
        config.worker_threads = 1;
        config.settle_timeout = Duration::from_millis(20);
        if case.is_slow() {
            config.connect_timeout = Duration::from_secs(2);
            config.idle_timeout = Duration::from_millis(500);
            config.response_timeout = Duration::from_millis(800);
        }
        Client::new(config).expect("client")
    }

    /// What is there before the operation. Gives the upload that is begun, if there is one.
    fn prepare(&self, case: &Case, client: &Client) -> Option<String> {
        let store = |key: &str| {
            let request = UploadRequest::new(Source::Memory(self.content.clone().into()), key);
            client.upload(request).expect("an object from before");
        };
        if !case.row.is_upload() {
            store(KEY);
        }
        if case.spot == Spot::Before {
            store(BEFORE);
        }
        (case.row.operation == Operation::AbortByName).then(|| {
            let (upload, _) = client.initiate(KEY, None).expect("an upload from before");
            let part = Bytes::copy_from_slice(&self.content[..PART]);
            upload.upload_part(0, part).expect("its part");
            upload.upload_id().to_owned()
        })
    }

    fn checkpoint(&self) -> std::path::PathBuf {
        self.file.folder().join("checkpoint")
    }

    fn operate(&self, case: &Case, client: &Client, begun: Option<String>) -> Told {
        let mut head = None;
        let result = match case.row.operation {
            Operation::Delete => client.delete(KEY),
            Operation::Head => client.head(KEY).map(|(info, report)| {
                head = Some((info.size, info.etag));
                report
            }),
            Operation::AbortByName => client.abort_upload(KEY, &begun.expect("an upload")),
            Operation::ByHand => self.by_hand(case, client),
            _ => client.upload(self.request(case)),
        };
        Told { result, head }
    }

    fn policy(&self, case: &Case) -> Option<PutPolicy> {
        case.row.policy.then(|| self.policy.clone())
    }

    fn request(&self, case: &Case) -> UploadRequest {
        let mut request = UploadRequest::new(Source::File(self.file.path.clone()), KEY);
        (request.mode, request.jobs) = match case.row.operation {
            Operation::PutFile => (Mode::Put, 1),
            Operation::AsyncMPut => (Mode::Multipart, 10),
            Operation::AsyncUpload => (Mode::Multipart, 2),
            _ => (Mode::Multipart, 1),
        };
        if case.row.operation == Operation::Resumable {
            request.resume_path = Some(self.checkpoint());
        }
        request.policy = self.policy(case);
        request
    }

    /// As a careful host does it: a part that failed ends the upload.
    fn by_hand(&self, case: &Case, client: &Client) -> Result<Report> {
        let (upload, _) = client
            .initiate(KEY, None)
            .map_err(|error| not_finished(error, case))?;
        for (number, part) in self.content.chunks(PART).enumerate() {
            let sent = upload.upload_part(number as u32, Bytes::copy_from_slice(part));
            if let Err(mut error) = sent {
                let left = upload.abort().is_err();
                error.report_mut().upload_id = left.then(|| upload.upload_id().to_owned());
                return Err(not_finished(error, case));
            }
        }
        upload.finish(self.policy(case))
    }
}

/// The host did not get to the call that takes the policy.
fn not_finished(mut error: Error, case: &Case) -> Error {
    if case.row.policy {
        error.report_mut().callback = CallbackState::NotDelivered;
    }
    error
}

impl Facts {
    /// Requests of the call that meets the fault.
    pub fn requests(&self, call: Call) -> usize {
        let requests = self.state.iter().flat_map(|state| &state.requests);
        requests.filter(|request| request.call == call).count()
    }

    /// Callbacks that were sent.
    pub fn fired(&self) -> usize {
        let callbacks = self.state.iter().flat_map(|state| &state.callbacks);
        callbacks.filter(|callback| callback.key == KEY).count()
    }

    /// A line for each request, for whoever reads of a failure.
    pub fn history(&self) -> String {
        let requests = self.state.iter().flat_map(|state| &state.requests);
        let lines = requests.map(|request| {
            format!(
                "    {} ms: {} {:?} → {:?}, rule {:?}, {} bytes\n",
                request.started_ms,
                request.call,
                request.part,
                request.status,
                request.rule,
                request.body_received
            )
        });
        lines.collect()
    }
}
