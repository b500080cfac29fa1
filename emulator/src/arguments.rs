//! The command line, and its help.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use us3_emulator::{Assumption, Options, Rights, Rule};

/// Where uploads are accepted when nothing is said, so that a client's configuration can be kept.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 7380);

const EXAMPLES: &str = "\
Examples:
  us3-emulator                              on port 7380; prints a config.json for clients
  us3-emulator --write-config config.json   writes it to a file
  us3-emulator --data-dir objects           keeps the objects
  us3-emulator --rule '{\"call\":\"put\",\"nth\":1,\"fault\":\"reset\"}'
                                            resets the connection of the first PutFile

In scripts: --listen 127.0.0.1:0 takes a free port, --until-stdin-ends ends with the script. The
only line on standard output comes when both listeners accept connections:
  us3-emulator ready http://ADDRESS bucket=NAME control=http://ADDRESS
With --control elsewhere than on loopback, token=TOKEN is the last word of it.

The control listener: GET /state, POST /reset, POST /rules. emulator/README.md has the details.";

/// A strict local US3 with real upload callbacks. Needs no account and no option.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
pub struct Arguments {
    /// Where uploads are accepted; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value_t = LISTEN, help_heading = "Addresses")]
    listen: SocketAddr,
    /// Where the control listener is [default: on loopback, the port after --listen's]
    #[arg(long, value_name = "ADDRESS", help_heading = "Addresses")]
    control: Option<SocketAddr>,
    /// The token of the control listener [default: none on loopback, else a random one]
    #[arg(long, value_name = "TOKEN", help_heading = "Addresses")]
    control_token: Option<String>,
    /// Speak https as well, for localhost; the certificate to be trusted is written to FILE
    #[arg(long, value_name = "FILE", help_heading = "Addresses")]
    tls_ca: Option<PathBuf>,

    /// The only bucket there is
    #[arg(
        long,
        value_name = "NAME",
        default_value = "demo",
        help_heading = "Account"
    )]
    bucket: String,
    /// The account's public key
    #[arg(long, value_name = "KEY", default_value = us3_emulator::PUBLIC_KEY, help_heading = "Account")]
    public_key: String,
    /// The account's private key
    #[arg(long, value_name = "KEY", default_value = us3_emulator::PRIVATE_KEY, help_heading = "Account")]
    private_key: String,
    /// A bucket name to be answered with "bucket not exists"; may be repeated
    #[arg(long, value_name = "NAME", help_heading = "Account")]
    missing_bucket: Vec<String>,
    /// What the account's token may do, of these four
    #[arg(long, value_name = "LIST", default_value_t = Rights::ALL, help_heading = "Account")]
    rights: Rights,
    /// Write a config.json for clients to FILE, readable by its owner only
    #[arg(long, value_name = "FILE", help_heading = "Account")]
    pub write_config: Option<PathBuf>,

    /// The size of the parts of multipart uploads, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 20, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Behaviour")]
    part_size: u64,
    /// Where objects are kept; without it they vanish at the end
    #[arg(long, value_name = "DIR", help_heading = "Behaviour")]
    data_dir: Option<PathBuf>,
    /// How long a callback service may take to answer, in milliseconds
    #[arg(
        long,
        value_name = "MS",
        default_value_t = 30_000,
        help_heading = "Behaviour"
    )]
    callback_timeout_ms: u64,
    /// The most requests in a second; more are answered 503
    #[arg(long, value_name = "N", help_heading = "Behaviour")]
    requests_per_second: Option<u32>,
    /// Seconds by which the clock is ahead, or behind when negative
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 0,
        allow_negative_numbers = true,
        help_heading = "Behaviour"
    )]
    clock_skew_s: i64,
    /// Refuse what the log otherwise only remarks on: a policy that is not compact JSON
    #[arg(long, help_heading = "Behaviour")]
    strict: bool,
    /// A success with a policy comes without an ETag
    #[arg(long, help_heading = "Behaviour")]
    no_etag_with_policy: bool,
    /// Break what clients assume of the service, A1 to A10; may be repeated
    #[arg(long = "break", value_name = "NAME", help_heading = "Behaviour")]
    broken: Vec<Assumption>,
    /// A fault in force from the start, as JSON; may be repeated
    #[arg(long, value_name = "JSON", value_parser = rule, help_heading = "Behaviour")]
    rule: Vec<Rule>,

    /// Nothing on standard error: no help for clients, no line per request
    #[arg(long, help_heading = "Running")]
    pub quiet: bool,
    /// Stop when standard input ends, so that it never outlives the script that started it
    #[arg(long, help_heading = "Running")]
    pub until_stdin_ends: bool,
}

impl From<Arguments> for Options {
    fn from(arguments: Arguments) -> Self {
        Self {
            listen: arguments.listen,
            control: arguments
                .control
                .unwrap_or_else(|| beside(arguments.listen)),
            control_token: arguments.control_token,
            bucket: arguments.bucket,
            public_key: arguments.public_key,
            private_key: arguments.private_key,
            part_size: arguments.part_size,
            data_dir: arguments.data_dir,
            tls_ca: arguments.tls_ca,
            missing_buckets: arguments.missing_bucket,
            callback_timeout: Duration::from_millis(arguments.callback_timeout_ms),
            rights: arguments.rights,
            requests_per_second: arguments.requests_per_second,
            clock_skew_s: arguments.clock_skew_s,
            strict: arguments.strict,
            no_etag_with_policy: arguments.no_etag_with_policy,
            broken: arguments.broken,
            rules: arguments.rule,
            log: !arguments.quiet,
        }
    }
}

/// On loopback, at the port behind it; at any port when that was asked for, or there is none.
fn beside(address: SocketAddr) -> SocketAddr {
    let port = match address.port() {
        0 => 0,
        port => port.checked_add(1).unwrap_or(0),
    };
    let ip = match address.ip() {
        ip if ip.is_loopback() => ip,
        _ => Ipv4Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, port)
}

fn rule(json: &str) -> Result<Rule, serde_json::Error> {
    serde_json::from_str(json)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(arguments: &[&str]) -> (String, String) {
        let options = options(arguments);
        (options.listen.to_string(), options.control.to_string())
    }

    fn options(arguments: &[&str]) -> Options {
        Arguments::parse_from(["us3-emulator"].iter().chain(arguments)).into()
    }

    #[test]
    fn the_worlds_ways_are_off_until_they_are_asked_for() {
        let tame = options(&[]);
        assert_eq!((tame.rights, tame.requests_per_second), (Rights::ALL, None));
        assert_eq!(
            (tame.strict, tame.no_etag_with_policy, tame.clock_skew_s),
            (false, false, 0)
        );
        let wild = options(&[
            "--rights=write,list",
            "--requests-per-second=9",
            "--strict",
            "--no-etag-with-policy",
            "--clock-skew-s",
            "-60",
        ]);
        let rights = Rights {
            read: false,
            delete: false,
            ..Rights::ALL
        };
        assert_eq!((wild.rights, wild.requests_per_second), (rights, Some(9)));
        assert_eq!(
            (wild.strict, wild.no_etag_with_policy, wild.clock_skew_s),
            (true, true, -60)
        );
    }

    #[test]
    fn the_control_listener_is_beside_the_other_and_on_loopback_unless_asked_for_elsewhere() {
        for (arguments, listen, control) in [
            (&[][..], "127.0.0.1:7380", "127.0.0.1:7381"),
            (&["--listen", "[::1]:9"], "[::1]:9", "[::1]:10"),
            (&["--listen", "127.0.0.1:0"], "127.0.0.1:0", "127.0.0.1:0"),
            (
                &["--listen", "127.0.0.1:65535"],
                "127.0.0.1:65535",
                "127.0.0.1:0",
            ),
            (&["--listen", "0.0.0.0:9"], "0.0.0.0:9", "127.0.0.1:10"),
            (&["--listen", "[::]:0"], "[::]:0", "127.0.0.1:0"),
            (&["--control", "0.0.0.0:9"], "127.0.0.1:7380", "0.0.0.0:9"),
            (
                &["--control", "127.0.0.1:9"],
                "127.0.0.1:7380",
                "127.0.0.1:9",
            ),
        ] {
            assert_eq!(addresses(arguments), (listen.into(), control.into()));
        }
    }
}
