//! Every operation against the emulator, byte for byte, with its callback.

use std::path::Path;

use crate::support::{
    TempFile, callback_service, client, content, emulator, emulator_with, json_policy, query_policy,
};
use us3::client::Client;
use us3::content::Source;
use us3::error::{CallbackState, ObjectState, Report, Status};
use us3::protocol::etag::EtagHasher;
use us3::upload::{Mode, UploadRequest};
use us3_emulator::Call;

const MIB: usize = 1 << 20;
const SIZES: [usize; 6] = [0, 1, 4 * MIB - 1, 4 * MIB, 4 * MIB + 1, 20 * MIB + 3];

/// PutFile, MPut, AsyncMPut and AsyncUpload, as mode and jobs.
const OPERATIONS: [(Mode, i32); 4] = [
    (Mode::Put, 1),
    (Mode::Multipart, 1),
    (Mode::Multipart, 10),
    (Mode::Multipart, 20),
];

fn request(file: &Path, key: &str, mode: Mode, jobs: i32) -> UploadRequest {
    let mut request = UploadRequest::new(Source::File(file.to_owned()), key);
    request.mode = mode;
    request.jobs = jobs;
    request
}

fn etag(content: &[u8]) -> String {
    let mut hasher = EtagHasher::object();
    hasher.update(content);
    hasher.finish().object_etag()
}

fn assert_delivered(report: &Report, content: &[u8]) {
    assert_eq!(report.http_status, 200);
    assert_eq!(report.object, ObjectState::Stored);
    assert_eq!(report.callback, CallbackState::Delivered);
    assert_eq!(report.etag.as_deref(), Some(etag(content).as_str()));
    assert_eq!(report.body, br#"{"ok":true}"#);
    assert_eq!(report.bytes_sent, content.len() as u64);
    assert_eq!(report.attempts, 1);
}

#[test]
fn every_operation_stores_every_size_and_fires_one_callback() {
    let emulator = emulator();
    let callbacks = callback_service();
    let client = client(emulator.address());
    for size in SIZES {
        let content = content(size);
        let file = TempFile::new(&content);
        for (index, (mode, jobs)) in OPERATIONS.into_iter().enumerate() {
            let key = format!("size-{size}-{index}");
            let mut request = request(&file.path, &key, mode, jobs);
            request.policy = Some(match index % 2 {
                0 => json_policy(callbacks.address),
                _ => query_policy(callbacks.address),
            });
            let report = client.upload(request).expect("upload");
            assert_delivered(&report, &content);
            assert!(emulator.object_bytes(&key).expect("object") == content);
            let fired = emulator.callbacks();
            assert_eq!(
                fired.iter().filter(|callback| callback.key == key).count(),
                1
            );
        }
    }
    assert!(emulator.state().uploads.is_empty());
}

#[test]
fn both_forms_of_the_page_arrive_as_they_are_documented() {
    let emulator = emulator();
    let service = callback_service();
    let client = client(emulator.address());
    let file = TempFile::new(b"hello world");
    for policy in [json_policy(service.address), query_policy(service.address)] {
        let mut request = request(&file.path, "a", Mode::Put, 1);
        request.policy = Some(policy);
        client.upload(request).expect("upload");
    }
    let fired = emulator.callbacks();
    assert_eq!(fired[0].body, r#"{"Name":"Alice", "Age":20}"#);
    assert_eq!(fired[0].content_type, "application/json");
    assert_eq!(fired[1].query, "Name=Alice&Age=20");
    assert_eq!(fired[1].body, "");
}

#[test]
fn odd_keys_are_stored_as_they_are() {
    let emulator = emulator();
    let client = client(emulator.address());
    let keys = [
        "with spaces in it",
        "中文/文件.txt",
        "+?#%&=~",
        "a+b ?c#d%e&f=g~h",
        "quotes '\" and \\ too",
        "already%2Fencoded%20",
        "/leading/slash",
        "double//slash/",
        "...",
        "a/..b/.c",
        "*()[]{}!@$^|;:,<>`",
    ];
    for key in keys {
        for mode in [Mode::Put, Mode::Multipart] {
            let mut request = UploadRequest::new(Source::Memory("content".into()), key);
            request.mode = mode;
            client
                .upload(request)
                .unwrap_or_else(|error| panic!("{key}: {error}"));
            assert_eq!(
                emulator.object_bytes(key).as_deref(),
                Some(&b"content"[..]),
                "{key}"
            );
        }
        let (info, _) = client.head(key).expect("head");
        assert_eq!(info.size, 7);
        client.delete(key).expect("delete");
        assert!(emulator.object(key).is_none());
    }
}

#[test]
fn jobs_are_clamped_and_bound_parts_and_connections() {
    for (jobs, most) in [(-5, 1), (0, 1), (1, 1), (3, 3), (20, 20), (1000, 256)] {
        let emulator = emulator_with(|options| options.part_size = 16 << 10);
        let client = client(emulator.address());
        let content = content(300 * (16 << 10));
        let mut request = UploadRequest::new(Source::Memory(content.into()), "jobs");
        request.mode = Mode::Multipart;
        request.jobs = jobs;
        client.upload(request).expect("upload");
        let state = emulator.state();
        assert!(
            state.max_parts_in_flight <= most,
            "{jobs}: {}",
            state.max_parts_in_flight
        );
        assert!(
            state.max_connections_open <= most,
            "{jobs}: {}",
            state.max_connections_open
        );
        // Replies are read to their end, so that a connection carries many requests.
        assert!(
            state.connections_accepted <= most,
            "{jobs}: {}",
            state.connections_accepted
        );
        let reached = most == 1 || state.max_parts_in_flight > 1;
        assert!(reached, "{jobs}: never more than one part in flight");
    }
}

#[test]
fn storage_class_metadata_and_type_arrive() {
    let emulator = emulator();
    let client = client(emulator.address());
    for mode in [Mode::Put, Mode::Multipart] {
        let mut request = UploadRequest::new(Source::Memory("content".into()), "dressed");
        request.mode = mode;
        request.mime_type = Some("image/x-test".to_owned());
        request.storage_class = Some("IA".to_owned());
        request.metadata = vec![("Owner".to_owned(), "some one".to_owned())];
        client.upload(request).expect("upload");
        let object = emulator.object("dressed").expect("object");
        assert_eq!(object.content_type, "image/x-test");
        assert_eq!(object.storage_class, "IA");
        let owner = object
            .metadata
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("owner"));
        assert_eq!(owner.map(|(_, value)| value.as_str()), Some("some one"));
    }
}

#[test]
fn content_md5_goes_with_put_and_parts_only() {
    let emulator = emulator();
    let mut config = crate::support::config(emulator.address());
    config.verify_upload_md5 = true;
    let client = Client::new(config).expect("client");
    let content = content(5 * MIB);
    let file = TempFile::new(&content);
    for (mode, jobs) in OPERATIONS {
        client
            .upload(request(&file.path, "md5", mode, jobs))
            .expect("upload");
        assert!(emulator.object_bytes("md5").expect("object") == content);
    }
    for seen in emulator.requests() {
        let sent = seen
            .headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-md5"));
        let expected = matches!(seen.call, Call::Put | Call::Part);
        assert_eq!(sent, expected, "{:?}", seen.call);
    }
}

#[test]
fn a_failed_callback_says_that_the_object_is_stored() {
    let emulator = emulator();
    let client = client(emulator.address());
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
    let policy = json_policy(closed.local_addr().expect("address"));
    drop(closed);
    for mode in [Mode::Put, Mode::Multipart] {
        let mut request = UploadRequest::new(Source::Memory("content".into()), "stored");
        request.mode = mode;
        request.policy = Some(policy.clone());
        let error = client.upload(request).expect_err("callback");
        assert_eq!(error.status(), Status::CallbackFailed);
        assert_eq!(error.report().http_status, 599);
        assert_eq!(error.report().ret_code, 20003);
        assert_eq!(error.report().object, ObjectState::Stored);
        assert_eq!(error.report().callback, CallbackState::NotDelivered);
        assert_eq!(error.report().attempts, 1);
        assert!(error.report().session_id.is_some());
        assert!(emulator.object("stored").is_some());
    }
}

#[test]
fn a_handle_finishes_again_without_sending_a_part_again() {
    let emulator = emulator();
    let service = callback_service();
    let client = client(emulator.address());
    let (upload, _) = client.initiate("handle.bin", None).expect("initiate");
    let part_size = upload.part_size() as usize;
    let content = content(part_size + 10);
    upload
        .upload_part(1, content[part_size..].to_vec().into())
        .expect("part 1");
    upload
        .upload_part(0, content[..part_size].to_vec().into())
        .expect("part 0");

    let report = upload
        .finish(Some(query_policy(service.address)))
        .expect("finish");
    assert_delivered_body(&report);
    assert!(emulator.object_bytes("handle.bin").expect("object") == content);
    let parts = emulator
        .requests()
        .into_iter()
        .filter(|seen| seen.call == Call::Part)
        .count();
    assert_eq!(parts, 2);
    let again = upload.finish(None).expect_err("finished");
    assert_eq!(again.status(), Status::InvalidArgument);
}

fn assert_delivered_body(report: &Report) {
    assert_eq!(report.callback, CallbackState::Delivered);
    assert_eq!(report.body, br#"{"ok":true}"#);
}

#[test]
fn thirty_two_threads_share_one_client() {
    let emulator = emulator_with(|options| options.part_size = 64 << 10);
    let client = client(emulator.address());
    std::thread::scope(|scope| {
        for thread in 0..32 {
            let (client, emulator) = (&client, &emulator);
            scope.spawn(move || {
                for (round, (mode, _)) in OPERATIONS.into_iter().enumerate() {
                    let content = content(thread * 20_000 + round * 70_000);
                    let key = format!("thread-{thread}-{round}");
                    let source = Source::Memory(content.clone().into());
                    let mut request = UploadRequest::new(source, &key);
                    request.mode = mode;
                    client.upload(request).expect("upload");
                    assert!(
                        emulator.object_bytes(&key).expect("object") == content,
                        "{key}"
                    );
                }
            });
        }
    });
}
