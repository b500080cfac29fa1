//! Starts an emulator on threads of its own, and stops it.

use std::fmt;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use axum::Router;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::app::App;
use crate::broken::Assumption;
use crate::net::Listener;
use crate::options::Options;
use crate::rights::Rights;
use crate::rules::{Rule, RuleState};
use crate::state::{CallbackSent, ObjectState, RequestSeen, State};
use crate::store::About;
use crate::{control, front, net, serve};

/// A running emulator. Dropping it stops it, closes its connections and removes its temporary files.
pub struct Emulator {
    address: SocketAddr,
    control: SocketAddr,
    https: Option<SocketAddr>,
    app: Arc<App>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Emulator {
    /// Starts an emulator. When this returns, both listeners accept connections.
    pub fn start(options: Options) -> io::Result<Self> {
        let uploads = bind("--listen", options.listen)?;
        let controls = bind("--control", options.control)?;
        let (address, control) = (uploads.local_addr()?, controls.local_addr()?);
        let https = match &options.tls_ca {
            Some(ca_file) => Some((
                bind("--tls-ca", any_port(options.listen))?,
                net::tls::acceptor(ca_file)
                    .map_err(|error| about("--tls-ca", ca_file.display(), &error))?,
            )),
            None => None,
        };
        let https_address = match &https {
            Some((listener, _)) => Some(listener.local_addr()?),
            None => None,
        };
        let app = Arc::new(App::new(options)?);
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("us3-emulator")
            .enable_all()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let shared = app.clone();
        let thread = thread::Builder::new()
            .name("us3-emulator".into())
            .spawn(move || run(runtime, shared, uploads, controls, https, stopped))?;
        Ok(Self {
            address,
            control,
            https: https_address,
            app,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where uploads go.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the control listener is.
    pub fn control_address(&self) -> SocketAddr {
        self.control
    }

    /// `http://…`, to be used as `endpoint`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `http://…` of the control listener.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.control)
    }

    /// The token that requests to the control listener must have, as `Authorization: Bearer` or `?token=`;
    /// None if they need none.
    pub fn control_token(&self) -> Option<&str> {
        self.app.control_token.as_deref()
    }

    /// `https://localhost:…`, when it speaks https.
    pub fn https_url(&self) -> Option<String> {
        let port = self.https?.port();
        Some(format!("https://localhost:{port}"))
    }

    /// How it was set up.
    pub fn options(&self) -> &Options {
        &self.app.options
    }

    /// Everything at this moment.
    pub fn state(&self) -> State {
        self.app.state()
    }

    /// Waits until the state is as expected, and returns it; None if that does not happen in time.
    pub fn wait_until(
        &self,
        timeout: Duration,
        mut expected: impl FnMut(&State) -> bool,
    ) -> Option<State> {
        let deadline = Instant::now() + timeout;
        loop {
            let state = self.state();
            if expected(&state) {
                return Some(state);
            }
            if Instant::now() >= deadline {
                return None;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// A stored object.
    pub fn object(&self, key: &str) -> Option<ObjectState> {
        self.app.store.get(key).map(|object| object.state)
    }

    /// Stores an object that no request brought, as if it had been stored this long ago.
    ///
    /// # Panics
    /// When the key cannot be one, or the bytes cannot be written.
    pub fn put_object(&self, key: &str, bytes: &[u8], age: Duration) -> ObjectState {
        self.app
            .put_object(key, About::default(), bytes, age)
            .unwrap_or_else(|why| panic!("put_object {key:?}: {why}"))
    }

    /// The bytes of a stored object.
    pub fn object_bytes(&self, key: &str) -> Option<Vec<u8>> {
        let object = self.app.store.get(key)?;
        let mut bytes = Vec::with_capacity(object.state.size as usize);
        for segment in object.segments {
            segment.blob.open().ok()?.read_to_end(&mut bytes).ok()?;
        }
        Some(bytes)
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<RequestSeen> {
        self.app.journal.state().requests
    }

    /// The callbacks so far.
    pub fn callbacks(&self) -> Vec<CallbackSent> {
        self.app.journal.state().callbacks
    }

    /// Puts a rule in force; gives its id.
    ///
    /// # Panics
    /// When the rule cannot be done, such as an answer on a call that is none.
    pub fn rule(&self, rule: Rule) -> u64 {
        self.app
            .rules
            .add(rule)
            .unwrap_or_else(|why| panic!("impossible rule: {why}"))
    }

    /// The rules in force, and how often they struck.
    pub fn rules(&self) -> Vec<RuleState> {
        self.app.rules.state()
    }

    /// Takes a rule back; the requests that it stalls go on.
    pub fn remove_rule(&self, id: u64) {
        self.app.rules.remove(id);
    }

    /// Takes all rules back.
    pub fn clear_rules(&self) {
        self.app.rules.clear();
    }

    /// Lets the requests go on that a rule stalls now.
    pub fn release(&self, id: u64) {
        self.app.rules.release(Some(id));
    }

    /// Lets all stalled requests go on.
    pub fn release_all(&self) {
        self.app.rules.release(None);
    }

    /// What the account's token may do from now on.
    pub fn set_rights(&self, rights: Rights) {
        self.app.token.set(rights);
    }

    /// The most requests taken in a second from now on; more are answered 503.
    pub fn set_requests_per_second(&self, most: Option<u32>) {
        self.app.pressure.set(most);
    }

    /// Breaks these assumptions of clients from now on, and no others.
    pub fn set_broken(&self, assumptions: &[Assumption]) {
        self.app.broken.set(assumptions);
    }

    /// Back to the beginning: nothing stored, nothing seen, no rules; rights, pressure and broken assumptions are
    /// those of the options. Connections stay open. Detached requests are stopped: nothing will come of them.
    ///
    /// # Panics
    /// When the index of a `data_dir` cannot be written.
    pub fn reset(&self) {
        self.app
            .reset()
            .unwrap_or_else(|error| panic!("reset: {error}"));
    }

    /// Stops it; the same as dropping it.
    pub fn stop(self) {}
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.app.store.close();
    }
}

/// `option` is what chose the address, for messages.
fn bind(option: &str, address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            let any = any_port(address);
            let why = format!(
                "another program listens there, perhaps another emulator; choose another address \
                 with {option}, or any free port with {option} {any}"
            );
            about(option, address, &io::Error::new(error.kind(), why))
        }
        _ => about(option, address, &error),
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The same error with the option that it is about.
fn about(option: &str, value: impl fmt::Display, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{option} {value}: {error}"))
}

fn run(
    runtime: Runtime,
    app: Arc<App>,
    uploads: TcpListener,
    controls: TcpListener,
    https: Option<(TcpListener, TlsAcceptor)>,
    stopped: oneshot::Receiver<()>,
) {
    let upload_router = Router::new()
        .fallback(serve::handle)
        .with_state(app.clone());
    let control_router = control::router(app.clone());
    runtime.block_on(async {
        let log = app.options.log;
        let Ok(plain) = uploads.local_addr() else {
            return;
        };
        let (Ok(uploads), Ok(controls)) = (
            listen(uploads, "--listen", log),
            listen(controls, "--control", log),
        ) else {
            return;
        };
        tokio::select! {
            () = front::accept(uploads, upload_router, Some(app.clone())) => {}
            () = front::accept(controls, control_router, None) => {}
            () = encrypted(https, plain, log) => {}
            // The sender is dropped, never used.
            _ = stopped => {}
        }
    });
    // A DNS lookup for a callback must not delay the end.
    runtime.shutdown_timeout(Duration::from_secs(1));
}

/// The https listener, if there is one.
async fn encrypted(https: Option<(TcpListener, TlsAcceptor)>, plain: SocketAddr, log: bool) {
    let Some((listener, acceptor)) = https else {
        return std::future::pending().await;
    };
    if let Ok(listener) = listen(listener, "--tls-ca", log) {
        net::tls::relay(listener, acceptor, plain).await;
    }
}

/// The same address with a port of its own.
fn any_port(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), 0)
}

fn listen(listener: TcpListener, option: &'static str, log: bool) -> io::Result<Listener> {
    let socket = tokio::net::TcpListener::from_std(listener)?;
    Ok(Listener::new(socket, option, log))
}
