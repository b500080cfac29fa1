//! One request, from its head to its answer.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::Response;

use crate::answer::Answer;
use crate::app::App;
use crate::calls::{self, Exchange};
use crate::faults::Hook;
use crate::intake::Intake;
use crate::net::{Conn, End, raw};
use crate::refusal::Refusal;
use crate::rules::{Place, Shape, Then};
use crate::target::{Call, Target};

/// Why a request goes no further.
pub(crate) enum Stop {
    Refused(Refusal),
    /// A rule has another answer for it.
    Replaced,
    /// The client left, or a rule ended the connection.
    Gone,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Refused(error.into())
    }
}

/// Serves a request in a task of its own: like a service, it goes on when the client has left.
pub(crate) async fn handle(
    State(app): State<Arc<App>>,
    Extension(conn): Extension<Arc<Conn>>,
    request: Request,
) -> Response<Body> {
    match tokio::spawn(serve(app, conn, request)).await {
        Ok(response) => response,
        Err(error) => Answer::from(Refusal::internal(error)).into_response(),
    }
}

async fn serve(app: Arc<App>, conn: Arc<Conn>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let target = Target::read(&head);
    let mut visit = app.journal.begin(&conn, &head, &target, app.options.log);
    let hook = Hook::new(conn.clone(), app.rules.pick(&visit.traits()));
    visit.met(hook.rule_id());
    let intake = Intake::new(body, &head.headers, visit.received.clone(), hook.clone());
    let mut exchange = Exchange {
        app,
        head,
        target,
        intake,
        sequence: visit.seen.sequence,
    };
    let (answer, shape) = match attempt(&mut exchange, &hook).await {
        Ok(answer) => (answer, hook.alteration()),
        Err(Stop::Replaced) => (Answer::empty(200), hook.replacement()),
        Err(Stop::Refused(_) | Stop::Gone) => {
            conn.end(End::Drop);
            return Response::default();
        }
    };
    let answer = answer.with("X-SessionId", &visit.seen.session_id);
    let Some(shape) = shape else {
        visit.answered(&answer);
        return answer.into_response();
    };
    let answer = shape.apply(answer).await;
    visit.answered(&answer);
    by_hand(&conn, shape, answer, &mut exchange).await;
    Response::default()
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
