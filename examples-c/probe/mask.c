/* Secrets are taken out of the report: see mask.h. The library does the same with its messages. */
#define _POSIX_C_SOURCE 200809L

#include "mask.h"
#include "sign.h"
#include "text.h"

#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SHORTEST = 4, MOST = 256 };

static const char *secrets[MOST];
static size_t count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void hide(const char *secret)
{
    bool known = false;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count && !known; i++)
        known = strcmp(secrets[i], secret) == 0;
    /* Shorter ones would be found everywhere. */
    if (!known && strlen(secret) >= SHORTEST && count < MOST)
        secrets[count++] = secret;
    pthread_mutex_unlock(&lock);
}

/* A number of at most `most` digits; how many there are. */
static size_t read_number(const char *at, int base, size_t most, unsigned char *byte)
{
    char digits[7] = {0};
    size_t len = 0;
    unsigned long number;

    while (len < most && (base == 16 ? isxdigit((unsigned char)at[len]) : isdigit((unsigned char)at[len])))
        len++;
    memcpy(digits, at, len);
    number = strtoul(digits, NULL, base);
    *byte = (unsigned char)number;
    return number < 256 ? len : 0;
}

/* One byte that is written as `%2B`, `\u002b`, `\/`, `&#43;` or `&#x2b;`; in how many bytes, 0 if it is not. */
static size_t escaped_at(const char *at, unsigned char *byte)
{
    if (at[0] == '%')
        return read_number(at + 1, 16, 2, byte) == 2 ? 3 : 0;
    if (at[0] == '\\' && at[1] == 'u')
        return read_number(at + 2, 16, 4, byte) == 4 ? 6 : 0;
    if (at[0] == '\\' && at[1] != '\0')
        return *byte = (unsigned char)at[1], 2;
    if (at[0] == '&' && at[1] == '#') {
        int base = at[2] == 'x' || at[2] == 'X' ? 16 : 10;
        size_t begin = base == 16 ? 3 : 2, len = read_number(at + begin, base, 6, byte);
        return len > 0 && at[begin + len] == ';' ? begin + len + 1 : 0;
    }
    return 0;
}

/* In how many bytes the secret is written at the beginning of the text; 0 if it is not. */
static size_t written_at(const char *text, const char *secret, bool is_base64)
{
    const char *at = text;
    unsigned char byte;

    for (; *secret != '\0'; secret++) {
        size_t len = escaped_at(at, &byte);
        if (len == 0)
            byte = (unsigned char)*at, len = 1;
        if (is_base64)
            byte = byte == '-' ? '+' : byte == '_' ? '/' : byte;
        if (*at == '\0' || byte != (unsigned char)*secret)
            return 0;
        at += len;
    }
    return (size_t)(at - text);
}

static char *without(const char *text, const char *secret, bool is_base64)
{
    struct text shown = {0};

    while (*text != '\0') {
        size_t len = written_at(text, secret, is_base64);
        append(&shown, len > 0 ? "***" : text, len > 0 ? 3 : 1);
        text += len > 0 ? len : 1;
    }
    return kept(&shown);
}

/* The base64 characters that depend on the secret alone, when `before` other bytes (modulo 3) are before it. */
static char *within_base64(const char *secret, size_t before)
{
    size_t len = before + strlen(secret), begin = (before * 8 + 5) / 6;
    char *bytes = keep(len + 1), *encoded;

    memcpy(bytes + before, secret, strlen(secret));
    encoded = base64(bytes, len);
    return say_part(encoded + begin, len * 8 / 6 - begin);
}

char *masked(const char *text)
{
    char *shown = say_part(text, strlen(text));

    for (size_t i = 0; i < count; i++) {
        shown = without(shown, secrets[i], false);
        for (size_t before = 0; before < 3; before++)
            shown = without(shown, within_base64(secrets[i], before), true);
    }
    return shown;
}
