//! Giving up races the thread that writes. The service keeps the truth: a request of which it has the whole
//! body is stored, and fires its callback.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use socket2::{Domain, SockRef, Socket, Type};
use us3::client::Client;
use us3::content::Source;
use us3::error::{CallbackState, ObjectState, Report, Result};
use us3::operation::task::Watch;
use us3::protocol::etag::EtagHasher;
use us3::upload::{Mode, UploadRequest};

use crate::support::bench::told;
use crate::support::random::{Random, seed};
use crate::support::{config, content, in_parallel, json_policy};
use crate::truth::honest::states;

const THREADS: usize = 16;

/// A hundredth of the full size, which `US3_RACE_ROUNDS=500` is.
const ROUNDS: usize = 5;

/// Uploads that are cancelled, for each round.
const CANCELLED: usize = 8;

const IDLE: Duration = Duration::from_millis(40);

/// What the sockets between service and library hold at most, more or less: a body that is longer waits.
const WINDOW: usize = 16 << 10;

fn rounds() -> usize {
    let given = std::env::var("US3_RACE_ROUNDS").ok();
    given.map_or(ROUNDS, |text| text.parse().expect("US3_RACE_ROUNDS"))
}

/// When the service reads and when it answers.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// Reads and answers at once.
    Prompt,
    /// Reads a body only so long after its head came, and answers it then.
    Late { around: Duration },
    /// Answers 200 after the head, and closes without reading.
    EarlyAndGone,
}

#[derive(Default)]
struct Books {
    /// Whole bodies, by key: objects stored, and callbacks fired.
    whole: HashMap<String, (usize, SystemTime)>,
    open: usize,
}

struct Service {
    address: SocketAddr,
    books: Arc<(Mutex<Books>, Condvar)>,
    etags: Arc<Mutex<HashMap<usize, String>>>,
    _accepting: JoinHandle<()>,
}

impl Service {
    fn start(manner: Manner, seed: u64) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("socket");
        socket.set_recv_buffer_size(WINDOW).expect("window");
        socket
            .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
            .expect("address");
        socket.listen(1024).expect("listener");
        let listener = TcpListener::from(socket);
        let address = listener.local_addr().expect("address");
        let books = Arc::new((Mutex::new(Books::default()), Condvar::new()));
        let etags = Arc::new(Mutex::new(HashMap::new()));
        let chance = AtomicU64::new(seed);
        let shared = (books.clone(), etags.clone());
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (books, etags) = (shared.0.clone(), shared.1.clone());
                books.0.lock().expect("books").open += 1;
                let random = Random::new(chance.fetch_add(1, Ordering::Relaxed));
                std::thread::spawn(move || {
                    serve(stream, manner, random, &books.0, &etags);
                    books.0.lock().expect("books").open -= 1;
                    books.1.notify_all();
                });
            }
        });
        Self {
            address,
            books,
            etags,
            _accepting: accepting,
        }
    }

    /// Contents of which HEAD tells the ETag, by their length.
    fn knows(&self, content: &Bytes) {
        let mut hasher = EtagHasher::object();
        hasher.update(content);
        let etag = hasher.finish().object_etag();
        self.etags
            .lock()
            .expect("etags")
            .insert(content.len(), etag);
    }

    /// Whole bodies by key, once every connection has ended.
    fn truth(&self) -> HashMap<String, usize> {
        let books = self.books.0.lock().expect("books");
        let patience = Duration::from_secs(60);
        let (books, timeout) = self
            .books
            .1
            .wait_timeout_while(books, patience, |books| books.open > 0)
            .expect("books");
        assert!(!timeout.timed_out(), "{} connections stay", books.open);
        let whole = books.whole.iter();
        whole
            .map(|(key, (count, _))| (key.clone(), *count))
            .collect()
    }
}

fn serve(
    mut stream: TcpStream,
    manner: Manner,
    mut random: Random,
    books: &Mutex<Books>,
    etags: &Mutex<HashMap<usize, String>>,
) {
    let _ = SockRef::from(&stream).set_tcp_nodelay(true);
    let mut buffered = Vec::new();
    loop {
        let came = Instant::now();
        let Some(head) = read_head(&mut stream, &mut buffered) else {
            return;
        };
        let key = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let now = httpdate::fmt_http_date(SystemTime::now());
        if head.starts_with("HEAD") {
            let stored = books.lock().expect("books").whole.get(&key).copied();
            let length: usize = key.rsplit('-').next().map_or(0, |n| n.parse().unwrap_or(0));
            let etag = etags.lock().expect("etags").get(&length).cloned();
            let reply = match stored.zip(etag) {
                Some(((_, at), etag)) => format!(
                    "HTTP/1.1 200 OK\r\nDate: {now}\r\nLast-Modified: {}\r\nETag: \"{etag}\"\r\nContent-Length: {length}\r\n\r\n",
                    httpdate::fmt_http_date(at)
                ),
                None => {
                    format!("HTTP/1.1 404 Not Found\r\nDate: {now}\r\nContent-Length: 0\r\n\r\n")
                }
            };
            if stream.write_all(reply.as_bytes()).is_err() {
                return;
            }
            continue;
        }
        let length = content_length(&head);
        let etag = etags.lock().expect("etags").get(&length).cloned();
        let reply = format!(
            "HTTP/1.1 200 OK\r\nDate: {now}\r\nContent-Type: application/json\r\nETag: \"{}\"\r\nContent-Length: 13\r\n\r\n{{\"seen\":true}}",
            etag.unwrap_or_default()
        );
        match manner {
            Manner::Prompt => {}
            Manner::Late { around } => {
                let early = Duration::from_millis(1);
                // The library counts from its last byte, a little after the head.
                let at = around - early + Duration::from_micros(random.below(8000));
                std::thread::sleep(at.saturating_sub(came.elapsed()));
            }
            Manner::EarlyAndGone => {
                let _ = stream.write_all(reply.as_bytes());
                return;
            }
        }
        if !read_body(&mut stream, &mut buffered, length) {
            return;
        }
        let mut books = books.lock().expect("books");
        let entry = books.whole.entry(key).or_insert((0, SystemTime::now()));
        entry.0 += 1;
        drop(books);
        if stream.write_all(reply.as_bytes()).is_err() {
            return;
        }
    }
}

fn read_head(stream: &mut TcpStream, buffered: &mut Vec<u8>) -> Option<String> {
    loop {
        let end = buffered.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&buffered[..end]).into_owned();
            buffered.drain(..end + 4);
            return Some(head);
        }
        let mut piece = [0; 1024];
        match stream.read(&mut piece) {
            Ok(count) if count > 0 => buffered.extend_from_slice(&piece[..count]),
            _ => return None,
        }
    }
}

fn content_length(head: &str) -> usize {
    let value = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().ok())?
    });
    value.unwrap_or(0)
}

/// False when the connection ended before.
fn read_body(stream: &mut TcpStream, buffered: &mut Vec<u8>, length: usize) -> bool {
    let had = buffered.len().min(length);
    buffered.drain(..had);
    let mut left = length - had;
    let mut piece = vec![0; 64 << 10];
    while left > 0 {
        let wanted = left.min(piece.len());
        match stream.read(&mut piece[..wanted]) {
            Ok(count) if count > 0 => left -= count,
            _ => return false,
        }
    }
    true
}

/// How many results were of which kind.
#[derive(Debug, Default)]
struct Tally {
    uploads: usize,
    ok: usize,
    stored: usize,
    nothing: usize,
    unknown: usize,
    doubles: usize,
    wrong: Vec<String>,
}

fn tally(results: Vec<(String, Result<Report>)>, truth: &HashMap<String, usize>) -> Tally {
    let mut tally = Tally::default();
    for (key, result) in results {
        let whole = truth.get(&format!("/{key}")).copied().unwrap_or(0);
        let (object, callback) = states(&result);
        tally.uploads += 1;
        tally.doubles += usize::from(whole > 1);
        match object {
            ObjectState::Stored if result.is_ok() => tally.ok += 1,
            ObjectState::Stored => tally.stored += 1,
            ObjectState::NotStored => tally.nothing += 1,
            ObjectState::Unknown => tally.unknown += 1,
        }
        let right = match object {
            ObjectState::Stored => whole > 0,
            ObjectState::NotStored => whole == 0,
            ObjectState::Unknown => true,
        } && match callback {
            CallbackState::Delivered | CallbackState::ReplyRefused => whole > 0,
            CallbackState::NotDelivered => whole == 0,
            CallbackState::Unknown => true,
            CallbackState::NotRequested => false,
        };
        if !right {
            tally
                .wrong
                .push(format!("{key}, {whole} whole bodies: {}", told(&result)));
        }
    }
    tally
}

fn assert_true(what: &str, tally: &Tally, started: Instant) {
    println!(
        "{what}: {} uploads in {:?}: {} ok, {} stored, {} not stored, {} unknown; {} doubles, {} false states",
        tally.uploads,
        started.elapsed(),
        tally.ok,
        tally.stored,
        tally.nothing,
        tally.unknown,
        tally.doubles,
        tally.wrong.len()
    );
    assert_eq!(tally.doubles, 0, "callbacks ran twice");
    assert!(tally.wrong.is_empty(), "{}", tally.wrong[0]);
}

fn client(address: SocketAddr) -> Client {
    let mut config = config(address);
    config.idle_timeout = IDLE;
    config.response_timeout = Duration::from_millis(400);
    config.settle_timeout = Duration::from_millis(100);
    config.max_retries = 2;
    config.max_concurrent_uploads = THREADS;
    Client::new(config).expect("client")
}

fn request(key: &str, content: &Bytes, callbacks: SocketAddr) -> UploadRequest {
    let mut request = UploadRequest::new(Source::Memory(content.clone()), key);
    request.mode = Mode::Put;
    // Nobody listens there: this service only counts.
    request.policy = Some(json_policy(callbacks));
    request
}

/// Uploads of all threads to a service of this manner. Lengths at which the last of a body waits in the library
/// while the service does not read.
fn race(manner: Manner, rounds: usize, lengths: &[usize]) -> Tally {
    let service = Service::start(manner, seed("US3_RACE_SEED"));
    let contents: Vec<Bytes> = lengths.iter().map(|&size| content(size).into()).collect();
    contents.iter().for_each(|content| service.knows(content));
    let client = client(service.address);
    let results = Mutex::new(Vec::new());
    let cases: Vec<usize> = (0..rounds * THREADS).collect();
    in_parallel(cases, THREADS, |case| {
        let content = &contents[case % contents.len()];
        let key = format!("{case}-{}", content.len());
        let result = client.upload(request(&key, content, service.address));
        results.lock().expect("results").push((key, result));
    });
    drop(client);
    let truth = service.truth();
    tally(results.into_inner().expect("results"), &truth)
}

/// From what the sockets hold at once to what waits in the library.
const AROUND_THE_SOCKETS: [usize; 6] = [
    270 << 10,
    290 << 10,
    310 << 10,
    340 << 10,
    380 << 10,
    512 << 10,
];

/// More than the sockets hold, and little enough that the library has read all of it.
const BEYOND_THE_SOCKETS: [usize; 4] = [400 << 10, 440 << 10, 470 << 10, 510 << 10];

#[test]
fn an_upload_given_up_while_its_last_bytes_leave_is_told_as_the_service_saw_it() {
    let started = Instant::now();
    let manner = Manner::Late { around: IDLE };
    // On a busy machine the service may be in time for all of them.
    for _ in 0..20 {
        let tally = race(manner, rounds(), &AROUND_THE_SOCKETS);
        assert_true("given up at the idle limit", &tally, started);
        if tally.nothing + tally.unknown > 0 {
            return;
        }
    }
    panic!("nothing was given up");
}

#[test]
fn an_early_success_is_no_success_while_a_part_of_the_body_is_left() {
    let started = Instant::now();
    let tally = race(Manner::EarlyAndGone, 5 * rounds(), &BEYOND_THE_SOCKETS);
    assert_true("answered early", &tally, started);
}

#[test]
fn an_upload_cancelled_at_any_moment_is_told_as_the_service_saw_it() {
    let started = Instant::now();
    let seed = seed("US3_RACE_SEED");
    let service = Service::start(Manner::Prompt, seed);
    let sizes = [0, 1000, 100 << 10, 300 << 10, 1 << 20];
    let contents: Vec<Bytes> = sizes.iter().map(|&size| content(size).into()).collect();
    contents.iter().for_each(|content| service.knows(content));
    let client = client(service.address);
    // How long one takes that nobody cancels, by the size.
    let usual: Vec<Duration> = contents
        .iter()
        .map(|content| {
            let begun = Instant::now();
            let key = format!("warm-{}", content.len());
            let _ = client.upload(request(&key, content, service.address));
            begun.elapsed()
        })
        .collect();
    let results = Mutex::new(Vec::new());
    let cases: Vec<usize> = (0..rounds() * CANCELLED).collect();
    in_parallel(cases, THREADS / 2, |case| {
        let mut random = Random::new(seed ^ case as u64);
        let which = case % contents.len();
        let (content, usual) = (&contents[which], usual[which]);
        let key = format!("{case}-{}", content.len());
        let task = client.start(request(&key, content, service.address), Watch::default());
        let moment = Instant::now() + usual.mul_f64(random.fraction() * 3.0);
        let result = task
            .wait(Some(moment.saturating_duration_since(Instant::now())))
            .unwrap_or_else(|| {
                task.cancel();
                task.wait(None).expect("an end")
            });
        results.lock().expect("results").push((key, result));
    });
    drop(client);
    let truth = service.truth();
    let tally = tally(results.into_inner().expect("results"), &truth);
    assert_true("cancelled", &tally, started);
    assert!(tally.nothing > 0, "none was cancelled before its end");
}
