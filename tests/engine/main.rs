//! The engine against the emulator and hand-made services. Each module is about one subject.

mod changing_files;
mod config_files;
mod early_answers;
mod fuzz_corpus;
mod hostile_answers;
mod hostile_service;
mod kills;
mod limits;
mod operations;
mod policies_once;
mod proxy;
mod resume;
mod retries;
mod streams;
#[path = "../support/mod.rs"]
mod support;
mod tasks;
mod truth;
mod vectors;
