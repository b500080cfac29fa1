//! Tests which policies are refused, and what is sent of the others.

use super::*;
use serde_json::Value;

/// The message of the error, which must be of the right kind.
fn refused(json: &str) -> String {
    let error = PutPolicy::parse(json).expect_err(json);
    assert_eq!(error.status(), Status::InvalidPolicy);
    error.message().to_owned()
}

fn refused_url(url: &str) -> String {
    let message = refused(&format!(
        "{{\"callbackUrl\":{}}}",
        serde_json::to_string(url).unwrap()
    ));
    assert!(message.contains("callbackUrl"), "{message}");
    message
}

fn with(members: &str) -> String {
    format!("{{\"callbackUrl\":\"http://h/\",{members}}}")
}

#[test]
fn compaction_equals_the_independent_one() {
    let vectors = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/vectors/vectors.json"
    ));
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    for case in vectors["policies"].as_array().unwrap() {
        let policy = PutPolicy::parse(case["text"].as_str().unwrap()).unwrap();
        assert_eq!(policy.json(), case["compact"].as_str().unwrap());
        assert_eq!(policy.encoded(), case["encoded"].as_str().unwrap());
    }
}

#[test]
fn compaction_changes_no_meaning_and_is_idempotent() {
    let pieces = [
        r#""a b""#,
        r#""\" , \\""#,
        r#""\\""#,
        r#""\\\" { ""#,
        "1.50",
        "-0",
        "1e-7",
        "null",
        "[ ]",
        "[ 1 , [ 2 ] ]",
        "{ }",
        r#"{ "k : {" : " } " }"#,
        r#""\u0020 \ud83d\ude00 é""#,
    ];
    for (i, first) in pieces.iter().enumerate() {
        for second in &pieces[i..] {
            let text = with(&format!(
                "\n\t\"a \\\" b\" :\r\n {first} , \"b\":{second} \n"
            ));
            let policy = PutPolicy::parse(&text).unwrap();
            let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
            assert_eq!(parse(policy.json()), parse(&text));
            assert_eq!(PutPolicy::parse(policy.json()).unwrap(), policy);
            assert_eq!(
                URL_SAFE.decode(policy.encoded()).unwrap(),
                policy.json().as_bytes()
            );
        }
    }
}

#[test]
fn what_is_no_object_is_refused() {
    for text in ["", " ", "\n\t"] {
        assert!(refused(text).contains("empty"));
    }
    assert!(refused("\u{feff}{}").contains("byte order mark"));
    assert!(refused("[]").contains("an array"));
    assert!(refused("\"callbackUrl\"").contains("a string"));
    assert!(refused("7").contains("a number"));
    assert!(refused("null").contains("null"));
    for text in [
        "{",
        "{]",
        "hello",
        "{'a':1}",
        "{\"a\":1,}",
        "{} {}",
        "{\"a\":\"\\x\"}",
        "\0",
    ] {
        assert!(refused(text).contains("not valid JSON"), "{text:?}");
    }
    assert!(refused("{\n\n?").contains("line 3"));
}

#[test]
fn deep_nesting_is_refused() {
    for depth in [200, 100_000] {
        let arrays = with(&format!("\"z\":{}{}", "[".repeat(depth), "]".repeat(depth)));
        let objects = with(&format!(
            "\"z\":{}1{}",
            "{\"a\":".repeat(depth),
            "}".repeat(depth)
        ));
        for text in [arrays, objects, "[".repeat(depth)] {
            assert!(refused(&text).contains("recursion limit"));
        }
    }
}

#[test]
fn the_url_is_required_and_checked() {
    assert!(refused("{}").contains("callbackUrl is missing"));
    assert!(refused("{\"CallbackURL\":\"http://h/\"}").contains("must be written callbackUrl"));
    for value in ["1", "null", "{}", "[]", "true"] {
        let message = refused(&format!("{{\"callbackUrl\":{value}}}"));
        assert!(message.contains("callbackUrl is") && message.contains("a string"));
    }
    for url in [
        "",
        " ",
        "h/path",
        "/path",
        "ftp://h/",
        "file:///etc",
        "http:h",
        "http:/h",
        "http://",
        "http:///path",
        "http://?a",
        "http://#a",
        "http://\\h",
        "http://:80/",
        "http://h:99999/",
        "http://h:port/",
        "http://a b/",
        "http://h/a b",
        " http://h/",
        "http://h/\n",
        "http://h/\tx",
        "ht\ntp://h/",
        "http://h\u{a0}/",
        "http://h/\u{7f}",
        "http://[::1/",
        "javascript://h/%0a",
    ] {
        refused_url(url);
    }
    for url in [
        "http://h",
        "HTTPS://h/",
        "http://h:8080/p?a=b",
        "https://[::1]:443/",
        "http://1.2.3.4/",
        "http://user:pw@h/",
        "http://中文.cn/回调",
    ] {
        PutPolicy::build(url, "", None, &[]).expect(url);
    }
}

#[test]
fn secrets_of_the_url_stay_out_of_the_message() {
    let message = refused_url("http://user:hunter2@h:port/?token=hunter3#hunter4");
    assert!(!message.contains("hunter"), "{message}");
    let message = refused_url("user:hunter?2@h");
    assert!(!message.contains("hunter"), "{message}");
}

#[test]
fn members_have_their_types() {
    for value in ["1", "null", "{}", "[]", "false"] {
        assert!(refused(&with(&format!("\"callbackBody\":{value}"))).contains("callbackBody is"));
        let message = refused(&with(&format!("\"callbackBodyType\":{value}")));
        assert!(message.contains("callbackBodyType is"));
        let message = refused(&with(&format!("\"callbackVar\":{{\"x:a\":{value}}}")));
        assert!(message.contains("callbackVar \"x:a\" is"), "{message}");
    }
    for value in ["1", "null", "\"\"", "[]", "[\"x:a\",\"b\"]", "false"] {
        assert!(refused(&with(&format!("\"callbackVar\":{value}"))).contains("callbackVar is"));
    }
    for value in ["\\r\\nX: y", "a\\nb", "\\r", "\\u0000"] {
        let message = refused(&with(&format!("\"callbackBodyType\":\"{value}\"")));
        assert!(message.contains("callbackBodyType"), "{message}");
    }
}

#[test]
fn a_member_twice_is_refused() {
    assert!(refused(&with("\"callbackUrl\":\"http://h/\"")).contains("callbackUrl is there twice"));
    assert!(refused(&with("\"callback\\u0055rl\":\"http://h/\"")).contains("twice"));
    for member in ["callbackBody", "callbackBodyType"] {
        let text = with(&format!("\"{member}\":\"\",\"{member}\":\"\""));
        assert!(refused(&text).contains(&format!("{member} is there twice")));
    }
    assert!(refused(&with("\"callbackVar\":{},\"callbackVar\":{}")).contains("twice"));
    assert!(refused(&with("\"callbackVar\":{\"x:a\":\"\",\"x:a\":\"\"}")).contains("twice"));
    PutPolicy::parse(&with("\"z\":1,\"z\":2")).expect("unknown members are nobody's business");
}

#[test]
fn every_placeholder_is_defined() {
    let vars = [("x:a", "1"), ("x:b c", "2"), ("x:", "3")];
    for body in [
        "",
        "$",
        "$(",
        "$()",
        "$(y:a)",
        "x:a",
        "$(x",
        "a$(x:a)b$(x:b c)$(x:)",
        "$$(x:a)",
        "$(x:a))",
    ] {
        PutPolicy::build("http://h/", body, None, &vars).expect(body);
    }
    for (body, named) in [
        ("$(x:z)", "x:z"),
        ("$(x:a)&$(x:B)", "x:B"),
        ("$(x: a)", "x: a"),
        ("$($(x:q)", "x:q"),
        ("$(x:a", "without its"),
        ("$(x:a)$(x:a", "without its"),
        ("$(x:", "without its"),
    ] {
        let error = PutPolicy::build("http://h/", body, None, &vars).expect_err(body);
        assert_eq!(error.status(), Status::InvalidPolicy);
        assert!(error.message().contains(named), "{error}");
    }
    let error = PutPolicy::build("http://h/", "$(x:a)", None, &[("a", "1")]).unwrap_err();
    assert!(error.message().contains("write \"x:a\" there"), "{error}");
    PutPolicy::parse(&with("\"callbackBody\":\"\\u0024(x:q)\""))
        .expect_err("escaped, but a placeholder");
}

#[test]
fn at_most_4096_bytes_once_encoded() {
    let frame = with("\"z\":\"\"").len();
    let fits = with(&format!("\"z\":\"{}\"", "a".repeat(3072 - frame)));
    let policy = PutPolicy::parse(&format!("{:>9000}", fits)).unwrap();
    assert_eq!(policy.encoded().len(), MAX_ENCODED_LEN);
    let longer = with(&format!("\"z\":\"{}\"", "a".repeat(3073 - frame)));
    assert!(refused(&longer).contains("4096"));
    assert!(refused(&" {".repeat(MAX_TEXT_LEN)).contains("4096"));
}

#[test]
fn build_escapes_and_orders() {
    let policy = PutPolicy::build(
        "https://192.0.2.1/path",
        "{\"Name\":\"Alice\",\n\"x\":\"$(x:n)\"}",
        Some("application/json"),
        &[("x:n", "quote \" and \\"), ("x:m", "二")],
    );
    let expected = r#"{"callbackUrl":"https://192.0.2.1/path","callbackBody":"{\"Name\":\"Alice\",\n\"x\":\"$(x:n)\"}","callbackBodyType":"application/json","callbackVar":{"x:n":"quote \" and \\","x:m":"二"}}"#;
    assert_eq!(policy.unwrap().json(), expected);
    let query = PutPolicy::build("http://h/", "a=b", Some(""), &[]).unwrap();
    assert_eq!(
        query.json(),
        r#"{"callbackUrl":"http://h/","callbackBody":"a=b"}"#
    );
    let twice = PutPolicy::build("http://h/", "", None, &[("x:a", ""), ("x:a", "")]);
    assert!(twice.unwrap_err().message().contains("twice"));
    let newline = PutPolicy::build("http://h/", "", Some("a\r\nb"), &[]);
    assert!(newline.unwrap_err().message().contains("callbackBodyType"));
}
