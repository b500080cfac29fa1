/* Strings of the probe: see text.h. */
#define _POSIX_C_SOURCE 200809L

#include "text.h"

#include <ctype.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory -------------------------------------------------------------------------------- */

/* Blocks are linked, so that all of them can be released. */
struct block {
    struct block *next;
    char bytes[];
};

static struct block *blocks;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The probe cannot go on without memory, and has nothing large. */
void *checked(void *memory)
{
    if (memory == NULL) {
        fprintf(stderr, "probe: no memory\n");
        abort();
    }
    return memory;
}

void *keep(size_t size)
{
    struct block *block = checked(size > SIZE_MAX - sizeof *block ? NULL : calloc(1, sizeof *block + size));

    pthread_mutex_lock(&lock);
    block->next = blocks;
    blocks = block;
    pthread_mutex_unlock(&lock);
    return block->bytes;
}

void release_all(void)
{
    while (blocks != NULL) {
        struct block *next = blocks->next;
        free(blocks);
        blocks = next;
    }
}

/* ---- text ---------------------------------------------------------------------------------- */

void append(struct text *text, const char *bytes, size_t len)
{
    if (len >= SIZE_MAX / 2 - text->len)
        checked(NULL);
    if (text->len + len + 1 > text->capacity) {
        text->capacity = 2 * (text->len + len + 1);
        text->bytes = checked(realloc(text->bytes, text->capacity));
    }
    memcpy(text->bytes + text->len, bytes, len);
    text->len += len;
    text->bytes[text->len] = '\0';
}

static void append_arguments(struct text *text, const char *format, va_list arguments)
{
    va_list again;
    int len;

    va_copy(again, arguments);
    len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (len < 0)
        abort();
    char *bytes = checked(malloc((size_t)len + 1));
    vsnprintf(bytes, (size_t)len + 1, format, arguments);
    append(text, bytes, (size_t)len);
    free(bytes);
}

void append_format(struct text *text, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    append_arguments(text, format, arguments);
    va_end(arguments);
}

void append_visible(struct text *text, const char *bytes, size_t len, const char *as_they_are)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if ((byte < 0x20 || byte == 0x7F) && (byte == '\0' || strchr(as_they_are, byte) == NULL))
            append_format(text, "\\x%02x", byte);
        else
            append(text, bytes + i, 1);
    }
}

char *say_part(const char *bytes, size_t len)
{
    char *copy = keep(len + 1);

    memcpy(copy, bytes, len);
    return copy;
}

char *kept(struct text *text)
{
    char *copy = say_part(text->bytes == NULL ? "" : text->bytes, text->len);

    free(text->bytes);
    memset(text, 0, sizeof *text);
    return copy;
}

char *say_arguments(const char *format, va_list arguments)
{
    struct text text = {0};

    append_arguments(&text, format, arguments);
    return kept(&text);
}

char *say(const char *format, ...)
{
    va_list arguments;
    char *said;

    va_start(arguments, format);
    said = say_arguments(format, arguments);
    va_end(arguments);
    return said;
}

/* ---- JSON ---------------------------------------------------------------------------------- */

/* The end of the string that begins at a quote. */
static const char *string_end(const char *at)
{
    for (at++; *at != '\0' && *at != '"'; at++)
        if (*at == '\\' && at[1] != '\0')
            at++;
    return at;
}

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

const char *json_member(const char *json, const char *name, int deepest)
{
    size_t len = strlen(name);
    int depth = 0;

    for (const char *at = json; *at != '\0'; at++) {
        if (*at == '{' || *at == '[')
            depth++;
        if (*at == '}' || *at == ']')
            depth--;
        if (*at == '"') {
            const char *end = string_end(at);
            const char *colon = *end == '\0' ? end : skip_blanks(end + 1);
            if (*colon == ':' && depth <= deepest && (size_t)(end - at) == len + 1 && memcmp(at + 1, name, len) == 0)
                return skip_blanks(colon + 1);
            at = end;
            if (*at == '\0')
                break;
        }
    }
    return NULL;
}

/* Four hexadecimal digits; -1 if they are none. */
static long hex4(const char *at)
{
    char digits[5] = {0};

    for (int i = 0; i < 4; i++) {
        if (!isxdigit((unsigned char)at[i]))
            return -1;
        digits[i] = at[i];
    }
    return strtol(digits, NULL, 16);
}

static void append_utf8(struct text *text, unsigned long point)
{
    char bytes[4];
    size_t len = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    static const unsigned char first[] = {0, 0x00, 0xC0, 0xE0, 0xF0};

    for (size_t i = len; i-- > 1; point >>= 6)
        bytes[i] = (char)(0x80 | (point & 0x3F));
    bytes[0] = (char)(first[len] | point);
    append(text, bytes, len);
}

/* Appends what `\uXXXX` at `at` stands for; how many bytes it is written in. */
static size_t append_escape(struct text *text, const char *at)
{
    long high = hex4(at + 2), low;

    if (high >= 0xD800 && high < 0xDC00 && at[6] == '\\' && at[7] == 'u' && (low = hex4(at + 8)) >= 0xDC00 &&
        low < 0xE000) {
        append_utf8(text, 0x10000 + ((unsigned long)(high - 0xD800) << 10) + (unsigned long)(low - 0xDC00));
        return 12;
    }
    append_utf8(text, high < 0 ? 0xFFFD : (unsigned long)high);
    return high < 0 ? 2 : 6;
}

char *json_string(const char *json, const char *name, int deepest)
{
    static const char written[] = "nrtbf", meant[] = "\n\r\t\b\f";
    const char *at = json_member(json, name, deepest), *end;
    struct text text = {0};

    if (at == NULL || *at != '"')
        return NULL;
    end = string_end(at);
    for (at++; at < end;) {
        const char *known = *at == '\\' ? strchr(written, at[1]) : NULL;
        if (*at != '\\') {
            append(&text, at++, 1);
        } else if (at[1] == 'u') {
            at += append_escape(&text, at);
        } else {
            append(&text, known != NULL ? &meant[known - written] : at + 1, 1);
            at += 2;
        }
    }
    return kept(&text);
}

bool json_number(const char *json, const char *name, long *number)
{
    const char *value = json_member(json, name, 1);
    char *end;

    if (value == NULL)
        return false;
    *number = strtol(value, &end, 10);
    return end != value;
}
