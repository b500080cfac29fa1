//! One state of everything, how far states are explored, and what a step changes in one.

use std::time::Duration;

use us3::protocol::rerun::longest_run;
use us3::protocol::verdict::Answer;

use crate::library::{Claim, Library};
use crate::world::{self, Assumptions, Callback, Content, Object, Reply, Request, Setup, Stage};

/// How much is explored.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Tries of one order.
    pub tries: u8,
    /// Pauses while settling.
    pub pauses: u8,
    /// How often the clock ticks.
    pub ticks: u8,
    /// Seconds of a tick.
    pub tick: i64,
    /// How often the process is killed, at most.
    pub kills: u8,
    /// Orders of the host: with 2, it may finish again what was left unfinished.
    pub orders: usize,
    /// Somebody else stores another object under the key, at most this often.
    pub strangers: u8,
    /// The token may expire.
    pub expiry: bool,
}

/// The service's time at the begin, in seconds since 1970.
const BEGIN: u64 = 1_800_000_000;

impl Bounds {
    /// A tick as the service tells the time, in seconds since 1970.
    pub fn seconds(&self, tick: impl Into<i64>) -> u64 {
        BEGIN.saturating_add_signed(tick.into() * self.tick)
    }

    pub fn lasting(&self, ticks: u8) -> Duration {
        Duration::from_secs(u64::from(ticks) * self.tick.unsigned_abs())
    }

    pub fn response_timeout(&self) -> Duration {
        Duration::from_secs(10)
    }

    /// F, in ticks.
    pub fn longest_run(&self) -> u8 {
        let seconds = longest_run(self.response_timeout()).as_secs();
        let ticks = seconds.div_ceil(self.tick.unsigned_abs());
        u8::try_from(ticks).expect("a few ticks")
    }

    /// N: requests of one order, or of one run.
    pub fn steps(&self) -> u8 {
        let settling = 3 * (self.pauses + 1);
        1 + self.tries * (1 + settling) + 1 + settling
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub setup: Setup,
    pub library: Library,
    /// By order, as all that follows.
    pub claims: [Option<Claim>; 2],
    /// A request of the order stored the content.
    pub stored: [bool; 2],
    /// How often its callback ran.
    pub called: [u8; 2],
    pub now: u8,
    pub object: Object,
    /// The upload exists.
    pub upload: bool,
    /// What the world still has to do with. An answer that nobody waits for is not kept.
    pub requests: Vec<Request>,
    pub strangers: u8,
    pub kills: u8,
}

impl State {
    pub fn start(setup: Setup) -> Self {
        Self {
            setup,
            library: Library::START,
            claims: [None; 2],
            stored: [false; 2],
            called: [0; 2],
            now: 0,
            object: Object {
                content: setup.before,
                came: -10,
                hidden: false,
            },
            upload: setup.finish,
            requests: Vec::new(),
            strangers: 0,
            kills: 0,
        }
    }

    pub fn ticks(&self) -> i8 {
        i8::try_from(self.now).expect("a few ticks")
    }

    pub fn awaited(&self) -> usize {
        let awaited = self.requests.iter().position(|request| request.awaited);
        awaited.expect("the library waits for a request")
    }

    /// The service is done with a request.
    pub fn answer(&mut self, at: usize, reply: Reply) {
        self.requests[at].stage = Stage::Answered;
        self.requests[at].reply = Some(reply);
    }

    pub fn refuse(&mut self, at: usize, answer: Answer) {
        let reply = Reply {
            answer,
            etag: false,
            by_callback_service: false,
        };
        self.answer(at, reply);
    }

    /// The library waits no more. The request goes on if its body was through.
    pub fn let_go(&mut self) -> Request {
        let at = self.awaited();
        self.requests[at].awaited = false;
        let request = self.requests[at];
        if request.stage == Stage::OnItsWay {
            self.requests.remove(at);
        }
        request
    }

    pub fn callback(&mut self, at: usize, callback: Callback) {
        let order = self.requests[at].order;
        self.called[order] += u8::from(callback.ran());
        self.answer(at, callback.reply(self.setup.etags));
    }

    pub fn store(&mut self, at: usize, assumptions: &Assumptions) {
        self.object = Object {
            content: Content::Ours,
            came: self.ticks(),
            hidden: !assumptions.a4_head_shows_an_object_at_once,
        };
        self.upload &= !assumptions.a5_a_finish_ends_its_upload;
        self.stored[self.requests[at].order] = true;
        match self.setup.policy {
            true => self.requests[at].stage = Stage::Stored,
            false => self.answer(at, world::stored(&self.setup)),
        }
    }

    pub fn claim(&mut self, claim: Option<Claim>) {
        if claim.is_some() {
            self.claims[self.library.order] = claim;
        }
    }

    /// Makes states that differ in nothing that counts equal.
    pub fn tidy(&mut self) {
        self.requests
            .retain(|r| r.awaited || r.stage != Stage::Answered);
        self.requests
            .sort_by_key(|r| (r.awaited, r.order, r.sent, r.stage));
    }
}
