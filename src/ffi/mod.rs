//! The C border, and the only unsafe code.
//!
//! Everything that C sees is declared here, one file for each handle or struct. `build.rs` generates
//! `us3.h` from it and from `us3.h.in`, which has the prose and the order. A `///` on an exported item
//! becomes a part of the C manual: write it for a C programmer.
//!
//! # Who does what
//!
//! | file | what it is for |
//! |---|---|
//! | [`catch`] | a panic never reaches C |
//! | [`guard`] | runs every exported function that can fail: panics, the result, the status |
//! | [`input`] | turns pointers and strings of the host into references, or a clear error |
//! | [`structs`] | `struct_size`: older and newer callers, in both directions |
//! | [`handle`] | what is behind an opaque pointer: calls in progress, the process that made it |
//! | [`owner`] | handles made into pointers and back, each by the one owner that it has |
//! | [`lease`] | lending something out and waiting until everybody has given it back |
//! | [`memory`] | strings that the host frees, and memory that the host lends |
//! | [`status`] | the enums, compared with the engine's |
//! | [`result`], [`describe`] | the outcome of a call, and the same in words |
//! | [`config`], [`client`] | making, using and freeing a client |
//! | [`request`], [`header`] | one request for every upload |
//! | [`upload`] | uploads, waited for or not; the named operations fill in the request |
//! | [`task`], [`task_handle`], [`progress`] | what runs while the host does something else |
//! | [`start`] | starting any operation but an upload |
//! | [`queue`] | the ends of any number of tasks, behind one descriptor |
//! | [`callback`], [`user_data`] | functions of the host that the library calls |
//! | [`multipart`], [`multipart_start`] | an upload that the host drives part by part |
//! | [`unfinished`] | uploads that were left behind, by their names |
//! | [`file_info`] | HeadFile |
//! | [`policy`] | put policies, checked and built |
//! | [`logger`] | the host's logger |
//! | [`version`] | the version of the library |
//!
//! # Adding a function
//!
//! 1. Take pointers and integers, never a Rust enum, never a `bool` (see [`input::c_bool`]), and
//!    an optional `us3_result *` last. Name everything as C will see it.
//! 2. The body is one call of a function of [`guard`], or of [`catch`] without a status. Within it, make every pointer into a
//!    reference with [`input`], [`structs`] or [`handle`], naming the parameter; then call the
//!    engine, which is safe code; then hand its report on. No logic of uploads lives here.
//! 3. Check a handle first: a forked child gets `US3_FORKED` before anything else happens.
//! 4. An out-handle is made with [`guard::guard_new`], a task with [`start::guard_start`]; both set it to NULL on every
//!    failure. A `..._free` begins with [`owner::take_back`].
//! 5. Document it: what it does, each parameter with its unit and range, who owns what, threads,
//!    whether it blocks, every status it can return. Add its file to `us3.h.in` if it is new.
//!
//! # Adding a member to a public struct
//!
//! After the first release, members are added only at the end, and never in the padding at the end of an
//! older struct, where an older caller may have left any bytes: fill that padding with reserved members
//! first. Zero must mean "as before", because a struct that is newer than the library is accepted only if
//! the members that the library does not know are zero. Add the member to the list of
//! [`structs::PublicStruct::MEMBER_ENDS`] (otherwise it does not compile) and to the `US3_*_INIT` macro in
//! `us3.h.in`. Do not add it to the `us3_*_init` function: that function cannot know the size of its
//! caller's struct, and therefore initialises only the members of the first release.
//!
//! # Unsafe
//!
//! Each unsafe block has a `// SAFETY:` line that says what it relies on and who guarantees that. Nearly
//! always it is the host, by the rules of the header: a pointer is NULL or points at an initialised value
//! of its type during the call (a handle: until it is freed), and no two threads use one struct of the host
//! at the same time. Everything else is checked.

#![allow(non_camel_case_types)]
// The safety contract of an exported function is the text of the header.
#![allow(clippy::missing_safety_doc)]
// These comments are for C: addresses are not written as Markdown links.
#![allow(rustdoc::bare_urls)]
#![warn(clippy::undocumented_unsafe_blocks)]

mod callback;
mod catch;
mod client;
mod config;
mod describe;
mod file_info;
mod guard;
mod handle;
mod header;
mod input;
mod lease;
mod logger;
mod memory;
mod multipart;
mod multipart_start;
mod owner;
mod policy;
mod progress;
mod queue;
mod request;
mod result;
mod start;
mod status;
mod structs;
mod task;
mod task_handle;
mod unfinished;
mod upload;
mod user_data;
mod version;

// For the fuzz targets, through `us3::border`.
pub use client::{us3_client, us3_client_new};
pub use config::{us3_config, us3_config_init};
pub use describe::us3_result_describe;
pub use header::us3_header;
pub use logger::us3_set_logger;
pub use memory::us3_string_free;
pub use request::{us3_upload_request, us3_upload_request_init};
pub use result::{us3_result, us3_result_clear, us3_result_init};
pub use status::us3_status;
pub use upload::us3_upload;

#[cfg(test)]
mod defaults;
#[cfg(test)]
mod tests;
