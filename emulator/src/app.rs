//! The state that all requests share.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::broken::Broken;
use crate::callback::{Around, Caller};
use crate::clock::Clock;
use crate::detached::Detached;
use crate::journal::Journal;
use crate::options::Options;
use crate::pressure::Pressure;
use crate::rights::Token;
use crate::rules::Book;
use crate::state::{ObjectState, State};
use crate::store::{About, Store};
use crate::target::check_key;

pub(crate) struct App {
    pub options: Options,
    pub store: Arc<Store>,
    pub journal: Arc<Journal>,
    pub caller: Caller,
    pub rules: Book,
    pub detached: Arc<Detached>,
    pub token: Token,
    pub pressure: Pressure,
    pub broken: Broken,
    /// What requests to the control listener must carry.
    pub control_token: Option<String>,
}

impl App {
    pub fn new(options: Options) -> io::Result<Self> {
        let token = Token::default();
        token.set(options.rights);
        Ok(Self {
            token,
            pressure: Pressure::new(options.requests_per_second),
            broken: Broken::new(&options),
            control_token: options.token_of_control()?,
            store: Arc::new(open(&options)?),
            journal: Arc::new(Journal::default()),
            caller: Caller::new(options.callback_timeout),
            rules: rules(&options)?,
            detached: Arc::default(),
            options,
        })
    }

    pub fn around_callback(&self) -> Around<'_> {
        Around {
            rules: &self.rules,
            broken: &self.broken,
            journal: &self.journal,
            log: self.options.log,
        }
    }

    pub fn state(&self) -> State {
        let mut state = self.journal.state();
        self.store.describe(&mut state);
        state.rules = self.rules.state();
        // A request leaves this count slightly later than the other one; the state must not show it in only
        // one of them.
        state.detached = self.detached.running().min(state.in_flight);
        state
    }

    /// Stores an object without a request; the error says what is wrong.
    pub fn put_object(
        &self,
        key: &str,
        about: About,
        bytes: &[u8],
        age: Duration,
    ) -> Result<ObjectState, String> {
        check_key(key.as_bytes()).map_err(|refusal| refusal.err_msg)?;
        let stored = self.store.put_bytes(key, about, bytes, age);
        stored.map_err(|error| error.to_string())
    }

    /// Resets the emulator: removes all objects, uploads, requests and rules; rights, pressure and broken
    /// assumptions are those of the options again. Blocks until no detached request is left.
    pub fn reset(&self) -> io::Result<()> {
        // First, because removing the rules lets stalled requests continue; and again, for requests that
        // met a rule in between.
        self.detached.stop();
        self.rules.clear();
        self.detached.stop();
        self.token.set(self.options.rights);
        self.pressure.set(self.options.requests_per_second);
        self.broken.reset(&self.options);
        self.journal.clear();
        self.store.clear()
    }
}

fn open(options: &Options) -> io::Result<Store> {
    let data_dir = options.data_dir.as_deref();
    Store::open(data_dir, Clock::new(options.clock_skew_s)).map_err(|error| {
        let place = data_dir.map_or("a temporary folder".into(), |dir| {
            format!("--data-dir {}", dir.display())
        });
        io::Error::new(error.kind(), format!("{place}: {error}"))
    })
}

fn rules(options: &Options) -> io::Result<Book> {
    let book = Book::default();
    for rule in &options.rules {
        book.add(rule.clone())
            .map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, format!("--rule: {why}")))?;
    }
    Ok(book)
}
