//! The library as the engine drives it: one order of the host, its tries, its questions, and what it claims.
//!
//! Every decision is made by the functions of src/protocol, as long as [`Rules`] puts no old rule back.

use us3::error::{CallbackState, ObjectState};
use us3::protocol::etag::EtagMatch;
use us3::protocol::rerun::{longest_run, may_still_run};
use us3::protocol::settle::{Doubt, Head, Outcome, Settling, Step, UploadListing, Why};
use us3::protocol::verdict::{End, Evidence, Known, after_a_lost_one, may_send_again};

use crate::rules::Rules;
use crate::state::Bounds;
use crate::world::{Reply, Setup, pair};

/// What the library tells the host of one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    pub object: ObjectState,
    pub callback: CallbackState,
    /// US3_INTEGRITY_ERROR: what is stored is not the content.
    pub other_bytes: bool,
    /// The body of the result is the callback service's reply.
    pub reply_of_the_callback_service: bool,
    /// The upload may still exist, and is named.
    pub upload_named: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Library {
    /// Which order of the host.
    pub order: usize,
    pub tries: u8,
    /// An earlier try, or an earlier finish of the upload, may have run.
    pub lost_before: bool,
    /// When the first of them was sent; of a rerun this is read from the checkpoint, as `sent`.
    pub begun: u8,
    /// When the last one was sent.
    pub sent: u8,
    /// `begun` can be held against Last-Modified.
    pub dated: bool,
    /// Requests of this order, or of this run.
    pub asked: u8,
    pub doing: Doing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Doing {
    /// The next thing is to send the request.
    Ready,
    Waits,
    /// HEAD is asked for the ETag of an object that is said to be stored.
    Checks(Claim),
    Settles(Settle),
    Pauses(Settle),
    /// A rerun, since then: ListParts.
    AsksForUpload(u8),
    Over,
    Killed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Settle {
    settling: Settling,
    transient: bool,
    pauses: u8,
}

/// What the library decides by.
pub struct Context<'a> {
    pub setup: &'a Setup,
    pub rules: &'a Rules,
    pub bounds: &'a Bounds,
}

impl Claim {
    fn of(outcome: Outcome, policy: bool, upload_named: bool) -> Self {
        let (object, callback) = outcome.states(policy);
        Self {
            object,
            callback,
            other_bytes: false,
            reply_of_the_callback_service: false,
            upload_named,
        }
    }
}

impl Library {
    pub const START: Self = Self {
        order: 0,
        tries: 0,
        lost_before: false,
        begun: 0,
        sent: 0,
        dated: true,
        asked: 0,
        doing: Doing::Ready,
    };

    pub fn sends(&mut self, now: u8) {
        if self.tries == 0 && !self.lost_before {
            self.begun = now;
        }
        self.sent = now;
        self.tries += 1;
        self.asked += 1;
        self.doing = Doing::Waits;
    }

    /// The request came to its end.
    pub fn ended(
        &mut self,
        context: &Context,
        through: bool,
        end: End,
        reply: Option<Reply>,
    ) -> Option<Claim> {
        let Setup {
            policy,
            at_least_once,
            finish,
            ..
        } = *context.setup;
        let verdict = context.rules.judge(&Evidence {
            stores: true,
            policy,
            through: through && !context.rules.bytes_are_counted_before_the_stop,
            end,
        });
        if may_send_again(verdict, !policy || at_least_once) && self.tries < context.bounds.tries {
            self.lost_before |= match verdict.known {
                Known::Answered => !context.rules.a_try_answered_in_the_form_is_forgotten,
                known => known == Known::Lost,
            };
            self.doing = Doing::Ready;
            return None;
        }
        let known = match self.lost_before {
            true => after_a_lost_one(verdict.known),
            false => verdict.known,
        };
        match known {
            Known::NotRun => Some(self.claim(Claim::of(Outcome::NotRun, policy, finish))),
            Known::Done if policy => self.succeeded(context, CallbackState::Delivered, reply),
            Known::Done => self.succeeded(context, CallbackState::NotRequested, reply),
            Known::Stored(callback) => self.succeeded(context, callback, None),
            Known::Answered | Known::Lost => {
                let answered = match end {
                    End::Answered(answer) if known == Known::Answered => pair(answer),
                    _ => None,
                };
                let no_time = end == End::GivenUp;
                let pauses = if no_time { context.bounds.pauses } else { 0 };
                self.settle(Doubt { finish, answered }, verdict.transient, pauses);
                None
            }
        }
    }

    /// The object is said to be stored. Without an ETag to compare, HEAD is asked for it.
    fn succeeded(
        &mut self,
        context: &Context,
        callback: CallbackState,
        reply: Option<Reply>,
    ) -> Option<Claim> {
        let claim = Claim {
            object: ObjectState::Stored,
            callback,
            other_bytes: false,
            reply_of_the_callback_service: reply.is_some_and(|reply| reply.by_callback_service),
            upload_named: false,
        };
        let Rules {
            html_599_is_stored,
            html_200_is_success,
            ..
        } = *context.rules;
        let compared = reply.is_some_and(|reply| reply.etag);
        if compared || html_599_is_stored || html_200_is_success {
            return Some(self.claim(claim));
        }
        self.doing = Doing::Checks(claim);
        None
    }

    fn settle(&mut self, doubt: Doubt, transient: bool, pauses: u8) {
        self.doing = Doing::Settles(Settle {
            settling: Settling::new(doubt),
            transient,
            pauses,
        });
    }

    /// The question that the library waits to have answered.
    pub fn question(&self, bounds: &Bounds) -> Option<Step> {
        match self.doing {
            Doing::Checks(_) => Some(Step::AskObject),
            Doing::AsksForUpload(_) => Some(Step::AskUpload),
            Doing::Settles(settle) => Some(settle.next(bounds)),
            _ => None,
        }
    }

    /// HEAD's answer.
    pub fn saw_head(&mut self, context: &Context, mut head: Head, now: u8) -> Option<Claim> {
        self.asked += 1;
        if !self.dated {
            head.last_modified = None;
        }
        match &mut self.doing {
            Doing::Checks(claim) => {
                let mut claim = *claim;
                match head.status {
                    404 if !head.page => {
                        let finish = context.setup.finish;
                        self.settle(
                            Doubt {
                                finish,
                                answered: None,
                            },
                            false,
                            0,
                        );
                        return None;
                    }
                    200 if !head.page => claim.other_bytes = head.etag == EtagMatch::Different,
                    _ => {}
                }
                Some(self.claim(claim))
            }
            Doing::Settles(settle) => {
                let since = context.bounds.lasting(now - self.begun);
                settle
                    .settling
                    .saw_object(context.rules.object(head, since));
                self.go_on(context)
            }
            _ => unreachable!(),
        }
    }

    pub fn saw_likewise(
        &mut self,
        context: &Context,
        refused: Option<(u16, i32)>,
    ) -> Option<Claim> {
        self.asked += 1;
        if let Doing::Settles(settle) = &mut self.doing {
            settle.settling.saw_likewise(refused);
        }
        self.go_on(context)
    }

    /// ListParts's answer, while settling or at the begin of a rerun.
    pub fn saw_upload(
        &mut self,
        context: &Context,
        upload: UploadListing,
        now: u8,
    ) -> Option<Claim> {
        self.asked += 1;
        if let Doing::Settles(settle) = &mut self.doing {
            settle.settling.saw_upload(upload);
            return self.go_on(context);
        }
        match upload {
            UploadListing::Listed if !self.must_wait(context, now) => {
                self.doing = Doing::Ready;
                None
            }
            UploadListing::Gone => {
                let finish = context.setup.finish;
                self.settle(
                    Doubt {
                        finish,
                        answered: None,
                    },
                    false,
                    0,
                );
                None
            }
            UploadListing::Listed | UploadListing::Unsaid => Some(self.unknown(context, true)),
        }
    }

    /// A rerun keeps from sending a finish that may still run.
    pub fn must_wait(&self, context: &Context, now: u8) -> bool {
        let Doing::AsksForUpload(since) = self.doing else {
            return false;
        };
        let Setup {
            policy,
            at_least_once,
            dated,
            ..
        } = *context.setup;
        let bounds = context.bounds;
        let at = dated.then(|| bounds.seconds(self.sent));
        let lasts = longest_run(bounds.response_timeout());
        let date = Some(bounds.seconds(now));
        let left = may_still_run(at, lasts, date, bounds.lasting(now - since));
        policy && !at_least_once && !context.rules.rerun_finishes_at_once && !left.is_zero()
    }

    pub fn wakes(&mut self) {
        if let Doing::Pauses(mut settle) = self.doing {
            settle.settling.ask_again();
            self.doing = Doing::Settles(settle);
        }
    }

    /// The host gives up while questions are open: what is known is told.
    pub fn gives_up(&mut self, context: &Context) -> Claim {
        match self.doing {
            Doing::Checks(claim) => self.claim(claim),
            _ => self.unknown(context, context.setup.finish),
        }
    }

    /// A finish through the same handle, after one that left the upload.
    pub fn finishes_again(&mut self) {
        *self = Self {
            order: 1,
            tries: 0,
            asked: 0,
            doing: Doing::Ready,
            ..*self
        };
    }

    /// A new process, with the checkpoint.
    pub fn runs_again(&mut self, setup: &Setup, now: u8) {
        *self = Self {
            tries: 0,
            lost_before: true,
            dated: setup.dated,
            asked: 0,
            doing: Doing::AsksForUpload(now),
            ..*self
        };
    }

    fn go_on(&mut self, context: &Context) -> Option<Claim> {
        let Doing::Settles(mut settle) = self.doing else {
            unreachable!()
        };
        let outcome = match settle.next(context.bounds) {
            Step::Pause => {
                settle.pauses += 1;
                self.doing = Doing::Pauses(settle);
                return None;
            }
            Step::End(outcome) => outcome,
            _ => return None,
        };
        if outcome == Outcome::NotRun && settle.transient && self.tries < context.bounds.tries {
            self.doing = Doing::Ready;
            return None;
        }
        let told = match outcome {
            Outcome::Unknown(Why::NotThere)
                if context.rules.absence_after_a_lost_answer_is_proof =>
            {
                Outcome::NotRun
            }
            outcome => outcome,
        };
        let upload_named = context.setup.finish && settle.settling.upload_may_exist(outcome);
        Some(self.claim(Claim::of(told, context.setup.policy, upload_named)))
    }

    fn unknown(&mut self, context: &Context, upload_named: bool) -> Claim {
        let unknown = Outcome::Unknown(Why::NoAnswer);
        self.claim(Claim::of(unknown, context.setup.policy, upload_named))
    }

    /// The end of an order. What nobody needs any more is forgotten, so that states become equal.
    fn claim(&mut self, claim: Claim) -> Claim {
        let lost_before = claim.upload_named && claim.object == ObjectState::Unknown;
        *self = Self {
            order: self.order,
            lost_before,
            begun: if lost_before { self.begun } else { 0 },
            dated: self.dated,
            doing: Doing::Over,
            ..Self::START
        };
        claim
    }
}

impl Settle {
    fn next(&self, bounds: &Bounds) -> Step {
        self.settling.next(self.pauses < bounds.pauses)
    }
}
