//! A service that refuses a PutFile answers before the body is through, and closes. The answer must
//! be reported every time, although the socket reports a broken pipe or a reset first.

use std::io::Read;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::{HandMade, answer, client, content, read_head};
use bytes::Bytes;
use us3::content::Source;
use us3::error::{ObjectState, Status};
use us3::upload::{Mode, UploadRequest};

const REFUSAL: &str = r#"{"RetCode":-148643,"ErrMsg":"invalid signature"}"#;
const TIMES: usize = 1000;

fn refuse(stream: &mut TcpStream) {
    let headers = "X-SessionId: session-1\r\nContent-Type: application/json\r\n";
    answer(stream, "403 Forbidden", headers, REFUSAL);
}

fn request(body: &Bytes) -> UploadRequest {
    let mut request = UploadRequest::new(Source::Memory(body.clone()), "early.bin");
    request.mode = Mode::Put;
    request
}

fn the_answer_arrives_every_time(service: &HandMade) {
    let client = client(service.address);
    let body = Bytes::from(content(64 << 20));
    let started = Instant::now();
    for time in 0..TIMES {
        let error = client.upload(request(&body)).expect_err("refused");
        assert_eq!(error.status(), Status::ServiceError, "time {time}: {error}");
        assert_eq!(error.report().http_status, 403);
        assert_eq!(error.report().ret_code, -148643);
        assert_eq!(error.report().session_id.as_deref(), Some("session-1"));
        assert_eq!(error.report().object, ObjectState::NotStored);
        assert!(error.message().contains("invalid signature"), "{error}");
        // Sockets hold a few MiB; the rest of the 64 was never taken from the source.
        let sent = error.report().bytes_sent;
        assert!(
            sent < 32 << 20,
            "time {time}: {sent} bytes were taken in vain"
        );
    }
    println!("{TIMES} early answers in {:?}", started.elapsed());
}

#[test]
fn before_a_reset() {
    // Unread bytes in its buffer make a close a reset.
    let service = HandMade::start(|mut stream| {
        read_head(&mut stream);
        refuse(&mut stream);
    });
    the_answer_arrives_every_time(&service);
}

#[test]
fn before_a_clean_close() {
    let service = HandMade::start(|mut stream| {
        read_head(&mut stream);
        refuse(&mut stream);
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
        let _ = std::io::copy(&mut stream.take(1 << 20), &mut std::io::sink());
    });
    the_answer_arrives_every_time(&service);
}

#[test]
fn before_the_service_stops_reading_but_keeps_the_connection() {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = kept.clone();
    let service = HandMade::start(move |mut stream| {
        read_head(&mut stream);
        refuse(&mut stream);
        keep.lock().expect("streams").push(stream);
    });
    let client = client(service.address);
    let body = Bytes::from(content(64 << 20));
    let error = client.upload(request(&body)).expect_err("refused");
    assert_eq!(error.report().ret_code, -148643, "{error}");
    // The library gives up the connection, and with it the content that waits to be sent.
    let patience = Instant::now() + Duration::from_secs(10);
    while !body.is_unique() {
        assert!(
            Instant::now() < patience,
            "a connection still holds the content"
        );
        std::thread::yield_now();
    }
}
