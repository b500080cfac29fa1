//! The rules in force, and which of them a request meets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use fastrand::Rng;
use tokio::sync::watch;

use super::{Rule, RuleState};
use crate::target::Call;

#[derive(Default)]
pub(crate) struct Book {
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    entries: Vec<Entry>,
    last_id: u64,
}

struct Entry {
    id: u64,
    rule: Rule,
    matched: u64,
    fired: u64,
    random: Rng,
    /// How often its stalls were released. Dropping it releases them too.
    released: watch::Sender<u64>,
    stalled: Arc<AtomicU64>,
}

/// A rule that strikes a request.
pub(crate) struct Fired {
    pub id: u64,
    pub rule: Rule,
    released: watch::Receiver<u64>,
    stalled: Arc<AtomicU64>,
}

/// What rules look at.
pub(crate) struct Traits<'a> {
    pub call: Call,
    pub part: Option<u32>,
    pub key: &'a str,
    pub policy: bool,
}

impl Book {
    pub fn add(&self, rule: Rule) -> Result<u64, String> {
        rule.check()?;
        let mut pages = self.pages.lock().unwrap();
        pages.last_id += 1;
        let id = pages.last_id;
        pages.entries.push(Entry {
            id,
            random: Rng::with_seed(rule.seed),
            rule,
            matched: 0,
            fired: 0,
            released: watch::Sender::new(0),
            stalled: Arc::default(),
        });
        Ok(id)
    }

    /// Says whether there was one. Requests that it stalls go on.
    pub fn remove(&self, id: u64) -> bool {
        let mut pages = self.pages.lock().unwrap();
        let before = pages.entries.len();
        pages.entries.retain(|entry| entry.id != id);
        pages.entries.len() < before
    }

    pub fn clear(&self) {
        self.pages.lock().unwrap().entries.clear();
    }

    /// Lets the requests go on that this rule stalls, or that any does.
    pub fn release(&self, id: Option<u64>) -> bool {
        let pages = self.pages.lock().unwrap();
        let mut found = id.is_none();
        for entry in pages
            .entries
            .iter()
            .filter(|entry| id.is_none_or(|id| entry.id == id))
        {
            entry.released.send_modify(|times| *times += 1);
            found = true;
        }
        found
    }

    pub fn state(&self) -> Vec<RuleState> {
        self.pages
            .lock()
            .unwrap()
            .entries
            .iter()
            .map(Entry::state)
            .collect()
    }

    /// The rule that strikes this request. Every rule that is for it counts it.
    pub fn pick(&self, traits: &Traits<'_>) -> Option<Arc<Fired>> {
        let mut pages = self.pages.lock().unwrap();
        let mut picked = None;
        for entry in pages
            .entries
            .iter_mut()
            .filter(|entry| entry.is_for(traits))
        {
            entry.matched += 1;
            if picked.is_none() && entry.strikes() {
                entry.fired += 1;
                picked = Some(Arc::new(entry.fired()));
            }
        }
        picked
    }
}

impl Entry {
    fn is_for(&self, traits: &Traits<'_>) -> bool {
        let rule = &self.rule;
        let is_request = !matches!(traits.call, Call::Callback | Call::Connection);
        rule.call.map_or(is_request, |call| call == traits.call)
            && rule.part.is_none_or(|part| traits.part == Some(part))
            && rule.key.as_ref().is_none_or(|key| key == traits.key)
            && rule.policy.is_none_or(|policy| policy == traits.policy)
    }

    /// Whether it strikes the request that was just counted.
    fn strikes(&mut self) -> bool {
        let times = self
            .rule
            .times
            .unwrap_or(if self.rule.nth.is_some() { 1 } else { u64::MAX });
        let due = self.matched >= self.rule.nth.unwrap_or(1) && self.fired < times;
        due && self
            .rule
            .probability
            .is_none_or(|probability| self.random.f64() < probability)
    }

    fn fired(&self) -> Fired {
        Fired {
            id: self.id,
            rule: self.rule.clone(),
            released: self.released.subscribe(),
            stalled: self.stalled.clone(),
        }
    }

    fn state(&self) -> RuleState {
        RuleState {
            id: self.id,
            rule: self.rule.clone(),
            matched: self.matched,
            fired: self.fired,
            stalled: self.stalled.load(Ordering::Relaxed),
        }
    }
}

impl Fired {
    /// Waits until the rule is released or removed. The request counts as stalled meanwhile.
    pub async fn released(&self) {
        let _counted = Counted::new(&self.stalled);
        let _ = self.released.clone().changed().await;
    }
}

struct Counted<'a>(&'a AtomicU64);

impl<'a> Counted<'a> {
    fn new(counter: &'a AtomicU64) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Fault;

    fn traits(call: Call, part: Option<u32>) -> Traits<'static> {
        Traits {
            call,
            part,
            key: "k",
            policy: false,
        }
    }

    fn pattern(rule: Rule, count: usize) -> Vec<bool> {
        let book = Book::default();
        book.add(rule).unwrap();
        (0..count)
            .map(|_| book.pick(&traits(Call::Put, None)).is_some())
            .collect()
    }

    #[test]
    fn rules_count() {
        assert_eq!(
            pattern(Rule::on(Call::Put, Fault::Reset), 3),
            [true, true, true]
        );
        assert_eq!(
            pattern(Rule::any(Fault::Reset).nth(2), 4),
            [false, true, false, false]
        );
        assert_eq!(
            pattern(Rule::any(Fault::Reset).nth(2).times(2), 4),
            [false, true, true, false]
        );
        assert_eq!(
            pattern(Rule::any(Fault::Reset).times(1), 3),
            [true, false, false]
        );
        assert_eq!(pattern(Rule::on(Call::Part, Fault::Reset), 1), [false]);
        assert_eq!(pattern(Rule::any(Fault::Reset).key("other"), 1), [false]);
        assert_eq!(pattern(Rule::any(Fault::Reset).policy(true), 1), [false]);
    }

    #[test]
    fn chance_is_seeded() {
        let rule = |seed| Rule::any(Fault::Reset).probability(0.2, seed);
        let struck = pattern(rule(7), 1000);
        assert_eq!(struck, pattern(rule(7), 1000));
        assert_ne!(struck, pattern(rule(8), 1000));
        assert!((150..250).contains(&struck.iter().filter(|struck| **struck).count()));
    }

    #[test]
    fn the_first_that_strikes_wins_and_all_count() {
        let book = Book::default();
        book.add(Rule::on(Call::Part, Fault::Reset).nth(2)).unwrap();
        book.add(Rule::on(Call::Part, Fault::Close).part(3))
            .unwrap();
        let picked: Vec<_> = [3, 3, 4]
            .map(|part| {
                book.pick(&traits(Call::Part, Some(part)))
                    .map(|fired| fired.id)
            })
            .into();
        assert_eq!(picked, [Some(2), Some(1), None]);
        let counts: Vec<_> = book
            .state()
            .iter()
            .map(|state| (state.matched, state.fired))
            .collect();
        assert_eq!(counts, [(3, 1), (2, 1)]);
        assert!(book.pick(&traits(Call::Callback, None)).is_none());
    }
}
