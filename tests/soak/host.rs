//! The host of the soak: threads that upload this and that, and write down what they were told.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use us3::client::Client;
use us3::content::Source;
use us3::error::{Error, Report, Result, Status};
use us3::operation::task::Watch;
use us3::protocol::etag::EtagHasher;
use us3::protocol::policy::PutPolicy;
use us3::upload::{Mode, UploadRequest};

use crate::service::{PART, Service};
use crate::support::random::Random;
use crate::support::{TempFile, config, content, json_policy};

const THREADS: u64 = 12;

/// Of a resumable upload that goes on.
const HURRY: Duration = Duration::from_secs(3);

/// Nothing, next to nothing, about a part, several parts.
const SIZES: [usize; 9] = [
    0,
    1,
    1000,
    PART - 1,
    PART,
    PART + 1,
    3 * PART,
    5 * PART + 77,
    9 * PART + 1,
];

pub struct Host {
    client: Client,
    policy: PutPolicy,
    contents: Vec<Content>,
}

struct Content {
    bytes: Bytes,
    file: TempFile,
    etag: String,
}

/// One upload, and what the host was told of it.
pub struct Upload {
    pub key: String,
    pub size: u64,
    pub etag: String,
    pub policy: bool,
    pub status: Status,
    pub report: Report,
    /// What was done and said, for whoever reads of a failure.
    pub story: String,
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Put,
    Parts { jobs: i32 },
    ByHand,
    Resumable,
    Cancelled,
    Hurried,
}

impl Host {
    pub fn new(service: &Service) -> Self {
        let mut config = config(service.address);
        config.connect_timeout = Duration::from_secs(5);
        config.idle_timeout = Duration::from_secs(2);
        config.response_timeout = Duration::from_secs(2);
        // The ETag of an object with small parts says nothing: a lost finish is asked about in vain.
        config.settle_timeout = Duration::from_millis(200);
        Self {
            client: Client::new(config).expect("client"),
            policy: json_policy(service.callbacks),
            contents: SIZES.into_iter().map(Content::new).collect(),
        }
    }

    /// Uploads for a time, from many threads.
    pub fn run(&self, time: Duration, name: &str, random: &mut Random) -> Vec<Upload> {
        let until = Instant::now() + time;
        let count = AtomicU64::new(0);
        let seeds: Vec<u64> = (0..THREADS).map(|_| random.next()).collect();
        std::thread::scope(|scope| {
            let start = |seed| {
                let count = &count;
                scope.spawn(move || self.work(Random::new(seed), until, name, count))
            };
            let threads: Vec<_> = seeds.into_iter().map(start).collect();
            let done = threads.into_iter().map(|thread| thread.join());
            done.flat_map(|uploads| uploads.expect("a thread"))
                .collect()
        })
    }

    fn work(
        &self,
        mut random: Random,
        until: Instant,
        name: &str,
        count: &AtomicU64,
    ) -> Vec<Upload> {
        let mut uploads = Vec::new();
        while Instant::now() < until {
            let number = count.fetch_add(1, Ordering::Relaxed);
            uploads.push(self.one(&mut random, format!("{name}/{number}")));
        }
        uploads
    }

    fn one(&self, random: &mut Random, key: String) -> Upload {
        let client = &self.client;
        let content = random.pick(&self.contents);
        let way = way(random);
        let policy = (random.below(2) == 0).then(|| self.policy.clone());
        let result = match way {
            Way::ByHand if content.bytes.is_empty() => {
                client.upload(content.request(&key, &policy))
            }
            Way::ByHand => by_hand(client, content, &key, &policy),
            Way::Resumable => resumable(client, content, &key, &policy),
            Way::Cancelled => cancelled(client, content, &key, &policy, random),
            _ => {
                let mut request = content.request(&key, &policy);
                way.shape(&mut request, random);
                client.upload(request)
            }
        };
        let (status, report, said) = match result {
            Ok(report) => (Status::Ok, report, "done".to_owned()),
            Err(error) => (error.status(), error.report().clone(), error.to_string()),
        };
        Upload {
            size: content.bytes.len() as u64,
            etag: content.etag.clone(),
            policy: policy.is_some(),
            story: format!("{key}: {way:?}: {status:?}: {said}"),
            key,
            status,
            report,
        }
    }
}

fn way(random: &mut Random) -> Way {
    match random.below(16) {
        0..4 => Way::Put,
        4..6 => Way::Parts { jobs: 1 },
        6..8 => Way::Parts { jobs: 10 },
        8..10 => Way::Parts { jobs: 3 },
        10..12 => Way::ByHand,
        12..14 => Way::Resumable,
        14 => Way::Cancelled,
        _ => Way::Hurried,
    }
}

impl Way {
    fn shape(self, request: &mut UploadRequest, random: &mut Random) {
        match self {
            Self::Put => request.mode = Mode::Put,
            Self::Parts { jobs } => {
                request.mode = Mode::Multipart;
                request.jobs = jobs;
            }
            Self::Hurried => {
                request.mode = Mode::Multipart;
                request.timeout = Some(Duration::from_millis(5 + random.below(300)));
            }
            _ => {}
        }
    }
}

impl Content {
    fn new(size: usize) -> Self {
        let bytes = content(size);
        let mut hasher = EtagHasher::object();
        hasher.update(&bytes);
        Self {
            file: TempFile::new(&bytes),
            etag: hasher.finish().object_etag(),
            bytes: bytes.into(),
        }
    }

    /// From the file or from memory, by the key.
    fn request(&self, key: &str, policy: &Option<PutPolicy>) -> UploadRequest {
        let source = match key.ends_with(['0', '2', '4', '6', '8']) {
            true => Source::File(self.file.path.clone()),
            false => Source::Memory(self.bytes.clone()),
        };
        let mut request = UploadRequest::new(source, key);
        request.policy = policy.clone();
        request
    }
}

/// As a careful host does it: a part that failed ends the upload.
fn by_hand(
    client: &Client,
    content: &Content,
    key: &str,
    policy: &Option<PutPolicy>,
) -> Result<Report> {
    let (upload, _) = client.initiate(key, None)?;
    for (number, part) in content.bytes.chunks(PART).enumerate() {
        let sent = upload.upload_part(number as u32, content.bytes.slice_ref(part));
        if let Err(mut error) = sent {
            let left = upload.abort().is_err();
            error.report_mut().upload_id = left.then(|| upload.upload_id().to_owned());
            return Err(error);
        }
    }
    upload.finish(policy.clone())
}

/// Runs until the upload is over, or its end is unknown, or there is no hope.
fn resumable(
    client: &Client,
    content: &Content,
    key: &str,
    policy: &Option<PutPolicy>,
) -> Result<Report> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut request = content.request(key, policy);
    request.source = Source::File(content.file.path.clone());
    request.mode = Mode::Multipart;
    request.resume_path = Some(folder.path().join("checkpoint"));
    let mut last = client.upload(request.clone());
    for _ in 0..4 {
        let again = |error: &Error| {
            error.report().upload_id.is_some() && folder.path().join("checkpoint").exists()
        };
        if !last.as_ref().is_err_and(again) {
            break;
        }
        // No time to wait until a lost finish cannot run any more.
        request.timeout = Some(HURRY);
        last = client.upload(request.clone());
    }
    last
}

fn cancelled(
    client: &Client,
    content: &Content,
    key: &str,
    policy: &Option<PutPolicy>,
    random: &mut Random,
) -> Result<Report> {
    let mut request = content.request(key, policy);
    if random.below(2) == 0 {
        request.mode = Mode::Multipart;
    }
    let task = client.start(request, Watch::default());
    if let Some(result) = task.wait(Some(Duration::from_micros(random.below(30_000)))) {
        return result;
    }
    task.cancel();
    task.wait(None).expect("an end")
}
