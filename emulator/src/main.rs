//! The program: an emulator that runs until it is told to stop.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use us3_emulator::{Emulator, Options, Rule};

const LOCAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A strict local US3 that really fires upload callbacks.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where uploads are accepted; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value_t = LOCAL)]
    listen: SocketAddr,
    /// Where the control listener is
    #[arg(long, value_name = "ADDRESS", default_value_t = LOCAL)]
    control: SocketAddr,
    /// The only bucket there is
    #[arg(long, value_name = "NAME", default_value = "demo")]
    bucket: String,
    /// The account's public key
    #[arg(long, value_name = "KEY", default_value = "demo-public-key")]
    public_key: String,
    /// The account's private key
    #[arg(long, value_name = "KEY", default_value = "demo-private-key")]
    private_key: String,
    /// The size of the parts of multipart uploads, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 20, value_parser = clap::value_parser!(u64).range(1..))]
    part_size: u64,
    /// Where objects are kept; without it they vanish at the end
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Speak https as well, for the name localhost; the certificate to be trusted is written to FILE
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// A bucket name to be answered with "bucket not exists"; may be repeated
    #[arg(long, value_name = "NAME")]
    missing_bucket: Vec<String>,
    /// How long a callback service may take to answer
    #[arg(long, value_name = "MS", default_value_t = 30_000)]
    callback_timeout_ms: u64,
    /// A rule for faults, as JSON; may be repeated
    #[arg(long, value_name = "JSON", value_parser = rule)]
    rule: Vec<Rule>,
    /// No line per request on stderr
    #[arg(long)]
    quiet: bool,
    /// Stop when standard input ends, so that the emulator never outlives the script that started it
    #[arg(long)]
    until_stdin_ends: bool,
}

impl From<Arguments> for Options {
    fn from(arguments: Arguments) -> Self {
        Self {
            listen: arguments.listen,
            control: arguments.control,
            bucket: arguments.bucket,
            public_key: arguments.public_key,
            private_key: arguments.private_key,
            part_size: arguments.part_size,
            data_dir: arguments.data_dir,
            tls_ca: arguments.tls_ca,
            missing_buckets: arguments.missing_bucket,
            callback_timeout: Duration::from_millis(arguments.callback_timeout_ms),
            rules: arguments.rule,
            log: !arguments.quiet,
        }
    }
}

fn rule(json: &str) -> Result<Rule, serde_json::Error> {
    serde_json::from_str(json)
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("us3-emulator: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> io::Result<()> {
    let until_stdin_ends = arguments.until_stdin_ends;
    let emulator = Emulator::start(arguments.into())?;
    announce(&emulator)?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(stopped(until_stdin_ends))
}

/// The one line on stdout, to be read by scripts.
fn announce(emulator: &Emulator) -> io::Result<()> {
    let (url, bucket, control) = (
        emulator.url(),
        &emulator.options().bucket,
        emulator.control_url(),
    );
    let mut stdout = io::stdout().lock();
    let https = match emulator.https_url() {
        Some(https) => format!(" https={https}"),
        None => String::new(),
    };
    writeln!(
        stdout,
        "us3-emulator ready {url} bucket={bucket} control={control}{https}"
    )?;
    stdout.flush()
}

async fn stopped(until_stdin_ends: bool) -> io::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let (ended, stdin_ended) = tokio::sync::oneshot::channel::<()>();
    if until_stdin_ends {
        // A thread of its own, which the end of the program does not wait for.
        std::thread::spawn(move || {
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            drop(ended);
        });
    }
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
        _ = stdin_ended, if until_stdin_ends => Ok(()),
    }
}
