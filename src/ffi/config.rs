//! `us3_config`: the configuration of a client.

use std::ffi::c_char;
use std::ptr;
use std::time::Duration;

use secrecy::SecretString;

use crate::config::{Config, DEFAULT_MAX_RETRIES};
use crate::error::{Error, Result, Status};

use super::catch::catch_or;
use super::input::{self, c_bool, is_true};
use super::structs::{self, PublicStruct, member_ends};

/// The configuration of a client. us3_client_new copies everything, so the struct and its strings
/// may be changed or freed afterwards. Strings are UTF-8; NULL or "" means "not set".
#[derive(Clone, Copy)]
#[repr(C)]
pub struct us3_config {
    /// sizeof(us3_config), set by the initialiser.
    pub struct_size: usize,
    /// Required. The public key of the API or token.
    pub public_key: *const c_char,
    /// Required. The private key that belongs to public_key. Never logged; wiped when the client is
    /// freed.
    pub private_key: *const c_char,
    /// The token of temporary (STS) credentials. Leave it unset with permanent keys.
    pub security_token: *const c_char,
    /// Required. The bucket.
    pub bucket_name: *const c_char,
    /// The region's host, e.g. "cn-bj.ufileos.com". Requests go to http://bucket.file_host. It may
    /// begin with a scheme: "https://cn-bj.ufileos.com". Either file_host or endpoint is required.
    pub file_host: *const c_char,
    /// A custom domain, e.g. "https://files.example.com" or "http://127.0.0.1:8080". Requests go to
    /// exactly this address, without the bucket in front. It takes precedence over file_host.
    pub endpoint: *const c_char,
    /// Send a Content-MD5 with PutFile and each part, which the service checks. Default false. With
    /// PutFile the file must then be read twice.
    pub verify_upload_md5: c_bool,
    /// Compare the ETag that the service answers with the one computed while the bytes were
    /// sent; a difference is US3_INTEGRITY_ERROR. Default true.
    pub verify_etag: c_bool,
    /// Milliseconds to connect, TLS included: 1 to 86400000 (24 h). 0 is the default, 10000.
    pub connect_timeout_ms: u32,
    /// Milliseconds that may pass without one byte of a request being sent: 1 to 86400000. 0 is the
    /// default, 30000. Time in which the library waits for the source, such as a slow disk, does
    /// not count.
    pub idle_timeout_ms: u32,
    /// Milliseconds from the end of a request's body to the beginning of the answer, and again from
    /// there to the end of the answer. An upload callback runs in the first period. 1 to 86400000;
    /// 0 is the default, 60000.
    pub response_timeout_ms: u32,
    /// How often a request that is safe to repeat is sent again after a failure; see "OUTCOMES AND
    /// RETRIES". 0 means never. The initialiser sets the default, 3.
    pub max_retries: u32,
    /// Threads of the client that do the work, 1 to 256. 0 is the default, 2.
    pub worker_threads: u32,
    /// Uploads of the client that run at the same time; further uploads wait in a queue. 1 to 4096;
    /// 0 is the default, 32.
    pub max_concurrent_uploads: u32,
    /// A proxy, e.g. "http://10.0.0.1:3128". Not set: none.
    pub proxy: *const c_char,
    /// Path (bytes, not necessarily UTF-8) of a PEM file with the certificates to trust. Not set:
    /// the system's certificates are trusted.
    pub ca_file: *const c_char,
    /// If proxy is not set, take the proxy from the environment (HTTP_PROXY and so on). Default
    /// false.
    pub use_env_proxy: c_bool,
    /// What to do when the answer to a request with a policy is lost. False, the default: the
    /// request is not repeated, because the callback may have run; the result is
    /// US3_CALLBACK_UNKNOWN. True: the request is repeated, so that no callback is missed, but a
    /// callback may run twice.
    pub callback_at_least_once: c_bool,
    /// When the answer to a PutFile or finish is lost, the library asks with HeadFile and ListParts
    /// whether it was executed, for this many milliseconds. It asks at least once, and the last
    /// request may take 10 seconds more. 0 is the default, 5000.
    pub settle_timeout_ms: u32,
}

/// Initialises a configuration with the defaults, as US3_CONFIG_INIT does.
///
/// @param config  NULL is allowed and ignored
///
/// Any thread. Does not block.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn us3_config_init(config: *mut us3_config) {
    // SAFETY: NULL, or memory for a us3_config: the header asks the host for it.
    catch_or((), || unsafe { structs::init(config) });
}

impl us3_config {
    /// The engine's configuration, with copies of everything.
    ///
    /// # Safety
    /// Each string is NULL or NUL-terminated, and stays as it is until this returns.
    pub(super) unsafe fn to_engine(self) -> Result<Config> {
        // SAFETY: our caller's promise is the one that the four functions ask for.
        unsafe {
            let mut config = Config::new(
                required("public_key", self.public_key)?,
                SecretString::from(required("private_key", self.private_key)?),
                required("bucket_name", self.bucket_name)?,
            );
            config.security_token =
                optional("security_token", self.security_token)?.map(SecretString::from);
            config.file_host = optional("file_host", self.file_host)?.map(str::to_owned);
            config.endpoint = optional("endpoint", self.endpoint)?.map(str::to_owned);
            config.proxy = optional("proxy", self.proxy)?.map(str::to_owned);
            config.ca_file = input::optional_path(self.ca_file);
            self.numbers(&mut config);
            Ok(config)
        }
    }

    fn numbers(&self, config: &mut Config) {
        config.verify_upload_md5 = is_true(self.verify_upload_md5);
        config.verify_etag = is_true(self.verify_etag);
        config.use_env_proxy = is_true(self.use_env_proxy);
        config.callback_at_least_once = is_true(self.callback_at_least_once);
        config.max_retries = self.max_retries;
        set_milliseconds(&mut config.connect_timeout, self.connect_timeout_ms);
        set_milliseconds(&mut config.idle_timeout, self.idle_timeout_ms);
        set_milliseconds(&mut config.response_timeout, self.response_timeout_ms);
        set_milliseconds(&mut config.settle_timeout, self.settle_timeout_ms);
        set_count(&mut config.worker_threads, self.worker_threads);
        set_count(
            &mut config.max_concurrent_uploads,
            self.max_concurrent_uploads,
        );
    }
}

/// 0 keeps the default.
fn set_milliseconds(time: &mut Duration, milliseconds: u32) {
    if milliseconds != 0 {
        *time = Duration::from_millis(milliseconds.into());
    }
}

/// 0 keeps the default.
fn set_count(count: &mut usize, number: u32) {
    if number != 0 {
        *count = usize::try_from(number).unwrap_or(usize::MAX);
    }
}

/// # Safety
/// `member` is NULL or NUL-terminated, and stays as it is for `'a`.
unsafe fn required<'a>(name: &str, member: *const c_char) -> Result<&'a str> {
    // SAFETY: our caller's promise is the one that optional asks for.
    let text = unsafe { optional(name, member) }?;
    text.ok_or_else(|| invalid(format!("{name} is missing: set it in us3_config")))
}

/// # Safety
/// As for [`required`].
unsafe fn optional<'a>(name: &str, member: *const c_char) -> Result<Option<&'a str>> {
    // SAFETY: our caller's promise is the one that optional_text asks for.
    let text = unsafe { input::optional_text(name, member) };
    text.map_err(|error| invalid(error.message()))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(Status::InvalidConfig, message)
}

// SAFETY: repr(C), struct_size first, only integers and pointers, ends by the macro.
unsafe impl PublicStruct for us3_config {
    const NAME: &'static str = "us3_config";
    const INIT: Self = Self {
        struct_size: size_of::<Self>(),
        public_key: ptr::null(),
        private_key: ptr::null(),
        security_token: ptr::null(),
        bucket_name: ptr::null(),
        file_host: ptr::null(),
        endpoint: ptr::null(),
        verify_upload_md5: 0,
        verify_etag: 1,
        connect_timeout_ms: 0,
        idle_timeout_ms: 0,
        response_timeout_ms: 0,
        max_retries: DEFAULT_MAX_RETRIES,
        worker_threads: 0,
        max_concurrent_uploads: 0,
        proxy: ptr::null(),
        ca_file: ptr::null(),
        use_env_proxy: 0,
        callback_at_least_once: 0,
        settle_timeout_ms: 0,
    };
    const SMALLEST: usize = Self::MEMBER_ENDS[4];
    const MEMBER_ENDS: &'static [usize] = member_ends!(us3_config {
        struct_size,
        public_key,
        private_key,
        security_token,
        bucket_name,
        file_host,
        endpoint,
        verify_upload_md5,
        verify_etag,
        connect_timeout_ms,
        idle_timeout_ms,
        response_timeout_ms,
        max_retries,
        worker_threads,
        max_concurrent_uploads,
        proxy,
        ca_file,
        use_env_proxy,
        callback_at_least_once,
        settle_timeout_ms,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settle_timeout_reaches_the_engine_and_0_is_the_default() {
        let mut config = us3_config::INIT;
        config.public_key = c"public".as_ptr();
        config.private_key = c"private".as_ptr();
        config.bucket_name = c"bucket".as_ptr();
        for (milliseconds, expected) in [(0, 5000), (1, 1), (7000, 7000)] {
            config.settle_timeout_ms = milliseconds;
            // SAFETY: NULL and C literals.
            let engine = unsafe { config.to_engine() }.unwrap();
            assert_eq!(engine.settle_timeout, Duration::from_millis(expected));
        }
    }

    #[test]
    fn a_missing_or_broken_member_is_named() {
        let mut config = us3_config::INIT;
        // SAFETY: NULL and C literals.
        let refused = |config: us3_config| unsafe { config.to_engine() }.err().unwrap();

        let error = refused(config);
        assert_eq!(error.status(), Status::InvalidConfig);
        assert_eq!(
            error.message(),
            "public_key is missing: set it in us3_config"
        );

        config.public_key = c"p\xff".as_ptr();
        let error = refused(config);
        assert_eq!(error.status(), Status::InvalidConfig);
        assert!(
            error.message().starts_with("public_key is not UTF-8"),
            "{error}"
        );
    }
}
