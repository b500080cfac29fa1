//! Executes the fault of a rule when the request reaches the rule's place.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use crate::net::{Conn, End};
use crate::rules::{Fault, Fired, Place, Shape, Stall};
use crate::stop::Stop;

/// The rule that a request has met, if any.
#[derive(Clone)]
pub(crate) struct Hook {
    /// Not a handle: a request that goes on without its connection must not keep the socket open.
    conn: Weak<Conn>,
    fired: Option<Arc<Fired>>,
    progress: Arc<Progress>,
}

/// The progress of the request and its fault.
#[derive(Default)]
struct Progress {
    /// The fault was met.
    done: AtomicBool,
    /// The request is where it leaves its connection.
    parting: Notify,
    /// The request may go on without it.
    resumed: Notify,
}

impl Hook {
    pub fn new(conn: &Arc<Conn>, fired: Option<Arc<Fired>>) -> Self {
        Self {
            conn: Arc::downgrade(conn),
            fired,
            progress: Arc::default(),
        }
    }

    pub fn rule_id(&self) -> Option<u64> {
        self.fired.as_ref().map(|fired| fired.id)
    }

    pub fn fault(&self) -> Option<&Fault> {
        self.fired.as_ref().map(|fired| &fired.rule.fault)
    }

    /// How long the request waits once it has left its connection.
    pub fn pause(&self) -> Duration {
        let rule = self.fired.as_ref().map(|fired| &fired.rule);
        Duration::from_millis(rule.and_then(|rule| rule.detached).unwrap_or_default())
    }

    /// How far into the body the fault is, if it is there.
    pub fn body_offset(&self) -> Option<u64> {
        self.fired.as_ref()?.rule.at.body_offset()
    }

    /// The request reaches a place. After an error it does not continue.
    pub async fn reach(&self, place: Place) -> Result<(), Stop> {
        let Some(fired) = self.fired.as_ref().filter(|fired| fired.rule.at == place) else {
            return Ok(());
        };
        if self.progress.done.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        if fired.rule.detached.is_some() {
            self.progress.parting.notify_one();
            self.progress.resumed.notified().await;
            return Ok(());
        }
        match &fired.rule.fault {
            Fault::Alter(_) => Ok(()),
            Fault::Answer(_) | Fault::Gateway(_) => Err(Stop::Replaced),
            Fault::Stall(stall) => {
                let conn = self.conn.upgrade().ok_or(Stop::Gone)?;
                wait(fired, *stall, Some(&conn)).await
            }
            Fault::Reset => self.end(End::Reset),
            Fault::Close => self.end(End::Close),
            Fault::Drop => self.end(End::Drop),
        }
    }

    fn end(&self, end: End) -> Result<(), Stop> {
        if let Some(conn) = self.conn.upgrade() {
            conn.end(end);
        }
        Err(Stop::Gone)
    }

    /// Waits until the request is where it leaves its connection and goes on without it.
    pub async fn parting(&self) {
        self.progress.parting.notified().await;
    }

    /// Lets a request go on that has left its connection.
    pub fn resume(&self) {
        self.progress.resumed.notify_one();
    }

    /// How the emulator's own answer is to be changed.
    pub fn alteration(&self) -> Option<&Shape> {
        match self.fault()? {
            Fault::Alter(shape) => Some(shape),
            _ => None,
        }
    }
}

/// Waits as a rule has it. Without a connection no leaving client can end it.
pub(crate) async fn wait(fired: &Fired, stall: Stall, conn: Option<&Conn>) -> Result<(), Stop> {
    let left = async {
        match conn.filter(|_| !stall.persist) {
            Some(conn) => conn.left().await,
            None => std::future::pending().await,
        }
    };
    let over = async {
        match stall.ms {
            Some(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = fired.released() => Ok(()),
        () = over => Ok(()),
        () = left => Err(Stop::Gone),
    }
}
