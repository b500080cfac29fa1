//! The options of an emulator.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::broken::Assumption;
use crate::rights::Rights;
use crate::rules::Rule;

/// The public key of an account that nobody chose.
pub const PUBLIC_KEY: &str = "demo-public-key";
/// Its private key.
pub const PRIVATE_KEY: &str = "demo-private-key";

/// How an emulator is set up. Everything has a default, so that a test names only what it is about.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where uploads are accepted; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where the control listener is; port 0 picks a free one. Elsewhere than on loopback it wants a token.
    pub control: SocketAddr,
    /// The token that requests to the control listener must carry. Without it they need none on loopback, and
    /// elsewhere a random one: [`Emulator::control_token`](crate::Emulator::control_token).
    pub control_token: Option<String>,
    /// The only bucket there is.
    pub bucket: String,
    /// The public key of the only account there is.
    pub public_key: String,
    /// Its private key.
    pub private_key: String,
    /// The `BlkSize` of multipart uploads.
    pub part_size: u64,
    /// Where bodies are kept: a new folder, an empty one, or one of an earlier emulator that has stopped. Objects
    /// outlive the emulator here. Without it they are kept in a temporary folder and vanish.
    pub data_dir: Option<PathBuf>,
    /// Speak https as well, on a port of its own, with a fresh certificate for `localhost`; its
    /// issuer's certificate is written to this file.
    pub tls_ca: Option<PathBuf>,
    /// Bucket names that are known not to exist: a request signed for one of them is answered
    /// with "bucket not exists" even when its host name does not tell the bucket.
    pub missing_buckets: Vec<String>,
    /// How long a callback service may take to answer.
    pub callback_timeout: Duration,
    /// What the account's token may do.
    pub rights: Rights,
    /// The most requests taken in a second; more are answered 503. 0 takes none.
    pub requests_per_second: Option<u32>,
    /// Seconds by which the emulator's clock is ahead of the system's, or behind it when negative.
    pub clock_skew_s: i64,
    /// Whether a policy that is not compact JSON is refused, instead of only noted in the log.
    pub strict: bool,
    /// Whether a success with a policy comes without an ETag.
    pub no_etag_with_policy: bool,
    /// Assumptions of clients that are broken from the start.
    pub broken: Vec<Assumption>,
    /// Rules in force from the start.
    pub rules: Vec<Rule>,
    /// Whether each request is logged on stderr.
    pub log: bool,
}

impl Default for Options {
    fn default() -> Self {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            listen: any_port,
            control: any_port,
            control_token: None,
            bucket: "demo".into(),
            public_key: PUBLIC_KEY.into(),
            private_key: PRIVATE_KEY.into(),
            part_size: 4 << 20,
            data_dir: None,
            tls_ca: None,
            missing_buckets: Vec::new(),
            callback_timeout: Duration::from_secs(30),
            rights: Rights::ALL,
            requests_per_second: None,
            clock_skew_s: 0,
            strict: false,
            no_etag_with_policy: false,
            broken: Vec::new(),
            rules: Vec::new(),
            log: false,
        }
    }
}

impl Options {
    /// The token that requests to the control listener must carry: the one of the options, or a new one when others than this machine
    /// reach the listener.
    pub(crate) fn token_of_control(&self) -> io::Result<Option<String>> {
        if let Some(token) = &self.control_token {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            if token.is_empty() || !token.bytes().all(plain) {
                let why = "--control-token: it must be of letters, digits and -._~";
                return Err(io::Error::new(ErrorKind::InvalidInput, why));
            }
            return Ok(Some(token.clone()));
        }
        if self.control.ip().to_canonical().is_loopback() {
            return Ok(None);
        }
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        Ok(Some(format!("{:032x}", u128::from_ne_bytes(random))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_only_for_a_listener_beyond_loopback() {
        let made = |control: &str| {
            let options = Options {
                control: control.parse().unwrap(),
                ..Options::default()
            };
            options.token_of_control().unwrap()
        };
        for control in [
            "127.0.0.1:0",
            "127.9.9.9:0",
            "[::1]:0",
            "[::ffff:127.0.0.1]:0",
        ] {
            assert_eq!(made(control), None, "{control}");
        }
        for control in ["0.0.0.0:0", "[::]:0", "10.0.0.1:0"] {
            let (one, other) = (made(control).unwrap(), made(control).unwrap());
            assert!(one.len() == 32 && one != other, "{control}: {one} {other}");
        }
    }

    #[test]
    fn a_token_that_cannot_stand_in_a_header_or_a_query_is_refused() {
        for (chosen, fits) in [
            ("Aa0-._~", true),
            ("", false),
            ("a b", false),
            ("a+b", false),
            ("é", false),
            ("a\n", false),
        ] {
            let options = Options {
                control_token: Some(chosen.into()),
                ..Options::default()
            };
            assert_eq!(options.token_of_control().is_ok(), fits, "{chosen:?}");
        }
    }
}
