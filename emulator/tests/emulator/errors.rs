//! The documented refusals, exactly.

use crate::common::{ask, content, finish, initiate, part, put, start};
use us3_emulator::{Emulator, Options};

#[test]
fn without_credentials() {
    let emulator = start();
    put("k", "x")
        .unsigned()
        .send(emulator.address())
        .expect_error(401, -148643, "no authorization found");
    let foreign = put("k", "x")
        .unsigned()
        .header("Authorization", "Basic eDp5");
    foreign
        .send(emulator.address())
        .expect_error(401, -148643, "no authorization found");
}

#[test]
fn with_the_wrong_keys() {
    let emulator = start();
    for wrong in [
        put("k", "x").private_key("other"),
        put("k", "x").public_key("other"),
        put("k", "x").bucket("other"),
        put("k", "x")
            .unsigned()
            .header("Authorization", "UCloud demo-public-key"),
    ] {
        wrong
            .send(emulator.address())
            .expect_error(403, -148643, "invalid signature");
    }
    assert_eq!(
        ask("HEAD", "k")
            .private_key("other")
            .send(emulator.address())
            .expect(403)
            .body,
        b""
    );
}

#[test]
fn what_is_signed_counts() {
    let emulator = start();
    let full = put("k", "x")
        .header("Content-Type", "text/plain")
        .header("Date", "Thu, 01 Jan 2026 00:00:00 GMT")
        .header("X-UCloud-Foo", "foo")
        .header("X-UCloud-Bar", "bar1")
        .header("x-ucloud-bar", "bar2")
        .header("X-Ufile-Meta-A", "unsigned")
        .header("SecurityToken", "unsigned");
    full.send(emulator.address()).expect(200);
    put("k", "x")
        .header("Content-Type", "")
        .send(emulator.address())
        .expect(200);
    let tampered = full.head().replace("bar2", "bar3");
    let mut client = crate::common::Client::connect(emulator.address());
    client.write(format!("{tampered}x").as_bytes()).unwrap();
    client
        .read("PUT")
        .unwrap()
        .expect_error(403, -148643, "invalid signature");
}

#[test]
fn the_bucket() {
    let options = Options {
        missing_buckets: vec!["gone".into()],
        ..Options::default()
    };
    let emulator = Emulator::start(options).unwrap();
    let address = emulator.address();
    put("k", "x")
        .header("Host", "demo.us3.example")
        .send(address)
        .expect(200);
    // A domain of one's own, with the bucket not in it.
    put("k", "x")
        .header("Host", "files.example.com:80")
        .send(address)
        .expect(200);
    let other = put("k", "x")
        .bucket("other")
        .header("Host", "other.us3.example");
    other
        .send(address)
        .expect_error(400, -148653, "bucket not exists");
    put("k", "x")
        .bucket("gone")
        .send(address)
        .expect_error(400, -148653, "bucket not exists");
    let forged = put("k", "x")
        .bucket("other")
        .private_key("bad")
        .header("Host", "other.us3.example");
    forged
        .send(address)
        .expect_error(403, -148643, "invalid signature");
}

#[test]
fn the_md5() {
    let emulator = start();
    let md5 = "5d41402abc4b2a76b9719d911017c592";
    put("k", "hello")
        .header("Content-MD5", md5)
        .send(emulator.address())
        .expect(200);
    for wrong in [
        md5.to_uppercase().as_str(),
        "XUFAKrxLKna5cZ2REBfFkg==",
        "",
        &md5.replace('5', "6"),
    ] {
        let reply = put("bad", "hello")
            .header("Content-MD5", wrong)
            .send(emulator.address());
        reply.expect_error(400, -15036, "check md5 failed");
    }
    let id = initiate(&emulator, "m");
    let reply = part("m", &id, 0, "hello")
        .header("Content-MD5", &"0".repeat(32))
        .send(emulator.address());
    reply.expect_error(400, -15036, "check md5 failed");
    let state = emulator.state();
    assert_eq!(state.objects.len(), 1);
    assert!(state.uploads[0].parts.is_empty());
}

#[test]
fn the_policy() {
    let emulator = start();
    let address = emulator.address();
    let refused =
        |reply: crate::common::Reply| reply.expect_error(400, -148660, "invalid put policy");
    refused(put("k", "x").encoded_policy("***").send(address));
    refused(put("k", "x").encoded_policy("").send(address));
    refused(
        put("k", "x")
            .policy(r#"{"callbackBody":"x"}"#)
            .send(address),
    );
    let long = format!(
        r#"{{"callbackUrl":"http://127.0.0.1:1/","callbackBody":"{}"}}"#,
        "x".repeat(4096)
    );
    refused(put("k", "x").policy(&long).send(address));
    let good = r#"{"callbackUrl":"http://127.0.0.1:1/"}"#;
    refused(ask("POST", "k").query("uploads").policy(good).send(address));
    let id = initiate(&emulator, "k");
    refused(part("k", &id, 0, "x").policy(good).send(address));
    refused(finish("k", &id, &[]).policy("{}").send(address));
    assert!(emulator.state().objects.is_empty());
    assert_eq!(emulator.state().uploads.len(), 1);
    assert!(emulator.callbacks().is_empty());
}

#[test]
fn a_refused_client_may_send_its_whole_body_and_stay() {
    let emulator = start();
    let mut client = crate::common::Client::connect(emulator.address());
    client
        .send(&put("k", content(8 << 20)).private_key("bad"))
        .expect(403);
    client.send(&put("k", "x")).expect(200);
    let state = emulator.state();
    assert_eq!(state.connections_accepted, 1);
    assert_eq!(state.requests[0].body_received, 8 << 20);
}
