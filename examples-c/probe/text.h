/* Strings of the probe: text that grows, and memory that is released at the end of the program. */
#ifndef PROBE_TEXT_H
#define PROBE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __GNUC__
#define PROBE_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define PROBE_PRINTF(text, first)
#endif

/* A string that grows; all zero is an empty one. */
struct text {
    char *bytes;
    size_t len, capacity;
};

void append(struct text *text, const char *bytes, size_t len);
void append_format(struct text *text, const char *format, ...) PROBE_PRINTF(2, 3);
/* Control characters are appended as \xNN, but for these. */
void append_visible(struct text *text, const char *bytes, size_t len, const char *as_they_are);
/* The string, which is released at the end of the program; `text` is empty afterwards. */
char *kept(struct text *text);

/* Zeroed memory, and printf into memory, released at the end of the program. Any thread. */
void *keep(size_t size);
char *say(const char *format, ...) PROBE_PRINTF(1, 2);
char *say_arguments(const char *format, va_list arguments);
char *say_part(const char *bytes, size_t len);
void release_all(void);
/* The same memory; ends the program if there is none. */
void *checked(void *memory);

/* ---- JSON ---------------------------------------------------------------------------------- */

/* The value of the first member of this name in a JSON text, looked for in objects that are at most so deep (1:
 * the outermost); NULL without one. */
const char *json_member(const char *json, const char *name, int deepest);
/* A member that is a string, as UTF-8; NULL if it is none. */
char *json_string(const char *json, const char *name, int deepest);
/* A member that is a whole number. */
bool json_number(const char *json, const char *name, long *number);

#endif
