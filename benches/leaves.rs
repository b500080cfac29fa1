//! Times the leaves, which every request passes: signing, ETags and put policies.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use secrecy::SecretString;
use us3::protocol::etag::EtagHasher;
use us3::protocol::policy::PutPolicy;
use us3::protocol::sign::Signed;

const POLICY: &str = r#"{"callbackUrl": "http://127.0.0.1:8080/callback",
    "callbackBody": "Name=$(x:name)&Age=$(x:age)", "callbackVar": {"x:name": "Alice", "x:age": "20"}}"#;

fn signing(criterion: &mut Criterion) {
    let key = SecretString::from("a private key of forty characters, or so");
    let policy = PutPolicy::parse(POLICY).expect("a policy");
    let mut signed = Signed {
        method: "PUT",
        content_md5: "",
        content_type: "application/octet-stream",
        date: "",
        headers: &[],
        bucket: "bucket",
        key: "folder/object.bin",
        policy: None,
    };
    let mut group = criterion.benchmark_group("authorization");
    group.bench_function("plain", |bencher| {
        bencher.iter(|| black_box(&signed).authorization("public", &key));
    });
    signed.policy = Some(&policy);
    group.bench_function("with a policy", |bencher| {
        bencher.iter(|| black_box(&signed).authorization("public", &key));
    });
    group.finish();
}

fn etags(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("etag");
    for (name, size) in [("4 KiB", 4 << 10), ("4 MiB", 4 << 20), ("16 MiB", 16 << 20)] {
        let content = vec![7; size];
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut hasher = EtagHasher::object();
                hasher.update(black_box(&content));
                hasher.finish().object_etag()
            });
        });
    }
    group.finish();
}

fn policies(criterion: &mut Criterion) {
    criterion.bench_function("policy, parsed and encoded", |bencher| {
        bencher.iter(|| PutPolicy::parse(black_box(POLICY)));
    });
}

criterion_group!(leaves, signing, etags, policies);
criterion_main!(leaves);
