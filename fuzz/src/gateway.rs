//! What a gateway answers, byte for byte, and what the library may say of the upload then.
//!
//! The input is a way to upload and the answers to come: to the PutFile or finish, to HeadFile, and to the GET that
//! asks likewise. The rules of evidence are stated here once more, as what must have been answered for a statement to be made.

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use us3::border;
use us3::protocol::etag::EtagHasher;

use super::{CONTENT, POLICY, PRIVATE_KEY, good, is_initiate, replace};

pub(crate) const TOKEN: &str = "STS+token/that=nobody~may_see&<0123456789>";
pub(crate) const PUBLIC_KEY: &str = "TOKEN_public-key-of-the-account";

/// Between two answers.
const NEXT: &[u8] = b"\n=====\n";

const ANSWERS: usize = 3;

/// The answers of one input, and what was seen of the requests.
#[derive(Default)]
pub(crate) struct Script {
    /// As they are written in the input, then as they were sent.
    answers: [Option<Vec<u8>>; ANSWERS],
    sent: [Option<Vec<u8>>; ANSWERS],
    signatures: Vec<String>,
    /// Requests with a policy.
    policies: usize,
}

static SCRIPT: Mutex<Option<Script>> = Mutex::new(None);
static LOG: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How the input wants the upload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    pub(crate) multipart: bool,
    pub(crate) policy: bool,
}

/// Uploads against these answers, and holds what the library says against them.
pub(crate) fn run(client: *mut border::us3_client, way: Way, answers: &[Vec<u8>]) {
    log_everything();
    locked(&LOG).clear();
    let mut script = Script::default();
    for (slot, answer) in script.answers.iter_mut().zip(answers) {
        *slot = Some(answer.clone());
    }
    *locked(&SCRIPT) = Some(script);
    let said = upload(client, way);
    let script = locked(&SCRIPT).take().unwrap_or_default();
    let log = std::mem::take(&mut *locked(&LOG));
    // An input may hold the signature of another request, which a fuzzer has seen: who answers this one does not have it
    // from this one.
    let known: Vec<String> = answers
        .iter()
        .flat_map(|answer| readings(&String::from_utf8_lossy(answer)))
        .collect();
    let by_itself = |signature: &&String| !known.iter().any(|text| text.contains(*signature));
    let signatures: Vec<&str> = script
        .signatures
        .iter()
        .filter(by_itself)
        .map(String::as_str)
        .collect();
    said.is_harmless(&signatures, &log);
    said.is_true(way, &script);
}

/// The answers of an input.
pub(crate) fn answers(input: &[u8]) -> Vec<Vec<u8>> {
    let mut answers = Vec::new();
    let mut rest = input;
    while let Some(at) = rest.windows(NEXT.len()).position(|window| window == NEXT) {
        answers.push(rest[..at].to_vec());
        rest = &rest[at + NEXT.len()..];
    }
    answers.push(rest.to_vec());
    answers
}

// ---- the service

/// What to send to the request with this head; None when no input is waiting for it.
pub(crate) fn answer_to(head: &str) -> Option<Vec<u8>> {
    let mut guard = locked(&SCRIPT);
    let script = guard.as_mut()?;
    let authorization = header(head, "authorization");
    let mut parts = authorization.split(':').skip(1);
    let signature = parts.next().unwrap_or_default().to_owned();
    script.policies += usize::from(parts.next().is_some());
    script.signatures.push(signature.clone());
    let number = match head.split(' ').next() {
        _ if is_initiate(head) => return Some(good(head)),
        Some("PUT") if head.contains("partNumber=") => {
            let etag = base64::engine::general_purpose::URL_SAFE.encode(part_digest());
            let answer = format!(
                "HTTP/1.1 200 OK\r\nETag: \"{etag}\"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            );
            return Some(answer.into_bytes());
        }
        Some("PUT" | "POST") => 0,
        Some("HEAD") => 1,
        Some("GET") => 2,
        _ => return Some(good(head)),
    };
    let answer = script.answers[number].as_deref().unwrap_or_default();
    let answer = filled_in(answer, &signature);
    script.sent[number] = Some(answer.clone());
    Some(answer)
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(other, _)| other.eq_ignore_ascii_case(name));
    found.map_or("", |(_, value)| value.trim())
}

/// Puts in the secrets of the request, as a gateway writes them that repeats it, and what a true service would know.
fn filled_in(answer: &[u8], signature: &str) -> Vec<u8> {
    let escaped = |open: &str, radix: u32, close: &str, secret: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric();
        secret
            .chars()
            .fold(String::new(), |text, c| match (plain(c), radix) {
                (true, _) => format!("{text}{c}"),
                (false, 10) => format!("{text}{open}{}{close}", u32::from(c)),
                (false, 16) => format!("{text}{open}{:02x}{close}", u32::from(c)),
                (false, _) => format!("{text}{open}{:04X}{close}", u32::from(c)),
            })
    };
    let mut answer = answer.to_vec();
    let secrets = [
        ("S", signature),
        ("T", TOKEN),
        ("K", PRIVATE_KEY),
        ("P", PUBLIC_KEY),
    ];
    for (letter, secret) in secrets {
        let base64 = STANDARD.encode(format!("UCloud {secret}."));
        for (form, text) in [
            ("", secret.to_owned()),
            ("%", escaped("%", 16, "", secret)),
            ("x", escaped("\\x", 16, "", secret)),
            ("u", escaped("\\u", 4, "", secret)),
            ("#", escaped("&#", 10, ";", secret)),
            ("b", base64),
        ] {
            let placeholder = format!("@{letter}{form}@");
            answer = replace(&answer, placeholder.as_bytes(), text.as_bytes());
        }
    }
    let now = httpdate::fmt_http_date(std::time::SystemTime::now());
    answer = replace(&answer, b"@NOW@", now.as_bytes());
    replace(&answer, b"@ETAG@", our_etag().as_bytes())
}

fn our_etag() -> String {
    let mut hasher = EtagHasher::object();
    hasher.update(CONTENT);
    hasher.finish().object_etag()
}

/// SHA-1 of the content: what follows the number of blocks in its ETag.
fn part_digest() -> Vec<u8> {
    let etag = base64::engine::general_purpose::URL_SAFE.decode(our_etag());
    etag.expect("an ETag")[4..].to_vec()
}

// ---- the upload

/// What the library said.
struct Said {
    status: i32,
    object: i32,
    callback: i32,
    texts: Vec<(&'static str, String)>,
    note: bool,
}

fn upload(client: *mut border::us3_client, way: Way) -> Said {
    let policy = CString::new(POLICY).expect("no NUL");
    // SAFETY: integers, pointers and optional functions, for which zero is a value; then they are initialised, and
    // every string lives until the call returns.
    unsafe {
        let mut request: border::us3_upload_request = std::mem::zeroed();
        border::us3_upload_request_init(&mut request);
        request.mode = if way.multipart { 2 } else { 1 };
        request.key = c"key".as_ptr();
        request.data = CONTENT.as_ptr().cast();
        request.data_len = CONTENT.len();
        request.timeout_ms = super::TIMEOUT.as_millis() as u64;
        if way.policy {
            request.policy_json = policy.as_ptr();
        }
        let mut result: border::us3_result = std::mem::zeroed();
        border::us3_result_init(&mut result);
        border::us3_upload(client, &request, &mut result);
        let description = border::us3_result_describe(&result);
        let said = Said {
            status: result.status,
            object: result.object_state,
            callback: result.callback_state,
            texts: vec![
                ("err_msg", text(result.err_msg)),
                ("note", text(result.note)),
                ("session_id", text(result.session_id)),
                ("etag", text(result.etag)),
                ("upload_id", text(result.upload_id)),
                ("description", text(description)),
            ],
            note: !result.note.is_null(),
        };
        border::us3_string_free(description);
        border::us3_result_clear(&mut result);
        said
    }
}

/// # Safety
/// NULL or a string.
unsafe fn text(string: *const c_char) -> String {
    if string.is_null() {
        return String::new();
    }
    // SAFETY: not NULL, so it is a string: our caller's promise.
    let text = unsafe { CStr::from_ptr(string) };
    text.to_str().expect("UTF-8").to_owned()
}

fn log_everything() {
    unsafe extern "C" fn keep(_level: i32, line: *const c_char, _user_data: *mut c_void) {
        // SAFETY: a string, as the header says.
        let line = unsafe { text(line) };
        locked(&LOG).push(line);
    }
    // SAFETY: the function lives for ever and takes no user data.
    let status = unsafe { border::us3_set_logger(5, Some(keep), std::ptr::null_mut()) };
    assert_eq!(status as i32, 0, "another logger is set");
}

// ---- what must hold

impl Said {
    /// No secret, no second line.
    fn is_harmless(&self, signatures: &[&str], log: &[String]) {
        assert_ne!(self.status, border::us3_status::US3_INTERNAL_ERROR as i32);
        let mut secrets = vec![TOKEN, PRIVATE_KEY, PUBLIC_KEY];
        secrets.extend(signatures);
        let lines = log.iter().map(|line| ("log", line));
        let texts = self.texts.iter().map(|(name, text)| (*name, text));
        for (name, text) in texts.chain(lines) {
            // An ETag is what it is: the host compares it. It is not among the texts that people read.
            let forged = text.contains(['\n', '\r']);
            assert!(!forged || name == "session_id", "{name}: {text:?}");
            for read in readings(text) {
                let shown = secrets.iter().find(|secret| read.contains(**secret));
                assert!(shown.is_none(), "{name} shows {shown:?}: {text}");
            }
        }
    }

    /// The rules of evidence.
    fn is_true(&self, way: Way, script: &Script) {
        let [stored, head, likewise] = &script.sent;
        let read = |sent: &Option<Vec<u8>>, body| {
            sent.as_deref().and_then(|sent| Answer::read(sent, body))
        };
        let (stored, head) = (read(stored, true), read(head, false));
        let likewise = read(likewise, true);
        let is = |state: i32, expected: i32| state == expected;
        let (not_stored, is_stored) = (is(self.object, 0), is(self.object, 1));
        let texts = &self.texts;

        assert!(
            script.policies <= 1,
            "the policy was sent {} times",
            script.policies
        );
        if !way.policy {
            assert_eq!(self.callback, 0, "a callback without a policy: {texts:?}");
        } else {
            assert_ne!(
                self.callback, 0,
                "nothing is said of the callback: {texts:?}"
            );
        }
        if self.status == 0 {
            assert!(is_stored, "success, and nothing stored");
            assert!(
                !way.policy || self.callback == 1,
                "success, and the callback not delivered"
            );
        }

        let success = stored.as_ref().is_some_and(Answer::is_success);
        let refusal = stored.as_ref().and_then(Answer::refusal);
        let finds = head
            .as_ref()
            .is_some_and(|head| head.is_success() && head.has_our_etag());
        let after_599 = way.policy && refusal.is_some_and(|(status, _)| status == 599);
        if is_stored {
            assert!(
                success || after_599 || finds,
                "stored, by no evidence: {texts:?}"
            );
        }
        if self.callback == 1 {
            let json = stored.as_ref().is_some_and(|answer| answer.is_json);
            assert!(success && json, "delivered, by no evidence: {texts:?}");
            let compared = finds || stored.as_ref().is_some_and(Answer::has_an_etag);
            assert!(
                compared || self.note,
                "delivered, and nothing compared: {texts:?}"
            );
        }
        if self.callback == 4 {
            assert_eq!(
                refusal,
                Some((599, 20_008)),
                "a reply was refused: {texts:?}"
            );
        }
        let arrived = script.sent[0].is_some();
        if not_stored && arrived {
            let pair = refusal
                .unwrap_or_else(|| panic!("not stored, without an answer in the form: {texts:?}"));
            let absent = head
                .as_ref()
                .is_some_and(|head| head.status == 404 || head.is_success());
            let alike = likewise.and_then(|answer| answer.refusal()) == Some(pair)
                && head.is_some_and(|head| head.status == pair.0);
            let by_itself = before_the_policy(pair)
                || (!way.policy && (pair.0 == 503 || (400..500).contains(&pair.0)));
            assert!(
                by_itself || absent || alike,
                "not stored, by no evidence: {pair:?} {texts:?}"
            );
        }
        if self.callback == 2 && arrived {
            let own_599 = refusal == Some((599, 20_003));
            assert!(
                not_stored || own_599,
                "not delivered, by no evidence: {texts:?}"
            );
        }
    }
}

fn before_the_policy(pair: (u16, i32)) -> bool {
    [
        (400, -148_653),
        (400, -15_036),
        (401, -148_643),
        (403, -148_643),
        (400, -148_660),
        (404, -30_010),
        (403, -148_658),
    ]
    .contains(&pair)
}

/// A text as somebody may read it who looks for a secret: as it is, its escapes resolved, and its base64 decoded.
fn readings(text: &str) -> Vec<String> {
    let unescaped = unescaped(text.as_bytes());
    let mut readings = vec![
        text.to_owned(),
        String::from_utf8_lossy(&unescaped).into_owned(),
    ];
    // Without padding and with any last bits, as it stands within other text.
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::RequireNone);
    let lenient = GeneralPurpose::new(&alphabet::STANDARD, config);
    let in_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/".contains(byte);
    for run in text.as_bytes().split(|byte| !in_base64(byte)) {
        for offset in 0..4.min(run.len()) {
            let run = &run[offset..];
            let run = &run[..run.len() - usize::from(run.len() % 4 == 1)];
            if let Ok(decoded) = lenient.decode(run) {
                readings.push(String::from_utf8_lossy(&decoded).into_owned());
            }
        }
    }
    readings
}

/// Resolves `%2b`, `\x2b`, `\u002b`, `\/` and `&#43;`.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let number =
        |digits: &[u8], radix| u8::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok();
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let read = match rest {
            [b'%', a, b, ..] => number(&[*a, *b], 16).map(|byte| (byte, 3)),
            [b'\\', b'x', a, b, ..] => number(&[*a, *b], 16).map(|byte| (byte, 4)),
            [b'\\', b'u', a, b, c, d, ..] => number(&[*a, *b, *c, *d], 16).map(|byte| (byte, 6)),
            [b'\\', b'/', ..] => Some((b'/', 2)),
            [b'&', b'#', digits @ ..] => {
                let end = digits.iter().take(4).position(|byte| *byte == b';');
                end.and_then(|end| Some((number(&digits[..end], 10)?, end + 3)))
            }
            _ => None,
        };
        let (byte, len) = read.unwrap_or((*first, 1));
        bytes.push(byte);
        rest = if len == 1 { after } else { &rest[len..] };
    }
    bytes
}

/// An answer as anybody reads it.
struct Answer {
    status: u16,
    headers: HashMap<String, String>,
    is_json: bool,
    refusal: Option<Refusal>,
}

#[derive(serde::Deserialize)]
struct Refusal {
    #[serde(rename = "RetCode")]
    ret_code: i64,
    #[serde(rename = "ErrMsg")]
    _err_msg: String,
}

impl Answer {
    fn read(sent: &[u8], has_body: bool) -> Option<Self> {
        let mut rest = sent;
        loop {
            let mut headers = [httparse::EMPTY_HEADER; 256];
            let mut response = httparse::Response::new(&mut headers);
            let httparse::Status::Complete(end) = response.parse(rest).ok()? else {
                return None;
            };
            rest = &rest[end..];
            let status = response.code?;
            if (100..200).contains(&status) {
                continue;
            }
            let mut named = HashMap::new();
            for header in response.headers.iter() {
                let value = String::from_utf8_lossy(header.value).into_owned();
                named.entry(header.name.to_lowercase()).or_insert(value);
            }
            let body = if has_body {
                body(&named, rest)
            } else {
                Vec::new()
            };
            return Some(Self {
                status,
                headers: named,
                is_json: serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_ok(),
                // An array would do for the struct as well.
                refusal: serde_json::from_slice(&body)
                    .ok()
                    .filter(|_| body.trim_ascii_start().starts_with(b"{")),
            });
        }
    }

    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    fn has_an_etag(&self) -> bool {
        self.headers.contains_key("etag")
    }

    fn has_our_etag(&self) -> bool {
        let etag = self.headers.get("etag");
        // The digest alone counts as well.
        let digest = STANDARD
            .encode(part_digest())
            .replace('+', "-")
            .replace('/', "_");
        etag.is_some_and(|etag| {
            etag.contains(&our_etag()) || etag.contains(&digest) || is_hex(etag)
        })
    }

    /// Status and RetCode of an error in the service's form.
    fn refusal(&self) -> Option<(u16, i32)> {
        let ret_code = self.refusal.as_ref()?.ret_code;
        let ret_code = i32::try_from(ret_code).unwrap_or(-1);
        let is_error = !self.is_success() && ret_code != 0;
        is_error.then_some((self.status, ret_code))
    }
}

fn is_hex(text: &str) -> bool {
    text.trim_matches('"')
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit())
}

fn body(headers: &HashMap<String, String>, rest: &[u8]) -> Vec<u8> {
    if headers.contains_key("transfer-encoding") {
        return joined(rest);
    }
    let length = headers
        .get("content-length")
        .and_then(|length| length.trim().parse().ok());
    rest[..rest.len().min(length.unwrap_or(rest.len()))].to_vec()
}

/// The chunks of a body as one.
fn joined(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(httparse::Status::Complete((begin, size))) = httparse::parse_chunk_size(rest) {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        rest = &rest[begin..];
        body.extend_from_slice(&rest[..size.min(rest.len())]);
        match size.checked_add(2).and_then(|end| rest.get(end..)) {
            Some(after) if size > 0 => rest = after,
            _ => break,
        }
    }
    body
}
