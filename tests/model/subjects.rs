//! Which operations are explored, in which worlds, and how far.

use crate::state::Bounds;
use crate::world::{Content, Etags, Rights, Setup};

/// One kind of operation.
#[derive(Clone, Debug)]
pub struct Subject {
    pub name: &'static str,
    pub setups: Vec<Setup>,
    pub bounds: Bounds,
}

const PUT: Setup = Setup {
    finish: false,
    policy: true,
    at_least_once: false,
    before: Content::Nothing,
    rights: Rights::All,
    etags: Etags::Compared,
    skew: 0,
    dated: true,
};

const FINISH: Setup = Setup {
    finish: true,
    ..PUT
};

/// `make model` sets it.
fn large() -> bool {
    std::env::var_os("US3_MODEL").is_some_and(|size| size == "large")
}

fn bounds() -> Bounds {
    match large() {
        false => Bounds {
            tries: 2,
            pauses: 1,
            ticks: 1,
            tick: 10,
            kills: 0,
            orders: 1,
            strangers: 0,
            expiry: false,
        },
        true => Bounds {
            tries: 3,
            pauses: 2,
            ticks: 2,
            tick: 10,
            kills: 0,
            orders: 1,
            strangers: 1,
            expiry: true,
        },
    }
}

pub fn put() -> Subject {
    Subject {
        name: "PutFile with a policy",
        setups: worlds(PUT),
        bounds: bounds(),
    }
}

pub fn put_at_least_once() -> Subject {
    Subject {
        name: "PutFile with a policy, at_least_once",
        setups: worlds(Setup {
            at_least_once: true,
            ..PUT
        }),
        bounds: bounds(),
    }
}

/// The host may finish again what is left unfinished.
pub fn finish() -> Subject {
    Subject {
        name: "finish with a policy, and again",
        setups: few_worlds(FINISH),
        bounds: Bounds {
            tries: 2,
            orders: 2,
            ..bounds()
        },
    }
}

/// The process is killed, and the next one has its checkpoint.
pub fn finish_with_kills() -> Subject {
    let mut setups = few_worlds(FINISH);
    setups.push(Setup {
        dated: false,
        ..FINISH
    });
    Subject {
        name: "finish with a policy, killed and run again",
        setups,
        bounds: Bounds {
            tries: 2,
            pauses: 1,
            ticks: if large() { 5 } else { 3 },
            kills: if large() { 2 } else { 1 },
            ..bounds()
        },
    }
}

pub fn without_a_policy() -> Subject {
    let without = |setup| {
        worlds(Setup {
            policy: false,
            ..setup
        })
    };
    Subject {
        name: "PutFile and finish without a policy",
        setups: [without(PUT), without(FINISH)].concat(),
        bounds: Bounds {
            pauses: 1,
            ..bounds()
        },
    }
}

/// The operation in the product of all worlds; in the small bounds, in few.
fn worlds(operation: Setup) -> Vec<Setup> {
    if !large() {
        return few_worlds(operation);
    }
    let mut all = Vec::new();
    for before in [Content::Nothing, Content::Other, Content::SameFromBefore] {
        for rights in [
            Rights::All,
            Rights::WriteOnly,
            Rights::WriteAndList,
            Rights::None,
        ] {
            for etags in [Etags::Compared, Etags::Incomparable, Etags::OnlyByHead] {
                for skew in [-2, 2] {
                    all.push(Setup {
                        before,
                        rights,
                        etags,
                        skew,
                        ..operation
                    });
                }
            }
        }
    }
    all
}

/// The operation in worlds that have each value of each kind.
fn few_worlds(operation: Setup) -> Vec<Setup> {
    use Content::{Nothing, Other, SameFromBefore};
    use Etags::{Compared, Incomparable, OnlyByHead};
    [
        (Nothing, Rights::All, Compared, 0),
        (Other, Rights::All, Incomparable, -2),
        (SameFromBefore, Rights::All, OnlyByHead, 2),
        (SameFromBefore, Rights::WriteOnly, OnlyByHead, 0),
        (Nothing, Rights::WriteAndList, Incomparable, 0),
        (Nothing, Rights::None, Compared, 0),
    ]
    .map(|(before, rights, etags, skew)| Setup {
        before,
        rights,
        etags,
        skew,
        ..operation
    })
    .to_vec()
}
