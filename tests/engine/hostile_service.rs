//! Services, gateways and settings that mean harm: nothing is believed, lost, kept or done twice
//! because of them. Each test is of a hazard that was met once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::{
    HandMade, TempFile, answer, client, config, content, emulator, initiated, json_policy,
    read_head, refusal, reply, scripted,
};
use bytes::Bytes;
use us3::client::Client;
use us3::content::Source;
use us3::error::{CallbackState, ObjectState, Status};
use us3::upload::{Mode, UploadRequest};

const MIB: usize = 1 << 20;

fn request(body: &Bytes, mode: Mode) -> UploadRequest {
    let mut request = UploadRequest::new(Source::Memory(body.clone()), "k");
    request.mode = mode;
    request
}

fn put(size: usize) -> UploadRequest {
    request(&content(size).into(), Mode::Put)
}

fn parts(size: usize) -> UploadRequest {
    request(&content(size).into(), Mode::Multipart)
}

/// A multipart upload of a file that can be resumed.
fn resumable(file: &TempFile) -> UploadRequest {
    let mut request = UploadRequest::new(Source::File(file.path.clone()), "k");
    request.mode = Mode::Multipart;
    request.resume_path = Some(file.folder().join("checkpoint"));
    request
}

/// Waits until nobody but the test holds the content any more.
fn assert_released(body: &Bytes) {
    let patience = Instant::now() + Duration::from_secs(10);
    while !body.is_unique() {
        assert!(
            Instant::now() < patience,
            "a connection still holds the content"
        );
        std::thread::yield_now();
    }
}

/// A service that sends `reply` after the head of a request, and then neither reads nor closes.
fn stops_reading(reply: &'static str) -> HandMade {
    let kept = Mutex::new(Vec::new());
    HandMade::start(move |mut stream| {
        read_head(&mut stream);
        answer(
            &mut stream,
            reply,
            "ETag: \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"\r\n",
            "",
        );
        kept.lock().expect("streams").push(stream);
    })
}

#[test]
fn an_early_refusal_without_a_body_releases_the_content() {
    let service = stops_reading("403 Forbidden");
    let client = client(service.address);
    for _ in 0..5 {
        let body = Bytes::from(content(64 * MIB));
        client
            .upload(request(&body, Mode::Put))
            .expect_err("refused");
        assert_released(&body);
    }
}

#[test]
fn an_early_success_is_no_success() {
    let service = stops_reading("200 OK");
    let client = client(service.address);
    let error = client.upload(put(64 * MIB)).expect_err("too early");
    assert_eq!(error.status(), Status::ProtocolError, "{error}");
    assert_ne!(error.report().object, ObjectState::Stored);
}

#[test]
fn a_checkpoint_is_never_written_over_the_file() {
    let emulator = emulator();
    let client = client(emulator.address());
    let whole = content(9 * MIB);
    let file = TempFile::new(&whole);
    let mut request = resumable(&file);
    request.resume_path = Some(file.path.clone());
    let error = client.upload(request).expect_err("refused");
    assert_eq!(error.status(), Status::InvalidArgument, "{error}");
    assert!(std::fs::read(&file.path).expect("file") == whole);
}

#[test]
fn what_is_no_checkpoint_is_kept_beside_it() {
    let emulator = emulator();
    let client = client(emulator.address());
    let file = TempFile::new(&content(5 * MIB));
    let checkpoint = file.folder().join("checkpoint");
    std::fs::write(&checkpoint, "my diary").expect("file");
    let report = client.upload(resumable(&file)).expect("upload");
    assert!(report.note.expect("note").contains("damaged"));
    assert!(!checkpoint.exists());
    let kept = std::fs::read_to_string(file.folder().join("checkpoint.damaged"));
    assert_eq!(kept.expect("kept"), "my diary");
}

#[test]
fn a_599_means_a_callback_only_where_there_was_one() {
    let service = scripted(|head| match head {
        head if head.starts_with("POST /k?uploads") => initiated(4 << 20),
        head if head.starts_with("PUT") => reply("599 x", "", r#"{"RetCode":20003,"ErrMsg":"x"}"#),
        _ => reply("204 No Content", "", ""),
    });
    let client = client(service.address);
    let error = client.upload(parts(5 * MIB)).expect_err("refused");
    assert_eq!(error.status(), Status::ServiceError, "{error}");
    assert_eq!(error.report().object, ObjectState::NotStored);
    assert_eq!(error.report().callback, CallbackState::NotRequested);
}

#[test]
fn hashing_a_large_file_keeps_the_deadline() {
    let emulator = emulator();
    let mut config = config(emulator.address());
    config.verify_upload_md5 = true;
    let client = Client::new(config).expect("client");
    let file = TempFile::sparse(512 << 20);
    let mut request = UploadRequest::new(Source::File(file.path.clone()), "k");
    request.mode = Mode::Put;
    request.timeout = Some(Duration::from_millis(200));
    let started = Instant::now();
    let error = client.upload(request).expect_err("late");
    assert_eq!(error.status(), Status::Timeout, "{error}");
    assert!(
        started.elapsed() < Duration::from_millis(450),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn a_fresh_start_after_a_lost_upload_keeps_the_deadline() {
    let run = Arc::new(AtomicUsize::new(0));
    let stage = run.clone();
    let service = scripted(move |head| match head {
        head if head.starts_with("POST /k?uploads") && stage.load(Ordering::SeqCst) == 1 => {
            std::thread::sleep(Duration::from_secs(4));
            None
        }
        head if head.starts_with("POST /k?uploads") => initiated(4 << 20),
        head if head.starts_with("PUT") => reply("200 OK", "ETag: \"other\"\r\n", ""),
        head if head.starts_with("HEAD") => reply("404 Not Found", "", ""),
        _ => refusal("404 Not Found"),
    });
    let client = client(service.address);
    let file = TempFile::new(&content(5 * MIB));
    let mut request = resumable(&file);
    request.timeout = Some(Duration::from_secs(1));
    client
        .upload(request.clone())
        .expect_err("the finish is refused");
    run.store(1, Ordering::SeqCst);
    let started = Instant::now();
    let error = client.upload(request).expect_err("late");
    assert_eq!(error.status(), Status::Timeout, "{error}");
    assert!(
        started.elapsed() < Duration::from_millis(1250),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn an_abort_whose_answer_was_lost_left_nothing_behind() {
    let aborts = AtomicUsize::new(0);
    let service = scripted(move |head| match head {
        head if head.starts_with("POST /k?uploads") => initiated(4 << 20),
        head if head.starts_with("PUT") => refusal("403 Forbidden"),
        _ if aborts.fetch_add(1, Ordering::SeqCst) == 0 => None,
        _ => refusal("404 Not Found"),
    });
    let client = Client::new(config(service.address)).expect("client");
    let error = client.upload(parts(MIB)).expect_err("refused");
    assert_eq!(error.report().http_status, 403);
    assert_eq!(error.report().upload_id, None, "{error}");
}

#[test]
fn a_gateway_that_gave_up_proves_nothing() {
    let service = scripted(|head| match head {
        head if head.starts_with("HEAD") => reply("404 Not Found", "", ""),
        _ => reply(
            "504 Gateway Timeout",
            "Content-Type: text/html\r\n",
            "<html>",
        ),
    });
    let client = client(service.address);
    let mut request = put(MIB);
    request.policy = Some(json_policy(service.address));
    let error = client.upload(request).expect_err("504");
    assert_eq!(error.status(), Status::ServiceError, "{error}");
    assert_eq!(error.report().object, ObjectState::Unknown);
    assert_eq!(error.report().callback, CallbackState::Unknown);
}

#[test]
fn a_callbacks_reply_that_does_not_end_proves_nothing() {
    let puts = Arc::new(AtomicUsize::new(0));
    let count = puts.clone();
    let service = scripted(move |head| match head {
        head if head.starts_with("PUT") => {
            count.fetch_add(1, Ordering::SeqCst);
            reply("200 OK", "", &"x".repeat(MIB + 1))
        }
        _ => reply("404 Not Found", "", ""),
    });
    let mut config = config(service.address);
    config.settle_timeout = Duration::from_millis(1);
    let client = Client::new(config).expect("client");
    let mut request = put(MIB);
    request.policy = Some(json_policy(service.address));
    let error = client.upload(request).expect_err("reply too long");
    assert_eq!(puts.load(Ordering::SeqCst), 1, "{error}");
    assert_eq!(error.status(), Status::ProtocolError, "{error}");
    assert_eq!(error.report().object, ObjectState::Unknown, "{error}");
    assert_eq!(error.report().callback, CallbackState::Unknown, "{error}");
}

#[test]
fn one_failing_part_stops_the_others_and_releases_the_content() {
    let kept = Mutex::new(Vec::new());
    let service = HandMade::start(move |mut stream| {
        while let Some(head) = read_head(&mut stream) {
            if head.starts_with("POST /k?uploads") {
                let body = r#"{"UploadId":"u","BlkSize":16777216}"#;
                answer(&mut stream, "200 OK", "", body);
            } else if head.starts_with("PUT") {
                if head.contains("partNumber=1&") {
                    answer(&mut stream, "403 Forbidden", "", "");
                }
                kept.lock().expect("streams").push(stream);
                return;
            } else {
                answer(&mut stream, "204 No Content", "", "");
            }
        }
    });
    let client = client(service.address);
    let body = Bytes::from(content(64 * MIB));
    let started = Instant::now();
    let error = client
        .upload(request(&body, Mode::Multipart))
        .expect_err("refused");
    assert_eq!(error.report().http_status, 403, "{error}");
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
    assert_released(&body);
}

#[test]
fn a_finish_that_may_have_run_is_never_forgotten() {
    let run = Arc::new(AtomicUsize::new(0));
    let stage = run.clone();
    let heads = Arc::new(AtomicUsize::new(0));
    let asked = heads.clone();
    let service = scripted(move |head| {
        let run = stage.load(Ordering::SeqCst);
        match head {
            head if head.starts_with("POST /k?uploads") => initiated(4 << 20),
            head if head.starts_with("PUT") && run == 1 => refusal("403 Forbidden"),
            head if head.starts_with("PUT") => reply("200 OK", "ETag: \"other\"\r\n", ""),
            // The finish of the first run is lost, and its upload still seems to be there.
            head if head.starts_with("POST") => None,
            head if head.starts_with("GET") && run < 2 => reply("200 OK", "", r#"{"Parts":[]}"#),
            head if head.starts_with("HEAD") => {
                asked.fetch_add(1, Ordering::SeqCst);
                reply("404 Not Found", "", "")
            }
            _ => refusal("404 Not Found"),
        }
    });
    let client = client(service.address);
    let file = TempFile::new(&content(5 * MIB));
    for stage in 0..3 {
        run.store(stage, Ordering::SeqCst);
        let mut request = resumable(&file);
        request.policy = Some(json_policy(service.address));
        client.upload(request).expect_err("each run fails");
    }
    assert!(
        heads.load(Ordering::SeqCst) > 0,
        "the third run did not ask for the object"
    );
}

#[test]
fn an_upload_with_an_unusable_part_size_is_dropped() {
    let aborts = Arc::new(AtomicUsize::new(0));
    let count = aborts.clone();
    let service = scripted(move |head| match head {
        head if head.starts_with("POST") => initiated(0),
        _ => {
            count.fetch_add(1, Ordering::SeqCst);
            reply("204 No Content", "", "")
        }
    });
    let client = client(service.address);
    let error = client.upload(parts(5 * MIB)).expect_err("unusable");
    assert_eq!(error.status(), Status::ProtocolError, "{error}");
    assert_eq!(aborts.load(Ordering::SeqCst), 1);
    assert_eq!(error.report().upload_id, None);
}

#[test]
fn an_endless_list_of_parts_ends() {
    let pages = Arc::new(AtomicUsize::new(0));
    let count = pages.clone();
    let service = scripted(move |head| match head {
        head if head.starts_with("POST /k?uploads") => initiated(4 << 20),
        head if head.starts_with("GET") => {
            let page = count.fetch_add(1, Ordering::SeqCst) + 1;
            let etag = "e".repeat(900_000);
            let body = format!(
                r#"{{"Parts":[{{"PartNum":{page},"Etag":"{etag}","Size":1}}],"IsTruncated":true,"NextPartNumberMarker":{page}}}"#
            );
            reply("200 OK", "", &body)
        }
        _ => refusal("403 Forbidden"),
    });
    let client = client(service.address);
    let file = TempFile::new(&content(5 * MIB));
    for _ in 0..2 {
        client.upload(resumable(&file)).expect_err("refused");
    }
    assert!(
        pages.load(Ordering::SeqCst) <= 3,
        "{} pages",
        pages.load(Ordering::SeqCst)
    );
}

/// What a service or a gateway may make of the headers that it was sent.
fn repeated(head: &str) -> Vec<String> {
    let value = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.expect(name).1.to_owned()
    };
    let plain = format!("{} {}", value("authorization"), value("securitytoken"));
    let percent: String = plain.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let json = plain.replace('/', r"\/").replace('+', r"\u002b");
    let base64 = base64_of(&format!("headers: {plain}"));
    vec![plain, percent, json, base64]
}

fn base64_of(text: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for piece in text.as_bytes().chunks(3) {
        let bits = piece
            .iter()
            .fold(0, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - piece.len()));
        for place in 0..=piece.len() {
            let index = bits >> (18 - 6 * place) & 63;
            encoded.push(char::from(ALPHABET[index as usize]));
        }
    }
    encoded
}

#[test]
fn no_secret_of_a_request_gets_into_a_message_however_it_is_repeated() {
    const TOKEN: &str = "sts+token/with=signs";
    for way in 0..4 {
        for form in 0..4 {
            let seen = Arc::new(Mutex::new(String::new()));
            let heads = seen.clone();
            let service = scripted(move |head| {
                let said = repeated(head).swap_remove(way);
                *heads.lock().expect("head") = head.to_owned();
                match form {
                    0 => {
                        let said = said.replace('\\', r"\\");
                        let body = format!(r#"{{"RetCode":-1,"ErrMsg":"{said}"}}"#);
                        reply("400 Bad Request", "", &body)
                    }
                    1 => reply("502 Bad Gateway", "Content-Type: text/html\r\n", &said),
                    2 => reply("302 Found", &format!("Location: http://x/?{said}\r\n"), ""),
                    _ => {
                        let said = said.replace('\\', r"\\");
                        reply(
                            "200 OK",
                            "",
                            &format!(r#"{{"UploadId":"u","BlkSize":"{said}"}}"#),
                        )
                    }
                }
            });
            let mut config = config(service.address);
            config.security_token = Some(TOKEN.into());
            config.max_retries = 0;
            config.settle_timeout = Duration::from_millis(1);
            let client = Client::new(config).expect("client");
            let error = client.upload(parts(10)).expect_err("refused");
            let head = seen.lock().expect("head").clone();
            let authorization = head.split("UCloud ").nth(1).expect("a signature");
            let signature = authorization.split(':').nth(1).expect("a signature");
            let signature = signature.split_whitespace().next().expect("a signature");
            let base64_inside = |secret: &str| {
                let encoded = base64_of(&format!("xx{secret}"));
                encoded[4..encoded.len() - 4].to_owned()
            };
            let message = percent_decoded(error.message());
            for secret in [signature, TOKEN] {
                for written in [secret.to_owned(), base64_inside(secret)] {
                    assert!(!message.contains(&written), "{way} {form}: {error}");
                }
            }
            assert!(!error.message().contains('\n'), "{error}");
        }
    }
}

fn percent_decoded(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut decoded = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let byte = piece
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match byte {
            Some(byte) => {
                decoded.push(char::from(byte));
                decoded.push_str(&piece[2..]);
            }
            None => decoded.push_str(piece),
        }
    }
    decoded.replace(r"\/", "/").replace(r"\u002b", "+")
}
