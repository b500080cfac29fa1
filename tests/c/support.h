/* What the tests share: clients of the running emulator, files, and a look at what the servers saw.
 *
 * run.sh starts an emulator and a callback service for each test program, and says where they are:
 *
 *   US3_TEST_ENDPOINT    the emulator            US3_TEST_CONTROL    its listener for tests
 *   US3_TEST_CALLBACK    the callback service    US3_TEST_CALLBACKS  the file it writes to
 *   US3_TEST_SINK        a service that keeps nothing (benches/sink)
 *   US3_TEST_DIR         an empty folder       US3_TEST_LIBRARY    libus3.so
 *
 * What these functions return is in the test's arena, and not to be freed; arena_drop gives back early
 * what is large.
 */
#ifndef SUPPORT_H
#define SUPPORT_H

#include "arena.h"
#include "check.h"
#include "fake_service.h"

#include <us3.h>

#include <inttypes.h>

#define TEST_PUBLIC_KEY "test-public-key"
#define TEST_PRIVATE_KEY "test-private-key-nobody-may-see"
#define TEST_BUCKET "demo"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

/* The variable's value; the test ends without one. */
const char *env(const char *name);
/* printf into memory of the arena. */
char *format(const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 1, 2)))
#endif
    ;

/* ---- clients ----------------------------------------------------------------------------- */

/* The test's keys and bucket, and this endpoint. */
us3_config config_for(const char *endpoint);
/* The test ends when there is no client. */
us3_client *client_with(const us3_config *config);
us3_client *client_for(const char *endpoint);
us3_client *emulator_client(void);
/* A client that never repeats a request, so that a test can count them, and soon ends finding out what became
 * of a lost answer. */
us3_client *fake_client(const fake_service *fake);

/* ---- results ------------------------------------------------------------------------------ */

/* The status that a call returned, and that its result agrees. Shows the message if not. */
#define CHECK_STATUS(expected, call, result) check_status(__FILE__, __LINE__, #call, (expected), (call), (result))
void check_status(const char *file, int line, const char *what, int32_t expected, int32_t returned,
                  const us3_result *result);
/* A call that fails: its status, and a message that contains `part`. Clears the result. */
#define CHECK_REFUSED(expected, part, call, result) \
    check_refused(__FILE__, __LINE__, #call, (expected), (part), (call), (result))
void check_refused(const char *file, int line, const char *what, int32_t expected, const char *part, int32_t returned,
                   us3_result *result);

/* ---- files -------------------------------------------------------------------------------- */

/* A path in the test's folder. */
char *test_path(const char *name);
/* `size` bytes, any, the same for the same seed. */
unsigned char *test_bytes(size_t size, uint32_t seed);
/* A file with these bytes in the test's folder; its path. */
char *test_file(const char *name, size_t size, uint32_t seed);
char *test_text_file(const char *name, const char *text);
/* The file's content as a string; the test ends without one. */
char *read_text(const char *path);

/* ---- the process (support.c) --------------------------------------------------------------- */

int running_threads(void);
/* Waits until there are no more than that. */
void await_threads(int count);

/* ---- what the servers saw (servers.c) ------------------------------------------------------ */

/* Downloads the object and compares it with the bytes. */
#define CHECK_STORED(key, bytes, size) check_stored(__FILE__, __LINE__, (key), (bytes), (size))
void check_stored(const char *file, int line, const char *key, const unsigned char *bytes, size_t size);
bool object_exists(const char *key);

/* Makes the emulator forget everything that it stored and saw. */
void emulator_reset(void);
/* Tells it something through its control listener, such as "/rules" or "/broken", as JSON. */
void emulator_tell(const char *path, const char *json);
/* Its state as JSON, without blanks. */
char *emulator_state(void);
/* A number of the state, such as "max_parts_in_flight". */
intmax_t emulator_number(const char *name);
/* How often a text occurs in the state's array of that name. */
int emulator_count(const char *array, const char *text);
/* Multipart uploads that were neither finished nor aborted. */
int pending_uploads(void);
/* Requests of a kind: "put", "initiate", "part", "finish", "abort", "head", "delete". */
int requests_seen(const char *call);

/* Callbacks whose record contains `part`. */
int callbacks_with(const char *part);
/* The record of the last of them, the JSON of callback_service.c; NULL without one. */
char *last_callback_with(const char *part);
/* The page's two policies, for the callback service, under a path of the test's own. */
char *json_policy(const char *path);
char *query_policy(const char *path);

#endif
