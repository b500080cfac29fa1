//! The service of the soak: an emulator with rules and a callback service, in a child process.

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Serialize;
use us3_emulator::{Call, End, EtagFault, Fault, Gateway, Place, Rights, Rule, Shape, State, Then};

use crate::support::random::Random;
use crate::support::{callback_service, emulator_with};

/// Set for the process of the service.
const ROLE: &str = "US3_TEST_SOAK_SERVICE";
const READY: &str = "soak-service";

/// Bytes of a part.
pub const PART: usize = 64 << 10;

/// How long a detached request waits before it runs.
const DETACHED: Duration = Duration::from_millis(40);

/// How long the last requests may take.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Service {
    child: Child,
    /// Kept open: a test that runs for long says so there.
    _output: Lines<BufReader<ChildStdout>>,
    pub address: SocketAddr,
    control: SocketAddr,
    pub callbacks: SocketAddr,
}

impl Service {
    pub fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "the_service_of_the_soak", "--nocapture"])
            .env(ROLE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the service's process");
        let mut output = BufReader::new(child.stdout.take().expect("its output")).lines();
        let ready = output
            .by_ref()
            .map(|line| line.expect("a line"))
            .find(|line| line.contains(READY));
        let ready = ready.expect("a service");
        let (_, addresses) = ready.split_once(READY).expect("addresses");
        let mut addresses = addresses
            .split_whitespace()
            .map(|address| address.parse().expect("an address"));
        let mut next = || addresses.next().expect("three addresses");
        Self {
            child,
            _output: output,
            address: next(),
            control: next(),
            callbacks: next(),
        }
    }

    /// Nothing is stored and seen any more; other faults, and sometimes another token or less patience.
    pub fn begin_anew(&self, random: &mut Random) {
        self.post("/reset", &());
        self.post("/rules", &rules(random.next(), self.callbacks));
        let rights = Rights::ALL;
        let rights = match random.below(8) {
            0 => Rights {
                read: false,
                ..rights
            },
            1 => Rights {
                list: false,
                ..rights
            },
            2 => Rights {
                delete: false,
                ..rights
            },
            _ => rights,
        };
        self.post("/rights", &rights);
        let most = (random.below(8) == 0).then_some(300);
        self.post(
            "/pressure",
            &serde_json::json!({ "requests_per_second": most }),
        );
    }

    /// Everything that the service has seen, once every request has run, detached ones as well.
    pub fn state(&self) -> State {
        self.state_when(|state| state.in_flight == 0)
    }

    /// The client is gone, and with it its connections.
    pub fn wait_until_left(&self) {
        self.state_when(|state| state.in_flight == 0 && state.connections_open == 0);
    }

    fn state_when(&self, expected: impl Fn(&State) -> bool) -> State {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let state = self.send("GET", "/state", &[]);
            let state: State = serde_json::from_slice(&state).expect("the state");
            if expected(&state) {
                return state;
            }
            assert!(
                Instant::now() < deadline,
                "{} requests on {} connections do not end",
                state.in_flight,
                state.connections_open
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn post(&self, path: &str, body: &impl Serialize) {
        let body = serde_json::to_vec(body).expect("JSON");
        let answer = self.send("POST", path, &body);
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.contains("error"), "{path}: {answer}");
    }

    fn send(&self, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.control).expect("the control listener");
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).expect("a request");
        stream.write_all(body).expect("its body");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
        answer.split_off(end.expect("a head") + 4)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves until the parent is gone, when this process is the service's.
pub fn serve_if_asked() {
    if std::env::var(ROLE).is_err() {
        return;
    }
    let emulator = emulator_with(|options| options.part_size = PART as u64);
    let callbacks = callback_service();
    let (address, control) = (emulator.address(), emulator.control_address());
    println!("\n{READY} {address} {control} {}", callbacks.address);
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// Of one rule. Together they are met by about every fifth request.
const OFTEN: f64 = 0.008;
const RARELY: f64 = 0.002;

/// What goes wrong.
fn rules(seed: u64, callbacks: SocketAddr) -> Vec<Rule> {
    let any = |fault, place| Rule::any(fault).at(place);
    let detached = |fault| any(fault, Place::AfterBody).detached(DETACHED);
    let page = |status| Fault::Gateway(Gateway::new(status).repeats());
    // A portal's page is taken for the success of a delete or an abort.
    let portal = |call, place| Rule::on(call, page(200)).at(place);
    let reply = |fault| Rule::on(Call::Callback, fault).at(Place::AfterExecuting);
    let failed = |why: &str| {
        let why = format!("send request error: Post http://{callbacks}/json: {why}");
        Fault::error(599, 20003, &why)
    };
    let mut rules = vec![
        any(Fault::Reset, Place::BeforeBody),
        any(Fault::Reset, Place::Body(10_000)),
        any(Fault::Reset, Place::AfterBody),
        any(Fault::Reset, Place::AfterExecuting),
        any(Fault::Close, Place::Body(10_000)),
        any(Fault::Close, Place::AfterExecuting),
        any(Fault::Drop, Place::BeforeBody),
        any(Fault::status(500), Place::AfterBody),
        any(Fault::status(502), Place::AfterExecuting),
        any(Fault::error(503, -1, "busy"), Place::BeforeBody),
        any(Fault::error(429, -1, "busy"), Place::AfterBody),
        any(stale(End::Reset), Place::AfterExecuting),
        any(stale(End::Close), Place::AfterExecuting),
        any(truncated(), Place::AfterExecuting),
        Rule::on(Call::Callback, Fault::Reset),
        Rule::on(Call::Callback, Fault::Reset).at(Place::AfterExecuting),
        Rule::on(Call::Connection, Fault::Reset),
        detached(Fault::Reset),
        detached(Fault::Close),
        detached(Fault::Drop),
        detached(page(502)),
        detached(page(504)),
        detached(page(599)),
        any(page(502), Place::BeforeBody),
        any(page(503), Place::AfterBody),
        any(page(504), Place::AfterExecuting),
        any(page(599), Place::AfterBody),
        any(page(404), Place::AfterExecuting),
        portal(Call::Put, Place::BeforeBody),
        portal(Call::Finish, Place::AfterExecuting),
        portal(Call::Part, Place::AfterBody),
        reply(Fault::error(503, 17, "not now")),
        reply(Fault::error(403, 17, "not you")),
        reply(Fault::error(
            599,
            20008,
            "expect json, but received text/html",
        )),
        reply(Fault::redirect("http://127.0.0.1:9/elsewhere")),
        reply(failed("EOF")),
        reply(failed(
            "net/http: request canceled (Client.Timeout exceeded while awaiting headers)",
        )),
        Rule::on(
            Call::Callback,
            failed(&format!(
                "dial tcp {callbacks}: connect: connection refused"
            )),
        ),
    ];
    // Rarely: one costs time, the others the whole upload.
    let rare = [
        any(Fault::stall(), Place::AfterBody),
        any(Fault::stall(), Place::AfterExecuting),
        any(
            Fault::error(403, -148643, "invalid signature"),
            Place::BeforeBody,
        ),
        any(wrong_etag(), Place::AfterExecuting),
    ];
    let often = rules.len();
    rules.extend(rare);
    for (number, rule) in rules.iter_mut().enumerate() {
        let probability = if number < often { OFTEN } else { RARELY };
        *rule = rule.clone().probability(probability, seed ^ number as u64);
    }
    rules
}

fn stale(end: End) -> Fault {
    Fault::alter(Shape::default().then(Then::NextRequest(end)))
}

fn truncated() -> Fault {
    let shape = Shape {
        truncate: Some(1),
        ..Shape::default()
    };
    Fault::alter(shape.then(Then::Close))
}

fn wrong_etag() -> Fault {
    Fault::alter(Shape {
        etag: Some(EtagFault::Wrong),
        ..Shape::default()
    })
}
