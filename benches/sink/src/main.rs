//! A US3 that takes uploads and keeps nothing: it costs the machine as little as a service can, so
//! that what is measured is the client.
//!
//!     us3-sink CA_FILE      prints `ready http=http://127.0.0.1:PORT https=https://localhost:PORT`
//!
//! One thread for each connection. Bodies are discarded in the kernel. It checks no signature and
//! computes no ETag: the ETags that it answers have a form that no client can compute, so that a client
//! that verifies still hashes everything, and has nothing to compare.

mod answer;
mod tls;
mod wire;

use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;

use answer::Request;
use rustls::{ServerConnection, StreamOwned};
use wire::Wire;

/// More than any request's head.
const HEAD: usize = 32 << 10;

fn main() -> io::Result<()> {
    let Some(ca_file) = std::env::args_os().nth(1) else {
        return Err(io::Error::other("usage: us3-sink CA_FILE"));
    };
    let tls = tls::config(Path::new(&ca_file))?;
    let plain = TcpListener::bind("127.0.0.1:0")?;
    let secure = TcpListener::bind("127.0.0.1:0")?;
    println!(
        "ready http=http://127.0.0.1:{} https=https://localhost:{}",
        plain.local_addr()?.port(),
        secure.local_addr()?.port()
    );
    io::stdout().flush()?;
    thread::spawn(move || {
        accept(&secure, move |socket| {
            let session = ServerConnection::new(tls.clone()).map_err(io::Error::other)?;
            serve(StreamOwned::new(session, socket))
        })
    });
    accept(&plain, serve)
}

/// Serves each connection on a thread of its own; one that fails is its client's affair.
fn accept<F>(listener: &TcpListener, serve: F) -> io::Result<()>
where
    F: Fn(TcpStream) -> io::Result<()> + Clone + Send + 'static,
{
    loop {
        let (socket, _) = listener.accept()?;
        socket.set_nodelay(true)?;
        let serve = serve.clone();
        let connection = thread::Builder::new().stack_size(256 << 10);
        connection.spawn(move || drop(serve(socket)))?;
    }
}

/// Answers request after request until the client hangs up.
fn serve(mut wire: impl Wire) -> io::Result<()> {
    let mut buffer = vec![0; HEAD];
    let mut filled = 0;
    loop {
        let Some(request) = Request::parse(&buffer[..filled])? else {
            let count = wire.read(&mut buffer[filled..])?;
            if count == 0 {
                return Ok(());
            }
            filled += count;
            continue;
        };
        if request.expects_continue {
            wire.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let answer = request.answer();
        let here = (filled - request.head).min(request.body);
        let used = request.head + here;
        wire.discard(request.body - here)?;
        buffer.copy_within(used..filled, 0);
        filled -= used;
        wire.write_all(answer.as_bytes())?;
    }
}
