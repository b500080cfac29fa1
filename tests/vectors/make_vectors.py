#!/usr/bin/env python3
"""Works out signatures, ETags and policies a second time, with Python's standard library alone.

It shares no code with the library, only the protocol's description, so that one misreading
cannot hide in both. `make_vectors.py FILE` writes the vectors to FILE, without an argument to
vectors.json beside this script; the Rust tests read that file.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import re
import struct
import sys

BLOCK = 4 * 1024 * 1024


def encode_policy(text):
    """Blanks outside strings go; strings are left alone, escapes and all."""
    token = re.compile(r'("(?:[^"\\]|\\.)*")|[ \t\r\n]+', re.DOTALL)
    compact = token.sub(lambda match: match.group(1) or "", text)
    assert json.loads(compact) == json.loads(text)
    return compact, base64.urlsafe_b64encode(compact.encode()).decode()


def string_to_sign(request, policy):
    signed = {}
    for name, value in request["headers"]:
        if name.lower().startswith("x-ucloud-"):
            signed.setdefault(name.lower(), []).append(value.strip())
    lines = [request[name] for name in ("method", "content_md5", "content_type", "date")]
    lines += [name + ":" + ",".join(values) for name, values in sorted(signed.items())]
    resource = "/" + request["bucket"] + "/" + request["key"]
    return "\n".join(lines + [resource]) + policy


def sign(request):
    policy = encode_policy(request["policy"])[1] if request["policy"] else ""
    text = string_to_sign(request, policy)
    mac = hmac.new(request["private_key"].encode(), text.encode(), hashlib.sha1)
    signature = base64.b64encode(mac.digest()).decode()
    authorization = "UCloud " + request["public_key"] + ":" + signature
    if policy:
        authorization += ":" + policy
    return {**request, "string_to_sign": text, "authorization": authorization}


def content(size):
    """Byte i is i mod 251: a prime, so that no two blocks are equal."""
    period = bytes(range(251))
    return (period * (size // 251 + 1))[:size]


def etags(size):
    data = content(size)
    blocks = [data[at : at + BLOCK] for at in range(0, size, BLOCK)]
    sha1 = hashlib.sha1(data).digest()
    digest = sha1
    if size > BLOCK:
        digest = hashlib.sha1(b"".join(hashlib.sha1(block).digest() for block in blocks)).digest()
    etag = base64.urlsafe_b64encode(struct.pack("<I", len(blocks)) + digest).decode()
    part = base64.urlsafe_b64encode(sha1).decode()
    return {"size": size, "object": etag, "part": part}


JSON_POLICY = r"""{"callbackUrl":"https://192.0.2.1:8443/path","callbackBody":"{\"Name\":\"Alice\", \"Age\":20}","callbackBodyType": "application/json"}"""
QUERY_POLICY = r"""{"callbackUrl":"http://192.0.2.1:8080/path","callbackBody":"Name=$(x:name)&Age=$(x:age)","callbackVar":{"x:name": "Alice","x:age": "20"}}"""

POLICIES = [
    JSON_POLICY,
    QUERY_POLICY,
    '\r\n{\n\t"callbackUrl" : "http://example.com/?a=b" ,\n "callbackVar" : { } }\n',
    '{ "callbackUrl": "http://\\u0065xample.com\\/a", "other": [ 1, 1.0, 1e2, -0.0, 12345678901234567890123, null, true ], "z": { "a" : "b c" } }',
    '{"callbackUrl":"http://example.com/","callbackBody":"\\\\", "callbackBodyType":"a \\" b"}',
    '{"callbackUrl":"http://example.com/回调","callbackBody":"名字 = $(x:名) \\ud83d\\ude00 \U0001f600","callbackVar":{"x:名":"愛 麗 絲"}}',
    '{"callbackUrl":"http://example.com/","callbackBody":"\\\\\\"  { } [ ] : , \\\\"}',
]


def request(**members):
    plain = {
        "public_key": "TOKEN_public",
        "private_key": "private-0123456789",
        "method": "PUT",
        "content_md5": "",
        "content_type": "",
        "date": "",
        "headers": [],
        "bucket": "demobucket",
        "key": "demokey",
        "policy": None,
    }
    return {**plain, **members}


DOCUMENTED_HEADERS = [["X-UCloud-Foo", "foo"], ["X-UCloud-Bar", "bar1"], ["x-ucloud-bar", "bar2"]]

REQUESTS = [
    request(),
    request(content_type="image/jpeg", headers=DOCUMENTED_HEADERS),
    request(content_md5="d41d8cd98f00b204e9800998ecf8427e", content_type="text/plain; charset=utf-8"),
    request(date="Thu, 01 Jan 1970 00:00:00 GMT", method="DELETE"),
    request(policy=JSON_POLICY, content_type="application/json"),
    request(policy=QUERY_POLICY, method="POST"),
    request(
        headers=[
            ["Content-Type", "not/here"],
            ["X-UFile-Meta-a", "unsigned"],
            ["SecurityToken", "unsigned"],
            ["X-UCLOUD-B", "  blanks round  "],
            ["x-ucloud-a", ""],
            ["X-UCloud-", "nameless"],
            ["x-ucloud-B", "second, with comma"],
        ]
    ),
    request(method="GET", key=""),
    request(key="/leading/slash"),
    request(key="a b+c?d#e%2F&f=g~\"'.txt"),
    request(key="中文/文件.bin", content_type="application/octet-stream"),
    request(key="line\nbreak"),
    request(private_key="", public_key=""),
    request(private_key="k" * 200),
    request(private_key="schlüssel"),
]

SIZES = [0, 1, 2, 1000, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 5 * BLOCK + 3]


def main():
    vectors = {
        "signatures": [sign(request) for request in REQUESTS],
        "etags": [etags(size) for size in SIZES],
        "policies": [
            dict(zip(("text", "compact", "encoded"), (text, *encode_policy(text)))) for text in POLICIES
        ],
    }
    beside = pathlib.Path(__file__).with_name("vectors.json")
    target = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else beside
    target.write_bytes((json.dumps(vectors, indent=1, ensure_ascii=True) + "\n").encode())


if __name__ == "__main__":
    main()
