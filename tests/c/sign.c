/* SHA-1 (FIPS 180-4), HMAC (RFC 2104) and base64, for strings that fit in memory. */
#include "sign.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 64, DIGEST = 20 };

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

static void sha1(const unsigned char *bytes, size_t len, unsigned char digest[DIGEST])
{
    uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    size_t padded = (len + 8) / BLOCK * BLOCK + BLOCK;
    unsigned char *message = calloc(padded, 1);

    if (message == NULL) {
        perror("sha1");
        exit(1);
    }
    memcpy(message, bytes, len);
    message[len] = 0x80;
    for (int i = 0; i < 8; i++)
        message[padded - 1 - (size_t)i] = (unsigned char)((uint64_t)len * 8 >> (8 * i));
    for (size_t at = 0; at < padded; at += BLOCK)
        sha1_block(h, message + at);
    for (int i = 0; i < DIGEST; i++)
        digest[i] = (unsigned char)(h[i / 4] >> (24 - 8 * (i % 4)));
    free(message);
}

/* sha1( (key xor pad) ++ text ) */
static void keyed_sha1(const char *key, unsigned char pad, const unsigned char *text, size_t len, unsigned char digest[DIGEST])
{
    size_t key_len = strlen(key);
    unsigned char *message = malloc(BLOCK + len);

    if (message == NULL || key_len > BLOCK) {
        fprintf(stderr, "hmac: no memory, or a key of more than %d bytes\n", BLOCK);
        exit(1);
    }
    for (size_t i = 0; i < BLOCK; i++)
        message[i] = (unsigned char)((i < key_len ? (unsigned char)key[i] : 0) ^ pad);
    memcpy(message + BLOCK, text, len);
    sha1(message, BLOCK + len, digest);
    free(message);
}

void hmac_sha1_base64(const char *key, const char *text, char out[29])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char inner[DIGEST], digest[DIGEST + 1] = {0};

    keyed_sha1(key, 0x36, (const unsigned char *)text, strlen(text), inner);
    keyed_sha1(key, 0x5C, inner, DIGEST, digest);
    for (int i = 0; i < 7; i++) {
        const unsigned char *p = digest + 3 * i;
        out[4 * i] = alphabet[p[0] >> 2];
        out[4 * i + 1] = alphabet[(p[0] & 3) << 4 | p[1] >> 4];
        out[4 * i + 2] = alphabet[(p[1] & 15) << 2 | p[2] >> 6];
        out[4 * i + 3] = alphabet[p[2] & 63];
    }
    out[27] = '='; /* 20 bytes are 27 characters */
    out[28] = '\0';
}
