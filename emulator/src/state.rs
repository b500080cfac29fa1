//! The state of an emulator as plain values. Tests read them directly, other programs as the JSON of `GET
//! /state`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::rules::RuleState;
use crate::target::Call;

/// Everything at one moment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// The stored objects, by key.
    pub objects: Vec<ObjectState>,
    /// Multipart uploads that are neither finished nor aborted.
    pub uploads: Vec<UploadState>,
    /// The requests so far, in the order in which they arrived. The oldest are forgotten after
    /// a hundred thousand. Long texts are cut, and the oldest have lost theirs when those of all together
    /// are more than 64 MiB.
    pub requests: Vec<RequestSeen>,
    /// The callbacks so far, in the order in which they were sent.
    pub callbacks: Vec<CallbackSent>,
    /// How many of the oldest requests and callbacks have lost their texts: headers and query, or URL, body and reply.
    #[serde(default)]
    pub texts_dropped: u64,
    /// The rules in force, and how often they struck.
    #[serde(default)]
    pub rules: Vec<RuleState>,
    /// Requests being served now, detached ones included.
    pub in_flight: u64,
    /// Requests that go on without their connection now.
    #[serde(default)]
    pub detached: u64,
    /// UploadPart requests being served now.
    pub parts_in_flight: u64,
    /// The largest number of UploadPart requests that were served at the same time.
    pub max_parts_in_flight: u64,
    /// Connections ever accepted by the upload listener.
    pub connections_accepted: u64,
    /// Connections open now.
    pub connections_open: u64,
    /// The largest number of connections that were open at the same time.
    pub max_connections_open: u64,
}

/// A stored object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectState {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    /// As given on PutFile or initiate.
    pub content_type: String,
    /// STANDARD, IA or ARCHIVE.
    pub storage_class: String,
    /// The `X-Ufile-Meta-` headers, names lower-cased and without the prefix.
    pub metadata: BTreeMap<String, String>,
    /// Content-Disposition, Cache-Control and Content-Encoding, those that came.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Seconds since 1970.
    pub last_modified: u64,
}

/// A pending multipart upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadState {
    /// Its id.
    pub upload_id: String,
    /// The key it was begun for.
    pub key: String,
    /// The parts so far, by number.
    pub parts: Vec<PartState>,
}

/// A part that was uploaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartState {
    /// Its number, from 0.
    pub number: u32,
    /// Its size in bytes.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
}

/// A request that came to the upload listener.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RequestSeen {
    /// Counts from 1, in the order in which the heads arrived.
    pub sequence: u64,
    /// Which connection it came on, from 1.
    pub connection: u64,
    /// Which call it is.
    pub call: Call,
    /// Its method.
    pub method: String,
    /// The decoded key.
    pub key: String,
    /// As it came, without the question mark.
    pub query: String,
    /// The part's number, when it is an UploadPart.
    pub part: Option<u32>,
    /// The headers as they came, names lower-cased, without Authorization.
    pub headers: Vec<(String, String)>,
    /// Whether its Authorization carries a policy.
    pub has_policy: bool,
    /// How many bytes of its body were read.
    pub body_received: u64,
    /// The status it was answered with; none while it is served, or when it never got an answer.
    pub status: Option<u16>,
    /// The RetCode it was refused with.
    pub ret_code: Option<i64>,
    /// The status that nobody read of a detached request; none until it has run, and for every other request.
    #[serde(default)]
    pub detached_status: Option<u16>,
    /// The `X-SessionId` of the answer.
    pub session_id: String,
    /// The rule that it met.
    pub rule: Option<u64>,
    /// When its head arrived, in milliseconds since the emulator started.
    pub started_ms: u64,
    /// How long it took; none while it is served.
    pub took_ms: Option<u64>,
}

/// A callback that was sent, or tried.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallbackSent {
    /// Counts from 1.
    pub sequence: u64,
    /// The sequence of the request that asked for it.
    pub request: u64,
    /// The key of the object it is about.
    pub key: String,
    /// Always POST.
    pub method: String,
    /// Where it went, without the query.
    pub url: String,
    /// The query, without the question mark.
    pub query: String,
    /// The type of the body; empty when the policy gave none.
    pub content_type: String,
    /// The body.
    pub body: String,
    /// What the callback service answered; none while it is awaited, or when it did not.
    pub status: Option<u16>,
    /// The body of the answer.
    pub reply: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
    /// The rule that it met.
    pub rule: Option<u64>,
    /// When it was sent, in milliseconds since the emulator started.
    pub sent_ms: u64,
    /// How long it took; none while its answer is awaited.
    pub took_ms: Option<u64>,
}
