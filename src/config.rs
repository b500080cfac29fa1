//! What a client is made from: the fields, the JSON file of the vendor's SDKs, and their checks.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use serde_json::error::Category;
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::error::{Error, Result, Status};

/// Time for name resolution, TCP and TLS unless the host says otherwise.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time without one byte moved unless the host says otherwise.
pub const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Time between the last byte sent and the answer unless the host says otherwise; an upload
/// callback runs in this time.
pub const DEFAULT_RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);
/// Repetitions of a failed request unless the host says otherwise.
pub const DEFAULT_MAX_RETRIES: u32 = 3;
/// Threads of a client unless the host says otherwise.
pub const DEFAULT_WORKER_THREADS: usize = 2;
/// Uploads of a client that run at once unless the host says otherwise.
pub const DEFAULT_MAX_CONCURRENT_UPLOADS: usize = 32;

/// A configuration is a handful of lines; whatever is larger is another file given by mistake.
const MAX_FILE_LEN: usize = 1 << 20;
/// Longer waits are not patience but a unit mixed up.
const MAX_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);
/// More is a negative number that went through an unsigned type.
const MAX_RETRIES: u32 = 100;
const WORKER_THREADS: RangeInclusive<usize> = 1..=256;
const CONCURRENT_UPLOADS: RangeInclusive<usize> = 1..=4096;
/// The length of a DNS label, and of a whole name (RFC 1035).
const MAX_LABEL_LEN: usize = 63;
const MAX_HOST_LEN: usize = 253;

/// Everything a client needs to know. Fields are checked by [`Config::check`].
///
/// An optional text that is empty counts as absent. `Debug` shows neither the private key nor
/// the token, nor the user and password of the proxy.
#[derive(Clone)]
pub struct Config {
    /// The public half of the API key pair. Goes into the `Authorization` header.
    pub public_key: String,
    /// The private half; signs requests and never leaves the process. Wiped when dropped.
    pub private_key: SecretString,
    /// Token of temporary (STS) credentials, sent as the header `SecurityToken`.
    pub security_token: Option<SecretString>,
    /// The bucket: 1 to 63 letters, digits, `-` and `_`.
    pub bucket_name: String,
    /// Domain of the region, e.g. `cn-bj.ufileos.com`, with an optional scheme (http when there
    /// is none) and port. Requests go to `<bucket_name>.<file_host>`.
    pub file_host: Option<String>,
    /// Custom domain with an optional scheme (http when there is none) and port. Requests go to
    /// it as it is, without the bucket; wins over `file_host`.
    pub endpoint: Option<String>,
    /// Sends a Content-MD5 with PutFile and every part. Off by default: it costs a pass over the content.
    pub verify_upload_md5: bool,
    /// Compares the ETag of the service with the content. On by default.
    pub verify_etag: bool,
    /// Time for name resolution, TCP and TLS; 1 ms to 24 h, 10 s by default.
    pub connect_timeout: Duration,
    /// Time without one byte moved; 1 ms to 24 h, 30 s by default.
    pub idle_timeout: Duration,
    /// Time between the last byte sent and the answer, in which an upload callback runs; 1 ms to
    /// 24 h, 60 s by default.
    pub response_timeout: Duration,
    /// Repetitions of a failed request; 0 to 100, 3 by default.
    pub max_retries: u32,
    /// Threads of the client; 1 to 256, 2 by default.
    pub worker_threads: usize,
    /// Uploads that run at once, others wait; 1 to 4096, 32 by default.
    pub max_concurrent_uploads: usize,
    /// `http://[user:password@]host:port`; wins over the environment's.
    pub proxy: Option<String>,
    /// PEM file with the certificate authorities to trust, in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// Reads `http_proxy`, `https_proxy` and `no_proxy`. Off by default: a library does not let
    /// the environment redirect its host's data.
    pub use_env_proxy: bool,
    /// Replays a request with a policy whose answer was lost, at the price of callbacks that may
    /// run twice. Off by default.
    pub callback_at_least_once: bool,
}

/// Scheme and authority that requests go to, e.g. `http` and `demo.cn-bj.ufileos.com`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// TLS or not.
    pub https: bool,
    /// Host with an optional port, as in a URL.
    pub authority: String,
}

impl Config {
    /// The three members without which nothing works, to which [`file_host`](Self::file_host) or
    /// [`endpoint`](Self::endpoint) must be added; everything else has its default.
    pub fn new(
        public_key: impl Into<String>,
        private_key: SecretString,
        bucket_name: impl Into<String>,
    ) -> Self {
        Self {
            public_key: public_key.into(),
            private_key,
            security_token: None,
            bucket_name: bucket_name.into(),
            file_host: None,
            endpoint: None,
            verify_upload_md5: false,
            verify_etag: true,
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            idle_timeout: DEFAULT_IDLE_TIMEOUT,
            response_timeout: DEFAULT_RESPONSE_TIMEOUT,
            max_retries: DEFAULT_MAX_RETRIES,
            worker_threads: DEFAULT_WORKER_THREADS,
            max_concurrent_uploads: DEFAULT_MAX_CONCURRENT_UPLOADS,
            proxy: None,
            ca_file: None,
            use_env_proxy: false,
            callback_at_least_once: false,
        }
    }

    /// Reads and checks the JSON file of the vendor's SDKs (`public_key`, `private_key`,
    /// `bucket_name`, `file_host`, `bucket_host`, `endpoint`, `verfiy_upload_md5` in the vendor's
    /// spelling), which may also hold every other field under its own name. Times are
    /// `connect_timeout_ms`, `idle_timeout_ms` and `response_timeout_ms` in milliseconds; a
    /// number that is 0 is the default, except `max_retries`. Unknown members are ignored. A
    /// relative `ca_file` is taken as it is, relative to the working directory.
    ///
    /// # Errors
    /// [`Status::InvalidConfig`], naming the file and, where there is one, the line and the
    /// member; [`Status::FileError`] when the file cannot be read.
    pub fn from_file(path: &Path) -> Result<Self> {
        let in_file = |reason: String| invalid(format!("{}: {reason}", path.display()));
        let bytes = read_bounded(path)?;
        let text = decode(&bytes).map_err(in_file)?;
        let members = parse(text).map_err(in_file)?;
        let config = members.into_config().map_err(in_file)?;
        config
            .check()
            .map_err(|error| in_file(error.message().into()))?;
        Ok(config)
    }

    /// Checks every field and works out the origin.
    ///
    /// # Errors
    /// [`Status::InvalidConfig`] naming the member, never with a secret in it.
    pub fn check(&self) -> Result<Origin> {
        check_credential("public_key", &self.public_key)?;
        check_credential("private_key", self.private_key.expose_secret())?;
        if let Some(token) = &self.security_token
            && !token.expose_secret().is_empty()
        {
            check_credential("security_token", token.expose_secret())?;
        }
        if self.public_key.contains(':') {
            return Err(invalid(
                "public_key contains ':', which ends it in the Authorization header; copy the key alone",
            ));
        }
        check_bucket(&self.bucket_name)?;
        self.check_numbers()?;
        if let Some(proxy) = given(&self.proxy) {
            check_proxy(proxy)?;
        }
        self.origin()
    }

    fn check_numbers(&self) -> Result<()> {
        check_timeout("connect_timeout_ms", self.connect_timeout)?;
        check_timeout("idle_timeout_ms", self.idle_timeout)?;
        check_timeout("response_timeout_ms", self.response_timeout)?;
        check_range(
            "max_retries",
            self.max_retries as usize,
            0..=MAX_RETRIES as usize,
        )?;
        check_range("worker_threads", self.worker_threads, WORKER_THREADS)?;
        check_range(
            "max_concurrent_uploads",
            self.max_concurrent_uploads,
            CONCURRENT_UPLOADS,
        )
    }

    fn origin(&self) -> Result<Origin> {
        if let Some(endpoint) = given(&self.endpoint) {
            let (https, url) = parse_address("endpoint", endpoint)?;
            return Ok(Origin {
                https,
                authority: authority(&url),
            });
        }
        let Some(file_host) = given(&self.file_host) else {
            return Err(invalid(
                "neither file_host nor endpoint is set; set file_host to the region's domain, e.g. cn-bj.ufileos.com",
            ));
        };
        let (https, url) = parse_address("file_host", file_host)?;
        self.bucket_origin(https, &url)
    }

    /// Puts the bucket before the host of `url`.
    fn bucket_origin(&self, https: bool, url: &Url) -> Result<Origin> {
        if !matches!(url.host(), Some(Host::Domain(_))) {
            return Err(invalid(format!(
                "file_host is an IP address, and the bucket cannot be put before it ({}.{}); use endpoint in its place",
                self.bucket_name,
                authority(url)
            )));
        }
        let host_len = self.bucket_name.len() + 1 + url.host_str().map_or(0, str::len);
        if host_len > MAX_HOST_LEN {
            return Err(invalid(format!(
                "<bucket_name>.<file_host> is {host_len} bytes long, a host name at most {MAX_HOST_LEN}"
            )));
        }
        Ok(Origin {
            https,
            authority: format!("{}.{}", self.bucket_name, authority(url)),
        })
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // By name, so that a new field is a compile error here until someone has decided
        // whether it may be shown.
        let Self {
            public_key,
            private_key,
            security_token,
            bucket_name,
            file_host,
            endpoint,
            verify_upload_md5,
            verify_etag,
            connect_timeout,
            idle_timeout,
            response_timeout,
            max_retries,
            worker_threads,
            max_concurrent_uploads,
            proxy,
            ca_file,
            use_env_proxy,
            callback_at_least_once,
        } = self;
        f.debug_struct("Config")
            .field("public_key", public_key)
            .field("private_key", private_key)
            .field("security_token", security_token)
            .field("bucket_name", bucket_name)
            .field("file_host", &file_host.as_deref().map(without_userinfo))
            .field("endpoint", &endpoint.as_deref().map(without_userinfo))
            .field("verify_upload_md5", verify_upload_md5)
            .field("verify_etag", verify_etag)
            .field("connect_timeout", connect_timeout)
            .field("idle_timeout", idle_timeout)
            .field("response_timeout", response_timeout)
            .field("max_retries", max_retries)
            .field("worker_threads", worker_threads)
            .field("max_concurrent_uploads", max_concurrent_uploads)
            .field("proxy", &proxy.as_deref().map(without_userinfo))
            .field("ca_file", ca_file)
            .field("use_env_proxy", use_env_proxy)
            .field("callback_at_least_once", callback_at_least_once)
            .finish()
    }
}

/// An address for a message: without user, password, query and fragment, which may be secret,
/// and with control characters escaped.
pub(crate) fn shown_url(text: &str) -> String {
    let open = without_userinfo(text);
    let open = open.split(['?', '#']).next().unwrap_or_default();
    let short: String = open.chars().take(200).collect();
    format!("{short:?}")
}

/// Cut at the last `@`, wherever it is: a password with a `/` or `?` in it must not show either.
fn without_userinfo(text: &str) -> &str {
    text.rsplit('@').next().unwrap_or_default()
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(Status::InvalidConfig, message)
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

// ---- the checks

/// Keys and token become header text, so visible ASCII only. The message describes the slip
/// and never quotes the value.
fn check_credential(member: &str, value: &str) -> Result<()> {
    let Some(problem) = credential_problem(value) else {
        return Ok(());
    };
    Err(invalid(format!(
        "{member} {problem}; copy it again from the console, without blanks or line breaks"
    )))
}

fn credential_problem(value: &str) -> Option<&'static str> {
    let edge = |c: char| c.is_whitespace() || c == '\u{feff}';
    if value.is_empty() {
        return Some("is empty");
    }
    if value.trim().is_empty() {
        return Some("is blank");
    }
    if value.ends_with(['\n', '\r']) {
        return Some("ends with a line break (as happens when it is read from a file)");
    }
    if value.ends_with(edge) {
        return Some("ends with a blank");
    }
    if value.starts_with(edge) {
        return Some("begins with a blank or an invisible character");
    }
    if value.chars().any(char::is_control) {
        return Some("contains a control character");
    }
    if value.contains(' ') {
        return Some("contains a blank");
    }
    if !value.is_ascii() {
        return Some("contains a character that is not ASCII");
    }
    None
}

fn check_bucket(bucket: &str) -> Result<()> {
    let Some(problem) = bucket_problem(bucket) else {
        return Ok(());
    };
    Err(invalid(format!(
        "bucket_name {:?} {problem}",
        bucket.chars().take(100).collect::<String>()
    )))
}

/// The bucket becomes the first label of a host name and a segment of the string to sign.
fn bucket_problem(bucket: &str) -> Option<String> {
    if bucket.trim().is_empty() {
        return Some("is empty; it names the bucket to upload to".into());
    }
    if bucket.trim() != bucket {
        return Some("has a blank or a line break at an end; remove it".into());
    }
    if bucket.len() > MAX_LABEL_LEN {
        return Some(format!(
            "is {} bytes long, at most {MAX_LABEL_LEN} are possible",
            bucket.len()
        ));
    }
    if bucket.contains('.') {
        return Some(
            "contains a dot; give the bucket alone, its domain belongs in file_host".into(),
        );
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if let Some(other) = bucket.chars().find(|&c| !allowed(c)) {
        return Some(format!(
            "contains {other:?}; only letters, digits, '-' and '_' are possible"
        ));
    }
    if bucket.starts_with('-') || bucket.ends_with('-') {
        return Some("begins or ends with '-', which a host name cannot".into());
    }
    None
}

fn check_timeout(member: &str, value: Duration) -> Result<()> {
    if (Duration::from_millis(1)..=MAX_TIMEOUT).contains(&value) {
        return Ok(());
    }
    Err(invalid(format!(
        "{member} is {} ms, outside 1 to {} (24 hours)",
        value.as_millis(),
        MAX_TIMEOUT.as_millis()
    )))
}

fn check_range(member: &str, value: usize, range: RangeInclusive<usize>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(invalid(format!(
        "{member} is {value}, outside {} to {}",
        range.start(),
        range.end()
    )))
}

/// `[http://|https://]host[:port][/]` → TLS or not, and the URL for its host and port.
fn parse_address(member: &str, text: &str) -> Result<(bool, Url)> {
    let wrong = |why: &str| {
        invalid(format!(
            "{member} {} {why}; write [http://|https://]host[:port]",
            shown_url(text)
        ))
    };
    let (https, rest) = match split_scheme(text) {
        (None, rest) => (false, rest),
        (Some(scheme), rest) if scheme.eq_ignore_ascii_case("http") => (false, rest),
        (Some(scheme), rest) if scheme.eq_ignore_ascii_case("https") => (true, rest),
        (Some(_), _) => return Err(wrong("has a scheme that is neither http nor https")),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if let Some(why) = authority_problem(rest) {
        return Err(wrong(why));
    }
    let scheme = if https { "https" } else { "http" };
    let url = Url::parse(&format!("{scheme}://{rest}/"))
        .map_err(|error| wrong(&format!("is not an address ({error})")))?;
    if url.port() == Some(0) {
        return Err(wrong("has port 0"));
    }
    let labels = url.host_str().unwrap_or_default();
    let labels = labels.strip_suffix('.').unwrap_or(labels);
    if labels.split('.').any(str::is_empty) {
        return Err(wrong("has a dot too many"));
    }
    Ok((https, url))
}

fn split_scheme(text: &str) -> (Option<&str>, &str) {
    match text.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, text),
    }
}

/// What the WHATWG rules of the url crate would silently drop, or read as something else.
fn authority_problem(rest: &str) -> Option<&'static str> {
    if rest.is_empty() {
        return Some("has no host");
    }
    if rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Some("contains a blank or a control character");
    }
    if !rest.is_ascii() {
        return Some("contains a character that is not ASCII");
    }
    if rest.contains('@') {
        return Some("carries a user name, which US3 does not have");
    }
    if rest.contains(['/', '\\']) {
        return Some("has a path");
    }
    if rest.contains(['?', '#']) {
        return Some("has a query or a fragment");
    }
    if rest.contains('%') {
        return Some("contains '%'");
    }
    if rest.ends_with(':') {
        return Some("has a colon without a port");
    }
    None
}

/// Host and port as in a URL; the scheme's own port is left out, as HTTP clients do.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Nothing of the value is quoted: where it is malformed, nobody knows where the password ends.
fn check_proxy(proxy: &str) -> Result<()> {
    let Some(problem) = proxy_problem(proxy) else {
        return Ok(());
    };
    Err(invalid(format!(
        "proxy {problem}; write http://[user:password@]host:port"
    )))
}

fn proxy_problem(proxy: &str) -> Option<&'static str> {
    if proxy.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Some("contains a blank or a control character");
    }
    let (scheme, rest) = split_scheme(proxy);
    if !scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("http")) {
        return Some("does not begin with http://, the only kind that is supported");
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '\\', '?', '#']) {
        return Some(
            "has a path or a query (in a user name or password, percent-encode '/', '?' and '#')",
        );
    }
    let Ok(url) = Url::parse(&format!("http://{rest}/")) else {
        return Some("is not an address");
    };
    let host_and_port = without_userinfo(rest);
    let port = host_and_port.rsplit(':').next().unwrap_or_default();
    let has_port = host_and_port.contains(':') && !port.is_empty() && !port.ends_with(']');
    if !has_port || url.port() == Some(0) {
        return Some("has no port");
    }
    None
}

// ---- the file

/// The file as it is, at most [`MAX_FILE_LEN`] bytes, wiped when dropped.
fn read_bounded(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let unreadable = |cause: io::Error| {
        Error::file(
            format_args!("cannot read the configuration file {}", path.display()),
            &cause,
        )
    };
    let refused = |why: &str| {
        let message = format!("{}: {why}", path.display());
        Err(Error::new(Status::FileError, message))
    };

    // Before opening: to open a FIFO would wait for its writer for ever.
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return refused("is a directory; name the JSON file in it");
    }
    if !metadata.is_file() {
        return refused("is not a regular file; name a JSON file");
    }
    // All the room at once, because a vector that grows leaves copies of the key behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_FILE_LEN + 1));
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE_LEN as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() > MAX_FILE_LEN {
        return Err(invalid(format!(
            "{}: is larger than 1 MiB and therefore no configuration file",
            path.display()
        )));
    }
    Ok(bytes)
}

fn decode(bytes: &[u8]) -> std::result::Result<&str, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        format!("line {line} is not UTF-8; save the file as UTF-8")
    })?;
    // Windows editors begin a file with a byte order mark.
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

fn parse(text: &str) -> std::result::Result<Members, String> {
    let content = text.trim_start();
    if content.is_empty() {
        return Err("is empty; it must hold a JSON object".into());
    }
    // Also keeps out an array, which serde would fill the members from in order.
    if !content.starts_with('{') {
        let line = 1 + text[..text.len() - content.len()].matches('\n').count();
        return Err(format!(
            "line {line}: not a JSON object, which begins with '{{'"
        ));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let members: Members = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| explain(&error.path().to_string(), error.inner()))?;
    deserializer.end().map_err(|error| explain("", &error))?;
    Ok(members)
}

/// serde's own words for a wrong type quote the value, which may be a key: they are replaced.
fn explain(member: &str, error: &serde_json::Error) -> String {
    let line = error.line();
    if error.classify() != Category::Data {
        return format!("line {line}: not valid JSON: {error}");
    }
    let text = error.to_string();
    let named = text.split('`').nth(1).unwrap_or_default();
    if text.starts_with("missing field") {
        return format!("the member \"{named}\" is missing (the object ends in line {line})");
    }
    if text.starts_with("duplicate field") {
        return format!("line {line}: the member \"{named}\" is there twice; remove one");
    }
    format!(
        "line {line}: the member \"{member}\" must be {}",
        expected(member)
    )
}

fn expected(member: &str) -> &'static str {
    match member {
        "verfiy_upload_md5"
        | "verify_upload_md5"
        | "verify_etag"
        | "use_env_proxy"
        | "callback_at_least_once" => "true or false",
        "connect_timeout_ms" | "idle_timeout_ms" | "response_timeout_ms" => {
            "a whole number of milliseconds, 0 to 86400000, without quotes"
        }
        "max_retries" | "worker_threads" | "max_concurrent_uploads" => {
            "a whole number from 0 to 4294967295, without quotes"
        }
        _ => "a string",
    }
}

/// The members of the JSON file. `bucket_host`, which the vendor's SDKs use to create buckets,
/// is not read at all, like every unknown member.
#[derive(Deserialize)]
struct Members {
    public_key: String,
    private_key: Secret,
    security_token: Option<Secret>,
    bucket_name: String,
    file_host: Option<String>,
    endpoint: Option<String>,
    /// As the vendor spells it.
    verfiy_upload_md5: Option<bool>,
    verify_upload_md5: Option<bool>,
    verify_etag: Option<bool>,
    connect_timeout_ms: Option<u32>,
    idle_timeout_ms: Option<u32>,
    response_timeout_ms: Option<u32>,
    max_retries: Option<u32>,
    worker_threads: Option<u32>,
    max_concurrent_uploads: Option<u32>,
    proxy: Option<String>,
    ca_file: Option<String>,
    use_env_proxy: Option<bool>,
    callback_at_least_once: Option<bool>,
}

impl Members {
    fn into_config(self) -> std::result::Result<Config, String> {
        let verify_upload_md5 = self.verify_upload_md5()?;
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        let token = self.security_token.map(|secret| secret.0);

        let mut config = Config::new(self.public_key, self.private_key.0, self.bucket_name);
        config.security_token = token.filter(|token| !token.expose_secret().is_empty());
        config.file_host = filled(self.file_host);
        config.endpoint = filled(self.endpoint);
        config.verify_upload_md5 = verify_upload_md5;
        config.verify_etag = self.verify_etag.unwrap_or(config.verify_etag);
        config.connect_timeout = millis_or(self.connect_timeout_ms, config.connect_timeout);
        config.idle_timeout = millis_or(self.idle_timeout_ms, config.idle_timeout);
        config.response_timeout = millis_or(self.response_timeout_ms, config.response_timeout);
        config.max_retries = self.max_retries.unwrap_or(config.max_retries);
        config.worker_threads = count_or(self.worker_threads, config.worker_threads);
        config.max_concurrent_uploads =
            count_or(self.max_concurrent_uploads, config.max_concurrent_uploads);
        config.proxy = filled(self.proxy);
        config.ca_file = filled(self.ca_file).map(PathBuf::from);
        config.use_env_proxy = self.use_env_proxy.unwrap_or(config.use_env_proxy);
        config.callback_at_least_once = self
            .callback_at_least_once
            .unwrap_or(config.callback_at_least_once);
        Ok(config)
    }

    fn verify_upload_md5(&self) -> std::result::Result<bool, String> {
        match (self.verfiy_upload_md5, self.verify_upload_md5) {
            (Some(vendor), Some(right)) if vendor != right => Err(format!(
                "\"verfiy_upload_md5\" is {vendor} and \"verify_upload_md5\" is {right}; they mean the same, remove one"
            )),
            (vendor, right) => Ok(right.or(vendor).unwrap_or(false)),
        }
    }
}

fn millis_or(value: Option<u32>, default: Duration) -> Duration {
    match value {
        None | Some(0) => default,
        Some(millis) => Duration::from_millis(millis.into()),
    }
}

fn count_or(value: Option<u32>, default: usize) -> usize {
    match value {
        None | Some(0) => default,
        // Saturates where usize has 16 bits; the range check then speaks.
        Some(count) => usize::try_from(count).unwrap_or(usize::MAX),
    }
}

/// A string that is copied once, from the text of the file into memory that is wiped. (One
/// written with JSON escapes passes through serde_json's scratch buffer, which is not; the keys
/// of the service need no escapes.)
struct Secret(SecretString);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_str(SecretVisitor)
    }
}

struct SecretVisitor;

impl Visitor<'_> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<Secret, E> {
        Ok(Secret(SecretString::from(text)))
    }
}
