//! Many threads, mixed uploads and a service that fails at every fifth request, for a while. After each batch
//! every upload is accounted for; at the end nothing of the client is left in the process.
//!
//! `US3_SOAK_SECONDS` says how long (3), `US3_SOAK_SEED` repeats the choices of a run.
//! The service runs in a process of its own, so that memory and descriptors are the library's.

mod account;
mod host;
mod service;
#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::time::{Duration, Instant};

use account::Totals;
use host::Host;
use service::Service;
use support::random::{Random, seed};

/// What a process may keep: the allocator does not give everything back.
const MARGIN_KIB: u64 = 32 << 10;

/// Batches are forgotten once they are checked, so that the memory that is measured is the library's.
const LONGEST_BATCH: Duration = Duration::from_secs(10);

/// How long threads and descriptors may take to go.
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn every_upload_is_accounted_for() {
    let seconds = std::env::var("US3_SOAK_SECONDS").unwrap_or_else(|_| "3".to_owned());
    let seconds: u64 = seconds.parse().expect("US3_SOAK_SECONDS is a number");
    let mut random = Random::new(seed("US3_SOAK_SEED"));
    let service = Service::start();
    let mut totals = Totals::default();
    // The first use of everything costs memory once.
    let time = Duration::from_secs(seconds);
    let batch = LONGEST_BATCH.min(time / 3);
    let host = Host::new(&service);
    run_batch(&host, &service, batch, "warm-up", &mut random, &mut totals);
    drop(host);
    service.wait_until_left();
    let before = Cost::now();
    let started = Instant::now();
    let host = Host::new(&service);
    for number in 0.. {
        let left = time.saturating_sub(started.elapsed());
        if left.is_zero() {
            break;
        }
        let name = format!("batch-{number}");
        run_batch(
            &host,
            &service,
            batch.min(left),
            &name,
            &mut random,
            &mut totals,
        );
    }
    let elapsed = started.elapsed();
    drop(host);
    service.wait_until_left();
    Cost::settles_at(&before);
    println!("{totals}\nin {elapsed:?}, lies: 0");
    assert!(totals.uploads() > 20, "too few uploads to tell");
}

/// Uploads, then holds what was told against what the service has seen.
fn run_batch(
    host: &Host,
    service: &Service,
    time: Duration,
    name: &str,
    random: &mut Random,
    totals: &mut Totals,
) {
    service.begin_anew(random);
    let uploads = host.run(time, name, random);
    let state = service.state();
    totals.add(&uploads, &state);
    let wrong = account::check(&uploads, &state);
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Not a test of its own: the process of the service.
#[test]
fn the_service_of_the_soak() {
    service::serve_if_asked();
}

/// What the process holds.
#[derive(Debug)]
struct Cost {
    memory_kib: u64,
    descriptors: usize,
    threads: usize,
}

impl Cost {
    fn now() -> Self {
        let count = |folder: &str| fs::read_dir(folder).expect(folder).count();
        let status = fs::read_to_string("/proc/self/status").expect("status");
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let value = line.and_then(|line| line.split_whitespace().nth(1));
        Self {
            memory_kib: value.and_then(|kib| kib.parse().ok()).expect("VmRSS"),
            descriptors: count("/proc/self/fd"),
            threads: count("/proc/self/task"),
        }
    }

    /// Threads and descriptors come back to what they were, memory to about what it was.
    fn settles_at(before: &Self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = Self::now();
            let settled = now.descriptors == before.descriptors
                && now.threads == before.threads
                && now.memory_kib < before.memory_kib + MARGIN_KIB;
            if settled {
                println!("before {before:?}\nafter  {now:?}");
                return;
            }
            assert!(
                Instant::now() < deadline,
                "the process was {before:?} and is {now:?}"
            );
            std::thread::yield_now();
        }
    }
}
