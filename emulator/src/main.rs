//! The program us3-emulator: runs an emulator until it is stopped.

mod arguments;

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::ExitCode;

use arguments::Arguments;
use clap::Parser;
use us3_emulator::Emulator;

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("us3-emulator: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: Arguments) -> io::Result<()> {
    let (until_stdin_ends, quiet) = (arguments.until_stdin_ends, arguments.quiet);
    let config_file = arguments.write_config.take();
    let emulator = Emulator::start(arguments.into())?;
    if let Some(path) = config_file {
        write_config(&path, &emulator)?;
    }
    announce(&emulator)?;
    if !quiet {
        // A closed stderr is not an error.
        let _ = io::stderr().write_all(emulator.greeting().as_bytes());
    }
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(stopped(until_stdin_ends))
}

/// It holds a private key, so that nobody else may read it.
fn write_config(path: &Path, emulator: &Emulator) -> io::Result<()> {
    let write = || {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(path)?;
        // The mode above is only that of a new file.
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(emulator.client_config().as_bytes())
    };
    write().map_err(|error: io::Error| {
        let text = format!("--write-config {}: {error}", path.display());
        io::Error::new(error.kind(), text)
    })
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
    let token = match (&emulator.options().control_token, emulator.control_token()) {
        (None, Some(made)) => format!(" token={made}"),
        _ => String::new(),
    };
    writeln!(
        stdout,
        "us3-emulator ready {url} bucket={bucket} control={control}{https}{token}"
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
