//! Connections, whose bytes can be thrown away.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use rustls::{ServerConnection, StreamOwned};
use socket2::SockRef;

/// Bytes thrown away at once at most.
const AT_ONCE: usize = 1 << 20;

pub(crate) trait Wire: Read + Write {
    /// Reads so many bytes and forgets them.
    fn discard(&mut self, count: usize) -> io::Result<()>;
}

impl Wire for TcpStream {
    /// In the kernel, which copies nothing.
    fn discard(&mut self, mut count: usize) -> io::Result<()> {
        // Address space, which never becomes memory.
        let mut nowhere = Vec::with_capacity(AT_ONCE);
        while count > 0 {
            let room = &mut nowhere.spare_capacity_mut()[..count.min(AT_ONCE)];
            count -= some(SockRef::from(&*self).recv_with_flags(room, libc::MSG_TRUNC)?)?;
        }
        Ok(())
    }
}

impl Wire for StreamOwned<ServerConnection, TcpStream> {
    fn discard(&mut self, mut count: usize) -> io::Result<()> {
        let mut buffer = [0; 16 << 10];
        while count > 0 {
            let room = count.min(buffer.len());
            count -= some(self.read(&mut buffer[..room])?)?;
        }
        Ok(())
    }
}

fn some(count: usize) -> io::Result<usize> {
    match count {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        count => Ok(count),
    }
}
