//! The control listener: state, rules and reset, as JSON.

mod guard;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Path, RawQuery, State as Shared};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::broken::Assumption;
use crate::rules::{Rule, RuleState};
use crate::state::State;
use crate::store::About;

type Reply = (StatusCode, Json<Value>);

pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/state", get(state))
        .route("/reset", post(reset))
        .route("/rules", get(rules).post(add_rules).delete(clear_rules))
        .route("/rules/{id}", delete(remove_rule))
        .route("/rules/{id}/release", post(release_rule))
        .route("/release", post(release_all))
        .route("/rights", post(set_rights))
        .route("/pressure", post(set_pressure))
        .route("/broken", post(set_broken))
        .route(
            "/objects",
            post(put_object).layer(DefaultBodyLimit::disable()),
        )
        .fallback(no_such_path)
        .layer(middleware::from_fn_with_state(app.clone(), guard::guard))
        .with_state(app)
}

async fn no_such_path() -> Reply {
    (
        StatusCode::NOT_FOUND,
        Json(
            json!({ "error": "no such path; there are /state, /reset, /rules, /release, /rights, /pressure, /broken, /objects" }),
        ),
    )
}

async fn state(Shared(app): Shared<Arc<App>>) -> Json<State> {
    Json(app.state())
}

async fn reset(Shared(app): Shared<Arc<App>>) -> Reply {
    // On another thread: the reset waits for requests that may need this one.
    let reset = tokio::task::spawn_blocking(move || app.reset()).await;
    match reset.map_err(std::io::Error::other).flatten() {
        Ok(()) => (StatusCode::OK, Json(json!({}))),
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            Json(json!({ "error": error.to_string() })),
        ),
    }
}

async fn rules(Shared(app): Shared<Arc<App>>) -> Json<Vec<RuleState>> {
    Json(app.rules.state())
}

/// Adds one rule or a list of rules: all of them, or none if one is wrong.
async fn add_rules(Shared(app): Shared<Arc<App>>, body: Bytes) -> Reply {
    let add = |rules: Vec<Rule>| rules.into_iter().map(|rule| app.rules.add(rule)).collect();
    let ids: Result<Vec<u64>, String> = parse(&body).and_then(add);
    match ids {
        Ok(ids) => (StatusCode::OK, Json(json!({ "ids": ids }))),
        Err(why) => refused(why),
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

/// A list of rights.
async fn set_rights(Shared(app): Shared<Arc<App>>, body: Bytes) -> Reply {
    match serde_json::from_slice(&body) {
        Ok(rights) => {
            app.token.set(rights);
            (StatusCode::OK, Json(json!({})))
        }
        Err(error) => refused(format!("not a list of rights: {error}")),
    }
}

/// The body of `POST /pressure`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPressure {
    #[serde(deserialize_with = "Option::deserialize")]
    requests_per_second: Option<u32>,
}

async fn set_pressure(Shared(app): Shared<Arc<App>>, body: Bytes) -> Reply {
    match serde_json::from_slice(&body) {
        Ok(NewPressure {
            requests_per_second,
        }) => {
            app.pressure.set(requests_per_second);
            (StatusCode::OK, Json(json!({})))
        }
        Err(error) => refused(error.to_string()),
    }
}

/// A list of assumptions.
async fn set_broken(Shared(app): Shared<Arc<App>>, body: Bytes) -> Reply {
    match serde_json::from_slice::<Vec<Assumption>>(&body) {
        Ok(assumptions) => {
            app.broken.set(&assumptions);
            (StatusCode::OK, Json(json!({})))
        }
        Err(error) => refused(format!("not a list of assumptions: {error}")),
    }
}

/// The query of `POST /objects`: the key, and how old the object shall be.
fn new_object(query: &str) -> Result<(String, Duration), String> {
    let (mut key, mut age) = (None, Duration::ZERO);
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "key" => key = Some(value.into_owned()),
            "age_ms" => {
                let ms = value.parse();
                age = Duration::from_millis(
                    ms.map_err(|_| format!("age_ms is no number: {value:?}"))?,
                );
            }
            // Looked at before.
            "token" => {}
            _ => {
                return Err(format!(
                    "unknown parameter {name:?}: there are key and age_ms"
                ));
            }
        }
    }
    let key = key.ok_or("no key: POST /objects?key=NAME&age_ms=MS")?;
    Ok((key, age))
}

/// Stores an object; its type is that of the request.
async fn put_object(
    Shared(app): Shared<Arc<App>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    let mut about = About::default();
    let content_type = headers.get(header::CONTENT_TYPE);
    if let Some(given) = content_type.and_then(|value| value.to_str().ok()) {
        about.content_type = given.into();
    }
    // Runs on this thread, like every request to the control listener.
    let stored = new_object(&query.unwrap_or_default())
        .and_then(|(key, age)| app.put_object(&key, about, &body, age));
    match stored {
        Ok(state) => (StatusCode::OK, Json(json!(state))),
        Err(why) => refused(why),
    }
}

fn refused(why: String) -> Reply {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": why })))
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
