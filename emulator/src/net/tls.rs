//! https: a listener with a fresh certificate for `localhost`, in front of the plain one.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::Listener;

/// Makes a certificate, and writes its issuer's to `ca_file`, for clients to trust.
pub(crate) fn acceptor(ca_file: &Path) -> io::Result<TlsAcceptor> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority
        .distinguished_name
        .push(DnType::CommonName, "us3-emulator");
    let authority_key = KeyPair::generate().map_err(io::Error::other)?;
    let trusted = authority
        .self_signed(&authority_key)
        .map_err(io::Error::other)?;
    std::fs::write(ca_file, trusted.pem())?;

    let key = KeyPair::generate().map_err(io::Error::other)?;
    let certificate = CertificateParams::new(["localhost".to_owned()])
        .and_then(|params| params.signed_by(&key, &Issuer::new(authority, authority_key)))
        .map_err(io::Error::other)?;
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .map_err(io::Error::other)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Takes TLS off each connection and hands it to the plain listener; for ever.
pub(crate) async fn relay(mut listener: Listener, acceptor: TlsAcceptor, plain: SocketAddr) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            socket = listener.accept() => {
                connections.spawn(carry(socket, acceptor.clone(), plain));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn carry(socket: TcpStream, acceptor: TlsAcceptor, plain: SocketAddr) -> io::Result<()> {
    let mut outside = acceptor.accept(socket).await?;
    let mut inside = TcpStream::connect(plain).await?;
    copy_bidirectional(&mut outside, &mut inside).await?;
    Ok(())
}
