//! What the fuzz targets call, and what tests/engine/fuzz_corpus.rs replays the corpora with.
//!
//! Each function takes any bytes for what comes from outside: a policy, a configuration file, a
//! checkpoint, the service's answers, the strings of a C host. Everything goes through the public
//! surface, the network included: a service on the loopback address answers what it is told. No
//! input may end in a panic, in `InternalError` (a panic that was caught), or in a secret shown.

mod gateway;

use std::ffi::{CString, c_char};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use us3::border;
use us3::client::Client;
use us3::config::Config;
use us3::content::Source;
use us3::error::{Error, Status};
use us3::protocol::policy::{MAX_ENCODED_LEN, PutPolicy};
use us3::upload::{Mode, UploadRequest};

const PRIVATE_KEY: &str = "private-key-nobody-may-see";
const POLICY: &str = r#"{"callbackUrl":"http://h/","callbackBody":"a=b"}"#;
const CONTENT: &[u8] = b"content";

/// Threads of the service.
const SERVING: usize = 8;

/// Far more than the loopback address needs, and a hang all the same.
const TIMEOUT: Duration = Duration::from_secs(5);

// ---- the targets

/// A policy is refused, or means the same after it was compacted.
pub fn policy(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    match PutPolicy::parse(text) {
        Err(error) => check(&error, &[Status::InvalidPolicy]),
        Ok(policy) => {
            // As text: numbers of any precision must stay as they were written.
            let before: Option<serde_json::Value> = serde_json::from_str(text).ok();
            let after: Option<serde_json::Value> = serde_json::from_str(policy.json()).ok();
            assert_eq!(before, after);
            assert!(policy.encoded().len() <= MAX_ENCODED_LEN);
            let decoded = URL_SAFE.decode(policy.encoded());
            assert_eq!(decoded.as_deref(), Ok(policy.json().as_bytes()));
            assert_eq!(PutPolicy::parse(policy.json()).ok(), Some(policy));
        }
    }
}

/// A configuration file is refused with the line or the member, or makes an origin.
pub fn config(input: &[u8]) {
    let world = world();
    let path = world.write("config.json", input);
    match Config::from_file(&path) {
        Err(error) => check(&error, &[Status::InvalidConfig]),
        Ok(config) => {
            let origin = config.check().expect("it was checked");
            assert!(!origin.authority.is_empty());
            assert!(!format!("{config:?}").contains(PRIVATE_KEY));
        }
    }
}

/// A checkpoint file. `@FILE@` stands for what identifies the file to be uploaded, and `@ENDPOINT@`
/// for the service, so that an input can be about this very upload.
pub fn checkpoint(input: &[u8]) {
    let world = world();
    world.answer(Answer::Good);
    let (file, endpoint) = world.identity();
    let input = replace(&replace(input, b"@FILE@", file), b"@ENDPOINT@", endpoint);
    let path = world.write("checkpoint", &input);
    let result = world.client.upload(UploadRequest {
        resume_path: Some(path.clone()),
        ..world.file()
    });
    match result {
        Err(error) => check(&error, &[]),
        Ok(_) => assert!(!path.exists(), "the upload is over, its checkpoint is not"),
    }
}

/// An answer of the service, byte for byte. The first byte chooses the call that it answers.
pub fn response(input: &[u8]) {
    let Some((call, answer)) = input.split_first() else {
        return;
    };
    let world = world();
    let answer = answer.to_vec();
    let client = &world.client;
    let memory = || Source::Memory(CONTENT.into());
    let result = match call % 6 {
        0 => {
            world.answer(Answer::Bytes(answer));
            client.upload(UploadRequest::new(memory(), "key"))
        }
        1 => {
            world.answer(Answer::Bytes(answer));
            client.upload(UploadRequest {
                policy: PutPolicy::parse(POLICY).ok(),
                timeout: Some(TIMEOUT),
                ..UploadRequest::new(memory(), "key")
            })
        }
        2 => {
            world.answer(Answer::Bytes(answer));
            client.initiate("key", None).map(|(_, report)| report)
        }
        3 => {
            world.answer(Answer::Bytes(answer));
            client.head("key").map(|(_, report)| report)
        }
        4 => {
            world.answer(Answer::Bytes(answer));
            client.delete("key")
        }
        _ => {
            world.answer(Answer::AfterInitiate(answer));
            client.upload(UploadRequest {
                mode: Mode::Multipart,
                policy: PutPolicy::parse(POLICY).ok(),
                timeout: Some(TIMEOUT),
                ..UploadRequest::new(memory(), "key")
            })
        }
    };
    if let Err(error) = result {
        check(&error, &[]);
        assert_ne!(error.status(), Status::InvalidArgument);
    }
}

/// The answers of a gateway to an upload and to what the library then asks. The first byte chooses the way to
/// upload; between two answers is a line of five equals signs.
pub fn gateway(input: &[u8]) {
    let Some((way, answers)) = input.split_first() else {
        return;
    };
    let way = gateway::Way {
        multipart: way & 1 != 0,
        policy: way & 2 != 0,
    };
    let world = world();
    gateway::run(world.scripted.0, way, &gateway::answers(answers));
}

/// What GetMultiUploadId answers (the first byte even) or ListParts, after an upload with a policy was answered
/// in the form and HeadFile was refused with the same status. Only the same refusal once more says
/// that the upload did not run.
pub fn likewise(input: &[u8]) {
    let Some((way, answer)) = input.split_first() else {
        return;
    };
    let world = world();
    let way = gateway::Way {
        multipart: way & 1 != 0,
        policy: true,
    };
    let refused = b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nX-SessionId: s\r\nConnection: close\r\nContent-Length: 30\r\n\r\n";
    let stored = [refused.as_slice(), br#"{"RetCode":-42,"ErrMsg":"no!"}"#].concat();
    gateway::run(
        world.scripted.0,
        way,
        &[stored, refused.to_vec(), answer.to_vec()],
    );
}

/// A checkpoint that is read, checked and written by an upload that fails, and read again: the same upload of the
/// same object goes on, however often. The first byte says whether the upload has a policy; `@FILE@`
/// and `@ENDPOINT@` stand for what they do in [`checkpoint`].
pub fn checkpoint_again(input: &[u8]) {
    let Some((policy, input)) = input.split_first() else {
        return;
    };
    let world = world();
    let (file, endpoint) = world.identity();
    let input = replace(&replace(input, b"@FILE@", file), b"@ENDPOINT@", endpoint);
    let path = world.write("checkpoint-again", &input);
    world.answer(Answer::Listed);
    let read = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).ok();
    let mut before = read(&input);
    for run in 0..2 {
        let error = world.client.upload(UploadRequest {
            resume_path: Some(path.clone()),
            policy: PutPolicy::parse(POLICY).ok().filter(|_| policy & 1 != 0),
            timeout: Some(Duration::from_millis(300)),
            ..world.file()
        });
        let error = error.expect_err("its part was refused");
        check(&error, &[]);
        let after = std::fs::read(&path).ok();
        let after = after.as_deref().and_then(read);
        same_upload(&error, before.as_ref(), after.as_ref());
        assert!(run == 0 || before == after, "{before:?}, then {after:?}");
        before = after;
    }
    let _ = std::fs::remove_file(&path);
}

/// What is left of a checkpoint after a run that went on with it, or that left it alone.
fn same_upload(
    error: &Error,
    before: Option<&serde_json::Value>,
    after: Option<&serde_json::Value>,
) {
    let Some(after) = after else {
        // On a busy machine the time is up before the checkpoint is written: then the upload is aborted, or named.
        assert_eq!(error.status(), Status::Timeout, "no checkpoint: {error}");
        return;
    };
    // Begun anew, which the note says, or left alone.
    let object = before.filter(|before| before.is_object());
    let afresh = error.report().note.is_some() || object.is_none();
    if afresh || before == Some(after) {
        return;
    }
    let before = before.expect("it was read");
    for member in [
        "endpoint",
        "bucket",
        "key",
        "file",
        "part_size",
        "upload_id",
        "finishing",
    ] {
        assert_eq!(before[member], after[member], "{member}: {error}");
    }
    assert_eq!(after["version"], 2);
    let finish = &after["finish"];
    assert_eq!(before["finishing"] == true, finish.is_object(), "{after}");
    // The first version does not tell when.
    if before["finishing"] == true && before["finish"].is_object() {
        assert_eq!(before["finish"], *finish);
    }
}

/// The strings of `us3_upload_request`, each up to a NUL. The first two bytes are the mode and which
/// of the pointers are NULL.
pub fn request(input: &[u8]) {
    let [mode, given, strings @ ..] = input else {
        return;
    };
    let world = world();
    world.answer(Answer::Good);
    let mut strings = strings.split(|byte| *byte == 0);
    let mut bit = 1_u8;
    let mut next = |in_folder: bool| {
        let text = strings.next().unwrap_or_default().to_vec();
        let present = given & bit != 0;
        bit = bit.rotate_left(1);
        let text = if in_folder {
            world.harmless(&text)
        } else {
            text
        };
        present.then(|| CString::new(text).expect("split at NUL"))
    };
    let (key, mime_type, policy, class) = (next(false), next(false), next(false), next(false));
    let (name, value) = (next(false), next(false));
    let (file, resume) = (next(true), next(true));
    let pointer = |text: &Option<CString>| text.as_ref().map_or(ptr::null(), |text| text.as_ptr());

    let metadata = [border::us3_header {
        name: pointer(&name),
        value: pointer(&value),
    }];
    // SAFETY: an integer, pointers and optional functions, for which zero is a value.
    let mut request: border::us3_upload_request = unsafe { std::mem::zeroed() };
    // SAFETY: memory of that type.
    unsafe { border::us3_upload_request_init(&mut request) };
    request.mode = i32::from(*mode) - 1;
    request.key = pointer(&key);
    request.mime_type = pointer(&mime_type);
    request.policy_json = pointer(&policy);
    request.storage_class = pointer(&class);
    request.file_path = pointer(&file);
    request.resume_path = pointer(&resume);
    if file.is_none() {
        request.data = CONTENT.as_ptr().cast();
        request.data_len = CONTENT.len();
    }
    if name.is_some() || value.is_some() {
        request.metadata = metadata.as_ptr();
        request.metadata_len = metadata.len();
    }
    // SAFETY: every pointer is NULL or lives until the end of this function.
    unsafe { upload_as_c_does(&world, &request) };
}

/// # Safety
/// As the header says of the request.
unsafe fn upload_as_c_does(world: &World, request: &border::us3_upload_request) {
    // SAFETY: integers and pointers, for which zero is a value; then it is initialised.
    unsafe {
        let mut result: border::us3_result = std::mem::zeroed();
        border::us3_result_init(&mut result);
        let status = border::us3_upload(world.border.0, request, &mut result);
        assert_eq!(status as i32, result.status);
        assert_eq!(result.status == 0, result.err_msg.is_null());
        assert_ne!(result.status, border::us3_status::US3_INTERNAL_ERROR as i32);
        if !result.err_msg.is_null() {
            let message = std::ffi::CStr::from_ptr(result.err_msg).to_str();
            assert!(!message.expect("UTF-8").contains(PRIVATE_KEY));
        }
        border::us3_string_free(border::us3_result_describe(&result));
        border::us3_result_clear(&mut result);
    }
}

// ---- what must hold for every error

/// `possible` empty: every status but that of a panic.
fn check(error: &Error, possible: &[Status]) {
    assert_ne!(error.status(), Status::InternalError, "{error}");
    assert!(
        possible.is_empty() || possible.contains(&error.status()),
        "{error}"
    );
    assert!(!error.message().is_empty());
    assert!(!error.message().contains(PRIVATE_KEY), "{error}");
}

fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    replaced.extend_from_slice(rest);
    replaced
}

// ---- a service, its clients and a folder, made once

/// One input at a time: what the service answers is the world's.
fn world() -> MutexGuard<'static, World> {
    static WORLD: OnceLock<Mutex<World>> = OnceLock::new();
    let world = WORLD.get_or_init(|| Mutex::new(World::new()));
    world
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

struct World {
    folder: tempfile::TempDir,
    client: Client,
    border: Border,
    /// With a token, for the targets that write down every answer.
    scripted: Border,
    endpoint: String,
    identity: OnceLock<Vec<u8>>,
}

/// A client as C has it.
struct Border(*mut border::us3_client);

// SAFETY: a client may be used from any thread.
unsafe impl Send for Border {}

/// What the service says to the request that it has read.
enum Answer {
    /// What is right for the call.
    Good,
    /// No part is there, and none is taken.
    Listed,
    /// To InitiateMultipartUpload what is right, and to everything else this.
    AfterInitiate(Vec<u8>),
    Bytes(Vec<u8>),
}

static ANSWER: Mutex<Answer> = Mutex::new(Answer::Good);

impl World {
    fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("its address"));
        // A thread for each connection would cost more than all the rest.
        for _ in 0..SERVING {
            let listener = listener.try_clone().expect("a descriptor");
            std::thread::spawn(move || listener.incoming().flatten().for_each(serve));
        }
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("file"), CONTENT).expect("a file");

        let mut config = Config::new("public-key", PRIVATE_KEY.into(), "bucket");
        config.endpoint = Some(endpoint.clone());
        config.max_retries = 0;
        config.idle_timeout = TIMEOUT;
        config.response_timeout = TIMEOUT;
        config.settle_timeout = Duration::from_millis(1);
        Self {
            client: Client::new(config).expect("a client"),
            border: Border(client_as_c_has_it(&endpoint, None)),
            scripted: Border(client_as_c_has_it(&endpoint, Some(gateway::TOKEN))),
            folder,
            endpoint,
            identity: OnceLock::new(),
        }
    }

    fn answer(&self, answer: Answer) {
        *ANSWER.lock().expect("not poisoned") = answer;
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).expect("a file");
        path
    }

    /// A path in the folder, whatever the bytes are.
    fn harmless(&self, name: &[u8]) -> Vec<u8> {
        let mut path = self.folder.path().as_os_str().as_encoded_bytes().to_vec();
        path.push(b'/');
        path.extend(
            name.iter()
                .take(100)
                .map(|byte| if *byte == b'/' { b'_' } else { *byte }),
        );
        path
    }

    fn file(&self) -> UploadRequest {
        UploadRequest {
            mode: Mode::Multipart,
            timeout: Some(TIMEOUT),
            ..UploadRequest::new(Source::File(self.folder.path().join("file")), "key")
        }
    }

    /// What a checkpoint says of the file, and the address that it names: out of a real one, of an
    /// upload that failed.
    fn identity(&self) -> (&[u8], &[u8]) {
        let file = self.identity.get_or_init(|| {
            let path = self.folder.path().join("real-checkpoint");
            self.answer(Answer::AfterInitiate(refusal()));
            let failed = self.client.upload(UploadRequest {
                resume_path: Some(path.clone()),
                ..self.file()
            });
            self.answer(Answer::Good);
            failed.expect_err("its part was refused");
            identity_in(&path)
        });
        (file, self.endpoint.as_bytes())
    }
}

fn identity_in(path: &Path) -> Vec<u8> {
    let text = std::fs::read(path).expect("a checkpoint");
    let checkpoint: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    checkpoint["file"].to_string().into_bytes()
}

fn client_as_c_has_it(endpoint: &str, token: Option<&str>) -> *mut border::us3_client {
    let token = token.map(|token| CString::new(token).expect("no NUL"));
    let endpoint = CString::new(endpoint).expect("no NUL");
    let private_key = CString::new(PRIVATE_KEY).expect("no NUL");
    let mut client = ptr::null_mut();
    // SAFETY: as for a C host; every string lives until the call returns.
    unsafe {
        let mut config: border::us3_config = std::mem::zeroed();
        border::us3_config_init(&mut config);
        let public_key = CString::new(gateway::PUBLIC_KEY).expect("no NUL");
        config.public_key = public_key.as_ptr();
        config.security_token = token.as_ref().map_or(ptr::null(), |token| token.as_ptr());
        config.private_key = private_key.as_ptr();
        config.bucket_name = c"bucket".as_ptr();
        config.endpoint = endpoint.as_ptr().cast::<c_char>();
        // Less than the pause between two looks: every question is asked once.
        config.settle_timeout_ms = 45;
        config.max_retries = 0;
        border::us3_client_new(&config, &mut client, ptr::null_mut());
    }
    assert!(!client.is_null());
    client
}

// ---- the service

/// One request for each connection, read to its end so that closing is no reset.
fn serve(mut connection: TcpStream) {
    let _ = connection.set_read_timeout(Some(TIMEOUT));
    let Some(head) = read_request(&mut connection) else {
        return;
    };
    if let Some(answer) = gateway::answer_to(&head) {
        let _ = connection.write_all(&answer);
        return;
    }
    let answer = match &*ANSWER.lock().expect("not poisoned") {
        Answer::Bytes(bytes) => bytes.clone(),
        Answer::Listed if head.starts_with("PUT ") => refusal(),
        Answer::AfterInitiate(bytes) if !is_initiate(&head) => bytes.clone(),
        Answer::Good | Answer::Listed | Answer::AfterInitiate(_) => good(&head),
    };
    let _ = connection.write_all(&answer);
}

fn read_request(connection: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut some = [0; 4096];
    let end = loop {
        if let Some(at) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        match connection.read(&mut some) {
            Ok(0) | Err(_) => return None,
            Ok(n) => head.extend_from_slice(&some[..n]),
        }
    };
    let body = head.len() - end;
    head.truncate(end);
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut left = content_length(&head).saturating_sub(body);
    while left > 0 {
        match connection.read(&mut some) {
            Ok(0) | Err(_) => return None,
            Ok(n) => left = left.saturating_sub(n),
        }
    }
    Some(head)
}

fn content_length(head: &str) -> usize {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let length = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length.map_or(0, |(_, value)| value.trim().parse().unwrap_or(0))
}

fn is_initiate(head: &str) -> bool {
    head.starts_with("POST ")
        && head
            .lines()
            .next()
            .is_some_and(|line| line.contains("?uploads"))
}

fn good(head: &str) -> Vec<u8> {
    match head.split(' ').next() {
        _ if is_initiate(head) => answer(
            "200 OK",
            r#"{"UploadId":"upload","BlkSize":4194304,"Bucket":"bucket","Key":"key"}"#,
        ),
        Some("GET") => answer(
            "200 OK",
            r#"{"UploadId":"upload","Parts":[],"IsTruncated":false}"#,
        ),
        Some("HEAD") => b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n".to_vec(),
        _ => answer("200 OK", "{}"),
    }
}

fn refusal() -> Vec<u8> {
    answer("400 Bad Request", r#"{"RetCode":-1,"ErrMsg":"no"}"#)
}

fn answer(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nETag: \"fake\"\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}
