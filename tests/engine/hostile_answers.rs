//! Services and gateways whose answers made the library lie, or repeat itself. One test a finding.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use crate::support::{
    BUCKET, HandMade, PRIVATE_KEY, TempFile, client, config, emulator_with, initiated, json_policy,
    read_head, read_request, reply, scripted,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use us3::client::Client;
use us3::config::Config;
use us3::content::Source;
use us3::error::{CallbackState, Error, ObjectState, Status};
use us3::protocol::etag::EtagHasher;
use us3::upload::{Mode, UploadRequest};

const MIB: usize = 1 << 20;
const JSON: &str = "Content-Type: application/json\r\n";

/// ASCII, as `read_request` wants it.
fn content(size: usize) -> Vec<u8> {
    let ascii = |byte: u8| (byte & 0x1f) | 0x40;
    crate::support::content(size)
        .into_iter()
        .map(ascii)
        .collect()
}

fn etag(bytes: &[u8]) -> String {
    let mut hasher = EtagHasher::object();
    hasher.update(bytes);
    hasher.finish().object_etag()
}

fn date(offset: i64) -> String {
    let now = SystemTime::now();
    let then = match offset {
        0.. => now + Duration::from_secs(offset as u64),
        _ => now - Duration::from_secs(offset.unsigned_abs()),
    };
    httpdate::fmt_http_date(then)
}

fn put(size: usize) -> UploadRequest {
    let mut request = UploadRequest::new(Source::Memory(Bytes::from(content(size))), "k");
    request.mode = Mode::Put;
    request.policy = Some(json_policy(([127, 0, 0, 1], 9).into()));
    request
}

fn resumable(file: &TempFile) -> UploadRequest {
    let mut request = UploadRequest::new(Source::File(file.path.clone()), "k");
    request.mode = Mode::Multipart;
    request.resume_path = Some(file.folder().join("checkpoint"));
    request.policy = Some(json_policy(([127, 0, 0, 1], 9).into()));
    request
}

fn states(error: &Error) -> (ObjectState, CallbackState) {
    (error.report().object, error.report().callback)
}

/// A client that tries again, and settles quickly.
fn trying(address: impl std::fmt::Display) -> Client {
    let mut config = config(address);
    config.max_retries = 3;
    config.settle_timeout = Duration::from_millis(200);
    Client::new(config).expect("client")
}

/// The answers of a service with a multipart upload of one part; `finish` says what a finish brings.
fn parted(
    head: &str,
    body: &[u8],
    dates: impl Fn() -> String,
    finish: impl Fn() -> Option<String>,
) -> Option<String> {
    let date = format!("Date: {}\r\n", dates());
    if head.starts_with("POST /k?uploads") {
        let text = format!(r#"{{"UploadId":"upload-1","BlkSize":{}}}"#, 4 << 20);
        return reply("200 OK", &date, &text);
    }
    if head.starts_with("PUT /k?") {
        let headers = format!("{date}ETag: \"{}\"\r\n", etag(body));
        return reply("200 OK", &headers, "");
    }
    if head.starts_with("GET /?muploadpart") {
        let text = format!(
            r#"{{"UploadId":"upload-1","Parts":[{{"PartNum":0,"Etag":"{}","Size":{}}}]}}"#,
            etag(body),
            body.len()
        );
        return reply("200 OK", &date, &text);
    }
    if head.starts_with("HEAD") {
        return reply("404 Not Found", &format!("{date}X-SessionId: s\r\n"), "");
    }
    if head.starts_with("POST /k?uploadId") {
        return finish();
    }
    reply("204 No Content", &date, "")
}

/// A gateway that answers JSON, as Kong and many others do: its 404 to HEAD proves no absence.
#[test]
fn a_json_gateways_404_to_head_proves_nothing() {
    let puts = Arc::new(AtomicUsize::new(0));
    let callbacks = puts.clone();
    let service = scripted(move |head| {
        if head.starts_with("PUT") {
            // Stored, and called back: the callback service answers this.
            callbacks.fetch_add(1, SeqCst);
            let headers = format!("{JSON}X-SessionId: s-1\r\n");
            return reply("503 x", &headers, r#"{"RetCode":17,"ErrMsg":"busy"}"#);
        }
        reply(
            "404 Not Found",
            JSON,
            r#"{"message":"no Route matched with those values"}"#,
        )
    });
    let error = trying(service.address).upload(put(1000)).expect_err("503");
    assert_eq!(puts.load(SeqCst), 1, "callbacks; {error}");
    assert_eq!(
        states(&error),
        (ObjectState::Unknown, CallbackState::Unknown),
        "{error}"
    );
}

/// An array is no object with RetCode and ErrMsg.
#[test]
fn an_array_is_not_the_services_form() {
    let puts = Arc::new(AtomicUsize::new(0));
    let count = puts.clone();
    let service = scripted(move |head| {
        if head.starts_with("PUT") {
            // A gateway's time-out; the service goes on, stores and calls back.
            count.fetch_add(1, SeqCst);
            return reply("504 x", JSON, r#"[504,"Gateway Timeout"]"#);
        }
        reply("404 Not Found", "X-SessionId: s\r\n", "")
    });
    let error = trying(service.address).upload(put(1000)).expect_err("504");
    assert_eq!(puts.load(SeqCst), 1, "requests with a policy; {error}");
    assert_eq!(
        states(&error),
        (ObjectState::Unknown, CallbackState::Unknown),
        "{error}"
    );
}

#[test]
fn an_array_does_not_deny_either() {
    let service = scripted(move |head| match head {
        head if head.starts_with("PUT") => reply("400 x", JSON, r#"[-148653,"x"]"#),
        _ => reply("404 Not Found", "X-SessionId: s\r\n", ""),
    });
    let error = trying(service.address).upload(put(1000)).expect_err("400");
    assert_eq!(
        states(&error),
        (ObjectState::Unknown, CallbackState::Unknown),
        "{error}"
    );
}

/// A portal's static JSON has an ETag, as every web server gives one.
#[test]
fn a_foreign_etag_is_none() {
    for etag in ["\"5f3759df-1a2b\"", "W/\"5f3759df-1a2b\"", "\"x\""] {
        let service = scripted(move |head| match head {
            head if head.starts_with("PUT") => {
                let headers = format!("{JSON}ETag: {etag}\r\n");
                reply("200 OK", &headers, r#"{"captive":true}"#)
            }
            _ => reply("404 Not Found", "X-SessionId: s\r\n", ""),
        });
        let result = client(service.address).upload(put(1000));
        let error = result
            .map(|report| format!("{report:?}"))
            .expect_err("a portal's");
        assert_eq!(
            states(&error),
            (ObjectState::Unknown, CallbackState::Unknown),
            "{error}"
        );
    }
}

/// A portal that answers everything with an empty page.
#[test]
fn an_empty_page_is_no_success() {
    let service = scripted(move |_| reply("200 OK", "Content-Type: text/html\r\n", ""));
    let mut request = put(1000);
    request.policy = None;
    let result = client(service.address).upload(request);
    let error = result
        .map(|report| format!("{report:?}"))
        .expect_err("a portal's");
    assert_eq!(error.report().object, ObjectState::Unknown, "{error}");
}

/// The host's clock slept while the parts were sent, the service's did not.
#[test]
fn a_finish_is_dated_by_what_the_service_said_last() {
    let body = content(MIB);
    let file = TempFile::new(&body);
    let finishes = Arc::new(AtomicUsize::new(0));
    let (count, part) = (finishes.clone(), Arc::new(AtomicUsize::new(0)));
    let service = scripted(move |head| {
        if head.starts_with("PUT") {
            part.store(1, SeqCst);
        }
        let slept = if part.load(SeqCst) == 1 { 3600 } else { 0 };
        let finish = || {
            // The front end breaks; behind it the request goes on for some seconds.
            count.fetch_add(1, SeqCst);
            None
        };
        parted(head, &body, || date(slept), finish)
    });
    let client = client(service.address);
    let error = client.upload(resumable(&file)).expect_err("lost");
    assert_eq!(
        states(&error),
        (ObjectState::Unknown, CallbackState::Unknown),
        "{error}"
    );
    let mut again = resumable(&file);
    again.timeout = Some(Duration::from_secs(3));
    let error = client.upload(again).expect_err("may still run");
    assert_eq!(finishes.load(SeqCst), 1, "{error}");
    assert_eq!(
        states(&error),
        (ObjectState::Unknown, CallbackState::Unknown),
        "{error}"
    );
}

/// A run without the policy forgets that the finish before it had one.
#[test]
fn a_finish_with_a_policy_is_not_forgotten_by_one_without() {
    let body = content(MIB);
    let file = TempFile::new(&body);
    let policies = Arc::new(AtomicUsize::new(0));
    let count = policies.clone();
    let service = scripted(move |head| {
        let finish = || {
            let authorization = head
                .lines()
                .find(|line| line.to_lowercase().starts_with("authorization"));
            // Each runs some seconds later, behind a front end that breaks.
            let with = authorization.is_some_and(|value| value.split(':').count() == 4);
            count.fetch_add(usize::from(with), SeqCst);
            None
        };
        parted(head, &body, || date(0), finish)
    });
    let client = client(service.address);
    client.upload(resumable(&file)).expect_err("lost");
    let mut without = resumable(&file);
    without.policy = None;
    without.timeout = Some(Duration::from_secs(3));
    client.upload(without).expect_err("lost");
    let mut again = resumable(&file);
    again.timeout = Some(Duration::from_secs(3));
    let error = client.upload(again).expect_err("may still run");
    assert_eq!(policies.load(SeqCst), 1, "{error}");
}

/// The file was touched (its bytes are the same) while a finish with a policy may still run.
#[test]
fn a_touched_file_does_not_fire_the_callback_again() {
    let body = content(MIB);
    let file = TempFile::new(&body);
    let finishes = Arc::new(AtomicUsize::new(0));
    let count = finishes.clone();
    let bytes = body.clone();
    let service = scripted(move |head| {
        parted(
            head,
            &bytes,
            || date(0),
            || {
                count.fetch_add(1, SeqCst);
                None
            },
        )
    });
    let client = client(service.address);
    client.upload(resumable(&file)).expect_err("lost");
    std::thread::sleep(Duration::from_millis(20));
    std::fs::write(&file.path, &body).expect("file");
    let mut again = resumable(&file);
    again.timeout = Some(Duration::from_secs(3));
    let error = client.upload(again).expect_err("may still run");
    assert_eq!(finishes.load(SeqCst), 1, "finishes with a policy; {error}");
    assert_eq!(
        states(&error),
        (ObjectState::Unknown, CallbackState::Unknown),
        "{error}"
    );
}

/// A finish that was refused is not in doubt.
#[test]
fn a_refused_finish_does_not_hold_up_the_next_run() {
    let body = content(MIB);
    let file = TempFile::new(&body);
    let finishes = AtomicUsize::new(0);
    let object = etag(&body);
    let service = scripted(move |head| {
        parted(
            head,
            &body,
            || date(0),
            || match finishes.fetch_add(1, SeqCst) {
                0 => reply(
                    "400 x",
                    "",
                    r#"{"RetCode":-148660,"ErrMsg":"invalid put policy"}"#,
                ),
                _ => reply(
                    "200 OK",
                    &format!("{JSON}ETag: \"{object}\"\r\n"),
                    r#"{"ok":1}"#,
                ),
            },
        )
    });
    let client = client(service.address);
    let error = client.upload(resumable(&file)).expect_err("refused");
    assert_eq!(
        states(&error),
        (ObjectState::NotStored, CallbackState::NotDelivered),
        "{error}"
    );
    let mut again = resumable(&file);
    again.timeout = Some(Duration::from_secs(3));
    let report = client.upload(again).expect("nothing is open");
    assert_eq!(report.callback, CallbackState::Delivered);
}

/// A checkpoint that somebody has edited.
#[test]
fn a_checkpoint_from_the_end_of_time_does_no_harm() {
    let body = content(MIB);
    let file = TempFile::new(&body);
    let finishes = Arc::new(AtomicUsize::new(0));
    let count = finishes.clone();
    let service = scripted(move |head| {
        parted(
            head,
            &body,
            || date(0),
            || {
                count.fetch_add(1, SeqCst);
                None
            },
        )
    });
    let client = client(service.address);
    client.upload(resumable(&file)).expect_err("lost");
    let checkpoint = file.folder().join("checkpoint");
    let text = std::fs::read_to_string(&checkpoint).expect("checkpoint");
    let mut json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    json["finish"]["at"] = u64::MAX.into();
    std::fs::write(&checkpoint, json.to_string()).expect("checkpoint");
    let mut again = resumable(&file);
    again.timeout = Some(Duration::from_secs(3));
    let error = client.upload(again).expect_err("may still run");
    assert_eq!(finishes.load(SeqCst), 1, "{error}");
    assert_eq!(
        states(&error),
        (ObjectState::Unknown, CallbackState::Unknown),
        "{error}"
    );
}

/// A second finish by hand that is refused before anything is sent knows nothing of the first.
#[test]
fn a_finish_that_was_not_sent_does_not_deny_the_one_before() {
    let body = content(4 * MIB);
    let bytes = body.clone();
    let service = scripted(move |head| parted(head, &bytes, || date(0), || None));
    let client = client(service.address);
    let (upload, _) = client.initiate("k", None).expect("initiate");
    upload
        .upload_part(0, Bytes::from(body.clone()))
        .expect("part");
    let policy = || Some(json_policy(([127, 0, 0, 1], 9).into()));
    let error = upload.finish(policy()).expect_err("lost");
    assert_eq!(
        states(&error),
        (ObjectState::Unknown, CallbackState::Unknown),
        "{error}"
    );
    // A gap.
    upload.upload_part(2, Bytes::from(body)).expect("part");
    let error = upload.finish(policy()).expect_err("incomplete");
    assert_eq!(error.status(), Status::InvalidArgument, "{error}");
    assert_eq!(
        states(&error),
        (ObjectState::Unknown, CallbackState::Unknown),
        "{error}"
    );
}

/// A finish whose body was not through cannot have run, whatever is answered.
#[test]
fn an_early_success_of_a_large_finish_is_no_success() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: \"x\"\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 599 x\r\nContent-Type: application/json\r\nContent-Length: 30\r\n\r\n{\"RetCode\":20008,\"ErrMsg\":\"x\"}",
    ] {
        let kept = Mutex::new(Vec::new());
        let service = HandMade::start(move |mut stream: TcpStream| {
            loop {
                let Some(head) = read_any(&mut stream) else {
                    return;
                };
                if head.starts_with("POST /k?uploadId") {
                    let _ = stream.write_all(answer.as_bytes());
                    kept.lock().expect("kept").push(stream);
                    return;
                }
                let said = match head.as_str() {
                    head if head.starts_with("POST /k?uploads") => initiated(1),
                    head if head.starts_with("PUT") => reply(
                        "200 OK",
                        &format!("ETag: \"{}\"\r\n", "x".repeat(100_000)),
                        "",
                    ),
                    _ => reply("403 Forbidden", "X-SessionId: s\r\n", ""),
                };
                let _ = stream.write_all(said.expect("reply").as_bytes());
            }
        });
        let client = client(service.address);
        let mut request = UploadRequest::new(Source::Memory(Bytes::from(content(400))), "k");
        request.mode = Mode::Multipart;
        request.policy = Some(json_policy(([127, 0, 0, 1], 9).into()));
        let result = client.upload(request);
        let error = result
            .map(|report| format!("{report:?}"))
            .expect_err("too early");
        assert_ne!(error.report().object, ObjectState::Stored, "{error}");
    }
}

/// A request's head, and its body unless it is a finish.
fn read_any(stream: &mut TcpStream) -> Option<String> {
    let mut peeked = [0; 4096];
    let count = stream.peek(&mut peeked).ok()?;
    if peeked[..count].starts_with(b"POST /k?uploadId") {
        return read_head(stream);
    }
    read_request(stream)
}

/// Secrets in what is not a body: an ETag, a session id, and a token that comes three times.
fn authorization(head: &str) -> String {
    let line = head
        .lines()
        .find(|line| line.to_lowercase().starts_with("authorization"));
    line.expect("signed")
        .split_once(": ")
        .expect("value")
        .1
        .to_owned()
}

#[test]
fn a_secret_in_an_etag_is_not_told() {
    let said = Arc::new(Mutex::new(String::new()));
    let seen = said.clone();
    let service = scripted(move |head| match head {
        head if head.starts_with("POST /k?uploads") => initiated(4 << 20),
        head if head.starts_with("PUT") => {
            let value = authorization(head);
            *seen.lock().expect("said") = value.rsplit(':').next().expect("signature").to_owned();
            reply("200 OK", &format!("ETag: \"{value}\"\r\n"), "")
        }
        _ => reply("204 No Content", "", ""),
    });
    let client = client(service.address);
    let (upload, _) = client.initiate("k", None).expect("initiate");
    let error = upload
        .upload_part(0, Bytes::from(content(100)))
        .expect_err("no ETag");
    let secret = said.lock().expect("said").clone();
    assert!(!error.message().contains(&secret), "{error}");
}

#[test]
fn a_long_token_that_is_repeated_is_not_told() {
    let token = "AbCd0123".repeat(750);
    for copies in 1..5 {
        let body = format!("<pre>{}</pre>", token.repeat(copies));
        let service = scripted(move |_| reply("403 x", "", &body));
        let mut config = config(service.address);
        config.security_token = Some(token.as_str().into());
        config.max_retries = 0;
        config.settle_timeout = Duration::from_millis(50);
        let client = Client::new(config).expect("client");
        let error = client.upload(put(100)).expect_err("403");
        assert!(!error.message().contains("AbCd0123"), "{copies}: {error}");
    }
}

/// The signature of a request, in each form in which a gateway may write it.
fn signature_written(head: &str) -> Vec<String> {
    let authorization = authorization(head);
    let signature = authorization.split(':').nth(1).expect("signature");
    let escaped = |escape: fn(char) -> String| -> String {
        let plain = |c: char| c.is_ascii_alphanumeric();
        let written = signature.chars().map(|c| match plain(c) {
            true => c.to_string(),
            false => escape(c),
        });
        written.collect()
    };
    vec![
        signature.to_owned(),
        escaped(|c| format!("%{:02X}", u32::from(c))),
        escaped(|c| format!("%{:02x}", u32::from(c))),
        escaped(|c| format!("%25{:02x}", u32::from(c))),
        escaped(|c| format!("\\x{:02x}", u32::from(c))),
        escaped(|c| format!("\\x{:02X}", u32::from(c))),
        escaped(|c| format!("\\{:03o}", u32::from(c))),
        escaped(|c| format!("\\u{:04x}", u32::from(c))),
        escaped(|c| format!("&#{};", u32::from(c))),
        escaped(|c| format!("&#x{:x};", u32::from(c))),
    ]
}

#[test]
fn a_signature_is_not_told_however_a_page_writes_it() {
    for form in 0..10 {
        let said = Arc::new(Mutex::new(String::new()));
        let seen = said.clone();
        let service = scripted(move |head| {
            let written = signature_written(head)[form].clone();
            let page = format!("<pre>Authorization: UCloud k:{written}</pre>");
            seen.lock().expect("said").push_str(&written);
            reply("403 x", "Content-Type: text/html\r\n", &page)
        });
        let error = client(service.address).delete("k").expect_err("403");
        let written = said.lock().expect("said").clone();
        assert!(error.message().contains("k:***"), "{form}: {error}");
        assert!(!error.message().contains(&written), "{form}: {error}");
    }
}

#[test]
fn a_signature_in_a_session_id_is_not_told() {
    for status in ["200 OK", "403 x"] {
        for form in 0..10 {
            let said = Arc::new(Mutex::new(String::new()));
            let seen = said.clone();
            let service = scripted(move |head| {
                let written = signature_written(head)[form].clone();
                seen.lock().expect("said").push_str(&written);
                reply(status, &format!("X-SessionId: s-{written}-1\r\n"), "")
            });
            let report = match client(service.address).delete("k") {
                Ok(report) => report,
                Err(error) => error.report().clone(),
            };
            let written = said.lock().expect("said").clone();
            let told = report.session_id.expect("a session id");
            assert_eq!(told, "s-***-1", "{status}: {written}");
        }
    }
}

#[test]
fn a_signature_in_a_location_is_not_told() {
    let service = scripted(move |head| {
        let written = signature_written(head)[2].clone();
        reply(
            "302 x",
            &format!("Location: http://portal/?a={written}\r\n"),
            "",
        )
    });
    let error = client(service.address).delete("k").expect_err("a portal");
    assert!(error.message().contains("http://portal/?a=***"), "{error}");
}

#[test]
fn a_signature_in_the_answer_to_initiate_is_not_told() {
    for json in [
        r#"{"UploadId":"@","BlkSize":4194304}"#,
        r#"{"UploadId":"u-@","BlkSize":0}"#,
        r#"{"UploadId":"u","BlkSize":"@"}"#,
        r#"{"UploadId":["@"]}"#,
        r#"{"UploadId":{"@":1}}"#,
    ] {
        let said = Arc::new(Mutex::new(String::new()));
        let seen = said.clone();
        let service = scripted(move |head| {
            let written = signature_written(head)[0].clone();
            if !head.starts_with("POST /k?uploads") {
                return reply("403 x", "", "");
            }
            seen.lock().expect("said").push_str(&written);
            reply("200 OK", JSON, &json.replace('@', &written))
        });
        let result = client(service.address).initiate("k", None);
        let error = result.map(drop).expect_err(json);
        let written = said.lock().expect("said").clone();
        let told = format!("{error} {:?}", error.report().upload_id);
        assert_eq!(error.status(), Status::ProtocolError, "{json}: {error}");
        assert!(!told.contains(&written), "{json}: {told}");
    }
}

#[test]
fn the_password_of_a_proxy_is_not_told() {
    let proxy = scripted(move |head| {
        let mut lines = head.lines();
        let line = lines.find(|line| line.to_lowercase().starts_with("proxy-authorization"));
        let page = format!("<pre>{} s3cret/password</pre>", line.expect("a login"));
        reply("407 x", "Content-Type: text/html\r\n", &page)
    });
    let mut config = config("127.0.0.1:1");
    config.proxy = Some(format!("http://user:s3cret%2Fpassword@{}", proxy.address));
    config.max_retries = 0;
    let client = Client::new(config).expect("client");
    let error = client.delete("k").expect_err("407");
    assert!(error.message().contains("Basic "), "{error}");
    assert!(!error.message().contains("s3cret"), "{error}");
    let encoded = STANDARD.encode("user:s3cret/password");
    assert!(!error.message().contains(&encoded), "{error}");
}

/// S1. Answers that nobody asked for, on a connection that carries a policy next. One that arrives well before the
/// request, or together with the answer before, is noticed. One that crosses the request is not: any connection that
/// is used again has that hole, and only a new one for each policy closes it.
#[test]
fn a_stray_answer_is_nobodys() {
    for (delay, pause) in [(0, 0), (0, 50), (5, 50), (20, 100)] {
        stray(delay, pause);
    }
}

fn stray(delay: u64, pause: u64) {
    let body = content(MIB);
    let bytes = body.clone();
    let finishes = Arc::new(AtomicUsize::new(0));
    let count = finishes.clone();
    let service = HandMade::start(move |mut stream| {
        while let Some(head) = read_request(&mut stream) {
            let finish = || {
                count.fetch_add(1, SeqCst);
                None
            };
            let Some(text) = parted(&head, &bytes, || date(0), finish) else {
                return;
            };
            let headers = format!("{JSON}ETag: \"{}\"\r\n", etag(&bytes));
            let stray = reply("200 OK", &headers, "{}").expect("stray");
            if head.starts_with("PUT") && delay == 0 {
                let _ = stream.write_all(format!("{text}{stray}").as_bytes());
                continue;
            }
            let _ = stream.write_all(text.as_bytes());
            if head.starts_with("PUT") {
                std::thread::sleep(Duration::from_millis(delay));
                let _ = stream.write_all(stray.as_bytes());
            }
        }
    });
    let client = client(service.address);
    let (upload, _) = client.initiate("k", None).expect("initiate");
    upload.upload_part(0, Bytes::from(body)).expect("part");
    std::thread::sleep(Duration::from_millis(pause));
    let result = upload.finish(Some(json_policy(([127, 0, 0, 1], 9).into())));
    let error = result
        .map(|report| format!("{delay} {pause} {report:?}"))
        .expect_err("nobody answered");
    assert_eq!(
        states(&error),
        (ObjectState::Unknown, CallbackState::Unknown),
        "{error}"
    );
}

/// A portal's JSON without an ETag, and the same content from last year under the key.
#[test]
fn an_identical_older_object_does_not_make_a_portals_answer_a_success() {
    for (content_type, body) in [
        ("text/html", "1"),
        ("application/json", r#"{"captive":true}"#),
        // 599 as well: A6 and A4 together say that this is not the service's.
        ("599", r#"{"RetCode":20008,"ErrMsg":"x"}"#),
    ] {
        let service = scripted(move |head| match head {
            head if head.starts_with("PUT") && content_type == "599" => reply("599 x", JSON, body),
            head if head.starts_with("PUT") => {
                reply("200 OK", &format!("Content-Type: {content_type}\r\n"), body)
            }
            _ => {
                let (now, then, etag) = (date(0), date(-30_000_000), etag(&content(1000)));
                let headers =
                    format!("Date: {now}\r\nLast-Modified: {then}\r\nETag: \"{etag}\"\r\n");
                reply("200 OK", &headers, "")
            }
        });
        let result = client(service.address).upload(put(1000));
        let error = result
            .map(|report| format!("{report:?}"))
            .expect_err("a portal's");
        assert_eq!(
            states(&error),
            (ObjectState::Unknown, CallbackState::Unknown),
            "{content_type}: {error}"
        );
    }
}

/// The same bucket by another address: what an earlier run left in doubt stays so.
#[test]
fn another_address_does_not_deny_an_earlier_finish() {
    let body = content(MIB);
    let file = TempFile::new(&body);
    let service = scripted(move |head| parted(head, &body, || date(0), || None));
    let first = client(service.address).upload(resumable(&file));
    first.expect_err("lost");
    let address = format!("localhost:{}", service.address.port());
    let error = client(address)
        .upload(resumable(&file))
        .expect_err("another");
    assert_eq!(error.status(), Status::InvalidArgument, "{error}");
    assert_eq!(
        states(&error),
        (ObjectState::Unknown, CallbackState::Unknown),
        "{error}"
    );
}

/// Uploads in parts, cancelled at random: what is said against what the service received.
#[test]
fn a_finish_that_the_service_has_is_never_denied() {
    let received = Arc::new(Mutex::new(std::collections::HashSet::new()));
    let seen = received.clone();
    let service = scripted(move |head| {
        let key = head.split(' ').nth(1)?.split(['?', '/']).nth(1)?.to_owned();
        if head.starts_with("POST") && head.contains("uploads") {
            return initiated(4 << 20);
        }
        if head.starts_with("POST") {
            seen.lock().expect("received").insert(key);
            // The front end waits, the object is stored later.
            std::thread::sleep(Duration::from_millis(1));
            return reply("504 x", "Content-Type: text/html\r\n", "<html>");
        }
        if head.starts_with("PUT") {
            return reply("200 OK", "ETag: \"x\"\r\n", "");
        }
        if head.starts_with("HEAD") {
            return reply("404 Not Found", "X-SessionId: s\r\n", "");
        }
        reply("200 OK", "", r#"{"Parts":[]}"#)
    });
    let mut config = config(service.address);
    config.settle_timeout = Duration::from_millis(5);
    let client = Client::new(config).expect("client");
    let counts: [AtomicUsize; 3] = Default::default();
    crate::support::in_parallel((0..1500).collect(), 16, |number: u64| {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("f");
        std::fs::write(&path, content(100)).expect("file");
        let mut request = UploadRequest::new(Source::File(path), format!("k{number}"));
        request.mode = Mode::Multipart;
        request.policy = Some(json_policy(([127, 0, 0, 1], 9).into()));
        request.resume_path = number.is_multiple_of(2).then(|| folder.path().join("c"));
        let task = client.start(request, us3::operation::task::Watch::default());
        std::thread::sleep(Duration::from_micros(number * 7919 % 12_000));
        task.cancel();
        let error = task.wait(None).expect("an end").expect_err("cancelled");
        std::thread::sleep(Duration::from_millis(3));
        let has = received
            .lock()
            .expect("received")
            .contains(&format!("k{number}"));
        counts[usize::from(has)].fetch_add(1, SeqCst);
        match states(&error) {
            (ObjectState::NotStored, CallbackState::NotDelivered) => {
                assert!(!has, "k{number}: {error}");
            }
            (ObjectState::Unknown, CallbackState::Unknown) => {
                counts[2].fetch_add(1, SeqCst);
            }
            other => panic!("{other:?}: {error}"),
        }
    });
    eprintln!("finish not received, received, said unknown: {counts:?}");
}

/// A web server's ETag, of the request and of HEAD: nothing shows that this is US3, so nothing was compared.
#[test]
fn a_foreign_etag_of_head_compares_nothing_and_that_is_said() {
    for answer in ["", "ETag: \"5f3759df-1a2b\"\r\n"] {
        let service = scripted(move |head| match head {
            head if head.starts_with("PUT") => {
                reply("200 OK", &format!("{JSON}{answer}"), r#"{"captive":true}"#)
            }
            _ => reply("200 OK", "ETag: \"5f3759df-1a2b\"\r\n", ""),
        });
        let report = client(service.address).upload(put(1000)).expect("JSON");
        let note = report.note.expect("a note");
        assert!(note.contains("no ETag to compare"), "{note}");
        assert!(note.contains("of another form"), "{note}");
    }
}

/// An ETag of one block begins with it.
#[test]
fn a_public_key_of_a_few_letters_hides_no_etag() {
    const SHORT: &str = "AQAA";
    let emulator = emulator_with(|options| options.public_key = SHORT.to_owned());
    let mut config = Config::new(SHORT, PRIVATE_KEY.into(), BUCKET);
    config.endpoint = Some(format!("http://{}", emulator.address()));
    let client = Client::new(config).expect("client");
    let request = UploadRequest::new(Source::Memory("x".into()), "k");
    let report = client.upload(request).expect("stored");
    assert_eq!(report.etag, emulator.object("k").map(|object| object.etag));
    assert_eq!(report.note, None);
}

#[test]
fn an_upload_id_may_contain_the_public_key() {
    let service = scripted(|head| match head.starts_with("POST") {
        true => reply(
            "200 OK",
            JSON,
            r#"{"UploadId":"TOKEN_test-1","BlkSize":65536}"#,
        ),
        false => reply("403 x", "", ""),
    });
    let (upload, _) = client(service.address)
        .initiate("k", None)
        .expect("an upload");
    assert_eq!(upload.upload_id(), "TOKEN_test-1");
}
