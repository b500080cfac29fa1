//! The service of the soak: an emulator with rules and a callback service, in a child process.

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use us3_emulator::{Call, End, EtagFault, Fault, Place, Rule, Shape, State, Then};

use crate::support::{callback_service, emulator_with};

/// Set for the process of the service: the seed of its faults.
const ROLE: &str = "US3_TEST_SOAK_SERVICE";
const READY: &str = "soak-service";

/// Bytes of a part.
pub const PART: usize = 64 << 10;

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
    pub fn start(seed: u64) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "the_service_of_the_soak", "--nocapture"])
            .env(ROLE, seed.to_string())
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

    /// Everything that the service has seen, once nothing is under way any more.
    pub fn state(&self) -> State {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let state: State = serde_json::from_slice(&self.get("/state")).expect("the state");
            if state.in_flight == 0 && state.connections_open == 0 {
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

    fn get(&self, path: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.control).expect("the control listener");
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("a request");
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
    let Ok(seed) = std::env::var(ROLE) else {
        return;
    };
    let seed: u64 = seed.parse().expect("a seed");
    let emulator = emulator_with(|options| {
        options.part_size = PART as u64;
        options.rules = rules(seed);
    });
    let callbacks = callback_service();
    let (address, control) = (emulator.address(), emulator.control_address());
    println!("\n{READY} {address} {control} {}", callbacks.address);
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// About every fifth request meets one of them.
fn rules(seed: u64) -> Vec<Rule> {
    let any = |fault, place| Rule::any(fault).at(place);
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
        let probability = if number < often { 0.014 } else { 0.002 };
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
