//! Detects the content type when the caller gives none.

use std::path::Path;
use std::str;

/// The number of bytes at the beginning that the detection uses.
pub const HEAD_LEN: usize = 8 << 10;

const UTF8_TEXT: &str = "text/plain; charset=utf-8";
pub(crate) const UNKNOWN: &str = "application/octet-stream";

/// The magic number of the compound files of older office programs.
const OLE_MAGIC: &[u8] = b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1";
const OLE: &str = "application/x-ole-storage";

/// Formats that are, or may be, readable text from the first byte on, each with a beginning that ordinary
/// text does not have. infer's own magic numbers are shorter ("GIF", "%!") or may stand anywhere ("%PDF").
const READABLE_FORMATS: &[(&str, &str)] = &[
    ("%PDF-", "application/pdf"),
    ("{\\rtf", "application/rtf"),
    ("%!PS", "application/postscript"),
    ("!<arch>\n", "application/x-unix-archive"),
    ("-----BEGIN CERTIFICATE-----", "application/x-x509-ca-cert"),
    ("GIF87a", "image/gif"),
    ("GIF89a", "image/gif"),
];

/// The text formats that infer recognises.
const TEXT_FORMATS: &[&str] = &["text/html", "text/xml", SHELL_SCRIPT];
const SHELL_SCRIPT: &str = "text/x-shellscript";

/// Formats that infer recognises by two letters. Each has a zero byte soon after, so content without a
/// binary byte is none of them, whatever its encoding.
const TWO_LETTER_FORMATS: &[&str] = &[
    "image/bmp",
    "application/vnd.microsoft.portable-executable",
    "application/x-llvm",
];

/// Detects by content, then by the extension of `name`, then UTF-8 or not. `head` is the
/// beginning of the content, all of it when `complete`; [`HEAD_LEN`] bytes of it are enough.
/// The result is always a valid header value.
///
/// - A magic number does not make text binary: a text that begins with "BM" is no bitmap.
/// - If the content only shows a family (zip, XML, HTML) and the extension names a member of it (`.docx`,
///   `.svg`, `.md`), the extension decides.
/// - Without a known extension, UTF-8 without binary control characters is
///   `text/plain; charset=utf-8`, anything else `application/octet-stream`. Empty content is
///   UTF-8 like any other text.
pub fn detect(head: &[u8], complete: bool, name: Option<&Path>) -> String {
    let head = &head[..head.len().min(HEAD_LEN)];
    let text = readable_text(head, complete);
    let by_extension = name.and_then(|name| by_extension(name, text.is_some()));
    let detected = match (by_content(head, text), by_extension) {
        (Some(family), Some(member)) if refines(member, family) => member,
        (Some(content), _) => content,
        // Without a charset, browsers show characters outside ASCII wrongly.
        (None, Some("text/plain")) if text.is_some() => UTF8_TEXT,
        (None, Some(extension)) => extension,
        (None, None) if text.is_some() => UTF8_TEXT,
        (None, None) => UNKNOWN,
    };
    detected.to_owned()
}

/// Detects by the extension of `name` alone, for content that is not known yet.
pub fn of_name(name: &Path) -> Option<&'static str> {
    by_extension(name, false)
}

fn by_content(head: &[u8], text: Option<&str>) -> Option<&'static str> {
    if let Some(text) = text {
        return by_text(text);
    }
    if head.starts_with(OLE_MAGIC) {
        // Not with infer: it would parse the file's internal file system, which may be hostile, and of
        // which only the beginning is here.
        return Some(OLE);
    }
    let mime = infer::get(head)?.mime_type();
    if TWO_LETTER_FORMATS.contains(&mime) && !head.iter().copied().any(is_binary) {
        return None;
    }
    Some(mime)
}

/// In readable text, only infer's text formats (HTML, XML, scripts) are accepted.
fn by_text(text: &str) -> Option<&'static str> {
    let readable = READABLE_FORMATS
        .iter()
        .find(|(beginning, _)| text.starts_with(beginning));
    if let Some((_, mime)) = readable {
        return Some(mime);
    }
    // One by one: infer::get would stop at a binary format that happens to match.
    let known = |mime: &&&str| infer::is_mime(text.as_bytes(), mime);
    let mime = TEXT_FORMATS.iter().find(known)?;
    if *mime == SHELL_SCRIPT && !runs_a_shell(text) {
        return None;
    }
    Some(mime)
}

/// infer takes every script for a shell script; `#!/usr/bin/env python3` is not one.
fn runs_a_shell(script: &str) -> bool {
    script
        .lines()
        .next()
        .is_some_and(|line| line.contains("sh"))
}

fn by_extension(name: &Path, is_text: bool) -> Option<&'static str> {
    let extension = name.extension()?.to_str()?;
    // `.ts` is TypeScript as well as MPEG transport streams; only TypeScript is text.
    if is_text && extension.eq_ignore_ascii_case("ts") {
        return None;
    }
    mime_guess::from_ext(extension).first_raw()
}

/// Whether the extension's type is a more precise name for the content's type.
fn refines(extension: &str, content: &str) -> bool {
    let xml = extension.ends_with("+xml");
    let text = extension.starts_with("text/") && extension != "text/plain";
    match content {
        "application/zip" => {
            extension.starts_with("application/vnd.")
                || extension.ends_with("+zip")
                || extension == "application/java-archive"
        }
        OLE => extension.starts_with("application/vnd.ms-") || extension == "application/msword",
        "text/xml" | "text/html" => xml || text,
        _ => false,
    }
}

/// The content as text: UTF-8 without bytes that only occur in binary data.
fn readable_text(head: &[u8], complete: bool) -> Option<&str> {
    let text = match str::from_utf8(head) {
        Ok(text) => text,
        // The head may end in the middle of a character.
        Err(error) if !complete && error.error_len().is_none() => {
            str::from_utf8(&head[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    if text.bytes().any(is_binary) {
        return None;
    }
    Some(text)
}

/// The "binary data bytes" of <https://mimesniff.spec.whatwg.org/>: control characters other
/// than tab, line feed, form feed, carriage return and escape.
fn is_binary(byte: u8) -> bool {
    matches!(byte, 0x00..=0x08 | 0x0B | 0x0E..=0x1A | 0x1C..=0x1F)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(head: &[u8]) -> String {
        detect(head, true, None)
    }

    fn named(head: &[u8], name: &str) -> String {
        detect(head, true, Some(Path::new(name)))
    }

    #[test]
    fn eleven_bytes_of_text_are_text() {
        assert_eq!(of(b"hello world"), UTF8_TEXT);
        assert_eq!(named(b"hello world", "hello.txt"), UTF8_TEXT);
        assert_eq!(named(b"hello world", "hello"), UTF8_TEXT);
        assert_eq!(named(b"hello world", "hello.nothing-known"), UTF8_TEXT);
        assert_eq!(of("你好,世界".as_bytes()), UTF8_TEXT);
    }

    #[test]
    fn two_letters_do_not_make_text_binary() {
        for text in [
            "BMW",
            "BM",
            "MZ",
            "MZ 4 u",
            "BC",
            "BC 42",
            "GIF is a format",
            "GIF",
            "%! what",
            "0\u{082}a",
            "Ld",
            "FWS and CWS",
            "SIMPLE = yes",
            "a note about %PDF files",
            "ID3 tags",
            "AC1015 is a number",
            "BZh is a magic number",
            "....WEBP are letters",
            "OggS",
            "II*",
        ] {
            assert_eq!(of(text.as_bytes()), UTF8_TEXT, "{text:?}");
        }
        // "BM" and Chinese in GBK: not UTF-8, and still no bitmap.
        assert_eq!(of(b"BM\xC4\xE3\xBA\xC3"), UNKNOWN);
        assert_eq!(of(b"BM\x36\x00\x0C\x00\x00\x00\x00\x00"), "image/bmp");
        assert!(of(b"MZ\x90\x00\x03\x00").ends_with("portable-executable"));
    }

    #[test]
    fn content_comes_before_the_extension() {
        assert_eq!(
            named(b"\x89PNG\r\n\x1A\n\0\0\0\rIHDR", "a.txt"),
            "image/png"
        );
        assert_eq!(
            named(b"\xFF\xD8\xFF\xE0\x00\x10JFIF", "a.png"),
            "image/jpeg"
        );
        assert_eq!(of(b"%PDF-1.4\n1 0 obj"), "application/pdf");
        assert_eq!(of(b"\x1F\x8B\x08\0\0\0\0\0"), "application/gzip");
        assert_eq!(of(b"GIF89a"), "image/gif");
        assert_eq!(of(b"<!DOCTYPE html><p>"), "text/html");
        assert_eq!(of(b"<?xml version=\"1.0\"?><a/>"), "text/xml");
        assert_eq!(of(b"#!/bin/sh\necho"), "text/x-shellscript");
        assert_eq!(of(b"#!/usr/bin/env python3\n"), UTF8_TEXT);
    }

    #[test]
    fn the_extension_comes_before_the_guess() {
        assert_eq!(named(b"{\"a\": 1}", "a.json"), "application/json");
        assert_eq!(named(b"{\"a\": 1}", "dir.x/a.JSON"), "application/json");
        assert_eq!(named(b"a,b\n", "a.csv"), "text/csv");
        assert_eq!(named(b"\0\x01\x02", "a.png"), "image/png");
        assert_eq!(named(b"\xC4\xE3\xBA\xC3", "gbk.txt"), "text/plain");
        assert_eq!(named(b"let a: number = 1", "a.ts"), UTF8_TEXT);
        assert!(named(b"\x47\x40\x11\x10\x00", "a.ts").starts_with("video/"));
    }

    #[test]
    fn the_extension_names_a_member_of_a_family() {
        let zip = b"PK\x03\x04\x14\0\0\0\x08\0";
        assert_eq!(of(zip), "application/zip");
        assert_eq!(named(zip, "a.jar"), "application/java-archive");
        assert!(named(zip, "a.docx").ends_with("wordprocessingml.document"));
        assert_eq!(named(zip, "a.pdf"), "application/zip");
        assert_eq!(named(OLE_MAGIC, "a.doc"), "application/msword");
        assert_eq!(named(OLE_MAGIC, "a.png"), OLE);
        assert_eq!(
            named(b"<?xml version=\"1.0\"?><svg/>", "a.svg"),
            "image/svg+xml"
        );
        assert_eq!(
            named(b"<p align=\"center\">\n# Title", "README.md"),
            "text/markdown"
        );
        assert_eq!(named(b"<html >", "a.txt"), "text/html");
    }

    #[test]
    fn empty_content_goes_by_its_name() {
        assert_eq!(of(b""), UTF8_TEXT);
        assert_eq!(named(b"", "a.png"), "image/png");
        assert_eq!(named(b"", "a.txt"), UTF8_TEXT);
        assert_eq!(detect(b"", false, None), UTF8_TEXT);
    }

    #[test]
    fn the_head_may_cut_a_character() {
        let text = "世界".as_bytes();
        for cut in 4..6 {
            assert_eq!(detect(&text[..cut], false, None), UTF8_TEXT);
            assert_eq!(detect(&text[..cut], true, None), UNKNOWN);
        }
        // Wrong in the middle stays wrong.
        assert_eq!(detect(b"\xE4\xB8 and more", false, None), UNKNOWN);
    }

    #[test]
    fn binary_is_unknown() {
        assert_eq!(of(&[0; 4096]), UNKNOWN);
        assert_eq!(of(b"\xFE\xDC\xBA"), UNKNOWN);
        assert_eq!(of(b"text\0text"), UNKNOWN);
    }

    #[test]
    fn every_answer_is_a_header_value() {
        for name in [
            "a",
            "a.",
            ".",
            "..",
            "",
            "a.\r\n",
            "a.txt\r\nX: y",
            ".png",
            "a.\u{4e2d}",
        ] {
            for seed in 0..=255u8 {
                let head: Vec<u8> = (0..64)
                    .map(|i: u8| seed.wrapping_add(i.wrapping_mul(seed)))
                    .collect();
                let mime = named(&head, name);
                assert!(http::HeaderValue::from_str(&mime).is_ok());
                assert!(mime.contains('/'));
            }
        }
    }

    /// The magic numbers of all formats, cut at every length, go through without a panic.
    #[test]
    fn cut_magic_numbers_are_survived() {
        let beginnings: &[&[u8]] = &[
            OLE_MAGIC,
            b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x13\0\0\0[Content_Types].xml",
            b"\0\0\0\x18ftypmif1\0\0\0\0heic",
            b"\xFF\xFF\xFF\xFFftypmif1\0\0\0\0heic",
            b"\x1A\x45\xDF\xA3\x42\x82\x88matroska",
            b"\x50\x2A\x4D\x18\xFF\xFF\xFF\xFF",
            b"\x28\xB5\x2F\xFD",
        ];
        for beginning in beginnings {
            for len in 0..=beginning.len() {
                of(&beginning[..len]);
                let mut long = beginning[..len].to_vec();
                long.resize(HEAD_LEN + 1, 0);
                of(&long);
            }
        }
    }
}
