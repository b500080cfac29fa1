//! Streams whose readers are Rust's.

use std::io::{self, Read};

use crate::support::{client, content, emulator};
use us3::content::{Reader, Source};
use us3::error::Status;
use us3::upload::{Mode, UploadRequest};

const MIB: usize = 1 << 20;

fn request(reader: &Reader, key: &str) -> UploadRequest {
    UploadRequest::new(Source::Reader(reader.clone()), key)
}

/// Ends in a way of its own after 5 MiB.
struct Ending(usize, fn() -> io::Result<usize>);

impl Read for Ending {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0 >= 5 * MIB {
            return (self.1)();
        }
        buffer.fill(1);
        self.0 += buffer.len();
        Ok(buffer.len())
    }
}

#[test]
fn a_reader_is_read_by_one_upload() {
    let emulator = emulator();
    let client = client(emulator.address());
    let bytes = content(9 * MIB);
    let reader = Reader::new(io::Cursor::new(bytes.clone()));
    client.upload(request(&reader, "a")).expect("upload");
    assert_eq!(emulator.object_bytes("a"), Some(bytes));
    let again = client.upload(request(&reader, "b")).expect_err("used");
    assert_eq!(again.status(), Status::InvalidArgument);
    assert!(emulator.object("b").is_none());
}

#[test]
fn a_reader_that_panics_or_fails_leaves_nothing() {
    let emulator = emulator();
    let client = client(emulator.address());
    let panics = Reader::new(Ending(0, || panic!("on purpose")));
    let error = client.upload(request(&panics, "a")).expect_err("panic");
    assert_eq!(error.status(), Status::InternalError);
    let fails = Reader::new(Ending(0, || Err(io::Error::from_raw_os_error(5))));
    let error = client.upload(request(&fails, "a")).expect_err("failure");
    assert_eq!(
        (error.status(), error.report().os_error),
        (Status::FileError, 5)
    );
    let state = emulator.state();
    assert!(state.uploads.is_empty() && state.objects.is_empty());
}

#[test]
fn what_a_stream_cannot_do_is_refused_before_it_is_read() {
    let emulator = emulator();
    let client = client(emulator.address());
    let untouched = || Reader::new(Ending(5 * MIB, || panic!("it was read")));
    let mut put = request(&untouched(), "a");
    put.mode = Mode::Put;
    let mut resume = request(&untouched(), "a");
    resume.resume_path = Some("checkpoint".into());
    for request in [put, resume] {
        let error = client.upload(request).expect_err("refused");
        assert_eq!(error.status(), Status::InvalidArgument);
    }
}
