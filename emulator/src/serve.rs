//! Serves one request, from its head to its answer.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::Response;
use axum::http::request::Parts;
use tokio::sync::oneshot;

use crate::answer::Answer;
use crate::app::App;
use crate::calls::{self, Exchange};
use crate::clock::Clock;
use crate::faults::Hook;
use crate::intake::Intake;
use crate::journal::Visit;
use crate::net::{Conn, End, raw};
use crate::refusal::Refusal;
use crate::rules::{Fault, Place, Shape, Then};
use crate::stop::Stop;
use crate::target::{Call, Target};

/// An answer in the place of the emulator's own.
struct Instead {
    shape: Shape,
    /// Whether the service made it; else a gateway did, which knows no session.
    of_service: bool,
}

/// Serves a request in a task of its own: like a service, it goes on when the client has left.
pub(crate) async fn handle(
    State(app): State<Arc<App>>,
    Extension(conn): Extension<Arc<Conn>>,
    request: Request,
) -> Response<Body> {
    let (reply, response) = oneshot::channel();
    tokio::spawn(serve(app, conn, request, reply));
    response
        .await
        .unwrap_or_else(|_| Answer::from(Refusal::internal("the request was lost")).into_response())
}

async fn serve(
    app: Arc<App>,
    conn: Arc<Conn>,
    request: Request,
    reply: oneshot::Sender<Response<Body>>,
) {
    let (mut head, body) = request.into_parts();
    // A handle of the connection is among them, and would keep the socket open.
    head.extensions.clear();
    let target = Target::read(&head);
    let mut visit = app.journal.begin(&conn, &head, &target, app.options.log);
    // Before a rule is picked: a rule of before a reset belongs to a request of before the reset.
    let resets = app.detached.resets();
    let hook = Hook::new(&conn, app.rules.pick(&visit.traits()));
    visit.met(hook.rule_id());
    let instead = instead(&hook, &head);
    let intake = Intake::new(body, &head.headers, visit.received.clone(), hook.clone());
    let mut exchange = Exchange {
        app: app.clone(),
        head,
        target,
        intake,
        sequence: visit.seen.sequence,
    };
    let mut attempt = Box::pin(attempt(&mut exchange, &hook));
    let outcome = tokio::select! {
        outcome = &mut attempt => outcome,
        () = hook.parting() => {
            part(conn, &hook, instead, &mut visit, app.store.clock).await;
            let _ = reply.send(Response::default());
            if let Some(permit) = app.detached.enter(resets) {
                let outcome = permit.run(hook.pause(), &hook, attempt).await;
                visit.executed_detached(outcome.and_then(Result::ok).as_ref());
                // Before the permit: when no permit is left, nothing of the request is.
                drop((exchange, visit));
            }
            return;
        }
    };
    drop(attempt);
    let answer = finish(&conn, &hook, instead, &mut visit, &mut exchange, outcome).await;
    drop((exchange, visit));
    let _ = reply.send(answer);
}

/// The answer that a rule has for the request, if it has one.
fn instead(hook: &Hook, head: &Parts) -> Option<Instead> {
    match hook.fault()? {
        Fault::Answer(shape) => Some(Instead {
            shape: Shape::clone(shape),
            of_service: true,
        }),
        Fault::Gateway(gateway) => Some(Instead {
            shape: gateway.shape(head),
            of_service: false,
        }),
        _ => None,
    }
}

/// From the outcome to what HTTP answers.
async fn finish(
    conn: &Arc<Conn>,
    hook: &Hook,
    instead: Option<Instead>,
    visit: &mut Visit,
    exchange: &mut Exchange,
    outcome: Result<Answer, Stop>,
) -> Response<Body> {
    let (answer, shape) = match (outcome, &instead) {
        (Ok(answer), _) => (
            signed(answer, visit, exchange.app.store.clock),
            hook.alteration(),
        ),
        (Err(Stop::Replaced), Some(instead)) => (
            blank(instead, visit, exchange.app.store.clock),
            Some(&instead.shape),
        ),
        (Err(_), _) => {
            conn.end(End::Drop);
            return Response::default();
        }
    };
    let Some(shape) = shape else {
        visit.answered(&answer);
        return answer.into_response();
    };
    let answer = shape.apply(answer).await;
    visit.answered(&answer);
    by_hand(conn, shape, answer, exchange).await;
    Response::default()
}

/// What the service puts on each of its answers.
fn signed(answer: Answer, visit: &Visit, clock: Clock) -> Answer {
    answer
        .with("Date", clock.date())
        .with("X-SessionId", &visit.seen.session_id)
}

/// What another answer begins as.
fn blank(instead: &Instead, visit: &Visit, clock: Clock) -> Answer {
    let answer = Answer::empty(200);
    if instead.of_service {
        signed(answer, visit, clock)
    } else {
        answer.with("Date", Clock::default().date())
    }
}

/// From the head to the answer, past the places where a fault may be.
async fn attempt(exchange: &mut Exchange, hook: &Hook) -> Result<Answer, Stop> {
    hook.reach(Place::BeforeBody).await?;
    let answer = match calls::dispatch(exchange).await {
        Err(Stop::Refused(refusal)) => refuse(refusal, exchange).await?,
        outcome => outcome?,
    };
    hook.reach(Place::AfterExecuting).await?;
    Ok(answer)
}

async fn refuse(refusal: Refusal, exchange: &mut Exchange) -> Result<Answer, Stop> {
    exchange.intake.drain().await?;
    let mut answer = Answer::from(refusal);
    if exchange.target.call == Call::Head {
        answer.body = Body::empty();
        answer.headers.clear();
    }
    Ok(answer)
}

/// The connection of a request that goes on without it meets the fault. The whole body was read.
async fn part(
    conn: Arc<Conn>,
    hook: &Hook,
    instead: Option<Instead>,
    visit: &mut Visit,
    clock: Clock,
) {
    let Some(instead) = instead else {
        conn.end(match hook.fault() {
            Some(Fault::Close) => End::Close,
            Some(Fault::Drop) => End::Drop,
            _ => End::Reset,
        });
        return;
    };
    let shape = &instead.shape;
    let answer = shape.apply(blank(&instead, visit, clock)).await;
    visit.answered(&answer);
    if let Then::NextRequest(end) = shape.then {
        conn.doom(end);
    }
    let has_body = visit.seen.call != Call::Head;
    match raw::answer(&conn, shape, answer, has_body).await {
        Ok(()) => drop(raw::conclude(&conn, shape.then)),
        Err(_) => conn.end(End::Drop),
    }
}

/// Writes a faulty answer; what HTTP would answer goes nowhere.
async fn by_hand(conn: &Arc<Conn>, shape: &Shape, answer: Answer, exchange: &mut Exchange) {
    if let Then::NextRequest(end) = shape.then {
        // Beforehand, for the next request may come as soon as the answer is out.
        let _ = exchange.intake.drain().await;
        conn.doom(end);
    }
    let has_body = exchange.target.call != Call::Head;
    if raw::answer(conn, shape, answer, has_body).await.is_err() {
        return conn.end(End::Drop);
    }
    if raw::conclude(conn, shape.then) {
        let _ = exchange.intake.drain().await;
    }
}
