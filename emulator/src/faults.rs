//! Carries out the fault that a rule has for a request, when the request gets to its place.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::net::{Conn, End};
use crate::rules::{Fault, Fired, Place, Shape, Stall};
use crate::serve::Stop;

/// The rule that a request has met, if any.
#[derive(Clone)]
pub(crate) struct Hook {
    conn: Arc<Conn>,
    fired: Option<Arc<Fired>>,
    done: Arc<AtomicBool>,
}

impl Hook {
    pub fn new(conn: Arc<Conn>, fired: Option<Arc<Fired>>) -> Self {
        Self {
            conn,
            fired,
            done: Arc::default(),
        }
    }

    pub fn rule_id(&self) -> Option<u64> {
        self.fired.as_ref().map(|fired| fired.id)
    }

    /// How far into the body the fault is, if it is there.
    pub fn body_offset(&self) -> Option<u64> {
        self.fired.as_ref()?.rule.at.body_offset()
    }

    /// The request gets to a place. An error means that it goes no further.
    pub async fn reach(&self, place: Place) -> Result<(), Stop> {
        let Some(fired) = self.fired.as_ref().filter(|fired| fired.rule.at == place) else {
            return Ok(());
        };
        if self.done.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        match &fired.rule.fault {
            Fault::Alter(_) => Ok(()),
            Fault::Answer(_) => Err(Stop::Replaced),
            Fault::Stall(stall) => wait(fired, *stall, Some(&self.conn)).await,
            Fault::Reset => self.end(End::Reset),
            Fault::Close => self.end(End::Close),
            Fault::Drop => self.end(End::Drop),
        }
    }

    fn end(&self, end: End) -> Result<(), Stop> {
        self.conn.end(end);
        Err(Stop::Gone)
    }

    /// How the emulator's own answer is to be changed.
    pub fn alteration(&self) -> Option<&Shape> {
        match &self.fired.as_ref()?.rule.fault {
            Fault::Alter(shape) => Some(shape),
            _ => None,
        }
    }

    /// The answer to be given instead.
    pub fn replacement(&self) -> Option<&Shape> {
        match &self.fired.as_ref()?.rule.fault {
            Fault::Answer(shape) => Some(shape),
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
