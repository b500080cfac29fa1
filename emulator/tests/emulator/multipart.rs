//! Multipart uploads: initiate, part, finish, abort, list.

use crate::common::{Client, ask, content, etag, finish, initiate, part, send_parts, start};
use us3_emulator::{Emulator, Options};

const PART: usize = 64 << 10;

#[test]
fn parts_make_an_object() {
    for (part_size, size) in [
        (PART, 5 * PART + 3),
        (PART, 2 * PART),
        (PART, 9),
        (4 << 20, (9 << 20) + 3),
        (8 << 20, 20 << 20),
    ] {
        let emulator = Emulator::start(Options {
            part_size: part_size as u64,
            ..Options::default()
        })
        .unwrap();
        let bytes = content(size);
        let reply = ask("POST", "dir/中.bin")
            .query("uploads")
            .header("Content-Type", "video/mp4")
            .header("X-Ufile-Meta-a", "1")
            .send(emulator.address())
            .expect(200)
            .json();
        assert_eq!(
            (&reply["BlkSize"], &reply["Bucket"], &reply["Key"]),
            (&part_size.into(), &"demo".into(), &"dir/中.bin".into())
        );
        let id = reply["UploadId"].as_str().unwrap();
        let etags = send_parts(&emulator, "dir/中.bin", id, &bytes);
        assert!(etags.iter().all(|etag| etag.len() == 28));
        let reply = finish("dir/中.bin", id, &etags)
            .send(emulator.address())
            .expect(200);
        assert_eq!(reply.etag(), etag(&bytes));
        assert_eq!(reply.json()["FileSize"], size);
        let object = emulator.object("dir/中.bin").unwrap();
        assert_eq!(
            (object.content_type.as_str(), object.metadata["a"].as_str()),
            ("video/mp4", "1")
        );
        assert!(emulator.object_bytes("dir/中.bin").unwrap() == bytes);
        assert!(
            ask("GET", "dir/中.bin")
                .send(emulator.address())
                .expect(200)
                .body
                == bytes
        );
        assert!(emulator.state().uploads.is_empty());
        assert_eq!(
            finish("dir/中.bin", id, &etags)
                .send(emulator.address())
                .expect(404)
                .json()["ErrMsg"],
            "upload id not exists"
        );
    }
}

#[test]
fn the_new_key() {
    let emulator = start();
    let id = initiate(&emulator, "old");
    let etags = send_parts(&emulator, "old", &id, b"bytes");
    let renamed = ask("POST", "old")
        .query(format!("uploadId={id}&newKey=new%20%E4%B8%AD%2B"))
        .body(etags.join(","));
    assert_eq!(
        renamed.send(emulator.address()).expect(200).json()["Key"],
        "new 中+"
    );
    assert_eq!(emulator.object_bytes("new 中+").unwrap(), b"bytes");
    assert!(emulator.object("old").is_none());
}

#[test]
fn a_part_may_come_again_and_in_any_order() {
    let emulator = start();
    let id = initiate(&emulator, "k");
    let last = part("k", &id, 1, "end")
        .send(emulator.address())
        .expect(200);
    part("k", &id, 0, content(3))
        .send(emulator.address())
        .expect(200);
    let first = part("k", &id, 0, content(PART))
        .send(emulator.address())
        .expect(200);
    assert_eq!(first.json()["PartNumber"], 0);
    finish("k", &id, &[first.etag(), last.etag()])
        .send(emulator.address())
        .expect(200);
    assert_eq!(
        emulator.object_bytes("k").unwrap(),
        [content(PART), b"end".to_vec()].concat()
    );
}

#[test]
fn bad_parts_are_refused() {
    let emulator = start();
    let address = emulator.address();
    let id = initiate(&emulator, "k");
    let refused = |reply: crate::common::Reply, status| {
        assert_eq!(
            reply.expect(status).json()["RetCode"].as_i64().unwrap() / 1000,
            -190
        )
    };
    refused(part("k", &id, 0, content(PART + 1)).send(address), 400);
    refused(part("k", "nonsense", 0, "x").send(address), 404);
    refused(part("other", &id, 0, "x").send(address), 404);
    refused(
        ask("PUT", "k")
            .query(format!("uploadId={id}"))
            .send(address),
        400,
    );
    refused(
        ask("PUT", "k")
            .query(format!("uploadId={id}&partNumber=-1"))
            .send(address),
        400,
    );
    refused(ask("PUT", "k").query("partNumber=1").send(address), 400);
    refused(
        ask("POST", "k").query("uploads").body("x").send(address),
        400,
    );
}

#[test]
fn bad_finishes_are_refused_and_keep_the_upload() {
    let emulator = start();
    let address = emulator.address();
    let id = initiate(&emulator, "k");
    let why = |etags: &[String]| {
        finish("k", &id, etags).send(address).expect(400).json()["ErrMsg"]
            .as_str()
            .unwrap()
            .to_string()
    };
    assert_eq!(why(&[]), "invalid etag count");
    let first = part("k", &id, 0, content(PART))
        .send(address)
        .expect(200)
        .etag();
    let third = part("k", &id, 2, "end").send(address).expect(200).etag();
    assert_eq!(
        why(&[first.clone(), third.clone()]),
        "invalid part: part 1 is missing"
    );
    let second = part("k", &id, 1, content(PART - 1))
        .send(address)
        .expect(200)
        .etag();
    assert_eq!(why(&[first.clone(), second.clone()]), "invalid etag count");
    assert!(
        why(&[first.clone(), second, third.clone()])
            .starts_with("invalid part size: part 1 has 65535")
    );
    let second = part("k", &id, 1, content(PART))
        .send(address)
        .expect(200)
        .etag();
    assert_eq!(
        why(&[first.clone(), third.clone(), second.clone()]),
        "invalid etag"
    );
    assert_eq!(
        why(&[format!("\"{first}\""), second.clone(), third.clone()]),
        "invalid etag"
    );
    finish("k", &id, &[first, second, third])
        .send(address)
        .expect(200);
}

#[test]
fn an_aborted_upload_is_gone() {
    let emulator = start();
    let id = initiate(&emulator, "k");
    let abort = ask("DELETE", "k").query(format!("uploadId={id}"));
    abort.send(emulator.address()).expect(204);
    abort
        .send(emulator.address())
        .expect_error(404, -190404, "upload id not exists");
    part("k", &id, 0, "x").send(emulator.address()).expect(404);
}

#[test]
fn parts_are_listed_page_by_page() {
    let emulator = start();
    let mut client = Client::connect(emulator.address());
    let id = initiate(&emulator, "k");
    let etags = send_parts(&emulator, "k", &id, &content(4 * PART + 5));
    let mut page = |more: &str| {
        client
            .send(&ask("GET", "").query(format!("muploadpart&uploadId={id}{more}")))
            .expect(200)
            .json()
    };

    let all = page("");
    assert_eq!(all["Parts"].as_array().unwrap().len(), 5);
    assert_eq!(
        (&all["IsTruncated"], &all["MaxParts"], &all["Key"]),
        (&false.into(), &1000.into(), &"k".into())
    );
    let first = &all["Parts"][0];
    assert_eq!(
        (&first["PartNum"], &first["Etag"], &first["Size"]),
        (&0.into(), &etags[0].clone().into(), &PART.into())
    );
    assert!(first["LastModified"].as_u64().unwrap() > 1_700_000_000);

    let mut seen = Vec::new();
    let mut more = "&max-parts=2".to_string();
    loop {
        let answer = page(&more);
        seen.extend(
            answer["Parts"]
                .as_array()
                .unwrap()
                .iter()
                .map(|part| part["PartNum"].as_u64().unwrap()),
        );
        if answer["IsTruncated"] == false {
            break;
        }
        more = format!(
            "&max-parts=2&part-number-marker={}",
            answer["NextPartNumberMarker"]
        );
    }
    assert_eq!(seen, [0, 1, 2, 3, 4]);
    // "Greater than": a first page with the marker 0 lacks part 0.
    assert_eq!(page("&part-number-marker=0")["Parts"][0]["PartNum"], 1);
    assert_eq!(page("&max-parts=5")["IsTruncated"], false);
    assert_eq!(
        client
            .send(&ask("GET", "").query("muploadpart&uploadId=nonsense"))
            .status,
        404
    );
}
