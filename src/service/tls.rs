//! TLS: which certificates are trusted.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::config::Config;
use crate::error::{Error, Result, Status};

/// Trusts `ca_file`, or else the system's certificates. None for http, which saves time and memory. A
/// `ca_file` is read even for http, so that a wrong one is noticed now and not after a change to https.
pub(super) fn client_config(config: &Config, https: bool) -> Result<Option<Arc<ClientConfig>>> {
    let ca_file = config.ca_file.as_deref();
    let given = ca_file.filter(|path| !path.as_os_str().is_empty());
    let given = given.map(roots_of).transpose()?;
    if !https {
        return Ok(None);
    }
    let roots = given.unwrap_or_else(system_roots);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| Error::new(Status::InternalError, format!("TLS: {cause}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Some(Arc::new(config)))
}

/// If the system's certificates cannot be read, none is trusted; the first connection reports that.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn roots_of(path: &Path) -> Result<RootCertStore> {
    let refused = |cause: &dyn std::fmt::Display| refused(path, cause);
    let pem = std::fs::read(path).map_err(|cause| {
        Error::file(
            format_args!("cannot read ca_file {}", path.display()),
            &cause,
        )
    })?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|cause| refused(&cause))?;
        roots.add(certificate).map_err(|cause| refused(&cause))?;
    }
    if roots.is_empty() {
        return Err(refused(&"it holds no certificate"));
    }
    Ok(roots)
}

fn refused(path: &Path, cause: &dyn std::fmt::Display) -> Error {
    Error::new(
        Status::InvalidConfig,
        format!(
            "ca_file {}: {cause}; it must be a PEM file of certificates",
            path.display()
        ),
    )
}
