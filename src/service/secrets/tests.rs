//! Secrets as gateways repeat them, and text that holds none.

use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::*;

const SECRET: &str = "aB3+/x=?~9";

fn without(text: &str, secrets: &[&str]) -> String {
    masked(text, &[&Secrets::new(secrets)])
}

#[test]
fn a_secret_is_found_however_it_is_written() {
    for written in [
        "aB3+/x=?~9",
        "aB3%2B%2Fx%3D%3F%7E9",
        "aB3%2b/x=%3f~9",
        "%61%42%33%2B%2F%78%3D%3F%7E%39",
        "aB3%252B%25252Fx=?~9",
        r"aB3+\/x=?~9",
        r"aB3+\\/x=?~9",
        r"aB3\u002b\u002Fx\u003d?~9",
        r"aB3\\u002b\\\\/x\u{3D}?~9",
        r"aB3\x2b\x2Fx\x3D?~9",
        r"aB3\053\057x=?~9",
        "aB3&#43;&#x2F;x&#61;?~9",
        "aB3&amp;#43;&#X2f;x&#0061;?~9",
        "aB3&plus;&sol;x&equals;?~9",
    ] {
        let text = format!("<p>Authorization: UCloud k:{written}</p> 中文");
        let expected = format!("<p>Authorization: UCloud k:{MASK}</p> 中文");
        assert_eq!(without(&text, &[SECRET]), expected, "{written}");
    }
}

#[test]
fn a_secret_that_looks_like_an_escape_is_found_as_it_is_and_escaped() {
    for (secret, written) in [
        ("a%2Bc", "a%2Bc"),
        ("a%2Bc", "a%252Bc"),
        (r"a\x2bc", r"a\x2bc"),
        (r"a\x2bc", r"a\\x2bc"),
        ("a&#43;c", "a&#43;c"),
        ("a&#43;c", "a&amp;#43;c"),
        ("a&amp;c", "a&amp;c"),
        ("a&amp;c", "a&amp;amp;c"),
        ("a&lt;c", "a&amp;lt;c"),
        ("a&b<c", "a&amp;b&lt;c"),
    ] {
        assert_eq!(
            without(&format!("<{written}>"), &[secret]),
            "<***>",
            "{written}"
        );
    }
}

#[test]
fn what_stands_before_a_secret_does_not_hide_it() {
    for before in [
        "%", "%4", r"\", r"\x", r"\x4", r"\u00", "&", "&#", "&#6", "&amp;", "=",
    ] {
        let shown = without(&format!("{before}4BaB3+/x"), &["4BaB3+/x"]);
        assert!(shown.ends_with(MASK), "{before}: {shown}");
    }
}

#[test]
fn a_secret_within_base64_is_found_wherever_it_begins() {
    for before in ["", "k", "k:", "key", "key:1"] {
        for encoded in [
            STANDARD.encode(format!("{before}{SECRET} and more")),
            URL_SAFE.encode(format!("{before}{SECRET} and more")),
        ] {
            let shown = without(&encoded, &[SECRET]);
            assert!(shown.contains(MASK), "{before:?}: {shown}");
            let bytes = STANDARD.decode(shown.replace(MASK, ""));
            let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            assert!(!text.unwrap_or_default().contains("B3+/x=?~"), "{before:?}");
        }
    }
}

#[test]
fn a_secret_that_was_cut_off_or_wrapped_is_found() {
    let token: String = (0..400u32)
        .map(|n| char::from(b'A' + (n * 7 % 26) as u8))
        .collect();
    let wrapped: Vec<&str> = [&token[..76], &token[76..152], &token[152..]].to_vec();
    for (written, shown) in [
        (format!("{}...", &token[..250]), format!("{MASK}...")),
        (format!("{}…", &token[..CUT_OFF]), format!("{MASK}…")),
        (wrapped.join("\r\n "), MASK.to_owned()),
        (
            token[..CUT_OFF - 1].to_owned(),
            token[..CUT_OFF - 1].to_owned(),
        ),
    ] {
        assert_eq!(without(&written, &[&token]), shown);
    }
    let encoded = STANDARD.encode(format!("SecurityToken: {token}"));
    let shown = without(&encoded[..200], &[&token]);
    assert!(shown.len() < 40, "{shown}");
}

/// ETags and session ids are looked at in a quicker way than other text.
#[test]
fn a_secret_in_a_text_without_escapes_and_blanks_is_found() {
    let signature = "k2/Zy???dQ9cFt0aWbX1rLm5pNoQ=";
    let encoded = URL_SAFE.encode(format!("UCloud-{signature}"));
    for (told, shown) in [
        (signature.to_owned(), MASK.to_owned()),
        (format!("id:{signature}"), format!("id:{MASK}")),
        (
            format!("id:{}", &signature[..CUT_OFF]),
            format!("id:{MASK}"),
        ),
        (signature[1..].to_owned(), signature[1..].to_owned()),
        (encoded.clone(), format!("{}{MASK}", &encoded[..10])),
    ] {
        assert_eq!(without(&told, &[signature]), shown, "{told}");
    }
}

#[test]
fn a_secret_is_found_when_a_blank_or_an_escape_is_all_that_hides_it() {
    for written in [
        "aB3 +/x=?~9",
        "aB3\t+/x=?~9",
        "aB3\n+/x=?~9",
        "aB3\u{c}+/x=?~9",
        "aB3\r+/x=?~9",
        "aB3%2B/x=?~9",
        r"aB3+\/x=?~9",
        "aB3&plus;/x=?~9",
    ] {
        assert_eq!(without(written, &[SECRET]), MASK, "{written:?}");
    }
}

/// Reading in all ways that an escape can be read must not grow with the square of the text: then this takes minutes.
#[test]
fn a_text_of_escapes_is_read_to_its_end() {
    for escape in [r"\", "%25", "&amp;", "%", "&", "%25%", r"\x"] {
        let text = escape.repeat(4 << 10);
        let secrets = [SECRET, r"\\\\", "%25%25%25", "&&&&&&"];
        assert!(!without(&text, &secrets).is_empty());
    }
}

#[test]
fn other_text_stays_as_it_is() {
    for text in [
        "",
        "aB3",
        "aB3+/x=?~8",
        "100 % & <b>",
        "%zz \\ &#; &#x; %25 %+4 \\u{ \\",
        "中%",
    ] {
        assert_eq!(without(text, &[SECRET, "", "abc"]), text);
    }
}
