//! States and actions: library, world and host, one step at a time.

use stateright::{Model, Property};
use us3::protocol::settle::{Step, UploadListing};
use us3::protocol::verdict::{Answer, End, Form};

use crate::library::{Context, Doing};
use crate::rules::Rules;
use crate::state::{Bounds, State};
use crate::world::{
    self, Assumptions, CUTS, Callback, Content, EARLY_ENDS, EMPTY_200, Object, Refusal, Request,
    Rights, Setup, Stage,
};

pub struct Us3 {
    pub bounds: Bounds,
    pub rules: Rules,
    pub assumptions: Assumptions,
    pub setups: Vec<Setup>,
    pub properties: Vec<Property<Us3>>,
}

/// Requests are told by their place in `State::requests`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    LibrarySends,
    LibraryAsksAgain,
    LibraryGivesUpWaiting,
    RequestEndsEarly(End),
    RequestArrives,
    GatewayAnswersOrCuts(End),
    GatewayDrops(usize),
    ServiceRefuses(usize, Refusal),
    ServiceDoesNotKnowTheUpload(usize),
    ServiceAssembles(usize),
    ServiceStores(usize),
    CallbackServiceIsTold(usize, Callback),
    CallbackServiceIsToldAndDeletes(usize, Callback),
    AnswerArrives,
    AnswerBreaksOff,
    HeadIsAnswered,
    HeadIsAnsweredByAGateway(u16),
    TheSameByGetIsAnswered,
    TheSameByGetIsNotAnswered,
    ListPartsIsAnswered,
    ListPartsIsNotAnswered,
    HostCancels,
    HostFinishesAgain,
    HostIsKilled,
    HostIsKilledBeforeTheBodyIsThrough,
    HostRunsAgain,
    TokenExpires,
    SomebodyStoresAnotherObject,
    ClockTicks,
}

impl Us3 {
    fn context<'a>(&'a self, setup: &'a Setup) -> Context<'a> {
        Context {
            setup,
            rules: &self.rules,
            bounds: &self.bounds,
        }
    }

    /// What the library, and the host that holds it, may do.
    fn actions_of_the_library(&self, state: &State, actions: &mut Vec<Action>) {
        let library = &state.library;
        match library.doing {
            Doing::Ready => actions.push(Action::LibrarySends),
            Doing::Pauses(_) => actions.push(Action::LibraryAsksAgain),
            Doing::Killed => actions.push(Action::HostRunsAgain),
            Doing::Over => {
                let named = state.claims[0].is_some_and(|claim| claim.upload_named);
                if named && library.order == 0 && state.kills == 0 && self.bounds.orders > 1 {
                    actions.push(Action::HostFinishesAgain);
                }
            }
            _ => {}
        }
        match library.question(&self.bounds) {
            Some(Step::AskObject) => actions.extend([
                Action::HeadIsAnswered,
                Action::HeadIsAnsweredByAGateway(200),
                Action::HeadIsAnsweredByAGateway(404),
                Action::HeadIsAnsweredByAGateway(503),
            ]),
            Some(Step::AskLikewise) => actions.extend([
                Action::TheSameByGetIsAnswered,
                Action::TheSameByGetIsNotAnswered,
            ]),
            Some(Step::AskUpload) => {
                let context = self.context(&state.setup);
                match state.upload && library.must_wait(&context, state.now) {
                    true => actions.push(Action::LibraryGivesUpWaiting),
                    false => actions.push(Action::ListPartsIsAnswered),
                }
                actions.push(Action::ListPartsIsNotAnswered);
            }
            _ => {}
        }
        let going_on = !matches!(library.doing, Doing::Over | Doing::Killed);
        if going_on && library.doing != Doing::Ready {
            actions.push(Action::HostCancels);
        }
        if going_on && library.tries > 0 && state.setup.finish && state.kills < self.bounds.kills {
            actions.push(Action::HostIsKilled);
            if state.requests.iter().any(|r| r.stage == Stage::OnItsWay) {
                actions.push(Action::HostIsKilledBeforeTheBodyIsThrough);
            }
        }
    }

    /// What gateway, service and callback service may do with one request.
    fn actions_of_the_world(&self, state: &State, at: usize, actions: &mut Vec<Action>) {
        let Request { stage, awaited, .. } = state.requests[at];
        if awaited && stage > Stage::OnItsWay {
            actions.extend(CUTS.map(Action::GatewayAnswersOrCuts));
            if state.setup.policy {
                actions.push(Action::GatewayAnswersOrCuts(EMPTY_200));
            }
        }
        match stage {
            Stage::OnItsWay => {
                actions.push(Action::RequestArrives);
                actions.extend(EARLY_ENDS.map(Action::RequestEndsEarly));
            }
            Stage::Through => {
                if !awaited {
                    actions.push(Action::GatewayDrops(at));
                }
                if state.setup.rights == Rights::None {
                    actions.push(Action::ServiceRefuses(at, Refusal::NoRight));
                    return;
                }
                let refusals = Refusal::all(&self.assumptions).into_iter();
                actions.extend(refusals.map(|refusal| Action::ServiceRefuses(at, refusal)));
                actions.push(match (state.setup.finish, state.upload) {
                    (false, _) => Action::ServiceStores(at),
                    (true, true) => Action::ServiceAssembles(at),
                    (true, false) => Action::ServiceDoesNotKnowTheUpload(at),
                });
            }
            Stage::Assembling => actions.push(Action::ServiceStores(at)),
            Stage::Stored => {
                for callback in Callback::all(&self.assumptions) {
                    actions.push(Action::CallbackServiceIsTold(at, callback));
                    if callback.may_delete(&self.assumptions) {
                        actions.push(Action::CallbackServiceIsToldAndDeletes(at, callback));
                    }
                }
            }
            Stage::Answered => {
                actions.extend([Action::AnswerArrives, Action::AnswerBreaksOff]);
            }
        }
    }

    /// A2: at F after its last byte, a request has run or never will.
    fn may_tick(&self, state: &State) -> bool {
        let lasts = self.bounds.longest_run();
        let in_time = |request: &Request| match request.stage {
            Stage::OnItsWay => false,
            Stage::Answered => true,
            _ => {
                state.now + 1 - request.sent < lasts || !self.assumptions.a2_a_request_runs_within_f
            }
        };
        let over = state.library.doing == Doing::Over && state.requests.is_empty();
        state.now < self.bounds.ticks && !over && state.requests.iter().all(in_time)
    }
}

impl Model for Us3 {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        self.setups.iter().copied().map(State::start).collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        self.actions_of_the_library(state, actions);
        for at in 0..state.requests.len() {
            self.actions_of_the_world(state, at, actions);
        }
        if state.strangers < self.bounds.strangers {
            actions.push(Action::SomebodyStoresAnotherObject);
        }
        if self.bounds.expiry && state.setup.rights != Rights::None {
            actions.push(Action::TokenExpires);
        }
        if self.may_tick(state) {
            actions.push(Action::ClockTicks);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        let setup = last.setup;
        let context = self.context(&setup);
        let now = state.now;
        match action {
            Action::LibrarySends => {
                state.library.sends(now);
                state.requests.push(Request {
                    order: state.library.order,
                    sent: now,
                    stage: Stage::OnItsWay,
                    awaited: true,
                    reply: None,
                });
            }
            Action::RequestArrives => {
                let at = state.awaited();
                state.requests[at].stage = Stage::Through;
            }
            Action::RequestEndsEarly(end) | Action::GatewayAnswersOrCuts(end) => {
                let through = state.let_go().stage != Stage::OnItsWay;
                let claim = state.library.ended(&context, through, end, None);
                state.claim(claim);
            }
            Action::AnswerArrives | Action::AnswerBreaksOff => {
                let reply = state.let_go().reply.expect("it is answered");
                let broken_off = Answer {
                    form: Form::Other,
                    whole: false,
                    ..reply.answer
                };
                let (answer, reply) = match action {
                    Action::AnswerArrives => (reply.answer, Some(reply)),
                    _ => (broken_off, None),
                };
                let end = End::Answered(answer);
                let claim = state.library.ended(&context, true, end, reply);
                state.claim(claim);
            }
            Action::GatewayDrops(at) => {
                state.requests.remove(at);
            }
            Action::ServiceRefuses(at, refusal) => {
                let passes = matches!(refusal, Refusal::Pressure | Refusal::Trouble);
                if passes && !self.assumptions.an_error_in_the_form_ends_the_work {
                    let at_work = state.requests[at];
                    state.requests.push(Request {
                        awaited: false,
                        ..at_work
                    });
                }
                state.refuse(at, refusal.answer());
            }
            Action::ServiceDoesNotKnowTheUpload(at) => state.refuse(at, world::upload_gone()),
            Action::ServiceAssembles(at) => state.requests[at].stage = Stage::Assembling,
            Action::ServiceStores(at) => state.store(at, &self.assumptions),
            Action::CallbackServiceIsTold(at, callback) => state.callback(at, callback),
            Action::CallbackServiceIsToldAndDeletes(at, callback) => {
                state.callback(at, callback);
                state.object.content = Content::Nothing;
            }
            Action::HeadIsAnswered => {
                let came = self.bounds.seconds(state.object.came);
                let head = world::head(&setup, state.object, came, self.bounds.seconds(now));
                let claim = state.library.saw_head(&context, head, now);
                state.claim(claim);
            }
            Action::HeadIsAnsweredByAGateway(status) => {
                let head = world::head_by_a_gateway(status, self.bounds.seconds(now));
                let claim = state.library.saw_head(&context, head, now);
                state.claim(claim);
            }
            Action::TheSameByGetIsAnswered | Action::TheSameByGetIsNotAnswered => {
                let answered = action == Action::TheSameByGetIsAnswered;
                let refused = world::refused_likewise(&setup, state.upload);
                let claim = state
                    .library
                    .saw_likewise(&context, refused.filter(|_| answered));
                state.claim(claim);
            }
            Action::ListPartsIsAnswered => {
                let upload = world::list_parts(&setup, state.upload);
                let claim = state.library.saw_upload(&context, upload, now);
                state.claim(claim);
            }
            Action::ListPartsIsNotAnswered => {
                let claim = state
                    .library
                    .saw_upload(&context, UploadListing::Unsaid, now);
                state.claim(claim);
            }
            Action::LibraryAsksAgain => state.library.wakes(),
            Action::HostCancels if state.library.doing == Doing::Waits => {
                let through = state.let_go().stage != Stage::OnItsWay;
                let claim = state.library.ended(&context, through, End::GivenUp, None);
                state.claim(claim);
            }
            Action::HostCancels | Action::LibraryGivesUpWaiting => {
                let claim = state.library.gives_up(&context);
                state.claim(Some(claim));
            }
            Action::HostFinishesAgain => state.library.finishes_again(),
            Action::HostIsKilled | Action::HostIsKilledBeforeTheBodyIsThrough => {
                if state.library.doing == Doing::Waits {
                    let at = state.awaited();
                    if action == Action::HostIsKilled {
                        state.requests[at].stage = state.requests[at].stage.max(Stage::Through);
                    }
                    state.let_go();
                }
                state.kills += 1;
                state.library.doing = Doing::Killed;
            }
            Action::HostRunsAgain => state.library.runs_again(&setup, now),
            Action::TokenExpires => state.setup.rights = Rights::None,
            Action::SomebodyStoresAnotherObject => {
                state.strangers += 1;
                state.object = Object {
                    content: Content::Other,
                    came: state.ticks(),
                    hidden: false,
                };
            }
            Action::ClockTicks => {
                state.now += 1;
                state.object.hidden = false;
            }
        }
        state.tidy();
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        self.properties.clone()
    }
}
