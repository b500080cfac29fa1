//! Turns a failure of the HTTP client into a message for people.

use std::error::Error as StdError;
use std::fmt::Display;
use std::io;

use super::connector::ConnectTimeout;
use crate::error::{Error, Status};
use crate::protocol::verdict::End;

/// A failure without an HTTP answer.
pub(super) struct Cause {
    status: Status,
    text: String,
    os_error: i32,
    /// The request was never sent.
    pub(super) unsent: bool,
    /// How the request ended.
    pub(super) end: End,
}

impl Cause {
    /// The error when no connection could be made: name, socket, proxy or TLS.
    pub(super) fn connecting(error: &(dyn StdError + 'static)) -> Self {
        let chain = chain(Some(error));
        let timeout = chain.iter().any(|cause| cause.is::<ConnectTimeout>());
        Self {
            status: if timeout {
                Status::Timeout
            } else {
                Status::NetworkError
            },
            text: advise_connecting(&chain),
            os_error: os_error(&chain),
            unsent: true,
            end: End::NoConnection {
                transient: tls_error(&chain).is_none(),
            },
        }
    }

    /// The connection broke, or what came over it is not HTTP.
    pub(super) fn exchanging(error: &hyper::Error) -> Self {
        let chain = chain(Some(error));
        let reason = chain.last().map(ToString::to_string).unwrap_or_default();
        let garbage = error.is_parse();
        let (status, text) = match garbage {
            true => (
                Status::ProtocolError,
                format!("the answer is not HTTP: {reason}; is the address really US3's?"),
            ),
            false => (
                Status::NetworkError,
                format!("the connection broke: {reason}"),
            ),
        };
        Self {
            status,
            text,
            os_error: os_error(&chain),
            unsent: error.is_canceled(),
            end: if garbage { End::Garbage } else { End::Broken },
        }
    }

    /// The error, with the name of its request.
    pub(super) fn error(&self, what: &dyn Display) -> Error {
        let mut error = Error::new(self.status, format!("{what}: {}", self.text));
        error.report_mut().os_error = self.os_error;
        error
    }
}

type Chain<'a> = Vec<&'a (dyn StdError + 'static)>;

/// An error and its chain of sources.
fn chain<'a>(error: Option<&'a (dyn StdError + 'static)>) -> Chain<'a> {
    std::iter::successors(error, |&cause| next_in_chain(cause)).collect()
}

/// The next error of the chain. `io::Error::source()` is the source of the error that it wraps, so the
/// wrapped error itself is taken with `get_ref`.
fn next_in_chain<'a>(cause: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    let wrapped = cause
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    match wrapped {
        Some(wrapped) => Some(wrapped),
        None => cause.source(),
    }
}

fn os_error(chain: &Chain<'_>) -> i32 {
    let io = chain
        .iter()
        .rev()
        .find_map(|cause| cause.downcast_ref::<io::Error>());
    io.and_then(io::Error::raw_os_error).unwrap_or(0)
}

fn tls_error<'a>(chain: &Chain<'a>) -> Option<&'a rustls::Error> {
    chain.iter().find_map(|cause| cause.downcast_ref())
}

fn advise_tls(error: &rustls::Error) -> &'static str {
    use rustls::{CertificateError as Wrong, Error};
    match error {
        Error::InvalidMessage(_) => "nobody speaks TLS there: is it an http:// address?",
        Error::InvalidCertificate(
            Wrong::Expired
            | Wrong::ExpiredContext { .. }
            | Wrong::NotValidYet
            | Wrong::NotValidYetContext { .. },
        ) => "check the certificate's dates and the clock of this machine",
        Error::InvalidCertificate(
            Wrong::NotValidForName | Wrong::NotValidForNameContext { .. },
        ) => "the name in file_host or endpoint must be one of the certificate's",
        _ => "if the service has a private certificate, name its issuer in ca_file",
    }
}

fn advise_connecting(chain: &Chain<'_>) -> String {
    let mut reasons: Vec<String> = chain.iter().map(ToString::to_string).collect();
    reasons.dedup();
    let reasons = reasons.join(": ");
    if let Some(error) = tls_error(chain) {
        return format!("no TLS connection: {reasons}; {}", advise_tls(error));
    }
    // The message of hyper-util's resolver, which has no error type of its own.
    if let Some(why) = reasons.strip_prefix("dns error: ") {
        return format!(
            "cannot connect: the host name does not resolve: {why}; check file_host or endpoint"
        );
    }
    format!("cannot connect: {reasons}; check file_host or endpoint, the network and the firewall")
}
