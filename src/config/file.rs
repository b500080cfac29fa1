//! Reads the JSON file of the vendor's SDKs. The size is bounded, and an error names the line of the
//! mistake.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use serde_json::error::Category;
use zeroize::Zeroizing;

use super::{Config, invalid};
use crate::error::{Error, Result, Status};

/// A configuration is a few lines. A larger file is another file, given by mistake.
const MAX_FILE_LEN: usize = 1 << 20;

/// The bytes of the file, at most [`MAX_FILE_LEN`]; wiped when dropped.
pub(super) fn read_bounded(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
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

    // Checked before the file is opened: opening a FIFO without a writer would block for ever.
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return refused("is a directory; name the JSON file in it");
    }
    if !metadata.is_file() {
        return refused("is not a regular file; name a JSON file");
    }
    // The whole capacity is allocated at once, because a growing vector leaves copies of the key in memory.
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

pub(super) fn decode(bytes: &[u8]) -> std::result::Result<&str, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        format!("line {line} is not UTF-8; save the file as UTF-8")
    })?;
    // Windows editors begin a file with a byte order mark.
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

pub(super) fn parse(text: &str) -> std::result::Result<Members, String> {
    let content = text.trim_start();
    if content.is_empty() {
        return Err("is empty; it must hold a JSON object".into());
    }
    // Refuses an array too: serde would fill the members from it, in order.
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

/// Replaces serde's message for a wrong type, because it quotes the value, which may be a key.
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
        "connect_timeout_ms" | "idle_timeout_ms" | "response_timeout_ms" | "settle_timeout_ms" => {
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
pub(super) struct Members {
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
    settle_timeout_ms: Option<u32>,
    max_retries: Option<u32>,
    worker_threads: Option<u32>,
    max_concurrent_uploads: Option<u32>,
    proxy: Option<String>,
    ca_file: Option<String>,
    use_env_proxy: Option<bool>,
    callback_at_least_once: Option<bool>,
}

impl Members {
    pub(super) fn into_config(self) -> std::result::Result<Config, String> {
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
        config.settle_timeout = millis_or(self.settle_timeout_ms, config.settle_timeout);
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
        // Where usize has 16 bits the conversion saturates, and the range check reports the value.
        Some(count) => usize::try_from(count).unwrap_or(usize::MAX),
    }
}

/// A string that is copied once, from the text of the file into memory that is wiped. (A string with JSON
/// escapes goes through serde_json's scratch buffer, which is not wiped. The service's keys need no
/// escapes.)
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
