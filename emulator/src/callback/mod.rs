//! The upload callback: a real request to the user's service, after the object is stored.

mod request;
mod tls;

use std::time::Duration;

use bytes::Bytes;

use crate::answer::Answer;
use crate::broken::{Assumption, Broken};
use crate::faults;
use crate::journal::Journal;
use crate::log;
use crate::policy::Policy;
use crate::refusal::Refusal;
use crate::rules::{Book, Fault, Fired, Place, Traits};
use crate::state::CallbackSent;
use crate::target::Call;
use request::Reply;

pub(crate) struct Caller {
    timeout: Duration,
    tls: tls::Connector,
}

/// What affects a callback (rules, broken assumptions), and where it is recorded.
#[derive(Clone, Copy)]
pub(crate) struct Around<'a> {
    pub rules: &'a Book,
    pub broken: &'a Broken,
    pub journal: &'a Journal,
    pub log: bool,
}

impl Caller {
    pub fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            tls: tls::connector(),
        }
    }

    /// Sends the callback. What the service answered is the answer to the upload.
    pub async fn call(
        &self,
        around: Around<'_>,
        request: u64,
        key: &str,
        policy: &Policy,
    ) -> Result<Answer, Refusal> {
        let traits = Traits {
            call: Call::Callback,
            part: None,
            key,
            policy: true,
        };
        let fired = around.rules.pick(&traits);
        if let Some(answer) = strike(fired.as_deref(), Place::BeforeBody, policy).await? {
            return Ok(answer);
        }
        let rule = fired.as_ref().map(|fired| fired.id);
        let answer = self.send(around, request, key, policy, rule).await;
        let instead = strike(fired.as_deref(), Place::AfterExecuting, policy).await?;
        instead.map_or(answer, Ok)
    }

    async fn send(
        &self,
        around: Around<'_>,
        request: u64,
        key: &str,
        policy: &Policy,
        rule: Option<u64>,
    ) -> Result<Answer, Refusal> {
        let mut outgoing = Outgoing::of(policy);
        if around.broken.has(Assumption::A7) {
            outgoing.sort_query();
        }
        let written_down = CallbackSent {
            rule,
            ..outgoing.written_down(request, key)
        };
        let sequence = around.journal.callback_sent(written_down);
        let deadline = tokio::time::Instant::now() + self.timeout;
        let sent = request::send(&outgoing, &self.tls, deadline).await;
        let judged = match &sent {
            Ok(reply) => judge(reply),
            Err(why) => Err(Refusal::callback_unreachable(&policy.shown_url, why)),
        };
        around.journal.callback_ended(sequence, |callback| {
            if let Ok(reply) = &sent {
                callback.status = Some(reply.status);
                callback.reply = Some(String::from_utf8_lossy(&reply.body).into_owned());
            }
            callback.error = judged.as_ref().err().map(|refusal| refusal.err_msg.clone());
            if around.log {
                log::callback(callback);
            }
        });
        judged
    }
}

/// Applies a rule to a callback at this place: another outcome, or a delay.
async fn strike(
    fired: Option<&Fired>,
    place: Place,
    policy: &Policy,
) -> Result<Option<Answer>, Refusal> {
    let Some(fired) = fired.filter(|fired| fired.rule.at == place) else {
        return Ok(None);
    };
    let lost = |why: String| Err(Refusal::callback_unreachable(&policy.shown_url, why));
    match &fired.rule.fault {
        Fault::Answer(shape) => return Ok(Some(shape.apply(Answer::empty(200)).await)),
        Fault::Stall(stall) => drop(faults::wait(fired, *stall, None).await),
        Fault::Reset => return lost(request::reset(&route(policy))),
        Fault::Close | Fault::Drop => return lost("EOF".into()),
        Fault::Alter(_) | Fault::Gateway(_) => {}
    }
    Ok(None)
}

/// The ends of the connection that a rule resets, as a message shows them.
fn route(policy: &Policy) -> String {
    let port = policy.url.port_or_known_default().unwrap_or(80);
    let host = policy.url.host_str().unwrap_or_default();
    format!("127.0.0.1:0->{host}:{port}")
}

/// A callback as it goes out.
struct Outgoing {
    url: url::Url,
    content_type: Option<String>,
    body: Bytes,
}

impl Outgoing {
    /// Both forms of the page: the body in its type, or the body as the query of the URL.
    fn of(policy: &Policy) -> Self {
        let mut url = policy.url.clone();
        url.set_fragment(None);
        if let Some(body_type) = &policy.body_type {
            return Self {
                url,
                content_type: Some(body_type.clone()),
                body: policy.body.clone().into(),
            };
        }
        let query = match url.query() {
            Some(query) if !query.is_empty() && !policy.body.is_empty() => {
                format!("{query}&{}", policy.body)
            }
            Some(query) if !query.is_empty() => query.into(),
            _ => policy.body.clone(),
        };
        // Encodes only characters that a URL must not contain, such as blanks and Chinese.
        url.set_query(Some(query.as_str()).filter(|query| !query.is_empty()));
        Self {
            url,
            content_type: None,
            body: Bytes::new(),
        }
    }

    /// Like a server that parses the query and writes it again.
    fn sort_query(&mut self) {
        let query = self.url.query().unwrap_or_default();
        let mut pairs: Vec<&str> = query.split('&').collect();
        pairs.sort_unstable();
        let sorted = pairs.join("&");
        self.url
            .set_query(Some(sorted.as_str()).filter(|query| !query.is_empty()));
    }

    fn written_down(&self, request: u64, key: &str) -> CallbackSent {
        let mut bare = self.url.clone();
        bare.set_query(None);
        CallbackSent {
            sequence: 0,
            request,
            key: key.into(),
            method: "POST".into(),
            url: bare.into(),
            query: self.url.query().unwrap_or_default().into(),
            content_type: self.content_type.clone().unwrap_or_default(),
            body: String::from_utf8_lossy(&self.body).into_owned(),
            status: None,
            reply: None,
            error: None,
            rule: None,
            sent_ms: 0,
            took_ms: None,
        }
    }
}

/// The service must answer with JSON and the JSON content type. Its status is passed on unless it is a
/// success.
fn judge(reply: &Reply) -> Result<Answer, Refusal> {
    let essence = reply
        .content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Refusal::callback_not_json(format!(
            "expect json, but received {}",
            reply.content_type
        )));
    }
    if serde_json::from_slice::<serde_json::Value>(&reply.body).is_err() {
        return Err(Refusal::callback_not_json(
            "expect json, but the response body is not a strict json string",
        ));
    }
    let status = if (200..300).contains(&reply.status) {
        200
    } else {
        reply.status
    };
    Ok(Answer::empty(status)
        .with("Content-Type", &reply.content_type)
        .with_body(reply.body.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing(url: &str, body: &str, body_type: Option<&str>) -> Outgoing {
        Outgoing::of(&Policy {
            url: url.parse().unwrap(),
            shown_url: url.into(),
            body: body.into(),
            body_type: body_type.map(String::from),
            advice: None,
        })
    }

    #[test]
    fn without_a_type_the_body_is_the_query() {
        for (url, body, whole) in [
            ("http://h/p", "a=1&b=2", "http://h/p?a=1&b=2"),
            ("http://h/p?x=y", "a=1", "http://h/p?x=y&a=1"),
            ("http://h/p?x=y", "", "http://h/p?x=y"),
            ("http://h/p", "", "http://h/p"),
            ("http://h/p", "a=中 b", "http://h/p?a=%E4%B8%AD%20b"),
        ] {
            let outgoing = outgoing(url, body, None);
            assert_eq!(outgoing.url.as_str(), whole);
            assert!(outgoing.body.is_empty());
        }
    }

    #[test]
    fn with_a_type_the_body_is_the_body() {
        let outgoing = outgoing("http://h/p?x=y", "{}", Some("application/json"));
        assert_eq!(outgoing.url.as_str(), "http://h/p?x=y");
        assert_eq!(outgoing.body, "{}");
        assert_eq!(outgoing.content_type.as_deref(), Some("application/json"));
    }
}
