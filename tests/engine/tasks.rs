//! Uploads that run while the host does something else: waiting, progress, cancelling, the queue.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use crate::support::{HandMade, client, content, emulator, emulator_with, read_head};
use us3::client::Client;
use us3::content::Source;
use us3::error::{ObjectState, Status};
use us3::operation::Progress;
use us3::operation::task::Watch;
use us3::upload::{Mode, UploadRequest};
use us3_emulator::{Call, Fault, Place, Rule};

const MIB: usize = 1 << 20;
const PATIENCE: Option<Duration> = Some(Duration::from_secs(20));

fn request(content: Vec<u8>, key: &str, mode: Mode) -> UploadRequest {
    let mut request = UploadRequest::new(Source::Memory(content.into()), key);
    request.mode = mode;
    request
}

/// A service that takes a little of every request, and no more, until it is dropped.
fn stuck_service() -> HandMade {
    let kept = Mutex::new(Vec::new());
    HandMade::start(move |mut stream| {
        read_head(&mut stream);
        kept.lock().expect("streams").push(stream);
    })
}

#[test]
fn the_end_is_told_in_every_way_and_in_order() {
    let emulator = emulator();
    let client = client(emulator.address());
    let (tell, told) = mpsc::channel();
    let on_progress = tell.clone();
    let watch = Watch {
        on_progress: Some(Box::new(move |progress| {
            on_progress
                .send(("progress", Some(*progress)))
                .expect("test");
            ControlFlow::Continue(())
        })),
        on_complete: Some(Box::new(move |result| {
            assert!(result.is_ok());
            tell.send(("complete", None)).expect("test");
        })),
    };
    let task = client.start(request(content(9 * MIB), "a", Mode::Multipart), watch);
    let descriptor = task.descriptor().expect("descriptor");
    assert_eq!(task.descriptor().expect("descriptor"), descriptor);
    let report = task.wait(PATIENCE).expect("in time").expect("upload");
    assert_eq!(report.object, ObjectState::Stored);
    // When a wait returns, everything was told already.
    let told: Vec<_> = told.try_iter().collect();
    assert_eq!(told.last().map(|(what, _)| *what), Some("complete"));
    let last = told[told.len() - 2].1.expect("a last progress");
    let whole = 9 * MIB as u64;
    assert_eq!(
        (last.total, last.sent, last.acknowledged),
        (Some(whole), whole, whole)
    );
    assert_eq!(
        (last.parts_done, last.parts_total, last.attempts),
        (3, 3, 1)
    );
    assert_eq!(
        told.iter().filter(|(what, _)| *what == "complete").count(),
        1
    );
    assert!(task.wait(Some(Duration::ZERO)).is_some());
}

#[test]
fn waiting_in_vain_says_so() {
    let service = stuck_service();
    let client = client(service.address);
    let task = client.start(request(vec![1], "a", Mode::Put), Watch::default());
    assert!(task.wait(Some(Duration::ZERO)).is_none());
    assert!(task.wait(Some(Duration::from_millis(20))).is_none());
    task.cancel();
    let error = task
        .wait(PATIENCE)
        .expect("in time")
        .expect_err("cancelled");
    assert_eq!(error.status(), Status::Cancelled);
}

#[test]
fn cancelling_stops_the_bytes_and_aborts_the_upload() {
    let emulator = emulator();
    let client = client(emulator.address());
    let started = Arc::new(AtomicBool::new(false));
    let seen = started.clone();
    let mut request = request(content(256 * MIB), "cancelled", Mode::Multipart);
    request.jobs = 2;
    let watch = Watch {
        on_progress: Some(Box::new(move |progress: &Progress| {
            seen.store(true, Ordering::SeqCst);
            match progress.sent {
                0 => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            }
        })),
        ..Watch::default()
    };
    let task = client.start(request, watch);
    let error = task
        .wait(PATIENCE)
        .expect("in time")
        .expect_err("cancelled");
    assert_eq!(error.status(), Status::Cancelled, "{error}");
    assert_eq!(error.report().object, ObjectState::NotStored);
    assert_eq!(error.report().upload_id, None, "{error}");
    assert!(started.load(Ordering::SeqCst));
    assert!(emulator.state().uploads.is_empty());
    assert!(emulator.object("cancelled").is_none());
}

#[test]
fn cancelling_is_prompt_and_may_be_repeated_from_many_threads() {
    let service = stuck_service();
    let client = client(service.address);
    let task = client.start(request(content(64 * MIB), "a", Mode::Put), Watch::default());
    while task.progress().attempts == 0 {
        std::thread::yield_now();
    }
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                task.cancel();
                let error = task
                    .wait(PATIENCE)
                    .expect("in time")
                    .expect_err("cancelled");
                assert_eq!(error.status(), Status::Cancelled);
            });
        }
    });
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
}

/// The service has begun the upload, and its answer is still on its way.
#[test]
fn an_upload_that_is_cancelled_while_it_begins_is_aborted() {
    let emulator = emulator();
    let slow = Fault::stall_for(Duration::from_millis(300));
    let rule = Rule::on(Call::Initiate, slow).at(Place::AfterExecuting);
    emulator.rule(rule);
    let client = client(emulator.address());
    let request = request(content(8 * MIB), "begun", Mode::Multipart);
    let task = client.start(request, Watch::default());
    while emulator.state().uploads.is_empty() {
        std::thread::yield_now();
    }
    task.cancel();
    let ended = task.wait(PATIENCE).expect("in time");
    let error = ended.expect_err("cancelled");
    assert_eq!(error.status(), Status::Cancelled, "{error}");
    assert_eq!(error.report().upload_id, None, "{error}");
    assert!(emulator.state().uploads.is_empty());
}

#[test]
fn a_deadline_covers_the_whole_upload() {
    let service = stuck_service();
    let client = client(service.address);
    for mode in [Mode::Put, Mode::Multipart] {
        let mut request = request(content(8 * MIB), "late", mode);
        request.timeout = Some(Duration::from_millis(400));
        let started = Instant::now();
        let error = client.upload(request).expect_err("late");
        let elapsed = started.elapsed();
        assert_eq!(error.status(), Status::Timeout, "{error}");
        assert!(elapsed < Duration::from_millis(650), "{elapsed:?}");
    }
}

#[test]
fn uploads_wait_their_turn() {
    let emulator = emulator_with(|options| options.part_size = 64 << 10);
    let mut config = crate::support::config(emulator.address());
    config.max_concurrent_uploads = 3;
    let client = Client::new(config).expect("client");
    let done = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..40)
        .map(|number| {
            let done = done.clone();
            let watch = Watch {
                on_complete: Some(Box::new(move |result| {
                    assert!(result.is_ok());
                    done.fetch_add(1, Ordering::SeqCst);
                })),
                ..Watch::default()
            };
            client.start(
                request(content(1000), &format!("k{number}"), Mode::Put),
                watch,
            )
        })
        .collect();
    for task in &tasks {
        task.wait(PATIENCE).expect("in time").expect("upload");
    }
    assert_eq!(done.load(Ordering::SeqCst), 40);
    let state = emulator.state();
    assert_eq!(state.objects.len(), 40);
    assert!(
        state.max_connections_open <= 3,
        "{}",
        state.max_connections_open
    );
}

#[test]
fn blocking_within_a_callback_is_refused() {
    let emulator = emulator();
    let client = Arc::new(client(emulator.address()));
    let (tell, told) = mpsc::channel();
    let inside = client.clone();
    let watch = Watch {
        on_complete: Some(Box::new(move |_| {
            let upload = inside.upload(request(vec![1], "b", Mode::Put));
            tell.send(upload.expect_err("refused").status())
                .expect("test");
            tell.send(inside.head("a").expect_err("refused").status())
                .expect("test");
            // Starting is allowed.
            inside.start(request(vec![1], "c", Mode::Put), Watch::default());
        })),
        ..Watch::default()
    };
    let task = client.start(request(vec![1], "a", Mode::Put), watch);
    task.wait(PATIENCE).expect("in time").expect("upload");
    let told: Vec<_> = told.try_iter().collect();
    assert_eq!(told, [Status::WouldDeadlock, Status::WouldDeadlock]);
    let stored = emulator.wait_until(Duration::from_secs(10), |state| {
        state.objects.iter().any(|object| object.key == "c")
    });
    assert!(stored.is_some());
}

#[test]
fn a_callback_that_panics_ends_nothing_else() {
    let emulator = emulator();
    let client = client(emulator.address());
    let watch = Watch {
        on_progress: Some(Box::new(|_| panic!("progress"))),
        on_complete: Some(Box::new(|_| panic!("complete"))),
    };
    let task = client.start(request(vec![1], "a", Mode::Put), watch);
    assert!(task.wait(PATIENCE).expect("in time").is_ok());
}

#[test]
fn dropping_the_client_ends_its_tasks_and_tells_them() {
    let service = stuck_service();
    let client = client(service.address);
    let (tell, told) = mpsc::channel();
    let watch = Watch {
        on_complete: Some(Box::new(move |result| {
            tell.send(result.is_err()).expect("test");
        })),
        ..Watch::default()
    };
    let task = client.start(request(content(8 * MIB), "a", Mode::Put), watch);
    drop(client);
    assert_eq!(told.try_iter().collect::<Vec<_>>(), [true]);
    assert!(task.wait(PATIENCE).expect("in time").is_err());
}
