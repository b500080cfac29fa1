//! The cases: every operation × every spot × every fault × every place × once or always.

use std::time::Duration;

use crate::run::SECURITY_TOKEN;
use crate::support::PUBLIC_KEY;
use us3_emulator::{Call, Drip, End, EtagFault, Fault, Gateway, Place, Rights, Rule, Shape, Then};

/// What the host calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    PutFile,
    MPut,
    AsyncMPut,
    AsyncUpload,
    /// Initiate, parts, finish; abort after a part that failed.
    ByHand,
    Resumable,
    /// The next run of one whose second part was refused.
    Rerun,
    /// The next run of one whose finish met the fault, with a deadline that leaves no time to wait.
    AfterLostFinish,
    Delete,
    Head,
    /// Of an upload that was begun before.
    AbortByName,
}

/// An operation, with or without a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub operation: Operation,
    pub policy: bool,
    /// Parts are of 4 MiB, so that the object's ETag can be compared.
    pub blocks: bool,
}

/// What the service is like, whatever the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    Usual,
    /// The token has these rights only.
    Rights(Rights),
    /// The service takes so many requests in a second.
    Pressure(u32),
    /// An object of an hour ago is under the key.
    Older(Older),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Older {
    SameContent,
    OtherContent,
}

/// Which request meets the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    Put,
    Initiate,
    Part(u32),
    Finish,
    /// Of the parts that an earlier run has sent.
    List,
    Delete,
    Head,
    AbortByName,
    Callback,
    /// Every connection, before anything is read.
    Connection,
    /// A request before the operation.
    Before,
    /// The abort after a part that was refused.
    Abort,
    /// What is asked after a PutFile or finish that ran and whose answer was lost.
    ListAfterLoss,
    HeadAfterLoss,
}

/// What happens to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The world alone is trouble enough.
    Nothing,
    End(End),
    /// The connection meets this after the whole body, and the request runs a little later.
    Detached(Loss),
    /// A gateway's page, which repeats the request with all of its headers.
    Gateway(u16),
    /// What the callback service answers.
    Reply(Reply),
    /// An answer repeats the credentials.
    Repeats(Repeats),
    Stall,
    /// A status that passes, in the service's words or in a gateway's.
    Busy(u16, Words),
    Refused(u16),
    /// 599 / 20003 without a callback.
    CallbackFailed,
    Redirect,
    GarbageStatusLine,
    GarbageBody,
    TruncatedBody,
    Etag(EtagFault),
    HugeHeaders,
    HugeBody,
    Continues,
    Drip,
    EndlessDrip,
    /// The connection ends when the next request comes.
    Stale(End),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    End(End),
    Gateway(u16),
}

/// Where an answer repeats the request's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeats {
    /// In the ErrMsg of the service's form.
    ErrMsg,
    /// In an ErrMsg that gives the security token alone.
    Token,
    /// In other JSON.
    Json,
    /// In a page, in the URL of a link.
    Link,
    /// In the address of a redirect.
    Location,
}

/// The answer of a callback service that was called, but for `Refused`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// RetCode and ErrMsg, as US3 itself answers.
    Form(u16),
    /// Other JSON.
    Json(u16),
    Redirect,
    /// HTML: 599 / 20008.
    Html,
    /// It closes the connection: 599 / 20003, EOF.
    HangUp,
    /// It is silent for too long.
    TimeOut,
    /// It redirects to an address that does not listen.
    FailedDialElsewhere,
    /// It does not listen.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    /// An empty answer.
    Gateway,
    /// RetCode and ErrMsg.
    Service,
    /// The same with Retry-After.
    RetryAfter,
}

#[derive(Clone, Debug)]
pub struct Case {
    pub row: Row,
    pub world: World,
    pub spot: Spot,
    pub kind: Kind,
    pub place: Place,
    /// The first such request only, or every one.
    pub once: bool,
}

/// Columns of the table.
pub const GROUPS: [&str; 18] = [
    "reset",
    "close",
    "drop",
    "stall",
    "408, 429, 5xx",
    "400, 403, 404",
    "599",
    "302",
    "garbage",
    "ETag",
    "size, pace",
    "stale",
    "detached",
    "gateway",
    "callback's answer",
    "rights",
    "503 pressure",
    "older object",
];

/// Parts of the content, the last one short.
pub const PARTS: u32 = 3;

const BUSY: [u16; 6] = [408, 429, 500, 502, 503, 504];
const REFUSED: [u16; 3] = [400, 403, 404];
const ENDS: [End; 3] = [End::Reset, End::Close, End::Drop];

/// Load balancers, a portal, and one that does not know the host.
const GATEWAYS: [u16; 6] = [502, 503, 504, 599, 200, 404];

/// How long a detached request waits before it runs.
const DETACHED: Duration = Duration::from_millis(30);

/// What an upload meets.
const WORLDS: [World; 9] = [
    World::Rights(Rights {
        read: false,
        ..Rights::ALL
    }),
    World::Rights(Rights {
        list: false,
        ..Rights::ALL
    }),
    World::Rights(Rights {
        delete: false,
        ..Rights::ALL
    }),
    World::Rights(Rights {
        write: false,
        ..Rights::ALL
    }),
    World::Rights(Rights::NONE),
    World::Pressure(4),
    World::Pressure(0),
    World::Older(Older::SameContent),
    World::Older(Older::OtherContent),
];

pub fn rows() -> Vec<Row> {
    use Operation::{
        AbortByName, AfterLostFinish, AsyncMPut, AsyncUpload, ByHand, Delete, Head, MPut, PutFile,
        Rerun, Resumable,
    };
    let row = |operation, policy| Row {
        operation,
        policy,
        blocks: false,
    };
    let mut rows = Vec::new();
    for operation in [
        PutFile,
        MPut,
        AsyncMPut,
        AsyncUpload,
        ByHand,
        Resumable,
        Rerun,
        AfterLostFinish,
    ] {
        rows.extend([row(operation, false), row(operation, true)]);
    }
    rows.extend([row(Delete, false), row(Head, false)]);
    rows.push(row(AbortByName, false));
    rows.extend([false, true].map(|policy| Row {
        blocks: true,
        ..row(AsyncMPut, policy)
    }));
    rows
}

impl Row {
    pub fn name(&self) -> String {
        let name = match self.operation {
            Operation::PutFile => "PutFile",
            Operation::MPut => "MPut",
            Operation::AsyncMPut => "AsyncMPut",
            Operation::AsyncUpload => "AsyncUpload, 2 jobs",
            Operation::ByHand => "initiate, parts, finish",
            Operation::Resumable => "resumable upload",
            Operation::Rerun => "its next run",
            Operation::AfterLostFinish => "its next run after a lost finish",
            Operation::Delete => "delete",
            Operation::Head => "head",
            Operation::AbortByName => "abort by name",
        };
        let blocks = if self.blocks { ", 4 MiB parts" } else { "" };
        let policy = if self.policy { ", policy" } else { "" };
        format!("{name}{blocks}{policy}")
    }

    pub fn is_upload(&self) -> bool {
        !matches!(
            self.operation,
            Operation::Delete | Operation::Head | Operation::AbortByName
        )
    }

    /// Of an upload that an earlier run has begun.
    pub fn is_next_run(&self) -> bool {
        matches!(
            self.operation,
            Operation::Rerun | Operation::AfterLostFinish
        )
    }

    /// Other operations run the same code, and with large parts only what HEAD says is of interest.
    fn meets(&self, world: World) -> bool {
        let rows = [
            Operation::PutFile,
            Operation::AsyncMPut,
            Operation::ByHand,
            Operation::Resumable,
        ];
        let of_interest = match world {
            World::Rights(rights) => !rights.read && rights.write,
            World::Older(older) => older == Older::SameContent,
            World::Usual | World::Pressure(_) => false,
        };
        rows.contains(&self.operation) && (!self.blocks || of_interest)
    }

    /// It has a checkpoint.
    pub fn is_resumable(&self) -> bool {
        self.is_next_run() || self.operation == Operation::Resumable
    }

    /// What is stored can be told by its ETag.
    pub fn is_comparable(&self) -> bool {
        self.blocks || self.operation == Operation::PutFile
    }

    /// The request that stores.
    fn storing(&self) -> Spot {
        match self.operation {
            Operation::PutFile => Spot::Put,
            _ => Spot::Finish,
        }
    }

    fn spots(&self) -> Vec<Spot> {
        if self.blocks {
            let mut spots = vec![Spot::Finish, Spot::ListAfterLoss, Spot::HeadAfterLoss];
            spots.extend(self.policy.then_some(Spot::Callback));
            return spots;
        }
        let mut spots = match self.operation {
            Operation::Delete => vec![Spot::Delete],
            Operation::Head => vec![Spot::Head],
            Operation::AbortByName => vec![Spot::AbortByName],
            Operation::PutFile => vec![Spot::Put, Spot::HeadAfterLoss],
            Operation::AfterLostFinish => return vec![Spot::Finish],
            Operation::Rerun => return vec![Spot::List, Spot::Part(PARTS - 1), Spot::Finish],
            _ => vec![
                Spot::Initiate,
                Spot::Part(0),
                Spot::Part(PARTS - 1),
                Spot::Finish,
                Spot::Abort,
                Spot::ListAfterLoss,
                Spot::HeadAfterLoss,
            ],
        };
        if self.operation == Operation::Resumable {
            spots.retain(|spot| *spot != Spot::Abort);
        }
        spots.extend([Spot::Connection, Spot::Before]);
        if self.policy {
            spots.push(Spot::Callback);
        }
        spots
    }
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for row in rows() {
        for spot in row.spots() {
            for (kind, place, once) in faults(row, spot) {
                cases.push(Case {
                    row,
                    world: World::Usual,
                    spot,
                    kind,
                    place,
                    once,
                });
            }
        }
    }
    // A run that cannot ask for the upload knows nothing of the finish before it.
    let unlisted: Vec<Case> = cases
        .iter()
        .filter(|case| case.row.operation == Operation::AfterLostFinish)
        .map(|case| Case {
            world: WORLDS[1],
            ..case.clone()
        })
        .collect();
    cases.extend(unlisted);
    for row in rows() {
        for world in WORLDS {
            if row.meets(world) {
                cases.extend(in_world(row, world));
            }
        }
    }
    cases
}

/// The faults that show what is known of an upload, in another world.
fn in_world(row: Row, world: World) -> Vec<Case> {
    let storing = row.storing();
    let mut strikes = vec![
        (storing, Kind::Nothing, Place::BeforeBody, false),
        (storing, Kind::End(End::Reset), Place::AfterBody, false),
        (storing, Kind::End(End::Reset), Place::AfterExecuting, true),
        (storing, Kind::End(End::Reset), Place::AfterExecuting, false),
        (
            storing,
            Kind::Etag(EtagFault::Missing),
            Place::AfterExecuting,
            false,
        ),
        (
            storing,
            Kind::Detached(Loss::End(End::Close)),
            Place::AfterBody,
            true,
        ),
        (storing, Kind::Gateway(502), Place::BeforeBody, false),
        (
            storing,
            Kind::Busy(503, Words::Service),
            Place::AfterBody,
            true,
        ),
        (
            storing,
            Kind::Busy(500, Words::Service),
            Place::AfterBody,
            false,
        ),
        (storing, Kind::Refused(403), Place::AfterBody, false),
    ];
    if storing == Spot::Finish && row.operation != Operation::Resumable {
        strikes.push((Spot::Abort, Kind::Nothing, Place::BeforeBody, false));
    }
    if row.policy {
        let replies = [
            Reply::Form(503),
            Reply::Form(403),
            Reply::Html,
            Reply::HangUp,
            Reply::Refused,
        ];
        strikes.extend(replies.map(|reply| {
            (
                Spot::Callback,
                Kind::Reply(reply),
                Place::AfterExecuting,
                false,
            )
        }));
    }
    let case = |(spot, kind, place, once)| Case {
        row,
        world,
        spot,
        kind,
        place,
        once,
    };
    strikes.into_iter().map(case).collect()
}

type Strike = (Kind, Place, bool);

fn faults(row: Row, spot: Spot) -> Vec<Strike> {
    let mut strikes = match spot {
        Spot::Before => {
            let stale = ENDS.map(|end| (Kind::Stale(end), Place::AfterExecuting, true));
            return stale.to_vec();
        }
        Spot::Connection => return broken(&[Place::BeforeBody]),
        Spot::Callback => return callback_faults(),
        _ if row.operation == Operation::AfterLostFinish => return lost_for_good(),
        _ => broken(places(spot)),
    };
    strikes.extend(answers(row, spot));
    strikes.extend(alterations());
    strikes.extend(gateways(spot));
    strikes.retain(|(kind, _, _)| !is_a_lie(spot, kind));
    if matches!(spot, Spot::Initiate | Spot::Part(0)) {
        strikes.extend(ENDS.map(|end| (Kind::Stale(end), Place::AfterExecuting, true)));
    }
    strikes
}

/// An answer that is in order and untrue: no client can see through it.
fn is_a_lie(spot: Spot, kind: &Kind) -> bool {
    match spot {
        Spot::Abort => matches!(kind, Kind::Refused(404)),
        // The upload is gone, and the run begins anew.
        Spot::List => matches!(kind, Kind::Refused(404)),
        // Its Content-Length and ETag are the object's.
        Spot::HeadAfterLoss => matches!(
            kind,
            Kind::Refused(404) | Kind::GarbageBody | Kind::HugeBody | Kind::Etag(EtagFault::Wrong)
        ),
        Spot::Head => matches!(kind, Kind::GarbageBody | Kind::HugeBody),
        _ => false,
    }
}

/// Without a body, its places are one and the same.
fn places(spot: Spot) -> &'static [Place] {
    match spot {
        Spot::Put | Spot::Part(_) | Spot::Finish => &[
            Place::BeforeBody,
            Place::Body(20),
            Place::AfterBody,
            Place::AfterExecuting,
        ],
        _ => &[Place::BeforeBody, Place::AfterExecuting],
    }
}

fn broken(places: &[Place]) -> Vec<Strike> {
    let mut strikes = Vec::new();
    for place in places {
        for once in [true, false] {
            strikes.extend(ENDS.map(|end| (Kind::End(end), *place, once)));
            strikes.push((Kind::Stall, *place, once));
        }
    }
    strikes
}

/// Pages of gateways, and requests that outlive their connection.
fn gateways(spot: Spot) -> Vec<Strike> {
    let stores = matches!(spot, Spot::Put | Spot::Finish);
    let mut places = vec![Place::BeforeBody, Place::AfterExecuting];
    if stores {
        places.push(Place::AfterBody);
    }
    let mut strikes = Vec::new();
    for repeats in [
        Repeats::ErrMsg,
        Repeats::Token,
        Repeats::Json,
        Repeats::Link,
        Repeats::Location,
    ] {
        strikes.push((Kind::Repeats(repeats), Place::BeforeBody, false));
    }
    let statuses: &[u16] = if stores { &GATEWAYS } else { &[502, 200, 404] };
    for &status in statuses {
        for place in &places {
            strikes.extend([true, false].map(|once| (Kind::Gateway(status), *place, once)));
        }
    }
    if stores {
        let losses = ENDS.map(Loss::End).into_iter();
        for loss in losses.chain(GATEWAYS.map(Loss::Gateway)) {
            let kind = Kind::Detached(loss);
            strikes.extend([true, false].map(|once| (kind.clone(), Place::AfterBody, once)));
        }
    }
    strikes
}

/// Of every try of a finish, whether it ran or not.
fn lost_for_good() -> Vec<Strike> {
    let places = [Place::AfterBody, Place::AfterExecuting];
    let ends = places.map(|place| ENDS.map(|end| (Kind::End(end), place, false)));
    let mut strikes = ends.concat();
    strikes.extend(gateways(Spot::Finish));
    // Some of those that repeat are refusals in the form: the finish did not run.
    strikes.retain(|(kind, _, once)| !once && !matches!(kind, Kind::Repeats(_)));
    strikes
}

/// Every answer that a callback service may give, after it was called.
fn replies() -> Vec<Strike> {
    let mut replies = vec![
        Reply::Json(201),
        Reply::Redirect,
        Reply::Html,
        Reply::HangUp,
        Reply::TimeOut,
        Reply::FailedDialElsewhere,
        Reply::Refused,
    ];
    for status in [400, 401, 403, 404, 408, 409, 429, 500, 502, 503, 504, 599] {
        replies.extend([Reply::Form(status), Reply::Json(status)]);
    }
    let strike = |reply| (Kind::Reply(reply), Place::AfterExecuting, false);
    replies.into_iter().map(strike).collect()
}

fn callback_faults() -> Vec<Strike> {
    let mut strikes = broken(&[Place::BeforeBody, Place::AfterExecuting]);
    strikes.retain(|(_, _, once)| !once);
    for status in BUSY {
        strikes.push((Kind::Busy(status, Words::Gateway), Place::BeforeBody, false));
    }
    strikes.push((Kind::CallbackFailed, Place::BeforeBody, false));
    strikes.extend(replies());
    strikes
}

/// All of them, but not for the last part again.
fn busy_statuses(spot: Spot) -> &'static [u16] {
    match spot {
        Spot::Part(1..) => &[429, 502],
        _ => &BUSY,
    }
}

fn answers(row: Row, spot: Spot) -> Vec<Strike> {
    let has_body = places(spot).len() > 2;
    let mut early = vec![Place::BeforeBody];
    if has_body {
        early.push(Place::AfterBody);
    }
    let mut strikes = Vec::new();
    for &status in busy_statuses(spot) {
        for place in &early {
            strikes.push((Kind::Busy(status, Words::Gateway), *place, true));
            strikes.push((Kind::Busy(status, Words::Service), *place, true));
        }
        strikes.push((Kind::Busy(status, Words::Gateway), Place::BeforeBody, false));
        strikes.push((Kind::Busy(status, Words::Service), Place::BeforeBody, false));
        strikes.push((
            Kind::Busy(status, Words::RetryAfter),
            Place::BeforeBody,
            true,
        ));
        // A gateway that lost the service which did its work.
        if matches!(status, 500 | 502 | 504) {
            let kind = Kind::Busy(status, Words::Gateway);
            strikes.push((kind.clone(), Place::AfterExecuting, true));
            strikes.push((kind, Place::AfterExecuting, false));
        }
    }
    for status in REFUSED {
        strikes.extend(
            early
                .iter()
                .map(|place| (Kind::Refused(status), *place, false)),
        );
    }
    if has_body {
        strikes.push((Kind::Refused(403), Place::Body(20), false));
    }
    if matches!(spot, Spot::Put | Spot::Finish) && !row.policy {
        strikes.push((Kind::CallbackFailed, Place::BeforeBody, false));
    }
    strikes.push((Kind::Redirect, Place::BeforeBody, false));
    strikes.push((Kind::GarbageStatusLine, Place::BeforeBody, false));
    strikes
}

/// The service's own answer, changed.
fn alterations() -> Vec<Strike> {
    let kinds = [
        Kind::GarbageStatusLine,
        Kind::GarbageBody,
        Kind::TruncatedBody,
        Kind::Etag(EtagFault::Wrong),
        Kind::Etag(EtagFault::Missing),
        Kind::Etag(EtagFault::Unquoted),
        Kind::Etag(EtagFault::LowerCase),
        Kind::HugeHeaders,
        Kind::HugeBody,
        Kind::Continues,
        Kind::Drip,
        Kind::EndlessDrip,
    ];
    let both = kinds
        .into_iter()
        .map(|kind| [true, false].map(|once| (kind.clone(), Place::AfterExecuting, once)));
    both.flatten().collect()
}

impl Case {
    pub fn group(&self) -> &'static str {
        match self.world {
            World::Usual => {}
            World::Rights(_) => return "rights",
            World::Pressure(_) => return "503 pressure",
            World::Older(_) => return "older object",
        }
        match &self.kind {
            Kind::Nothing => "nothing",
            Kind::Detached(_) => "detached",
            Kind::Gateway(_) | Kind::Repeats(_) => "gateway",
            Kind::Reply(_) => "callback's answer",
            Kind::End(End::Reset) => "reset",
            Kind::End(End::Close) => "close",
            Kind::End(End::Drop) => "drop",
            Kind::Stall => "stall",
            Kind::Busy(..) => "408, 429, 5xx",
            Kind::Refused(_) => "400, 403, 404",
            Kind::CallbackFailed => "599",
            Kind::Redirect => "302",
            Kind::GarbageStatusLine | Kind::GarbageBody | Kind::TruncatedBody => "garbage",
            Kind::Etag(_) => "ETag",
            Kind::HugeHeaders
            | Kind::HugeBody
            | Kind::Continues
            | Kind::Drip
            | Kind::EndlessDrip => "size, pace",
            Kind::Stale(_) => "stale",
        }
    }

    /// Whether a time limit has to pass, so that the limits must be short.
    pub fn is_slow(&self) -> bool {
        matches!(self.kind, Kind::Stall | Kind::EndlessDrip)
    }

    pub fn call(&self) -> Call {
        match self.spot {
            Spot::Put => Call::Put,
            Spot::Initiate => Call::Initiate,
            Spot::Part(_) => Call::Part,
            Spot::Finish => Call::Finish,
            Spot::Delete => Call::Delete,
            Spot::Head | Spot::HeadAfterLoss | Spot::Before => Call::Head,
            Spot::Callback => Call::Callback,
            Spot::Connection => Call::Connection,
            Spot::Abort | Spot::AbortByName => Call::Abort,
            Spot::List | Spot::ListAfterLoss => Call::List,
        }
    }

    /// The fault, and before it what makes the library send the request that meets it.
    pub fn rules(&self, callback_url: &str) -> Vec<Rule> {
        let mut rules: Vec<Rule> = self
            .fault(callback_url)
            .map(|fault| self.rule(fault))
            .into_iter()
            .collect();
        match self.spot {
            Spot::Abort => rules.push(Rule::on(Call::Part, refusal(403)).part(1)),
            Spot::ListAfterLoss | Spot::HeadAfterLoss => {
                for call in [Call::Put, Call::Finish] {
                    rules.push(Rule::on(call, Fault::Reset).at(Place::AfterExecuting));
                }
            }
            _ => {}
        }
        rules
    }

    fn rule(&self, fault: Fault) -> Rule {
        let mut rule = Rule::on(self.call(), fault).at(self.place);
        if let Kind::Detached(_) = self.kind {
            rule = rule.detached(DETACHED);
        }
        if let Spot::Part(number) = self.spot {
            rule = rule.part(number);
        }
        if self.once {
            rule = rule.nth(1);
        }
        rule
    }

    /// None when the callback service is at fault, or nobody.
    fn fault(&self, callback_url: &str) -> Option<Fault> {
        let answered = self.place != Place::AfterExecuting;
        Some(match &self.kind {
            Kind::Nothing => return None,
            Kind::Reply(reply) => return reply.fault(callback_url),
            Kind::Repeats(repeats) => repeats.fault(),
            Kind::End(end) | Kind::Detached(Loss::End(end)) => ended(*end),
            Kind::Gateway(status) | Kind::Detached(Loss::Gateway(status)) => {
                Fault::Gateway(Gateway::new(*status).repeats())
            }
            Kind::Stall => Fault::stall(),
            Kind::Busy(status, words) => busy(*status, *words),
            Kind::Refused(status) => refusal(*status),
            Kind::CallbackFailed => Fault::error(599, 20003, "send request error"),
            Kind::Redirect => Fault::redirect("http://127.0.0.1:9/elsewhere"),
            Kind::GarbageStatusLine if answered => Fault::answer(garbage()),
            kind => Fault::alter(kind.shape()),
        })
    }
}

fn ended(end: End) -> Fault {
    match end {
        End::Reset => Fault::Reset,
        End::Close => Fault::Close,
        End::Drop => Fault::Drop,
    }
}

impl Repeats {
    fn fault(self) -> Fault {
        let authorization = format!("UCloud {PUBLIC_KEY}:c2lnbmF0dXJlIG9mIGl0");
        let encoded = authorization.replace(' ', "%20").replace(':', "%3A");
        let page = |body: String| {
            Fault::answer(Shape {
                status: Some(403),
                body: Some(body),
                ..Shape::default()
            })
        };
        match self {
            Self::ErrMsg => Fault::error(403, -1, &format!("invalid signature {authorization}")),
            Self::Token => {
                Fault::error(403, -1, &format!("the token {SECURITY_TOKEN} has expired"))
            }
            Self::Json => page(format!(r#"{{"Authorization":"{authorization}"}}"#)),
            Self::Link => page(format!(
                "<a href=\"/login?authorization={encoded}\">log in</a>"
            )),
            Self::Location => Fault::redirect(&format!(
                "http://portal/?authorization={encoded}&token={SECURITY_TOKEN}"
            )),
        }
    }
}

impl Reply {
    /// What the emulator says in place of what it found, where the callback service cannot bring it about.
    fn fault(self, url: &str) -> Option<Fault> {
        let why = match self {
            Self::Redirect => return Some(Fault::redirect("http://127.0.0.1:9/elsewhere")),
            Self::TimeOut => format!(
                "{url}: net/http: request canceled (Client.Timeout exceeded while awaiting headers)"
            ),
            Self::FailedDialElsewhere => {
                "http://127.0.0.1:9/elsewhere: dial tcp 127.0.0.1:9: connect: connection refused"
                    .to_owned()
            }
            _ => return None,
        };
        Some(Fault::error(
            599,
            20003,
            &format!("send request error: Post {why}"),
        ))
    }

    /// Status, headers and body that the callback service answers; None hangs up.
    pub fn text(self) -> Option<(u16, &'static str, &'static str)> {
        const JSON: &str = "Content-Type: application/json\r\n";
        Some(match self {
            Self::Form(status) => (status, JSON, r#"{"RetCode":17,"ErrMsg":"not now"}"#),
            Self::Json(status) => (status, JSON, r#"{"error":"not now"}"#),
            Self::Html => (200, "Content-Type: text/html\r\n", "<html>done</html>"),
            Self::HangUp => return None,
            Self::Redirect | Self::TimeOut | Self::FailedDialElsewhere | Self::Refused => {
                (200, JSON, r#"{"ok":true}"#)
            }
        })
    }
}

impl Kind {
    fn shape(&self) -> Shape {
        let mut shape = Shape::default();
        match self {
            Self::GarbageStatusLine => return garbage(),
            Self::GarbageBody => shape.body = Some("<html>not what was asked for</html>".into()),
            Self::TruncatedBody => {
                shape.truncate = Some(1);
                shape.then = Then::Close;
            }
            Self::Etag(fault) => shape.etag = Some(fault.clone()),
            Self::HugeHeaders => shape.fill_headers = Some(1 << 20),
            Self::HugeBody => shape.fill_body = Some(3 << 20),
            Self::Continues => shape.continues = Some(3),
            Self::Drip => {
                shape.drip = Some(Drip {
                    bytes: 40,
                    every_ms: 2,
                });
            }
            Self::EndlessDrip => {
                shape.drip = Some(Drip {
                    bytes: 1,
                    every_ms: 100,
                });
            }
            Self::Stale(end) => shape.then = Then::NextRequest(*end),
            _ => {}
        }
        shape
    }
}

fn garbage() -> Shape {
    Shape {
        status_line: Some("220 mail.example ESMTP ready".into()),
        ..Shape::default()
    }
}

fn busy(status: u16, words: Words) -> Fault {
    let shape = Shape {
        status: Some(status),
        body: match words {
            Words::Gateway => None,
            _ => Some(r#"{"RetCode":-1,"ErrMsg":"busy"}"#.to_owned()),
        },
        ..Shape::default()
    };
    match words {
        Words::RetryAfter => Fault::answer(shape.header("Retry-After", "0")),
        _ => Fault::answer(shape),
    }
}

/// What the refusals of the matrix say.
pub const RET_CODE: i32 = -148643;

fn refusal(status: u16) -> Fault {
    Fault::error(status, i64::from(RET_CODE), "refused by the matrix")
}
