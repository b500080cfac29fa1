/* Secrets are taken out of what the probe shows: see mask.h. The spellings are those of src/service/secrets.rs. */
#define _POSIX_C_SOURCE 200809L

#include "mask.h"
#include "sign.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* Shorter secrets would be found everywhere. */
    SHORTEST = 4,
    /* A text may be escaped several times; a hostile one must not take a long time to read. */
    MOST_ESCAPES = 8,
    /* The ways to read one byte. */
    MOST_READINGS = 4,
    NEEDLES = 4
};

/* A secret, or its base64 as it is behind 0, 1 or 2 other bytes. */
struct needle {
    const char *bytes;
    bool is_base64;
};

/* Never changed once it is in the list. */
struct secret {
    const char *text;
    struct needle needles[NEEDLES];
    const struct secret *next;
};

static const struct secret *secrets;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- what is hidden -------------------------------------------------------------------------- */

/* The base64 characters that depend on the secret alone, when `before` other bytes (modulo 3) are before it. */
static char *within_base64(const char *secret, size_t before)
{
    size_t len = before + strlen(secret), begin = (before * 8 + 5) / 6;
    char *bytes = keep(len + 1), *encoded;

    memcpy(bytes + before, secret, strlen(secret));
    encoded = base64(bytes, len);
    return say_part(encoded + begin, len * 8 / 6 - begin);
}

void hide(const char *text)
{
    struct secret *secret = keep(sizeof *secret);
    bool known = false;

    if (strlen(text) < SHORTEST)
        return;
    secret->text = text;
    secret->needles[0] = (struct needle){text, false};
    for (size_t before = 0; before < 3; before++)
        secret->needles[1 + before] = (struct needle){within_base64(text, before), true};
    pthread_mutex_lock(&lock);
    for (const struct secret *other = secrets; other != NULL && !known; other = other->next)
        known = strcmp(other->text, text) == 0;
    secret->next = secrets;
    if (!known)
        secrets = secret;
    pthread_mutex_unlock(&lock);
}

static const struct secret *hidden(void)
{
    pthread_mutex_lock(&lock);
    const struct secret *first = secrets;
    pthread_mutex_unlock(&lock);
    return first;
}

/* ---- the ways to read one byte ------------------------------------------------------------------ */

/* A byte, and in how many bytes it is written. */
struct reading {
    unsigned char byte;
    size_t len;
};

struct readings {
    struct reading all[MOST_READINGS];
    size_t count;
};

static void add_reading(struct readings *readings, unsigned char byte, size_t len)
{
    readings->all[readings->count++] = (struct reading){byte, len};
}

/* How many bytes at the beginning of a text are this, again and again, some times at most. */
static size_t repeated(const char *text, const char *what)
{
    size_t len = strlen(what), times = 0;

    while (times < MOST_ESCAPES && strncmp(text + times * len, what, len) == 0)
        times++;
    return times * len;
}

/* -1 if it is none. */
static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A number of exactly so many digits, below 256. */
static bool read_number(const char *text, size_t digits, int base, unsigned char *byte)
{
    unsigned number = 0;

    for (size_t i = 0; i < digits; i++) {
        int digit = digit_of(text[i]);
        if (digit < 0 || digit >= base || (number = number * (unsigned)base + (unsigned)digit) > 255)
            return false;
    }
    *byte = (unsigned char)number;
    return digits > 0;
}

/* How many bytes are before this one, which is among the first `most`; false if it is not. */
static bool find_end(const char *text, char end, size_t most, size_t *len)
{
    for (*len = 0; *len < most && text[*len] != '\0'; ++*len)
        if (text[*len] == end)
            return true;
    return false;
}

/* `%2B`, and `%252B` when it was encoded twice. */
static void read_percent(const char *text, struct readings *readings)
{
    size_t again = 1 + repeated(text + 1, "25");
    unsigned char byte;

    if (read_number(text + 1, 2, 16, &byte))
        add_reading(readings, byte, 3);
    if (again > 1 && read_number(text + again, 2, 16, &byte))
        add_reading(readings, byte, again + 2);
}

/* `\u002b`, `\u{2b}`, `\x2b`, `\053` and `\/`, with more backslashes when it was escaped more than once. */
static void read_backslash(const char *text, struct readings *readings)
{
    size_t begin = repeated(text, "\\"), len;
    const char *rest = text + begin;
    unsigned char byte;

    if (rest[0] == 'u' && rest[1] == '{' && find_end(rest + 2, '}', 6, &len) && read_number(rest + 2, len, 16, &byte))
        add_reading(readings, byte, begin + len + 3);
    else if (rest[0] == 'u' && read_number(rest + 1, 4, 16, &byte))
        add_reading(readings, byte, begin + 5);
    else if (rest[0] == 'x' && read_number(rest + 1, 2, 16, &byte))
        add_reading(readings, byte, begin + 3);
    else if (rest[0] >= '0' && rest[0] <= '3' && read_number(rest, 3, 8, &byte))
        add_reading(readings, byte, begin + 3);
    else if (rest[0] != '\0')
        add_reading(readings, (unsigned char)rest[0], begin + 1);
    /* An escaped backslash. */
    if (text[1] == '\\')
        add_reading(readings, '\\', 2);
}

/* `&#43;`, `&#x2b;` and `&plus;`, with `amp;` in between when it was escaped more than once; and these alone, which may be
 * an escaped `&` with other text behind it. */
static void read_html(const char *text, struct readings *readings)
{
    static const struct {
        const char *name;
        unsigned char byte;
    } named[] = {{"lt;", '<'}, {"gt;", '>'}, {"quot;", '"'}, {"apos;", '\''}, {"plus;", '+'}, {"sol;", '/'}, {"equals;", '='}};
    static const char amp[] = "amp;";
    size_t begin = 1 + repeated(text + 1, amp), once = 1 + strlen(amp), len;
    const char *rest = text + begin;
    unsigned char byte;

    if (rest[0] == '#' && find_end(rest + 1, ';', 8, &len)) {
        bool is_hex = rest[1] == 'x' || rest[1] == 'X';
        if (read_number(rest + 1 + is_hex, len - is_hex, is_hex ? 16 : 10, &byte))
            add_reading(readings, byte, begin + len + 2);
    }
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (strncmp(rest, named[i].name, strlen(named[i].name)) == 0)
            add_reading(readings, named[i].byte, begin + strlen(named[i].name));
    if (begin >= once)
        add_reading(readings, '&', once);
    if (begin > once)
        add_reading(readings, '&', begin);
}

static struct readings readings_of(const char *text)
{
    struct readings readings = {.count = 0};

    if (*text != '\0')
        add_reading(&readings, (unsigned char)*text, 1);
    if (*text == '%')
        read_percent(text, &readings);
    if (*text == '\\')
        read_backslash(text, &readings);
    if (*text == '&')
        read_html(text, &readings);
    return readings;
}

/* ---- finding ------------------------------------------------------------------------------------ */

/* Where a text goes on behind what was read: several places, since it can be read in several ways. */
struct ends {
    size_t *at, count, capacity;
};

static void add_end(struct ends *ends, size_t end)
{
    for (size_t i = 0; i < ends->count; i++)
        if (ends->at[i] == end)
            return;
    if (ends->count == ends->capacity) {
        ends->capacity = 2 * ends->capacity + MOST_READINGS;
        ends->at = checked(realloc(ends->at, ends->capacity * sizeof *ends->at));
    }
    ends->at[ends->count++] = end;
}

/* Reads one byte more. */
static void read_byte(const char *text, size_t at, unsigned char expected, bool is_base64, struct ends *ends)
{
    struct readings readings = readings_of(text + at);

    for (size_t i = 0; i < readings.count; i++) {
        unsigned char byte = readings.all[i].byte;
        /* Both alphabets as one. */
        if (is_base64)
            byte = byte == '-' ? '+' : byte == '_' ? '/' : byte;
        if (byte == expected)
            add_end(ends, at + readings.all[i].len);
    }
}

/* In how many bytes the needle is written at the beginning of the text; 0 if it is not. */
static size_t needle_at(const char *text, const struct needle *needle)
{
    struct ends ends = {0}, longer = {0};
    size_t longest = 0;

    read_byte(text, 0, (unsigned char)needle->bytes[0], needle->is_base64, &ends);
    for (const char *expected = needle->bytes + 1; *expected != '\0' && ends.count > 0; expected++) {
        struct ends read = ends;
        longer.count = 0;
        for (size_t i = 0; i < read.count; i++)
            read_byte(text, read.at[i], (unsigned char)*expected, needle->is_base64, &longer);
        ends = longer;
        longer = read;
    }
    for (size_t i = 0; i < ends.count; i++)
        longest = ends.at[i] > longest ? ends.at[i] : longest;
    free(ends.at);
    free(longer.at);
    return longest;
}

/* In how many bytes a secret is written at the beginning of the text; 0 if none is. */
static size_t secret_at(const char *text, const struct secret *all)
{
    size_t longest = 0;

    for (const struct secret *secret = all; secret != NULL; secret = secret->next)
        for (size_t i = 0; i < NEEDLES; i++) {
            size_t len = needle_at(text, &secret->needles[i]);
            longest = len > longest ? len : longest;
        }
    return longest;
}

/* Bytes at which a secret may begin in a text. */
static void find_begins(const struct secret *all, bool begins[256])
{
    for (const char *byte = "%\\&-_"; *byte != '\0'; byte++)
        begins[(unsigned char)*byte] = true;
    for (const struct secret *secret = all; secret != NULL; secret = secret->next)
        for (size_t i = 0; i < NEEDLES; i++)
            begins[(unsigned char)secret->needles[i].bytes[0]] = true;
}

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

char *masked_part(const char *text, size_t most)
{
    const struct secret *all = hidden();
    struct text shown = {0};
    bool begins[256] = {false};

    find_begins(all, begins);
    /* A character of up to four bytes is not cut. */
    while (*text != '\0' && (shown.len < most || (shown.len - most < 4 && is_continuation(*text)))) {
        size_t len = begins[(unsigned char)*text] ? secret_at(text, all) : 0;
        append(&shown, len > 0 ? "***" : text, len > 0 ? 3 : 1);
        text += len > 0 ? len : 1;
    }
    if (*text != '\0')
        append_format(&shown, "…");
    return kept(&shown);
}

char *masked(const char *text)
{
    return masked_part(text, (size_t)-1);
}

void tell(const char *format, ...)
{
    struct text line = {0};
    va_list arguments;
    char *said;

    va_start(arguments, format);
    said = say_arguments(format, arguments);
    va_end(arguments);
    append_visible(&line, said, strlen(said), "");
    fprintf(stderr, "probe: %s\n", masked(kept(&line)));
}
