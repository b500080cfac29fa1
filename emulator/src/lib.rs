//! A strict local US3, for tests and for users who try out their own callback service without
//! an account.
//!
//! It has its own implementation of the protocol: signatures, ETags and policies use no code of the
//! library, so that the same mistake cannot be in a client and in its test.
//!
//! ```
//! use us3_emulator::{Emulator, Options};
//!
//! let emulator = Emulator::start(Options::default()).unwrap();
//! assert!(emulator.url().starts_with("http://127.0.0.1:"));
//! assert!(emulator.state().objects.is_empty());
//! ```
//!
//! The map:
//! - `emulator`: starts and stops everything; what tests hold on to
//! - `options`: what can be chosen
//! - `net`: sockets and connections, below HTTP
//! - `serve`: one request from its head to its answer
//! - `target`, `auth`, `policy`, `etag`, `refusal`: our reading of the protocol
//! - `rights`, `pressure`: what the account may do, and how often
//! - `broken`: assumptions of clients that are broken on purpose
//! - `intake`: the body of a request, counted while it arrives
//! - `calls`: what each call does
//! - `store`: objects, pending uploads and their files
//! - `callback`: the upload callback that is really sent
//! - `rules`, `faults`: what goes wrong on purpose, and where
//! - `detached`: requests that go on after their connection met its fault
//! - `journal`, `state`: what was seen, for tests
//! - `clock`: what time it is here
//! - `front`: where connections come in
//! - `control`: the second listener, the same as JSON
//! - `log`: a line per request for people
//! - `greeting`: how to point a client at it, for people

mod answer;
mod app;
mod auth;
mod broken;
mod callback;
mod calls;
mod clock;
mod control;
mod detached;
mod emulator;
mod etag;
mod faults;
mod front;
mod greeting;
mod intake;
mod journal;
mod log;
mod net;
mod options;
mod policy;
mod pressure;
mod refusal;
mod rights;
mod rules;
mod serve;
mod state;
mod stop;
mod store;
mod target;

pub use broken::Assumption;
pub use emulator::Emulator;
pub use options::{Options, PRIVATE_KEY, PUBLIC_KEY};
pub use rights::{Right, Rights};
pub use rules::{Drip, End, EtagFault, Fault, Gateway, Place, Rule, RuleState, Shape, Stall, Then};
pub use state::{CallbackSent, ObjectState, PartState, RequestSeen, State, UploadState};
pub use target::Call;

/// The Rust of the README is compiled and run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
