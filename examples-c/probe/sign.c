/* What a request is signed with: SHA-1 (FIPS 180-4), HMAC (RFC 2104) and base64, for texts that fit in memory. */
#include "sign.h"
#include "text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 64, DIGEST = 20 };

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static uint32_t rotate(uint32_t x, int n)
{
    return x << n | x >> (32 - n);
}

static void sha1_block(uint32_t h[5], const unsigned char *p)
{
    uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 80; i++)
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20   ? ((b & c) | (~b & d)) + 0x5A827999
                     : i < 40 ? (b ^ c ^ d) + 0x6ED9EBA1
                     : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8F1BBCDC
                              : (b ^ c ^ d) + 0xCA62C1D6;
        uint32_t next = rotate(a, 5) + f + e + w[i];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
    h[4] += e;
}

static void sha1(const void *bytes, size_t len, unsigned char digest[DIGEST])
{
    uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    size_t padded = (len + 8) / BLOCK * BLOCK + BLOCK;
    unsigned char *message = keep(padded);

    memcpy(message, bytes, len);
    message[len] = 0x80;
    for (int i = 0; i < 8; i++)
        message[padded - 1 - (size_t)i] = (unsigned char)((uint64_t)len * 8 >> (8 * i));
    for (size_t at = 0; at < padded; at += BLOCK)
        sha1_block(h, message + at);
    for (int i = 0; i < DIGEST; i++)
        digest[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i % 4)));
}

/* sha1( (key xor pad) ++ text ) */
static void keyed_sha1(const unsigned char key[BLOCK], unsigned char pad, const void *text, size_t len,
                       unsigned char digest[DIGEST])
{
    unsigned char *message = keep(BLOCK + len);

    for (size_t i = 0; i < BLOCK; i++)
        message[i] = (unsigned char)(key[i] ^ pad);
    memcpy(message + BLOCK, text, len);
    sha1(message, BLOCK + len, digest);
}

static char *encode(const unsigned char *bytes, size_t len, const char alphabet[65], const char *padding)
{
    struct text text = {0};

    for (size_t i = 0; i < len; i += 3) {
        size_t there = len - i < 3 ? len - i : 3;
        unsigned long group = (unsigned long)bytes[i] << 16 | (there > 1 ? (unsigned long)bytes[i + 1] << 8 : 0) |
                              (there > 2 ? bytes[i + 2] : 0);
        for (size_t digit = 0; digit <= there; digit++)
            append(&text, &alphabet[group >> (18 - 6 * digit) & 63], 1);
        for (size_t digit = there; digit < 3; digit++)
            append(&text, padding, strlen(padding));
    }
    return kept(&text);
}

char *base64(const void *bytes, size_t len)
{
    return encode(bytes, len, standard, "");
}

char *base64url(const void *bytes, size_t len)
{
    return encode(bytes, len, url_safe, "=");
}

char *signature_of(const char *private_key, const char *text)
{
    unsigned char key[BLOCK] = {0}, inner[DIGEST], digest[DIGEST];

    if (strlen(private_key) > BLOCK)
        sha1(private_key, strlen(private_key), key);
    else
        memcpy(key, private_key, strlen(private_key));
    keyed_sha1(key, 0x36, text, strlen(text), inner);
    keyed_sha1(key, 0x5C, inner, DIGEST, digest);
    return encode(digest, DIGEST, standard, "=");
}

char *etag_of(const void *bytes, size_t len)
{
    unsigned char etag[4 + DIGEST] = {1, 0, 0, 0};

    sha1(bytes, len, etag + 4);
    return base64url(etag, sizeof etag);
}
