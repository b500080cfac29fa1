//! The control listener: the state, the rules, and a way back to the beginning, as JSON.

use std::sync::Arc;

use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::{Value, json};

use crate::app::App;
use crate::rules::{Rule, RuleState};
use crate::state::State;

type Reply = (StatusCode, Json<Value>);

pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/state", get(state))
        .route("/reset", post(reset))
        .route("/rules", get(rules).post(add_rules).delete(clear_rules))
        .route("/rules/{id}", delete(remove_rule))
        .route("/rules/{id}/release", post(release_rule))
        .route("/release", post(release_all))
        .with_state(app)
}

async fn state(Shared(app): Shared<Arc<App>>) -> Json<State> {
    Json(app.state())
}

async fn reset(Shared(app): Shared<Arc<App>>) -> Json<Value> {
    // It waits for requests that may need this thread.
    let _ = tokio::task::spawn_blocking(move || app.reset()).await;
    Json(json!({}))
}

async fn rules(Shared(app): Shared<Arc<App>>) -> Json<Vec<RuleState>> {
    Json(app.rules.state())
}

/// One rule or a list of them; all are put in force or, when one is wrong, none.
async fn add_rules(Shared(app): Shared<Arc<App>>, body: Bytes) -> Reply {
    let add = |rules: Vec<Rule>| rules.into_iter().map(|rule| app.rules.add(rule)).collect();
    let ids: Result<Vec<u64>, String> = parse(&body).and_then(add);
    match ids {
        Ok(ids) => (StatusCode::OK, Json(json!({ "ids": ids }))),
        Err(why) => (StatusCode::BAD_REQUEST, Json(json!({ "error": why }))),
    }
}

fn parse(body: &[u8]) -> Result<Vec<Rule>, String> {
    let given = serde_json::from_slice(body).map_err(|error| format!("not JSON: {error}"))?;
    let values = match given {
        Value::Array(values) => values,
        value => vec![value],
    };
    let rules: Result<Vec<Rule>, _> = values.into_iter().map(serde_json::from_value).collect();
    let rules = rules.map_err(|error| format!("not a rule: {error}"))?;
    rules.iter().try_for_each(Rule::check)?;
    Ok(rules)
}

async fn clear_rules(Shared(app): Shared<Arc<App>>) -> Json<Value> {
    app.rules.clear();
    Json(json!({}))
}

async fn remove_rule(Shared(app): Shared<Arc<App>>, Path(id): Path<u64>) -> Reply {
    found(app.rules.remove(id))
}

async fn release_rule(Shared(app): Shared<Arc<App>>, Path(id): Path<u64>) -> Reply {
    found(app.rules.release(Some(id)))
}

async fn release_all(Shared(app): Shared<Arc<App>>) -> Json<Value> {
    app.rules.release(None);
    Json(json!({}))
}

fn found(found: bool) -> Reply {
    if found {
        return (StatusCode::OK, Json(json!({})));
    }
    (
        StatusCode::NOT_FOUND,
        Json(json!({ "error": "no such rule" })),
    )
}
