//! Assumptions of clients that no document states. The emulator can break them on purpose: a program that
//! checks the assumptions (`make probe`) must notice.

use std::collections::HashSet;
use std::str::FromStr;
use std::sync::Mutex;
use std::time::Duration;

use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};
use serde::{Deserialize, Serialize};

use crate::options::Options;

/// The delay of a PutFile after its last byte, when A2 is broken.
pub(crate) const LATE: Duration = Duration::from_secs(1);

/// How much too old HEAD shows an object, in seconds, when A4 is broken.
pub(crate) const OLDER_S: u64 = 60;

/// An assumption of clients, and how the emulator breaks it. As JSON and on the command line its name, such as `A1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Assumption {
    /// A wrong Content-MD5 is found only after the object is stored and the callback sent.
    A1,
    /// A PutFile without a policy runs 1 s after its last byte.
    A2,
    /// An error of the callback service removes the object.
    A3,
    /// `Last-Modified` is a minute behind `Date`.
    A4,
    /// A finished upload stays, and can be finished again.
    A5,
    /// A callback that fails (599) removes the object.
    A6,
    /// The query of `callbackUrl` is sorted before it is sent.
    A7,
    /// Content-Disposition, Cache-Control and Content-Encoding are forgotten.
    A8,
    /// A success with a policy has no ETag; the same as `no_etag_with_policy`.
    A9,
    /// A policy that is not compact is refused; the same as `strict`.
    A10,
}

impl FromStr for Assumption {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let name: StrDeserializer<'_, Error> = name.into_deserializer();
        Self::deserialize(name).map_err(|error| error.to_string())
    }
}

/// The assumptions that are broken now.
pub(crate) struct Broken {
    assumptions: Mutex<HashSet<Assumption>>,
}

impl Broken {
    pub fn new(options: &Options) -> Self {
        Self {
            assumptions: Mutex::new(at_the_start(options)),
        }
    }

    /// Breaks these assumptions, and no others.
    pub fn set(&self, assumptions: &[Assumption]) {
        *self.assumptions.lock().unwrap() = assumptions.iter().copied().collect();
    }

    /// Breaks the assumptions of the options.
    pub fn reset(&self, options: &Options) {
        *self.assumptions.lock().unwrap() = at_the_start(options);
    }

    pub fn has(&self, assumption: Assumption) -> bool {
        self.assumptions.lock().unwrap().contains(&assumption)
    }
}

fn at_the_start(options: &Options) -> HashSet<Assumption> {
    let mut broken: HashSet<Assumption> = options.broken.iter().copied().collect();
    if options.no_etag_with_policy {
        broken.insert(Assumption::A9);
    }
    if options.strict {
        broken.insert(Assumption::A10);
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assumption_is_named_the_same_everywhere() {
        for (name, assumption) in [("A1", Assumption::A1), ("A10", Assumption::A10)] {
            assert_eq!(name.parse(), Ok(assumption));
            let json = format!("[{name:?}]");
            let read: Vec<Assumption> = serde_json::from_str(&json).unwrap();
            assert_eq!(read, [assumption]);
        }
        let error = "A11".parse::<Assumption>().unwrap_err();
        assert!(
            error.contains("`A11`") && error.contains("`A10`"),
            "{error}"
        );
    }
}
