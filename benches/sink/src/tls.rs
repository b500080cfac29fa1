//! The certificate of the https listener: for `localhost`, new at each start.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// Writes the certificate's issuer to `ca_file`, for clients to trust.
pub(crate) fn config(ca_file: &Path) -> io::Result<Arc<ServerConfig>> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority
        .distinguished_name
        .push(DnType::CommonName, "us3-sink");
    let authority_key = KeyPair::generate().map_err(io::Error::other)?;
    let trusted = authority
        .self_signed(&authority_key)
        .map_err(io::Error::other)?;
    std::fs::write(ca_file, trusted.pem())?;

    let key = KeyPair::generate().map_err(io::Error::other)?;
    let issuer = Issuer::new(authority, authority_key);
    let certificate = CertificateParams::new(["localhost".to_owned()])
        .and_then(|params| params.signed_by(&key, &issuer))
        .map_err(io::Error::other)?;
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .map_err(io::Error::other)?;
    Ok(Arc::new(config))
}
