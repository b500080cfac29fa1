//! PutFile, HeadFile, download and DeleteFile.

use crate::common::{Client, ask, content, etag, put, start};

#[test]
fn an_object_is_stored_described_downloaded_and_deleted() {
    let emulator = start();
    let mut client = Client::connect(emulator.address());
    let bytes = content(300_000);
    let upload = put("a.bin", bytes.clone())
        .header("Content-Type", "image/png")
        .header("X-Ufile-Storage-Class", "IA")
        .header("X-Ufile-Meta-Color", "blue");
    let reply = client.send(&upload).expect(200);
    assert_eq!(
        reply.header("etag"),
        Some(format!("\"{}\"", etag(&bytes)).as_str())
    );
    assert!(reply.body.is_empty());

    let head = client.send(&ask("HEAD", "a.bin")).expect(200);
    assert_eq!(head.header("content-length"), Some("300000"));
    assert_eq!(head.header("content-type"), Some("image/png"));
    assert_eq!(head.header("x-ufile-storage-class"), Some("IA"));
    assert_eq!(head.header("x-ufile-meta-color"), Some("blue"));
    assert_eq!(head.etag(), etag(&bytes));
    assert!(head.header("last-modified").unwrap().ends_with(" GMT"));

    assert_eq!(client.send(&ask("GET", "a.bin")).expect(200).body, bytes);
    assert_eq!(emulator.object_bytes("a.bin").unwrap(), bytes);
    assert_eq!(emulator.object("a.bin").unwrap().metadata["color"], "blue");

    client.send(&ask("DELETE", "a.bin")).expect(204);
    client
        .send(&ask("DELETE", "a.bin"))
        .expect_error(404, -148654, "file not exist");
    client
        .send(&ask("GET", "a.bin"))
        .expect_error(404, -148654, "file not exist");
    assert!(
        client
            .send(&ask("HEAD", "a.bin"))
            .expect(404)
            .body
            .is_empty()
    );
    assert_eq!(
        emulator.state().connections_accepted,
        1,
        "the connection is kept alive"
    );
}

#[test]
fn sizes_around_the_block() {
    let emulator = start();
    for size in [0, 1, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, (9 << 20) + 3] {
        let bytes = content(size);
        let reply = put("k", bytes.clone()).send(emulator.address()).expect(200);
        assert_eq!(reply.etag(), etag(&bytes), "{size}");
        assert!(emulator.object_bytes("k").unwrap() == bytes, "{size}");
    }
}

#[test]
fn keys_are_taken_as_they_are() {
    let emulator = start();
    let mut client = Client::connect(emulator.address());
    let long = "k".repeat(1023);
    let keys = [
        "a b",
        "文件/图.png",
        "a+b?c#d%e&f=g~",
        "'single' \"double\"",
        "a%2Fb",
        "/leading",
        "//two",
        "trailing/",
        "a//b",
        "x/../y",
        "./x",
        "<>|\\^`{}[]",
        "a:b@c;d,e!$*()",
        &long,
    ];
    for key in keys {
        client.send(&put(key, key)).expect(200);
        assert_eq!(client.send(&ask("GET", key)).expect(200).text(), key);
    }
    let mut stored: Vec<String> = emulator
        .state()
        .objects
        .into_iter()
        .map(|object| object.key)
        .collect();
    let mut expected = keys.map(String::from).to_vec();
    stored.sort();
    expected.sort();
    assert_eq!(stored, expected);
}

#[test]
fn bad_uploads_are_refused() {
    let emulator = start();
    let mut client = Client::connect(emulator.address());
    assert_eq!(client.send(&put("", "x")).status, 400);
    assert_eq!(client.send(&put(&"k".repeat(1024), "x")).status, 400);
    assert_eq!(
        client
            .send(&put("k", "x").header("X-Ufile-Storage-Class", "GOLD"))
            .status,
        400
    );
    assert_eq!(
        client
            .send(&put("k", "x").header("X-Ufile-Meta-a_b", "1"))
            .status,
        400
    );
    assert_eq!(
        client
            .send(&put("k", "x").header("X-Ufile-Meta-a", &"v".repeat(8192)))
            .status,
        400
    );
    assert_eq!(client.send(&ask("POST", "k")).status, 405);
    assert_eq!(
        client
            .send(
                &ask("PUT", "k")
                    .header("Transfer-Encoding", "chunked")
                    .body("0\r\n\r\n")
            )
            .status,
        411
    );
    let mut client = Client::connect(emulator.address());
    let huge = put("k", "")
        .length((512 << 20) + 1)
        .header("Expect", "100-continue");
    assert!(client.send(&huge).expect(400).text().contains("512 MiB"));
    assert!(emulator.state().objects.is_empty());
}

#[test]
fn the_hundred_continue_is_spoken() {
    let emulator = start();
    let mut client = Client::connect(emulator.address());
    let upload = put("k", "hello").header("Expect", "100-continue");
    client.write(upload.head().as_bytes()).unwrap();
    assert_eq!(client.read("PUT").unwrap().status, 100);
    client.write(b"hello").unwrap();
    client.read("PUT").unwrap().expect(200);

    // A refusal comes at once, and the body never.
    let refused = put("k", "hello")
        .private_key("bad")
        .header("Expect", "100-continue");
    client.write(refused.head().as_bytes()).unwrap();
    client.read("PUT").unwrap().expect(403);
    client.write(ask("GET", "k").head().as_bytes()).unwrap();
    if let Ok(reply) = client.read("GET") {
        reply.expect(200);
    }
}

#[test]
fn objects_outlive_the_emulator_in_a_data_dir() {
    let folder = tempfile::tempdir().unwrap();
    let options = || us3_emulator::Options {
        data_dir: Some(folder.path().into()),
        ..Default::default()
    };
    let emulator = us3_emulator::Emulator::start(options()).unwrap();
    put("kept", "bytes").send(emulator.address()).expect(200);
    put("gone", "bytes").send(emulator.address()).expect(200);
    ask("DELETE", "gone").send(emulator.address()).expect(204);
    emulator.stop();
    let emulator = us3_emulator::Emulator::start(options()).unwrap();
    assert_eq!(emulator.object_bytes("kept").unwrap(), b"bytes");
    assert_eq!(emulator.state().objects.len(), 1);
    put("new", "more").send(emulator.address()).expect(200);
    assert_eq!(emulator.object_bytes("kept").unwrap(), b"bytes");
}
