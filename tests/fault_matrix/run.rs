//! One case: the operation is run against the emulator, and everything about it is written down.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use us3::client::Client;
use us3::content::Source;
use us3::error::{CallbackState, Error, Report, Result};
use us3::protocol::policy::PutPolicy;
use us3::upload::{Mode, UploadRequest};
use us3_emulator::{Call, Emulator, Fault, Rule, State};

use crate::cases::{Case, Kind, Older, Operation, PARTS, RET_CODE, Reply, Spot, World};
use crate::support::bench::BLOCK;
use crate::support::{
    HandMade, TempFile, answer, config, content, emulator_with, json_policy, read_request,
};

pub const KEY: &str = "folder/object.bin";
const PART: usize = 8 << 10;
const BEFORE: &str = "before";

/// In no message, as little as the private key.
pub const SECURITY_TOKEN: &str = "sts-token-of-the-matrix";

/// How old the object is that is there before.
const AGE: Duration = Duration::from_secs(3600);

/// Nobody listens there.
const NOBODY: ([u8; 4], u16) = ([127, 0, 0, 1], 9);

/// Two looks at a lost answer that nothing can settle.
const SETTLE: Duration = Duration::from_millis(250);

/// Where an object can be found, a busy machine must not be what hides it.
const SETTLE_TO_FIND: Duration = Duration::from_millis(1500);

/// Less than a lost finish may still run.
const HURRY: Duration = Duration::from_secs(3);

/// How long a request may stay at the emulator once its client is gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the cases of one thread share.
pub struct Ground {
    emulator: Emulator,
    callbacks: CallbackService,
    file: TempFile,
    part: usize,
    pub content: Vec<u8>,
    pub etag: String,
}

/// A callback service that counts its requests, and answers as a case has it.
struct CallbackService {
    service: HandMade,
    reply: Arc<Mutex<Option<Reply>>>,
    reached: Arc<AtomicUsize>,
}

/// What really happened.
pub struct Facts {
    /// The service's state once everything is quiet; None when it never is.
    pub state: Option<State>,
    /// What the operation stored under the key; None when what is there is from before.
    pub stored: Option<Vec<u8>>,
    /// Requests that the callback service got.
    pub reached: usize,
    pub elapsed: Duration,
}

/// What the library told.
pub struct Told {
    pub result: Result<Report>,
    /// Size and ETag that a head told.
    pub head: Option<(u64, Option<String>)>,
}

impl Ground {
    /// With parts of 8 KiB.
    pub fn new() -> Self {
        Self::with_parts(PARTS, PART)
    }

    /// With parts of 4 MiB, of which the object's ETag can be told.
    pub fn with_blocks() -> Self {
        Self::with_parts(2, BLOCK)
    }

    fn with_parts(count: u32, part: usize) -> Self {
        let content = content((count as usize - 1) * part + 1000);
        let mut hasher = us3::protocol::etag::EtagHasher::object();
        hasher.update(&content);
        Self {
            emulator: emulator_with(|options| options.part_size = part as u64),
            callbacks: CallbackService::start(),
            file: TempFile::new(&content),
            part,
            etag: hasher.finish().object_etag(),
            content,
        }
    }

    pub fn run(&self, case: &Case) -> (Told, Facts) {
        self.emulator.reset();
        let _ = std::fs::remove_file(self.checkpoint());
        let client = self.client(case);
        self.callbacks.answer_as(case);
        let begun = self.prepare(case, &client);
        let url = format!("http://{}/json", self.callback_address(case));
        for rule in case.rules(&url) {
            self.emulator.rule(rule);
        }
        if case.row.operation == Operation::AfterLostFinish {
            let lost = client.upload(self.request(case));
            lost.expect_err("a finish that is lost");
            self.emulator.clear_rules();
        }
        let since = SystemTime::now() - AGE / 2;
        self.arrange(case.world);
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
        let facts = Facts {
            state,
            stored: self.stored(since),
            reached: self.callbacks.reached.load(Ordering::SeqCst),
            elapsed,
        };
        (told, facts)
    }

    /// Limits are short only where one has to pass: the machine may be busy.
    fn client(&self, case: &Case) -> Client {
        let mut config = config(self.emulator.address());
        config.max_retries = 2;
        config.worker_threads = 1;
        config.settle_timeout = SETTLE;
        config.security_token = Some(SECURITY_TOKEN.into());
        if case.is_slow() {
            config.connect_timeout = Duration::from_secs(2);
            config.idle_timeout = Duration::from_millis(500);
            config.response_timeout = Duration::from_millis(800);
        }
        if case.row.is_comparable() {
            config.settle_timeout = SETTLE_TO_FIND * if case.is_slow() { 4 } else { 1 };
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
        if case.row.operation == Operation::Rerun {
            self.leave_a_part(case, client);
        }
        (case.row.operation == Operation::AbortByName).then(|| {
            let (upload, _) = client.initiate(KEY, None).expect("an upload from before");
            let part = Bytes::copy_from_slice(&self.content[..self.part]);
            upload.upload_part(0, part).expect("its part");
            upload.upload_id().to_owned()
        })
    }

    /// The first run ends with its second part.
    fn leave_a_part(&self, case: &Case, client: &Client) {
        let refused = Fault::error(403, i64::from(RET_CODE), "refused by the matrix");
        let rule = self.emulator.rule(Rule::on(Call::Part, refused).part(1));
        client
            .upload(self.request(case))
            .expect_err("a part that is refused");
        self.emulator.remove_rule(rule);
    }

    fn arrange(&self, world: World) {
        match world {
            World::Usual => {}
            World::Rights(rights) => self.emulator.set_rights(rights),
            World::Pressure(most) => self.emulator.set_requests_per_second(Some(most)),
            World::Older(older) => {
                let other = content(self.content.len() + 1);
                let bytes = match older {
                    Older::SameContent => &self.content,
                    Older::OtherContent => &other,
                };
                self.emulator.put_object(KEY, bytes, AGE);
            }
        }
    }

    /// The object under the key, unless it is older.
    fn stored(&self, since: SystemTime) -> Option<Vec<u8>> {
        let since = since.duration_since(UNIX_EPOCH).expect("a clock").as_secs();
        let object = self.emulator.object(KEY)?;
        (object.last_modified > since).then(|| self.emulator.object_bytes(KEY))?
    }

    fn callback_address(&self, case: &Case) -> SocketAddr {
        match case.kind {
            Kind::Reply(Reply::Refused) => NOBODY.into(),
            _ => self.callbacks.service.address,
        }
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
            Operation::AfterLostFinish => {
                let mut request = self.request(case);
                request.timeout = Some(HURRY);
                client.upload(request)
            }
            _ => client.upload(self.request(case)),
        };
        Told { result, head }
    }

    fn policy(&self, case: &Case) -> Option<PutPolicy> {
        let address = self.callback_address(case);
        case.row.policy.then(|| json_policy(address))
    }

    fn request(&self, case: &Case) -> UploadRequest {
        let mut request = UploadRequest::new(Source::File(self.file.path.clone()), KEY);
        (request.mode, request.jobs) = match case.row.operation {
            Operation::PutFile => (Mode::Put, 1),
            Operation::AsyncMPut => (Mode::Multipart, 10),
            Operation::AsyncUpload => (Mode::Multipart, 2),
            _ => (Mode::Multipart, 1),
        };
        if case.row.is_resumable() {
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
        for (number, part) in self.content.chunks(self.part).enumerate() {
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

impl CallbackService {
    fn start() -> Self {
        let reply = Arc::new(Mutex::new(None));
        let reached = Arc::new(AtomicUsize::new(0));
        let (script, counter) = (reply.clone(), reached.clone());
        let service = HandMade::start(move |mut stream| {
            while read_request(&mut stream).is_some() {
                counter.fetch_add(1, Ordering::SeqCst);
                let reply = script.lock().expect("reply").unwrap_or(Reply::Json(200));
                let Some((status, headers, body)) = reply.text() else {
                    return;
                };
                answer(&mut stream, &format!("{status} Status"), headers, body);
            }
        });
        Self {
            service,
            reply,
            reached,
        }
    }

    fn answer_as(&self, case: &Case) {
        *self.reply.lock().expect("reply") = match case.kind {
            Kind::Reply(reply) => Some(reply),
            _ => None,
        };
        self.reached.store(0, Ordering::SeqCst);
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
