//! The configuration of a client: its fields, the JSON file of the vendor's SDKs, and their checks.

mod check;
mod file;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use crate::error::{Error, Result, Status, without_userinfo};
use check::{
    CONCURRENT_UPLOADS, MAX_HOST_LEN, MAX_RETRIES, WORKER_THREADS, authority, check_bucket,
    check_credential, check_proxy, check_range, check_timeout, parse_address,
};
use file::{decode, parse, read_bounded};

/// Default limit for name resolution, TCP and TLS.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Default limit for the time without one byte sent.
pub const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Default limit for the time from the last byte sent to the answer. An upload callback runs in this time.
pub const DEFAULT_RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);
/// Default limit for finding out what happened to a request whose answer was lost.
pub const DEFAULT_SETTLE_TIMEOUT: Duration = Duration::from_secs(5);
/// Default number of repetitions of a failed request.
pub const DEFAULT_MAX_RETRIES: u32 = 3;
/// Default number of worker threads of a client.
pub const DEFAULT_WORKER_THREADS: usize = 2;
/// Default number of a client's uploads that run at once.
pub const DEFAULT_MAX_CONCURRENT_UPLOADS: usize = 32;

/// Everything a client needs to know. Fields are checked by [`Config::check`].
///
/// An empty optional text counts as absent. `Debug` shows neither the private key nor the token, nor the
/// user and password of the proxy.
#[derive(Clone)]
pub struct Config {
    /// The public half of the API key pair. Goes into the `Authorization` header.
    pub public_key: String,
    /// The private half. It signs requests and never leaves the process. Wiped when dropped.
    pub private_key: SecretString,
    /// Token of temporary (STS) credentials, sent as the header `SecurityToken`.
    pub security_token: Option<SecretString>,
    /// The bucket: 1 to 63 letters, digits, `-` and `_`.
    pub bucket_name: String,
    /// Domain of the region, e.g. `cn-bj.ufileos.com`, with an optional scheme (http when there
    /// is none) and port. Requests go to `<bucket_name>.<file_host>`.
    pub file_host: Option<String>,
    /// Custom domain with an optional scheme (http when there is none) and port. Requests go to exactly
    /// this address, without the bucket. Takes precedence over `file_host`.
    pub endpoint: Option<String>,
    /// Sends a Content-MD5 with PutFile and every part. Off by default: it costs a second pass over the
    /// content.
    pub verify_upload_md5: bool,
    /// Compares the ETag of the service with the content. On by default.
    pub verify_etag: bool,
    /// Time for name resolution, TCP and TLS; 1 ms to 24 h, 10 s by default.
    pub connect_timeout: Duration,
    /// Limit for the time without one byte sent; 1 ms to 24 h, 30 s by default.
    pub idle_timeout: Duration,
    /// Time between the last byte sent and the answer, in which an upload callback runs; 1 ms to
    /// 24 h, 60 s by default.
    pub response_timeout: Duration,
    /// Time for finding out whether a PutFile or finish whose answer was lost has stored the object; 1 ms
    /// to 24 h, 5 s by default. At least one request is sent, however short the time is.
    pub settle_timeout: Duration,
    /// Repetitions of a failed request; 0 to 100, 3 by default.
    pub max_retries: u32,
    /// Threads of the client; 1 to 256, 2 by default.
    pub worker_threads: usize,
    /// Uploads that run at once; the others wait in a queue. 1 to 4096, 32 by default.
    pub max_concurrent_uploads: usize,
    /// `http://[user:password@]host:port`; takes precedence over the environment's.
    pub proxy: Option<String>,
    /// PEM file with the certificate authorities to trust, in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// Reads `http_proxy`, `https_proxy` and `no_proxy`. Off by default: the environment should not
    /// redirect the host's data unless the host wants it.
    pub use_env_proxy: bool,
    /// Repeats a request with a policy whose answer was lost. Its callback may then run twice. Off by
    /// default.
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
    /// The three required members. [`file_host`](Self::file_host) or [`endpoint`](Self::endpoint) must be
    /// set as well. Everything else has its default.
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
            settle_timeout: DEFAULT_SETTLE_TIMEOUT,
            max_retries: DEFAULT_MAX_RETRIES,
            worker_threads: DEFAULT_WORKER_THREADS,
            max_concurrent_uploads: DEFAULT_MAX_CONCURRENT_UPLOADS,
            proxy: None,
            ca_file: None,
            use_env_proxy: false,
            callback_at_least_once: false,
        }
    }

    /// Reads and checks the JSON file of the vendor's SDKs (`public_key`, `private_key`, `bucket_name`,
    /// `file_host`, `bucket_host`, `endpoint`, `verfiy_upload_md5` in the vendor's spelling), which may
    /// also hold every other field under its own name. Times are `connect_timeout_ms`, `idle_timeout_ms`,
    /// `response_timeout_ms` and `settle_timeout_ms` in milliseconds; 0 means the default, except for
    /// `max_retries`. Unknown members are ignored. A relative `ca_file` is relative to the working
    /// directory.
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

    /// Whether a PutFile or finish may run twice: it fires no callback, or the host accepts a second one.
    pub(crate) fn may_run_twice(&self, policy: bool) -> bool {
        !policy || self.callback_at_least_once
    }

    /// Checks every field and computes the origin.
    ///
    /// # Errors [`Status::InvalidConfig`], which names the member and never contains a secret.
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
        check_timeout("settle_timeout_ms", self.settle_timeout)?;
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
        // Destructured by name: a new field does not compile until somebody has decided whether it may be
        // shown.
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
            settle_timeout,
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
            .field("settle_timeout", settle_timeout)
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

fn invalid(message: impl Into<String>) -> Error {
    Error::new(Status::InvalidConfig, message)
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}
