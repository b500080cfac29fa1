//! The configuration: what the file may hold, what is refused, and how the refusal reads.

use std::fs;
use std::path::Path;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use us3::config::Config;
use us3::error::{Error, Status};

const SECRET: &str = "hunter2-private";

fn config() -> Config {
    let mut config = Config::new("TOKEN_public", SecretString::from(SECRET), "demo");
    config.file_host = Some("cn-bj.ufileos.com".into());
    config
}

fn read(content: impl AsRef<[u8]>) -> us3::error::Result<Config> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.json");
    fs::write(&path, content).unwrap();
    Config::from_file(&path)
}

fn message(error: &Error) -> &str {
    assert_eq!(error.status(), Status::InvalidConfig);
    assert!(!error.message().contains("hunter2"), "{error}");
    error.message()
}

/// Reads a file that must be refused with all these words.
fn refused(content: impl AsRef<[u8]>, words: &[&str]) {
    let error = read(content).expect_err("an error");
    let message = message(&error);
    assert!(message.contains("config.json"), "{message}");
    for word in words {
        assert!(message.contains(word), "{message:?} lacks {word:?}");
    }
}

fn unfit(change: impl FnOnce(&mut Config), words: &[&str]) {
    let mut config = config();
    change(&mut config);
    let error = config.check().expect_err("an error");
    let message = message(&error);
    for word in words {
        assert!(message.contains(word), "{message:?} lacks {word:?}");
    }
}

/// The page's members, with `more` in line 6.
fn file(more: &str) -> String {
    format!(
        "{{\n\"public_key\":\"TOKEN_public\",\n\"private_key\":\"{SECRET}\",\n\"bucket_name\":\"demo\",\n\"file_host\":\"cn-bj.ufileos.com\"{}\n{more}}}\n",
        if more.is_empty() { "" } else { "," }
    )
}

#[test]
fn the_defaults() {
    let config = config();
    assert!(!config.verify_upload_md5 && config.verify_etag);
    assert!(!config.use_env_proxy && !config.callback_at_least_once);
    assert_eq!(config.connect_timeout, Duration::from_secs(10));
    assert_eq!(config.idle_timeout, Duration::from_secs(30));
    assert_eq!(config.response_timeout, Duration::from_secs(60));
    assert_eq!(config.settle_timeout, Duration::from_secs(5));
    assert_eq!(config.max_retries, 3);
    assert_eq!(config.worker_threads, 2);
    assert_eq!(config.max_concurrent_uploads, 32);
    let origin = config.check().unwrap();
    assert!(!origin.https);
    assert_eq!(origin.authority, "demo.cn-bj.ufileos.com");
}

#[test]
fn the_vendors_file() {
    let config = read(
        r#"{
        "说明1":"a comment, as in the vendor's file",
        "public_key":"TOKEN_public",
        "private_key":"hunter2-private",
        "bucket_name":"demo",
        "file_host":"cn-bj.ufileos.com",
        "bucket_host":"api.ucloud.cn",
        "endpoint":"",
        "verfiy_upload_md5": true
    }"#,
    )
    .unwrap();
    assert_eq!(config.private_key.expose_secret(), SECRET);
    assert!(config.verify_upload_md5);
    assert_eq!(config.endpoint, None);
    assert_eq!(config.check().unwrap().authority, "demo.cn-bj.ufileos.com");
}

#[test]
fn every_member() {
    let config = read(file(
        r#""security_token":"hunter2-token","endpoint":"https://files.example.com/","verify_upload_md5":true,
        "verfiy_upload_md5":true,"verify_etag":false,"connect_timeout_ms":1,"idle_timeout_ms":2,"response_timeout_ms":3,
        "settle_timeout_ms":4,"max_retries":0,"worker_threads":4,"max_concurrent_uploads":5,"proxy":"http://u:hunter2@h:1","ca_file":"a/b.pem",
        "use_env_proxy":true,"callback_at_least_once":true,"unknown":{"x":[1]}"#,
    ))
    .unwrap();
    assert_eq!(
        config.security_token.as_ref().unwrap().expose_secret(),
        "hunter2-token"
    );
    assert!(config.verify_upload_md5 && !config.verify_etag);
    assert_eq!(config.connect_timeout, Duration::from_millis(1));
    assert_eq!(config.idle_timeout, Duration::from_millis(2));
    assert_eq!(config.response_timeout, Duration::from_millis(3));
    assert_eq!(config.settle_timeout, Duration::from_millis(4));
    assert_eq!((config.max_retries, config.worker_threads), (0, 4));
    assert_eq!(config.max_concurrent_uploads, 5);
    assert_eq!(config.ca_file.as_deref(), Some(Path::new("a/b.pem")));
    assert!(config.use_env_proxy && config.callback_at_least_once);
    let origin = config.check().unwrap();
    assert!(origin.https);
    assert_eq!(origin.authority, "files.example.com");
    let debug = format!("{config:?}");
    assert!(!debug.contains("hunter2"), "{debug}");
}

#[test]
fn zero_empty_and_null_are_the_default() {
    let config = read(file(
        r#""connect_timeout_ms":0,"idle_timeout_ms":null,"response_timeout_ms":0,"worker_threads":0,
        "max_concurrent_uploads":0,"security_token":"","proxy":"","ca_file":"","endpoint":null,"verify_upload_md5":null"#,
    ))
    .unwrap();
    assert_eq!(config.connect_timeout, Duration::from_secs(10));
    assert_eq!(config.response_timeout, Duration::from_secs(60));
    assert_eq!(
        (config.worker_threads, config.max_concurrent_uploads),
        (2, 32)
    );
    assert!(config.security_token.is_none() && config.proxy.is_none() && config.ca_file.is_none());
}

#[test]
fn a_byte_order_mark_is_tolerated() {
    read(format!("\u{feff}{}", file(""))).unwrap();
}

#[test]
fn escapes_are_read() {
    let config = read(file("").replace("hunter2", "\\u0068unter2")).unwrap();
    assert_eq!(config.private_key.expose_secret(), SECRET);
}

#[test]
fn wrong_types_name_the_line_and_never_quote() {
    refused(
        file("").replace("\"hunter2-private\"", "20022002"),
        &["line 3", "\"private_key\"", "a string"],
    );
    let error = read(file("").replace("\"hunter2-private\"", "20022002")).unwrap_err();
    assert!(!error.message().contains("2002"), "{error}");
    for value in ["[\"hunter2\"]", "{\"hunter2\":1}", "true", "null", "1e3"] {
        refused(
            file("").replace("\"hunter2-private\"", value),
            &["line 3", "\"private_key\"", "a string"],
        );
    }
    refused(
        file("\"security_token\":[\"hunter2\"]"),
        &["line 6", "\"security_token\"", "a string"],
    );
    refused(
        file("\"proxy\":{\"hunter2\":1}"),
        &["line 6", "\"proxy\"", "a string"],
    );
    refused(
        file("\"verify_etag\":\"hunter2\""),
        &["line 6", "\"verify_etag\"", "true or false"],
    );
    refused(
        file("\"verfiy_upload_md5\":1"),
        &["line 6", "\"verfiy_upload_md5\"", "true or false"],
    );
    for value in ["\"5\"", "-1", "1.5", "4294967296", "1e99", "{}"] {
        refused(
            file(&format!("\"max_retries\":{value}")),
            &["line 6", "\"max_retries\"", "whole number"],
        );
        refused(
            file(&format!("\"idle_timeout_ms\":{value}")),
            &["line 6", "\"idle_timeout_ms\"", "milliseconds"],
        );
    }
}

#[test]
fn missing_and_double_members_are_named() {
    for (line, member) in [(2, "public_key"), (3, "private_key"), (4, "bucket_name")] {
        let lines = file("");
        let without: Vec<_> = lines
            .lines()
            .enumerate()
            .filter(|(i, _)| i + 1 != line)
            .map(|(_, l)| l)
            .collect();
        refused(
            without.join("\n"),
            &[&format!("\"{member}\" is missing"), "line 5"],
        );
    }
    refused(
        file("").replace("file_host", "file_hots"),
        &["file_host nor endpoint"],
    );
    refused(
        file("\"private_key\":\"hunter2\""),
        &["line 6", "\"private_key\"", "twice"],
    );
    refused(
        file("\"verfiy_upload_md5\":true,\"verify_upload_md5\":false"),
        &["verfiy_upload_md5", "verify_upload_md5", "remove one"],
    );
}

#[test]
fn what_is_no_json_object_is_refused() {
    refused("", &["empty"]);
    refused(" \n", &["empty"]);
    refused("\n[1]", &["line 2", "JSON object"]);
    refused("[\"a\",\"hunter2\",null,\"b\"]", &["line 1", "JSON object"]);
    refused("public_key: hunter2", &["line 1", "JSON object"]);
    refused(
        "{\n\"private_key\": hunter2}",
        &["line 2", "not valid JSON"],
    );
    refused("{\"private_key\":\"hunter2", &["line 1", "not valid JSON"]);
    refused(file("").replace("}", ""), &["not valid JSON"]);
    refused(file("") + "hunter2", &["line 7", "not valid JSON"]);
    refused(b"{\n\"\xFF\xFE", &["line 2", "UTF-8"]);
    refused(b"\xFF\xFE{\0", &["line 1", "UTF-8"]);
    refused(" ".repeat((1 << 20) + 1), &["larger than 1 MiB"]);
    refused(
        "{\"z\":".to_string() + &"[".repeat(1 << 19),
        &["not valid JSON"],
    );
    refused(
        file(&format!("\"z\":{}{}", "[".repeat(1 << 18), "1".repeat(9))),
        &["not valid JSON"],
    );
}

#[test]
fn what_is_no_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let error = Config::from_file(dir.path()).unwrap_err();
    assert!(error.message().contains("is a directory"));
    assert_eq!(error.status(), Status::FileError);
    let missing = dir.path().join("missing.json");
    let error = Config::from_file(&missing).unwrap_err();
    assert!(error.message().contains("missing.json"));
    assert_eq!(error.report().os_error, 2);
    let error = Config::from_file(Path::new("/dev/null")).unwrap_err();
    assert!(error.message().contains("not a regular file"));
    let error = Config::from_file(Path::new("")).unwrap_err();
    assert_eq!(error.status(), Status::FileError);
    let error = Config::from_file(Path::new("a\0b")).unwrap_err();
    assert_eq!(error.status(), Status::FileError);
}

#[test]
fn checks_of_a_file_name_it() {
    refused(
        file("").replace("hunter2-private", "hunter2-private\\n"),
        &["private_key", "line break"],
    );
    refused(file("\"max_retries\":101"), &["max_retries", "101"]);
    refused(
        file("\"connect_timeout_ms\":86400001"),
        &["connect_timeout_ms", "86400001"],
    );
    refused(file("\"worker_threads\":257"), &["worker_threads", "257"]);
    refused(
        file("\"max_concurrent_uploads\":4294967295"),
        &["max_concurrent_uploads"],
    );
}

#[test]
fn credentials_are_visible_ascii() {
    for (value, problem) in [
        ("", "is empty"),
        ("  ", "is blank"),
        ("hunter2\n", "line break"),
        ("hunter2\r\n", "line break"),
        ("hunter2 ", "ends with a blank"),
        (" hunter2", "begins with a blank"),
        ("\u{feff}hunter2", "begins with"),
        ("hunter2\u{a0}", "ends with a blank"),
        ("hun\nter2", "control character"),
        ("hun\0ter2", "control character"),
        ("hun\u{7f}ter2", "control character"),
        ("hunter2 x", "contains a blank"),
        ("hunter2é", "not ASCII"),
    ] {
        unfit(|c| c.public_key = value.into(), &["public_key", problem]);
        unfit(|c| c.private_key = value.into(), &["private_key", problem]);
        if !value.is_empty() {
            unfit(
                |c| c.security_token = Some(value.into()),
                &["security_token", problem],
            );
        }
    }
    unfit(|c| c.public_key = "a:b".into(), &["public_key", "':'"]);
    let mut config = config();
    config.security_token = Some("".into());
    config.public_key = "abc+/=_-.~!".into();
    config.check().unwrap();
}

#[test]
fn buckets_are_host_labels() {
    for (value, problem) in [
        ("", "is empty"),
        (" ", "is empty"),
        ("demo\n", "line break"),
        ("de mo", "' '"),
        ("demo.cn-bj.ufileos.com", "dot"),
        ("demo/", "'/'"),
        ("http://demo", "':'"),
        ("demo@evil", "'@'"),
        ("演示", "only letters"),
        ("-demo", "'-'"),
        ("demo-", "'-'"),
        (&"a".repeat(64), "64 bytes"),
    ] {
        unfit(|c| c.bucket_name = value.into(), &["bucket_name", problem]);
    }
    for value in ["a", "Demo_1", "demo-bucket-2", &"a".repeat(63)] {
        let mut config = config();
        config.bucket_name = value.into();
        config.check().expect(value);
    }
}

#[test]
fn addresses() {
    let origin = |endpoint: bool, text: &str| {
        let mut config = config();
        if endpoint {
            config.endpoint = Some(text.into());
        } else {
            config.file_host = Some(text.into());
        }
        let origin = config.check().expect(text);
        (origin.https, origin.authority)
    };
    let both = |text: &str, https: bool, authority: &str| {
        assert_eq!(origin(true, text), (https, authority.to_owned()));
        assert_eq!(origin(false, text), (https, format!("demo.{authority}")));
    };
    both("h.example", false, "h.example");
    both("http://h.example/", false, "h.example");
    both("HTTPS://H.example", true, "h.example");
    both("https://h.example:8443", true, "h.example:8443");
    both("h.example:8080/", false, "h.example:8080");
    both("http://h.example:80", false, "h.example");
    both("localhost:1", false, "localhost:1");
    assert_eq!(
        origin(true, "127.0.0.1:8080"),
        (false, "127.0.0.1:8080".into())
    );
    assert_eq!(
        origin(true, "http://[::1]:8080"),
        (false, "[::1]:8080".into())
    );
    assert_eq!(
        origin(true, "https://[2001:db8::1]"),
        (true, "[2001:db8::1]".into())
    );
    for text in [
        " ",
        "http://",
        "ftp://h",
        "://h",
        "h/path",
        "h//",
        "http://h/a",
        "h?a",
        "h#a",
        "u@h",
        "u:hunter2@h",
        "http://u:hunter2@h",
        "u:hun?ter2@h",
        "h:",
        "h:0",
        "h:99999",
        "h:port",
        ":80",
        "a b",
        "h\n",
        "a..b",
        ".cn-bj.ufileos.com",
        "h\\x",
        "h%20",
        "例.cn",
        "[::1",
        "h|x",
        "http://http://h",
        "<region>.ufileos.com",
    ] {
        unfit(|c| c.endpoint = Some(text.into()), &["endpoint"]);
        unfit(|c| c.file_host = Some(text.into()), &["file_host"]);
    }
    for text in ["127.0.0.1", "https://[::1]:80"] {
        unfit(
            |c| c.file_host = Some(text.into()),
            &["file_host", "IP address", "endpoint"],
        );
    }
    unfit(|c| c.file_host = Some("a.".repeat(124) + "bc"), &["253"]);
    unfit(|c| c.file_host = None, &["file_host", "endpoint"]);
    unfit(
        |c| c.file_host = Some(String::new()),
        &["file_host", "endpoint"],
    );
}

#[test]
fn proxies() {
    for proxy in [
        "http://h:3128",
        "http://h:80",
        "http://h:3128/",
        "http://u:hunter2@h:3128",
        "http://u@[::1]:1",
        "HTTP://u:p%40ss@1.2.3.4:8080",
        "",
    ] {
        let mut config = config();
        config.proxy = Some(proxy.into());
        config.check().expect(proxy);
        assert!(!format!("{config:?}").contains("hunter2"));
    }
    for proxy in [
        "h:3128",
        "https://h:3128",
        "socks5://u:hunter2@h:1",
        "http://h",
        "http://[::1]",
        "http://u:hunter2@h",
        "http://u:hunter2@h:",
        "http://u:hunter2@h:0",
        "http://u:hunter2@h:x",
        "http://u:hun/ter2@h:1",
        "http://u:hunter2@h:1/path",
        "http://u:hunter2@h:1?x",
        "http://u:hunter2 @h:1",
        "http://",
        "http://:1",
        "http://u:hunter2@:1",
    ] {
        unfit(|c| c.proxy = Some(proxy.into()), &["proxy"]);
    }
}

#[test]
fn numbers_have_ranges() {
    unfit(
        |c| c.connect_timeout = Duration::ZERO,
        &["connect_timeout_ms", "0 ms"],
    );
    unfit(
        |c| c.idle_timeout = Duration::from_nanos(1),
        &["idle_timeout_ms"],
    );
    unfit(
        |c| c.settle_timeout = Duration::from_millis(86_400_001),
        &["settle_timeout_ms", "24 hours"],
    );
    unfit(
        |c| c.response_timeout = Duration::MAX,
        &["response_timeout_ms", "24 hours"],
    );
    unfit(|c| c.max_retries = u32::MAX, &["max_retries", "100"]);
    unfit(|c| c.worker_threads = 0, &["worker_threads", "1 to 256"]);
    unfit(
        |c| c.max_concurrent_uploads = 0,
        &["max_concurrent_uploads", "1 to 4096"],
    );
}
