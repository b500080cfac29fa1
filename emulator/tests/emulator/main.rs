//! The emulator as its clients see it. Each module is about one subject.

mod ages;
mod answers;
mod broken;
mod callbacks;
mod common;
mod control;
mod control_guard;
mod data_dir;
mod descriptors;
mod detached;
mod errors;
mod faults;
mod gateways;
mod kept;
mod multipart;
mod objects;
mod policies;
mod program;
mod rights;
mod uploads;
