//! Rules: which requests meet which fault, and where. They come from Rust, from the control
//! listener and from the command line, in one form.

mod book;
mod check;
mod gateway;
mod shape;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

pub use crate::net::end::End;
pub(crate) use book::{Book, Fired, Traits};
pub use gateway::Gateway;
pub use shape::{Drip, EtagFault, Shape, Then};

use crate::target::Call;

/// A fault, and the requests it is for.
///
/// A request meets the first rule that fires for it; the others count it all the same.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The call; none is every request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
    /// Only this part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u32>,
    /// Only this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Only requests with a policy, or only those without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<bool>,
    /// From the n-th of these requests on, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    /// At most this many times. Without it: once when `nth` is given, else every time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// With this probability, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// The seed of the probability.
    #[serde(default)]
    pub seed: u64,
    /// Where the fault strikes. Means nothing to `alter`.
    #[serde(default)]
    pub at: Place,
    /// What happens.
    pub fault: Fault,
    /// The connection meets the fault, and this many milliseconds later the request goes on without it, as if
    /// nothing had happened; nobody reads its answer. For a fault that ends or answers the connection, at `AfterBody`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detached: Option<u64>,
}

/// A place in the life of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The head is read, nothing of the body.
    #[default]
    BeforeBody,
    /// After this many bytes of the body, or at its end when it is shorter.
    Body(u64),
    /// The body is read, nothing is checked or done yet.
    AfterBody,
    /// It is done: the object is stored, the callback sent. Nothing is answered yet.
    AfterExecuting,
}

/// What happens to a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The connection is reset.
    Reset,
    /// The connection is closed cleanly: no reset, whatever the client still sends.
    Close,
    /// The connection is closed as a plain `close()` does it: with a reset when bytes of the
    /// client were not read yet.
    Drop,
    /// The request waits; then it goes on as if nothing had been.
    Stall(Stall),
    /// An answer instead of the emulator's own. Begins as an empty 200.
    Answer(Box<Shape>),
    /// A gateway's page instead of the emulator's answer.
    Gateway(Gateway),
    /// The emulator's own answer, changed.
    Alter(Box<Shape>),
}

/// How long a request waits.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stall {
    /// For this many milliseconds; without it until it is released or the client leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
    /// The client's leaving does not end it: the service is slow, and does its work all the same.
    #[serde(default)]
    pub persist: bool,
}

/// A rule and what has come of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RuleState {
    /// Names it, to remove or release it.
    pub id: u64,
    /// The rule.
    pub rule: Rule,
    /// How many requests it was for.
    pub matched: u64,
    /// How many of them met the fault.
    pub fired: u64,
    /// How many requests wait because of it now.
    pub stalled: u64,
}

impl Rule {
    /// A fault for every request of a call.
    pub fn on(call: Call, fault: Fault) -> Self {
        Self {
            call: Some(call),
            ..Self::any(fault)
        }
    }

    /// A fault for every request.
    pub fn any(fault: Fault) -> Self {
        Self {
            call: None,
            part: None,
            key: None,
            policy: None,
            nth: None,
            times: None,
            probability: None,
            seed: 0,
            at: Place::default(),
            fault,
            detached: None,
        }
    }

    /// Where it strikes.
    pub fn at(mut self, place: Place) -> Self {
        self.at = place;
        self
    }

    /// Only this part.
    pub fn part(mut self, number: u32) -> Self {
        self.part = Some(number);
        self
    }

    /// Only this key.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Only with a policy, or only without.
    pub fn policy(mut self, with: bool) -> Self {
        self.policy = Some(with);
        self
    }

    /// From the n-th on; once, unless `times` says more.
    pub fn nth(mut self, nth: u64) -> Self {
        self.nth = Some(nth);
        self
    }

    /// At most this many times.
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Now and then.
    pub fn probability(mut self, probability: f64, seed: u64) -> Self {
        self.probability = Some(probability);
        self.seed = seed;
        self
    }

    /// The request goes on without its connection after this while. The place must be `AfterBody`. `State::in_flight`
    /// counts it until it has run.
    pub fn detached(mut self, after: Duration) -> Self {
        self.detached = Some(after.as_millis() as u64);
        self
    }
}

impl Fault {
    /// An empty answer of this status.
    pub fn status(status: u16) -> Self {
        Self::answer(Shape {
            status: Some(status),
            ..Shape::default()
        })
    }

    /// An answer as the service refuses.
    pub fn error(status: u16, ret_code: i64, err_msg: &str) -> Self {
        let body = json!({ "RetCode": ret_code, "ErrMsg": err_msg }).to_string();
        let shape = Shape {
            status: Some(status),
            body: Some(body),
            ..Shape::default()
        };
        Self::answer(shape.header("Content-Type", "application/json"))
    }

    /// A redirect to this address.
    pub fn redirect(location: &str) -> Self {
        Self::answer(
            Shape {
                status: Some(302),
                ..Shape::default()
            }
            .header("Location", location),
        )
    }

    /// An answer instead of the emulator's own.
    pub fn answer(shape: Shape) -> Self {
        Self::Answer(Box::new(shape))
    }

    /// A gateway's page of this status.
    pub fn gateway(status: u16) -> Self {
        Self::Gateway(Gateway::new(status))
    }

    /// The emulator's own answer, changed.
    pub fn alter(shape: Shape) -> Self {
        Self::Alter(Box::new(shape))
    }

    /// Waits until it is released or the client leaves.
    pub fn stall() -> Self {
        Self::Stall(Stall::default())
    }

    /// Waits for a time, or until the client leaves.
    pub fn stall_for(time: Duration) -> Self {
        Self::Stall(Stall {
            ms: Some(time.as_millis() as u64),
            persist: false,
        })
    }

    pub(crate) fn shape(&self) -> Option<&Shape> {
        match self {
            Self::Answer(shape) | Self::Alter(shape) => Some(shape),
            _ => None,
        }
    }
}

impl Place {
    /// This far into the body, or at its end.
    pub(crate) fn body_offset(self) -> Option<u64> {
        match self {
            Self::Body(offset) => Some(offset),
            _ => None,
        }
    }
}
