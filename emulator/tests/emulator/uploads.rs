//! GetMultiUploadId: the unfinished uploads of the bucket.

use crate::common::control::control;
use crate::common::{Reply, ask, finish, initiate, put, send_parts, start};
use serde_json::{Value, json};
use us3_emulator::{Call, Emulator};

fn list(emulator: &Emulator, query: &str) -> Reply {
    ask("GET", "")
        .query(format!("muploadid{query}"))
        .send(emulator.address())
}

fn names(page: &Value) -> Vec<&str> {
    let set = page["DataSet"].as_array().unwrap();
    set.iter()
        .map(|upload| upload["FileName"].as_str().unwrap())
        .collect()
}

#[test]
fn an_unfinished_upload_is_described() {
    let emulator = start();
    let begun = ask("POST", "a b")
        .query("uploads")
        .header("X-Ufile-Storage-Class", "IA");
    let id = begun.send(emulator.address()).expect(200).json()["UploadId"].clone();
    let mut page = list(&emulator, "").expect(200).json();
    let started = page["DataSet"][0]["StartTime"].take().as_u64().unwrap();
    assert!(started > 1_700_000_000);
    let expected = json!({
        "RetCode": 0, "NextMarker": "", "IsTruncated": false, "UploadIdMarker": "",
        "DataSet": [{ "UploadId": id, "FileName": "a b", "StartTime": null, "StorageClass": "IA" }],
    });
    assert_eq!(page, expected);
}

#[test]
fn what_is_finished_aborted_or_put_is_not_listed() {
    let emulator = start();
    put("object", "x").send(emulator.address()).expect(200);
    let id = initiate(&emulator, "finished");
    let etags = send_parts(&emulator, "finished", &id, b"x");
    finish("finished", &id, &etags)
        .send(emulator.address())
        .expect(200);
    let id = initiate(&emulator, "aborted");
    let abort = ask("DELETE", "aborted").query(format!("uploadId={id}"));
    abort.send(emulator.address()).expect(204);
    initiate(&emulator, "unfinished");
    assert_eq!(
        names(&list(&emulator, "").expect(200).json()),
        ["unfinished"]
    );
}

#[test]
fn twenty_uploads_are_a_page_and_the_markers_lead_to_the_next() {
    let emulator = start();
    let mut begun: Vec<String> = (0..45).map(|_| initiate(&emulator, "same key")).collect();
    begun.sort();
    let (mut seen, mut sizes, mut query) = (Vec::new(), Vec::new(), String::new());
    loop {
        let page = list(&emulator, &query).expect(200).json();
        let set = page["DataSet"].as_array().unwrap();
        sizes.push(set.len());
        seen.extend(
            set.iter()
                .map(|upload| upload["UploadId"].as_str().unwrap().to_string()),
        );
        if page["IsTruncated"] == false {
            break;
        }
        assert_eq!(page["NextMarker"], "same key");
        let id = page["UploadIdMarker"].as_str().unwrap();
        query = format!("&marker=same%20key&upload-id-marker={id}");
    }
    assert_eq!((seen, sizes), (begun, vec![20, 20, 5]));
}

#[test]
fn a_list_has_a_prefix_and_a_limit() {
    let emulator = start();
    for key in ["b/2", "a/1", "b/1", "b/3"] {
        initiate(&emulator, key);
    }
    let page = list(&emulator, "&prefix=b%2F&marker=&limit=2")
        .expect(200)
        .json();
    assert_eq!(names(&page), ["b/1", "b/2"]);
    assert_eq!(page["NextMarker"], "b/2");
    let page = list(&emulator, "&prefix=b%2F&marker=b%2F2&limit=2")
        .expect(200)
        .json();
    assert_eq!(names(&page), ["b/3"]);
    for limit in ["0", "1001", "x", "-1"] {
        list(&emulator, &format!("&limit={limit}")).expect(400);
    }
}

#[test]
fn a_list_needs_an_empty_key_and_its_signature() {
    let emulator = start();
    ask("GET", "k")
        .query("muploadid")
        .send(emulator.address())
        .expect(400);
    let forged = ask("GET", "").query("muploadid").private_key("bad");
    forged
        .send(emulator.address())
        .expect_error(403, -148643, "invalid signature");
}

#[test]
fn a_rule_strikes_lists_of_uploads_alone() {
    let emulator = start();
    let rule = r#"{"call":"list_uploads","fault":{"answer":{"status":500}}}"#;
    control(emulator.control_address(), "POST", "/rules", rule);
    assert_eq!(emulator.rules()[0].rule.call, Some(Call::ListUploads));
    let id = initiate(&emulator, "k");
    list(&emulator, "").expect(500);
    let parts = ask("GET", "").query(format!("muploadpart&uploadId={id}"));
    parts.send(emulator.address()).expect(200);
    assert_eq!(emulator.requests()[1].call, Call::ListUploads);
}
