//! The program as its users meet it: what it prints, when it ends, and what it says of mistakes.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use crate::common::program::{ANY_PORT, Program, command};
use crate::common::service::Service;
use crate::common::{Ask, ask, put};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;

/// Runs a program that ends by itself.
fn ended(arguments: &[&str]) -> (bool, String) {
    let Output { status, stderr, .. } = command(arguments).output().unwrap();
    (status.success(), String::from_utf8(stderr).unwrap())
}

/// What the program logs about one request that it refuses.
fn log_of(ask: &Ask) -> String {
    let program = Program::start(&[]);
    ask.send(program.address()).expect(403);
    program.end()
}

/// What a client sends that signed this.
fn signed(ask: Ask, private_key: &str, text: &str) -> Ask {
    let signature = crate::common::sign(private_key, text);
    ask.unsigned().header(
        "Authorization",
        &format!("UCloud demo-public-key:{signature}"),
    )
}

#[test]
fn it_says_where_it_is_and_logs_requests() {
    let program = Program::start(&[]);
    let words: Vec<&str> = program.ready.split(' ').collect();
    assert_eq!(words[..2], ["us3-emulator", "ready"]);
    assert_eq!(words[3], "bucket=demo");
    assert!(words[4].starts_with("control=http://127.0.0.1:"));
    put("k", "x").send(program.address()).expect(200);
    ask("GET", "a b")
        .unsigned()
        .send(program.address())
        .expect(401);
    let log = program.end();
    for line in [
        "#1 connection 1 put \"k\", 1 bytes → 200 in ",
        "#2 connection 2 get \"a b\", 0 bytes → 401 RetCode -148643 \"no authorization found\" in ",
        "\n    the request has no Authorization header",
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
}

#[test]
fn it_logs_callbacks_with_their_replies() {
    let service = Service::start(200, "application/json", r#"{"seen":1}"#);
    let program = Program::start(&[]);
    let policy = format!(
        r#"{{"callbackUrl":"{}","callbackBody":"a=1","callbackBodyType":"text/plain"}}"#,
        service.url("/done")
    );
    put("k", "x")
        .policy(&policy)
        .send(program.address())
        .expect(200);
    let log = program.end();
    let line = format!(
        r#"#1 callback POST {} "a=1" → 200 "{{\"seen\":1}}" in "#,
        service.url("/done")
    );
    assert!(log.contains(&line), "{log}");
}

#[test]
fn it_tells_how_to_point_a_client_at_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    fs::write(
        &file,
        "an older one, which everybody may read, and which is longer than the new one will be: "
            .repeat(9),
    )
    .unwrap();
    let program = Program::start(&["--write-config", file.to_str().unwrap()]);
    let url = format!("http://{}", program.address());
    let config: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let expected = serde_json::json!({
        "public_key": "demo-public-key", "private_key": "demo-private-key",
        "bucket_name": "demo", "endpoint": url,
    });
    assert_eq!(config, expected);
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let address = program.address();
    let control = program.word("control=").to_string();
    let greeting = program.end();
    let shown = fs::read_to_string(&file).unwrap();
    for line in shown.lines() {
        assert!(greeting.contains(&format!("    {line}\n")), "{greeting}");
    }
    let state = format!("curl {control}/state\n");
    assert!(greeting.contains(&state), "{greeting}");

    // The request of the greeting, to an emulator with the same account.
    let program = Program::start(&[]);
    let (_, rest) = greeting.split_once("Authorization: ").unwrap();
    let (authorization, rest) = rest.split_once('\'').unwrap();
    let target = format!("--data-binary hello http://{address}/hello.txt\n");
    assert!(rest.contains(&target), "{greeting}");
    put("hello.txt", "hello")
        .unsigned()
        .header("Content-Type", "text/plain")
        .header("Authorization", authorization)
        .send(program.address())
        .expect(200);
}

#[test]
fn a_private_key_that_somebody_chose_is_not_shown() {
    let program = Program::start(&["--private-key", "a-real-one"]);
    let log = program.end();
    assert!(!log.contains("a-real-one"), "{log}");
    assert!(log.contains("(the one of --private-key)"), "{log}");
}

#[test]
fn it_is_quiet_when_asked() {
    let program = Program::start(&["--quiet", "--bucket", "b"]);
    assert_eq!(program.word("bucket="), "b");
    put("k", "x")
        .bucket("b")
        .send(program.address())
        .expect(200);
    assert_eq!(program.end(), "");
}

#[test]
fn a_port_that_is_taken_is_named_with_its_option() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for arguments in [
        &["--listen", &address][..],
        &["--listen", "127.0.0.1:0", "--control", &address],
    ] {
        let option = arguments[arguments.len() - 2];
        let (success, log) = ended(arguments);
        assert!(!success);
        let begin = format!("us3-emulator: {option} {address}: another program listens there");
        assert!(log.starts_with(&begin), "{log}");
        assert!(log.contains(&format!("{option} 127.0.0.1:0")), "{log}");
    }
}

#[test]
fn the_default_port_is_a_fixed_one() {
    // Taken by us, or by somebody else: either way it is not free.
    let _taken = TcpListener::bind("127.0.0.1:7380");
    let (success, log) = ended(&[]);
    assert!(!success);
    assert!(log.contains("--listen 127.0.0.1:7380: another program"));
}

#[test]
fn what_cannot_be_is_told_with_its_option() {
    for (arguments, begin) in [
        (
            ["--data-dir", "/dev/null/objects"],
            "--data-dir /dev/null/objects: ",
        ),
        (
            ["--tls-ca", "/dev/null/ca.pem"],
            "--tls-ca /dev/null/ca.pem: ",
        ),
        (
            ["--write-config", "/dev/null/c.json"],
            "--write-config /dev/null/c.json: ",
        ),
        (
            ["--rule", r#"{"call":"callback","fault":{"alter":{}}}"#],
            "--rule: ",
        ),
    ] {
        let (success, log) = ended(&[&ANY_PORT[..], &arguments].concat());
        assert!(!success);
        assert!(log.starts_with(&format!("us3-emulator: {begin}")), "{log}");
    }
}

#[test]
fn the_help_names_every_option() {
    let help = command(&["--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for option in [
        "--listen <ADDRESS>",
        "[default: 127.0.0.1:7380]",
        "--control <ADDRESS>",
        "--control-token <TOKEN>",
        "--tls-ca <FILE>",
        "--bucket <NAME>",
        "--public-key <KEY>",
        "--private-key <KEY>",
        "--missing-bucket <NAME>",
        "--write-config <FILE>",
        "--part-size <BYTES>",
        "--data-dir <DIR>",
        "--callback-timeout-ms <MS>",
        "--rights <LIST>",
        "--break <NAME>",
        "--requests-per-second <N>",
        "--clock-skew-s <SECONDS>",
        "--strict",
        "--no-etag-with-policy",
        "--rule <JSON>",
        "--quiet",
        "--until-stdin-ends",
        "Examples:",
    ] {
        assert!(help.contains(option), "{option}: {help}");
    }
    for line in help.lines() {
        assert!(line.chars().count() <= 120, "{line}");
    }
}

#[test]
fn a_signature_of_another_string_is_explained_with_both_strings() {
    let log = log_of(&signed(
        put("a b", "x"),
        "demo-private-key",
        "PUT\n\n\n\n/demo/a%20b",
    ));
    for line in [
        r#"put "a b", 1 bytes → 403 RetCode -148643 "invalid signature" in "#,
        r#"    string to sign here:   "PUT\n\n\n\n/demo/a b""#,
        r#"    string the client signed: "PUT\n\n\n\n/demo/a%20b"  (the key was signed percent-encoded, it must be raw)"#,
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
}

#[test]
fn the_usual_slips_are_found() {
    let key = "demo-private-key";
    let typed = || put("k", "x").header("Content-Type", "text/plain");
    for (ask, why) in [
        (
            signed(typed(), key, "PUT\n\n\n\n/demo/k"),
            "the Content-Type was not signed",
        ),
        (
            signed(put("k", "x"), key, "PUT\n\n\n\n/k"),
            "the bucket stands before the key",
        ),
        (
            signed(put("k", "x"), key, "PUT\n\n\n\n//k"),
            "the bucket was not signed",
        ),
        (
            signed(put("k", "x"), key, "PUT\n\n\n\n/demo//k"),
            "one slash between the bucket and the key",
        ),
        (
            signed(put("k", "x"), key, "PUT\n\n\n\n/demo/k\n"),
            "no line feed at the end",
        ),
        (
            put("k", "x").private_key("demo-private-key\n"),
            "a private key with a line feed behind it",
        ),
        (
            put("k", "x").private_key("demo-public-key"),
            "the private key signs",
        ),
        (
            put("k", "x").private_key("other"),
            "string the client signed: not to be guessed",
        ),
        (
            put("k", "x").public_key("other"),
            r#"unknown public key "other"; the one here is "demo-public-key" (--public-key)"#,
        ),
    ] {
        let log = log_of(&ask);
        assert!(log.contains(why), "{why}: {log}");
        assert!(log.contains(r"string to sign here:"), "{log}");
    }
}

#[test]
fn a_signature_in_another_spelling_is_recognised() {
    // Of this string, in base64 with a "/" in it.
    let (key, text) = ("demo-private-key", "PUT\n\n\n\n/demo/k2");
    let base64 = crate::common::sign(key, text);
    let bytes = crate::common::signature(key, text);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(base64.contains(['+', '/']), "{base64}");
    for (spelling, why) in [
        (hex, "in hex"),
        (URL_SAFE.encode(&bytes), "the base64 of URLs"),
        (base64.trim_end_matches('=').to_string(), "without the ="),
    ] {
        let ask = put("k2", "x").unsigned().header(
            "Authorization",
            &format!("UCloud demo-public-key:{spelling}"),
        );
        let log = log_of(&ask);
        assert!(log.contains(why), "{why}: {log}");
    }
}

#[test]
fn a_policy_that_was_signed_in_another_way_is_explained() {
    let json = r#"{"callbackUrl":"http://127.0.0.1:9/"}"#;
    let encoded = URL_SAFE.encode(json);
    for (text, why) in [
        (
            "PUT\n\n\n\n/demo/k".to_string(),
            "the policy was not signed",
        ),
        (
            format!("PUT\n\n\n\n/demo/k\n{encoded}"),
            "nothing between the key and the policy",
        ),
        (
            format!("PUT\n\n\n\n/demo/k{json}"),
            "it must be signed encoded",
        ),
    ] {
        let signature = crate::common::sign("demo-private-key", &text);
        let ask = put("k", "x").unsigned().header(
            "Authorization",
            &format!("UCloud demo-public-key:{signature}:{encoded}"),
        );
        let log = log_of(&ask);
        assert!(log.contains(why), "{why}: {log}");
    }
}

#[test]
fn a_policy_that_is_not_compact_is_remarked_on_in_the_log() {
    let service = Service::start(200, "application/json", "{}");
    let program = Program::start(&[]);
    let policy = format!(r#"{{"callbackUrl": "{}"}}"#, service.url("/"));
    put("k", "x")
        .policy(&policy)
        .send(program.address())
        .expect(200);
    let log = program.end();
    assert!(
        log.contains("    not compact, blanks outside strings: "),
        "{log}"
    );
}
