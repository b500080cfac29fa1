//! Every operation × every fault × every place. Each case is checked for four things at once: what
//! the library told, what the service holds, which callbacks were fired, and the time it took.
//!
//! The cases are generated in `cases`, run in `run` and judged in `oracle`.
//! `US3_WRITE_DOCS=1` puts the number of cases into docs/reliability.md; `US3_MATRIX=text` runs
//! only the cases whose name contains the text.

mod cases;
mod oracle;
mod run;
#[path = "../support/mod.rs"]
mod support;
mod table;

use std::sync::Mutex;
use std::time::Instant;

use cases::{Case, cases};
use run::Ground;
use table::Table;

/// Threads for cases that keep the machine busy, and for those that only wait.
const BUSY_THREADS: usize = 32;
const WAITING_THREADS: usize = 48;
/// Threads for cases with parts of 4 MiB, and as many for those of them that wait.
const BLOCK_THREADS: usize = 12;

/// Failures that are shown in full.
const SHOWN: usize = 40;

#[derive(Default)]
struct Outcome {
    table: Table,
    failures: Vec<String>,
}

#[test]
fn every_operation_survives_every_fault() {
    let started = Instant::now();
    let wanted = std::env::var("US3_MATRIX").unwrap_or_default();
    let mut cases = cases();
    cases.retain(|case| format!("{case:?}").contains(&wanted));
    let count = cases.len();
    let outcome = run_all(cases);
    let table = outcome.table.markdown();
    println!("{table}\n{count} cases in {:?}", started.elapsed());
    table::write_result("fault-matrix.md", &table);
    table::write_result("fault-matrix-failures.txt", &outcome.failures.concat());
    let shown = outcome.failures.iter().take(SHOWN).cloned();
    assert!(
        outcome.failures.is_empty(),
        "{} of {count} cases failed:\n{}",
        outcome.failures.len(),
        shown.collect::<String>()
    );
}

#[test]
fn the_documented_table_is_up_to_date() {
    let expected = Table::expected(&cases()).markdown();
    if std::env::var_os("US3_WRITE_DOCS").is_some() {
        table::write_documentation(&expected);
    }
    assert_eq!(
        table::documented(),
        expected.trim(),
        "run US3_WRITE_DOCS=1 cargo test --test fault_matrix documented"
    );
}

/// Cases, their threads, and what each thread runs them on.
type Group = (Vec<Case>, usize, fn() -> Ground);

fn run_all(cases: Vec<Case>) -> Outcome {
    let outcome = Mutex::new(Outcome::default());
    let (blocks, small): (Vec<_>, Vec<_>) = cases.into_iter().partition(|case| case.row.blocks);
    let (waiting_blocks, blocks): (Vec<_>, Vec<_>) = blocks.into_iter().partition(Case::is_slow);
    let (waiting, busy): (Vec<_>, Vec<_>) = small.into_iter().partition(Case::is_slow);
    let groups: [Group; 4] = [
        (waiting_blocks, BLOCK_THREADS, Ground::with_blocks),
        (blocks, BLOCK_THREADS, Ground::with_blocks),
        (waiting, WAITING_THREADS, Ground::new),
        (busy, BUSY_THREADS, Ground::new),
    ];
    std::thread::scope(|scope| {
        for (cases, threads, ground) in groups {
            let outcome = &outcome;
            scope.spawn(move || run_some(cases, threads, ground, outcome));
        }
    });
    outcome.into_inner().expect("outcome")
}

fn run_some(cases: Vec<Case>, threads: usize, ground: fn() -> Ground, outcome: &Mutex<Outcome>) {
    let cases = Mutex::new(cases.into_iter());
    let next = || cases.lock().expect("cases").next();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let ground = ground();
                while let Some(case) = next() {
                    run_one(&case, &ground, outcome);
                }
            });
        }
    });
}

fn run_one(case: &Case, ground: &Ground, outcome: &Mutex<Outcome>) {
    let (told, facts) = ground.run(case);
    let wrong = oracle::judge(case, &told, &facts, ground);
    let mut outcome = outcome.lock().expect("outcome");
    outcome.table.count(case, wrong.is_empty());
    if !wrong.is_empty() {
        let told = support::bench::told(&told.result);
        let history = facts.history();
        outcome.failures.push(format!(
            "\n{case:?}\n  {}\n  told: {told}\n{history}",
            wrong.join("\n  ")
        ));
    }
}
