//! The calls of the protocol. This file has the checks that all calls share, and the end of an upload.

mod about;
mod multipart;
mod object;
mod put;
mod uploads;

use std::sync::Arc;

use axum::http::request::Parts;

use crate::answer::Answer;
use crate::app::App;
use crate::auth;
use crate::broken::Assumption;
use crate::intake::Intake;
use crate::policy::{self, Policy};
use crate::refusal::Refusal;
use crate::stop::Stop;
use crate::store::{Received, Sink};
use crate::target::{Call, Target};

/// A request that is being served.
pub(crate) struct Exchange {
    pub app: Arc<App>,
    pub head: Parts,
    pub target: Target,
    pub intake: Intake,
    /// Its number in the journal.
    pub sequence: u64,
}

pub(crate) async fn dispatch(exchange: &mut Exchange) -> Result<Answer, Stop> {
    let (app, call) = (&exchange.app, exchange.target.call);
    app.pressure.admit()?;
    let encoded = auth::check(&app.options, &exchange.head, &exchange.target)?;
    app.token.check(call)?;
    let policy = read_policy(call, encoded, app.broken.has(Assumption::A10))?;
    let advice = policy.as_ref().and_then(|policy| policy.advice.clone());
    if !call.has_body() {
        exchange.intake.drain().await?;
    }
    let outcome = match call {
        Call::Put => put::put(exchange, policy).await,
        Call::Initiate => multipart::initiate(exchange).await,
        Call::Part => multipart::part(exchange).await,
        Call::Finish => multipart::finish(exchange, policy).await,
        Call::Abort => multipart::abort(exchange).await,
        Call::List => multipart::list(exchange).await,
        Call::ListUploads => uploads::list(exchange).await,
        Call::Head => object::head(exchange).await,
        Call::Get => object::get(exchange).await,
        Call::Delete => object::delete(exchange).await,
        _ => Err(Refusal::unknown_call().into()),
    };
    advised(outcome, advice)
}

/// The log shows this advice, unless there is a more precise one.
fn advised(outcome: Result<Answer, Stop>, advice: Option<String>) -> Result<Answer, Stop> {
    match outcome {
        Ok(mut answer) => {
            answer.note = answer.note.or(advice);
            Ok(answer)
        }
        Err(Stop::Refused(mut refusal)) => {
            refusal.note = refusal.note.or(advice);
            Err(Stop::Refused(refusal))
        }
        stopped => stopped,
    }
}

fn read_policy(
    call: Call,
    encoded: Option<String>,
    strict: bool,
) -> Result<Option<Policy>, Refusal> {
    let Some(encoded) = encoded else {
        return Ok(None);
    };
    if !call.takes_policy() {
        return Err(Refusal::invalid_put_policy(format!(
            "the call {call} takes no policy"
        )));
    }
    policy::read(&encoded, strict)
        .map(Some)
        .map_err(Refusal::invalid_put_policy)
}

/// Receives the body into a file.
async fn receive(exchange: &mut Exchange) -> Result<Received, Stop> {
    let with_md5 = exchange.head.headers.contains_key("content-md5");
    let mut sink: Sink = exchange.app.store.sink(with_md5)?;
    while let Some(bytes) = exchange.intake.chunk().await? {
        sink = sink.write(bytes).await?;
    }
    sink.finish().await
}

/// Compares the body with the Content-MD5 when there is one.
fn check_md5(exchange: &Exchange, received: &Received) -> Result<(), Refusal> {
    let expected = exchange.head.headers.get("content-md5");
    match (expected, &received.md5) {
        (Some(expected), Some(md5)) if expected.as_bytes() != md5.as_bytes() => {
            let note = format!("Content-MD5 is {expected:?}, the body's is {md5:?}");
            Err(Refusal::check_md5_failed().with_note(note))
        }
        _ => Ok(()),
    }
}

/// What an upload answers: `plain`, or with a policy what the callback service answered.
async fn conclude(
    app: &App,
    request: u64,
    key: &str,
    policy: Option<Policy>,
    etag: &str,
    plain: Answer,
) -> Result<Answer, Stop> {
    let Some(policy) = policy else {
        return Ok(plain.with_etag(etag));
    };
    let answered = app
        .caller
        .call(app.around_callback(), request, key, &policy)
        .await;
    let removes = match &answered {
        Ok(answer) => answer.status != 200 && app.broken.has(Assumption::A3),
        Err(_) => app.broken.has(Assumption::A6),
    };
    if removes {
        app.store.delete(key)?;
    }
    let answer = answered?;
    let has_etag = answer.status == 200 && !app.broken.has(Assumption::A9);
    Ok(if has_etag {
        answer.with_etag(etag)
    } else {
        answer
    })
}
