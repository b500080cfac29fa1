//! The program, started as a process of its own.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

pub const ANY_PORT: [&str; 2] = ["--listen", "127.0.0.1:0"];

/// A running program, which ends with its standard input.
pub struct Program {
    pub child: Child,
    /// Its ready line.
    pub ready: String,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program with these arguments.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_us3-emulator"));
    command.args(arguments);
    command
}

impl Program {
    /// On a free port, unless the arguments say where.
    pub fn start(arguments: &[&str]) -> Self {
        let listen = match arguments.contains(&"--listen") {
            true => &[][..],
            false => &ANY_PORT,
        };
        let mut child = command(listen)
            .arg("--until-stdin-ends")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut ready)
            .unwrap();
        let ready = ready.trim_end().into();
        Self { child, ready }
    }

    pub fn word(&self, before: &str) -> &str {
        let words = self.ready.split(' ');
        words
            .filter_map(|word| word.strip_prefix(before))
            .next()
            .unwrap_or_else(|| panic!("{before}: {}", self.ready))
    }

    pub fn address(&self) -> SocketAddr {
        self.word("http://").parse().unwrap()
    }

    /// Ends it; gives what it wrote on stderr.
    pub fn end(mut self) -> String {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
        let mut log = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut log).unwrap();
        log
    }
}
