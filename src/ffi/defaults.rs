//! Tests that the header's text states the defaults and limits of the engine.

use std::time::Duration;

use crate::config::{
    DEFAULT_CONNECT_TIMEOUT, DEFAULT_IDLE_TIMEOUT, DEFAULT_MAX_CONCURRENT_UPLOADS,
    DEFAULT_MAX_RETRIES, DEFAULT_RESPONSE_TIMEOUT, DEFAULT_SETTLE_TIMEOUT, DEFAULT_WORKER_THREADS,
};
use crate::upload::{AUTO_PUT_SIZE, DEFAULT_JOBS, MAX_JOBS, MAX_PUT_SIZE};

const HEADER: &str = include_str!(concat!(env!("OUT_DIR"), "/us3.h"));

/// The comment above a member or value, on one line.
fn said_of(declaration: &str) -> String {
    let lines: Vec<&str> = HEADER.lines().collect();
    let at = lines.iter().position(|line| line.trim() == declaration);
    let at = at.unwrap_or_else(|| panic!("{declaration} is not in the header"));
    let comment = lines[..at]
        .iter()
        .rev()
        .map_while(|line| line.trim().strip_prefix("///"));
    let mut comment: Vec<&str> = comment.map(str::trim).collect();
    comment.reverse();
    comment.join(" ")
}

fn ms(time: Duration) -> String {
    format!("0 is the default, {}.", time.as_millis())
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

#[test]
fn the_header_tells_the_engines_defaults_and_limits() {
    let concurrent = format!("0 is the default, {DEFAULT_MAX_CONCURRENT_UPLOADS}.");
    for (declaration, said) in [
        ("uint32_t connect_timeout_ms;", ms(DEFAULT_CONNECT_TIMEOUT)),
        ("uint32_t idle_timeout_ms;", ms(DEFAULT_IDLE_TIMEOUT)),
        (
            "uint32_t response_timeout_ms;",
            ms(DEFAULT_RESPONSE_TIMEOUT),
        ),
        ("uint32_t settle_timeout_ms;", ms(DEFAULT_SETTLE_TIMEOUT)),
        (
            "uint32_t max_retries;",
            format!("the default, {DEFAULT_MAX_RETRIES}."),
        ),
        (
            "uint32_t worker_threads;",
            format!("0 is the default, {DEFAULT_WORKER_THREADS}."),
        ),
        ("uint32_t max_concurrent_uploads;", concurrent),
        (
            "int32_t jobs;",
            format!("above {MAX_JOBS} is {MAX_JOBS}. Default {DEFAULT_JOBS}."),
        ),
        (
            "US3_MODE_AUTO = 0,",
            format!("up to {}", mib(AUTO_PUT_SIZE)),
        ),
        (
            "US3_MODE_PUT = 1,",
            format!("at most {}", mib(MAX_PUT_SIZE)),
        ),
    ] {
        let comment = said_of(declaration);
        assert!(
            comment.contains(&said),
            "{declaration}: {comment:?} does not say {said:?}"
        );
    }
}
