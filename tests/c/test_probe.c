/* The probe for the live service (examples-c/probe.c): what it says of an emulator that is sound, and of one that breaks an
 * assumption; and that nothing stays in the bucket, however it ends. */
#define _POSIX_C_SOURCE 200809L

#include "http.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ASSUMPTIONS = 10, MOST_ARGUMENTS = 16 };

/* A free port on loopback, to which the emulator calls back. */
#define LISTEN "--listen", "127.0.0.1:0"

/* What a probe said and how it ended. */
struct outcome {
    int status;
    char *report, *messages;
};

/* ---- running it -------------------------------------------------------------------------------- */

static char *write_config(const char *endpoint, const char *more)
{
    return test_text_file("config.json",
                          format("{\"public_key\":\"%s\",\"private_key\":\"%s\",\"bucket_name\":\"%s\",\"endpoint\":\"%s\"%s}",
                                 TEST_PUBLIC_KEY, TEST_PRIVATE_KEY, TEST_BUCKET, endpoint, more));
}

static void redirect(int fd, const char *path)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (file < 0 || dup2(file, fd) < 0)
        _exit(99);
}

/* Starts the probe with these arguments, the last of which is NULL; the configuration is put behind them. */
static pid_t start_probe(const char *config, const char *const *arguments)
{
    const char *words[MOST_ARGUMENTS + 6] = {env("US3_TEST_PROBE"), "--dead-callback", refusing_url()};
    const char *report = test_path("report.md"), *messages = test_path("messages");
    size_t count = 3;
    pid_t pid;

    for (; *arguments != NULL; arguments++)
        words[count++] = *arguments;
    words[count] = config;
    pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        redirect(STDOUT_FILENO, report);
        redirect(STDERR_FILENO, messages);
        execv(words[0], (char **)words);
        _exit(99);
    }
    return pid;
}

static struct outcome end_of(pid_t pid)
{
    struct outcome outcome = {.status = -1};
    int status = 0;

    while (waitpid(pid, &status, 0) < 0)
        REQUIRE(errno == EINTR);
    if (WIFEXITED(status))
        outcome.status = WEXITSTATUS(status);
    outcome.report = read_text(test_path("report.md"));
    outcome.messages = read_text(test_path("messages"));
    return outcome;
}

static struct outcome run_probe(const char *config, const char *const *arguments)
{
    return end_of(start_probe(config, arguments));
}

#define ARGUMENTS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NO_ARGUMENTS ((const char *const[]){NULL})

/* A probe of the emulator, with its own callback service. */
static struct outcome probe_emulator(void)
{
    return run_probe(write_config(env("US3_TEST_ENDPOINT"), ""), ARGUMENTS(LISTEN));
}

/* The same, where nothing comes late, and it is not worth while to wait for it. */
static struct outcome probe_briefly(void)
{
    return run_probe(write_config(env("US3_TEST_ENDPOINT"), ""), ARGUMENTS(LISTEN, "--bound-ms", "1500"));
}

/* The emulator without --strict, which breaks A10. */
static void emulator_breaks(const char *assumptions)
{
    emulator_reset();
    emulator_tell("/broken", assumptions);
}

/* ---- what it said ------------------------------------------------------------------------------- */

/* The verdict of an assumption, the last cell of its row. */
static char *verdict(const struct outcome *outcome, int assumption)
{
    char *row = strstr(outcome->report, format("\n| A%d |", assumption)), *end, *cell;

    if (row == NULL)
        return format("no row A%d; %s", assumption, outcome->messages);
    end = strstr(row + 1, " |\n");
    REQUIRE(end != NULL);
    for (cell = end; strncmp(cell, " | ", 3) != 0; cell--)
        REQUIRE(cell > row);
    return format("%.*s", (int)(end - cell - 3), cell + 3);
}

/* Row by row: `special` for this assumption, "holds" for all others. */
static void check_verdicts(const struct outcome *outcome, int assumption, const char *special)
{
    for (int i = 1; i <= ASSUMPTIONS; i++) {
        const char *said = verdict(outcome, i), *expected = i == assumption ? special : "holds";
        if (strcmp(said, expected) != 0)
            check_fail(__FILE__, __LINE__, "A%d: \"%s\", not \"%s\"; with A%d special", i, said, expected, assumption);
    }
}

static void check_nothing_left(const struct outcome *outcome)
{
    CHECK_INT(0, emulator_count("objects", "\"key\":"));
    CHECK_INT(0, pending_uploads());
    CHECK_HAS(outcome->report, "nothing left behind.");
}

static void check_no_secret(const struct outcome *outcome)
{
    CHECK(strstr(outcome->report, TEST_PRIVATE_KEY) == NULL);
    CHECK(strstr(outcome->report, TEST_PUBLIC_KEY) == NULL);
    CHECK_HAS(outcome->report, "Authorization: UCloud ***:***");
    for (const char *at = outcome->report; (at = strstr(at, "UCloud ")) != NULL; at++)
        CHECK(strncmp(at, "UCloud ***:***", 14) == 0);
}

/* ---- sound and broken ------------------------------------------------------------------------------ */

static void every_assumption_holds_of_a_sound_service(void)
{
    emulator_breaks("[]");
    struct outcome outcome = probe_emulator();

    CHECK_INT(0, outcome.status);
    check_verdicts(&outcome, 0, "");
    check_nothing_left(&outcome);
    check_no_secret(&outcome);
    /* Headers and bodies. */
    CHECK_HAS(outcome.report, "{\"RetCode\":-15036,\"ErrMsg\":\"check md5 failed\"}");
    CHECK_HAS(outcome.report, "Content-Disposition: attachment; filename=\"probe.txt\"");
    CHECK_INT(0, emulator_count("requests", "\"key\":\"a"));
}

static void exactly_the_broken_assumption_is_called_broken(void)
{
    for (int i = 1; i <= ASSUMPTIONS; i++) {
        emulator_breaks(format("[\"A%d\"]", i));
        /* The emulator's late PutFile is a second late. */
        const char *bound_ms = i == 2 ? "400" : "70000";
        struct outcome outcome =
            run_probe(write_config(env("US3_TEST_ENDPOINT"), ""), ARGUMENTS(LISTEN, "--bound-ms", bound_ms));
        CHECK_INT(1, outcome.status);
        check_verdicts(&outcome, i, "**BROKEN**");
        check_nothing_left(&outcome);
    }
}

static void an_object_that_head_shows_late_breaks_a4(void)
{
    emulator_breaks("[]");
    emulator_tell("/rules", "{\"call\":\"head\",\"nth\":1,\"fault\":{\"answer\":{\"status\":404}}}");
    struct outcome outcome = probe_emulator();

    CHECK_INT(1, outcome.status);
    check_verdicts(&outcome, 4, "**BROKEN**");
}

static void an_object_without_a_date_breaks_a4(void)
{
    emulator_breaks("[]");
    emulator_tell("/rules", "{\"call\":\"head\",\"fault\":{\"alter\":{\"headers\":{\"Last-Modified\":null}}}}");
    struct outcome outcome = probe_emulator();

    CHECK_INT(1, outcome.status);
    check_verdicts(&outcome, 4, "**BROKEN**");
}

static void a_gateway_that_answers_is_no_verdict(void)
{
    emulator_breaks("[\"A5\"]");
    emulator_tell("/rules", "{\"call\":\"finish\",\"nth\":2,\"fault\":{\"gateway\":{\"status\":502}}}");
    struct outcome outcome = probe_briefly();

    CHECK_INT(0, outcome.status);
    check_verdicts(&outcome, 5, "not tried: the second finish: 502");
    check_nothing_left(&outcome);
}

static void a_callback_breaks_a1_though_nothing_is_stored(void)
{
    emulator_breaks("[\"A1\"]");
    emulator_tell("/rules", "{\"call\":\"head\",\"nth\":3,\"times\":1000,\"fault\":{\"answer\":{\"status\":404}}}");
    struct outcome outcome = probe_briefly();

    CHECK_INT(1, outcome.status);
    CHECK_STR("**BROKEN**", verdict(&outcome, 1));
    CHECK_HAS(outcome.report, "**wrong Content-MD5: 400 / -15036 \"check md5 failed\", callbacks: 1, then HEAD: 404**");
}

/* The 14th PutFile with a policy is that with a wrong Content-MD5; the fourth without is the last of all. */
static void a_callback_breaks_a1_though_it_comes_after_the_answer(void)
{
    emulator_breaks("[\"A1\"]");
    emulator_tell("/rules", "[{\"call\":\"put\",\"policy\":true,\"nth\":14,\"at\":\"after_body\",\"detached\":50,\"fault\":"
                            "{\"answer\":{\"status\":400,\"body\":\"{\\\"RetCode\\\":-15036,\\\"ErrMsg\\\":\\\"no\\\"}\"}}},"
                            "{\"call\":\"put\",\"policy\":false,\"nth\":4,\"at\":\"after_body\",\"fault\":"
                            "{\"stall\":{\"ms\":1000,\"persist\":true}}}]");
    struct outcome outcome = probe_emulator();

    CHECK_INT(1, outcome.status);
    check_verdicts(&outcome, 1, "**BROKEN**");
    CHECK_INT(2, emulator_count("rules", "\"fired\":1"));
    check_nothing_left(&outcome);
}

/* ---- what is not tried ------------------------------------------------------------------------------- */

static void without_a_callback_address_what_needs_one_is_not_tried(void)
{
    emulator_breaks("[]");
    struct outcome outcome = run_probe(write_config(env("US3_TEST_ENDPOINT"), ""), NO_ARGUMENTS);

    CHECK_INT(0, outcome.status);
    for (int i = 1; i <= ASSUMPTIONS; i++) {
        const char *expected = i == 3 || i == 7 || i == 9 ? "not tried: needs CALLBACK"
                               : i == 1                   ? "not tried: needs CALLBACK to count callbacks"
                                                          : "holds";
        CHECK_STR(expected, verdict(&outcome, i));
    }
    check_nothing_left(&outcome);
}

static void a_callback_address_that_is_not_reached_is_named(void)
{
    emulator_breaks("[]");
    struct outcome outcome =
        run_probe(write_config(env("US3_TEST_ENDPOINT"), ""), ARGUMENTS(LISTEN, "--callback", refusing_url()));

    CHECK_INT(0, outcome.status);
    for (int i = 3; i <= 9; i += 2)
        if (i != 5)
            CHECK_HAS(verdict(&outcome, i), "not tried: US3 did not reach CALLBACK: PutFile with a policy was answered 599 / 20003");
    CHECK_STR("holds", verdict(&outcome, 6));
    check_nothing_left(&outcome);
}

static void a_599_that_is_not_in_the_form_says_nothing(void)
{
    emulator_breaks("[]");
    emulator_tell("/rules", "{\"call\":\"put\",\"policy\":true,\"fault\":{\"gateway\":{\"status\":599}}}");
    struct outcome outcome = run_probe(write_config(env("US3_TEST_ENDPOINT"), ""), ARGUMENTS("--bound-ms", "400"));

    CHECK_STR("not tried: no 599 in the form of RetCode and ErrMsg came", verdict(&outcome, 6));
    check_nothing_left(&outcome);
}

static void over_https_only_what_the_library_can_send_is_tried(void)
{
    static const bool tried[ASSUMPTIONS + 1] = {[3] = true, [6] = true, [7] = true};
    char *endpoint = format("https://localhost%s", strrchr(env("US3_TEST_TLS"), ':'));

    emulator_breaks("[]");
    struct outcome outcome = run_probe(write_config(endpoint, format(",\"ca_file\":\"%s\",\"settle_timeout_ms\":100", env("US3_TEST_CA"))), ARGUMENTS(LISTEN));
    CHECK_INT(0, outcome.status);
    for (int i = 1; i <= ASSUMPTIONS; i++)
        CHECK_STR(tried[i] ? "holds" : "not tried: over https", verdict(&outcome, i));
    check_nothing_left(&outcome);
    for (int i = 3; i <= 7; i += i == 3 ? 3 : 1) {
        emulator_breaks(format("[\"A%d\"]", i));
        outcome = run_probe(test_path("config.json"), ARGUMENTS(LISTEN, "--bound-ms", "400"));
        CHECK_INT(1, outcome.status);
        CHECK_STR("**BROKEN**", verdict(&outcome, i));
        check_nothing_left(&outcome);
    }
}

/* ---- failures ------------------------------------------------------------------------------------------ */

static void a_service_that_cannot_be_used_is_no_verdict(void)
{
    struct outcome outcome;

    emulator_breaks("[]");
    emulator_tell("/rights", "[]");
    outcome = probe_emulator();
    CHECK_INT(2, outcome.status);
    CHECK_STR("not tried: PutFile was answered 403 / -190403 \"permission denied\"", verdict(&outcome, 4));
    CHECK_STR("not tried: the first requests failed", verdict(&outcome, 1));

    char *over_https = format("https://localhost%s", strrchr(env("US3_TEST_TLS"), ':'));
    outcome = run_probe(write_config(over_https, format(",\"ca_file\":\"%s\"", env("US3_TEST_CA"))), NO_ARGUMENTS);
    CHECK_INT(2, outcome.status);
    CHECK_STR("not tried: PutFile was answered 403 / -190403 \"permission denied\"", verdict(&outcome, 4));

    outcome = run_probe(write_config(refusing_url(), ""), NO_ARGUMENTS);
    CHECK_INT(2, outcome.status);
    CHECK_STR("not tried: PutFile was answered no answer: connect: Connection refused", verdict(&outcome, 4));

    outcome = run_probe(test_text_file("empty.json", "{}"), NO_ARGUMENTS);
    CHECK_INT(2, outcome.status);
    CHECK_HAS(outcome.messages, "public_key");

    outcome = run_probe(write_config(env("US3_TEST_ENDPOINT"), ""), ARGUMENTS("--callback", "ftp://127.0.0.1/"));
    CHECK_INT(2, outcome.status);
    CHECK_HAS(outcome.messages, "--callback ftp://127.0.0.1/: ");

    outcome = run_probe(test_path("config.json"), ARGUMENTS("--callback", "https://127.0.0.1/"));
    CHECK_INT(2, outcome.status);
    CHECK_HAS(outcome.messages, "the probe speaks no https");

    outcome = run_probe("", ARGUMENTS("--no-such-option"));
    CHECK_INT(2, outcome.status);
    CHECK_HAS(outcome.messages, "usage: probe");
}

static void nothing_stays_when_the_service_fails_half_way(void)
{
    static const char *const rules[] = {
        "{\"call\":\"finish\",\"nth\":1,\"fault\":\"reset\"}",
        "{\"call\":\"finish\",\"nth\":1,\"at\":\"after_executing\",\"fault\":\"reset\"}",
        "{\"call\":\"part\",\"fault\":{\"answer\":{\"status\":500}}}",
        /* No answer tells its id. */
        "{\"call\":\"initiate\",\"at\":\"after_executing\",\"fault\":\"reset\"}",
        "{\"call\":\"put\",\"policy\":true,\"nth\":2,\"times\":100,\"at\":\"after_executing\",\"fault\":\"close\"}",
    };

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        emulator_breaks("[]");
        emulator_tell("/rules", rules[i]);
        struct outcome outcome = probe_briefly();
        CHECK_INT(0, outcome.status);
        CHECK_HAS(outcome.report, "| not tried: ");
        check_nothing_left(&outcome);
    }
}

/* The 10th and 11th PutFile with a policy are the last whose objects can come late. No answer tells the id of the multipart
 * upload. */
static void what_comes_late_is_waited_for(void)
{
    struct outcome outcome;

    emulator_breaks("[]");
    emulator_tell("/rules", "[{\"call\":\"put\",\"policy\":true,\"nth\":10,\"at\":\"after_body\",\"fault\":\"reset\",\"detached\":2000},"
                            "{\"call\":\"put\",\"policy\":true,\"nth\":11,\"at\":\"after_body\",\"fault\":{\"gateway\":{\"status\":504}},"
                            "\"detached\":2000},"
                            "{\"call\":\"initiate\",\"at\":\"after_body\",\"fault\":\"reset\",\"detached\":2000}]");
    outcome = run_probe(write_config(env("US3_TEST_ENDPOINT"), ""), ARGUMENTS(LISTEN, "--bound-ms", "4000"));
    CHECK_INT(0, outcome.status);
    CHECK_INT(0, emulator_number("in_flight"));
    CHECK_INT(3, emulator_count("requests", "\"detached_status\":200"));
    CHECK_HAS(outcome.messages, "waiting for objects that may still come, at most 4 s");
    CHECK_HAS(outcome.report, "15 objects deleted, 1 uploads aborted, nothing left behind");
    check_nothing_left(&outcome);
}

static void what_stays_is_named(void)
{
    emulator_breaks("[]");
    emulator_tell("/rules", "{\"call\":\"delete\",\"nth\":1,\"fault\":{\"answer\":{\"status\":403}}}");
    struct outcome outcome = probe_emulator();

    CHECK_INT(2, outcome.status);
    CHECK_INT(1, emulator_count("objects", "\"key\":"));
    CHECK_HAS(outcome.messages, "15 objects deleted, 0 uploads aborted; the object libus3-probe-");
    CHECK_HAS(outcome.messages, "is still there: ");
    emulator_reset();
}

static void secrets_that_the_service_repeats_are_not_shown(void)
{
    char *config = write_config(env("US3_TEST_ENDPOINT"), ",\"security_token\":\"a-token-that-nobody-may-see\"");
    struct outcome outcome;

    emulator_breaks("[]");
    emulator_tell("/rules", "{\"policy\":true,\"fault\":{\"gateway\":{\"status\":502,\"repeats\":true}}}");
    outcome = run_probe(config, ARGUMENTS(LISTEN, "--bound-ms", "400"));
    CHECK_HAS(outcome.report, "authorization: UCloud ***:***:");
    CHECK_HAS(outcome.report, "securitytoken: ***\n");
    CHECK(strstr(outcome.report, "nobody-may-see") == NULL);
    check_no_secret(&outcome);
}

/* Percent-encoded, escaped as in JSON and HTML, and in base64 behind 0, 1 and 2 other bytes. */
static void secrets_in_another_spelling_are_not_shown(void)
{
    static const char *const spellings[] = {
        "test%2Dprivate%2dkey%2Dnobody%2Dmay%2Dsee",  "test\\u002dprivate-key-nobody-may-see",
        "test&#45;private&#x2d;key-nobody-may-see",   "dGVzdC1wcml2YXRlLWtleS1ub2JvZHktbWF5LXNlZQ==",
        "YXRlc3QtcHJpdmF0ZS1rZXktbm9ib2R5LW1heS1zZWU=", "YWF0ZXN0LXByaXZhdGUta2V5LW5vYm9keS1tYXktc2Vl",
    };
    char *body = format("%s", "");

    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++)
        body = format("%s %zu(%s)", body, i, spellings[i]);
    /* The backslash once more, for the rule's own JSON. */
    char *escape = strchr(body, '\\');
    body = format("%.*s\\%s", (int)(escape - body), body, escape);
    emulator_breaks("[]");
    emulator_tell("/rules", format("{\"policy\":true,\"fault\":{\"answer\":{\"status\":502,\"body\":\"%s\"}}}", body));
    struct outcome outcome = probe_briefly();
    CHECK_HAS(outcome.report, " 0(***) 1(***) 2(***) 3(***Q==) 4(YX***U=) 5(YWF***)");
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++)
        CHECK(strstr(outcome.report, spellings[i]) == NULL);
}

/* ---- long secrets, escapes of escapes ------------------------------------------------------------------------ */

/* A token of so many letters and digits, of which no twelve in a row occur twice. */
static char *long_token(size_t len)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    const unsigned char *bytes = test_bytes(len, 5);
    char *token = format("%*s", (int)len, "");

    for (size_t i = 0; i < len; i++)
        token[i] = alphabet[bytes[i] % (sizeof alphabet - 1)];
    return token;
}

static void check_no_piece(const char *what, const char *text, const char *secret)
{
    enum { PIECE = 12 };
    size_t pieces = 0;

    for (size_t i = 0; i + PIECE <= strlen(secret); i++)
        pieces += strstr(text, format("%.*s", PIECE, secret + i)) != NULL;
    if (pieces > 0)
        check_fail(__FILE__, __LINE__, "%s has %zu pieces of the secret", what, pieces);
}

/* A probe with this token of a service that answers PutFile and the list of uploads so. */
static struct outcome probe_fake(fake_service *fake, const char *token, const char *answer)
{
    fake_set(fake, FAKE_PUT, answer);
    fake_set(fake, FAKE_OTHER, answer);
    return run_probe(write_config(fake_url(fake), format(",\"security_token\":\"%s\",\"max_retries\":0", token)),
                     ARGUMENTS("--bound-ms", "200"));
}

static void a_token_that_is_longer_than_what_is_shown_is_not_shown_in_part(void)
{
    char *token = long_token(2600);
    struct outcome outcome;

    emulator_breaks("[]");
    outcome = run_probe(write_config(env("US3_TEST_ENDPOINT"), format(",\"security_token\":\"%s\"", token)), NO_ARGUMENTS);
    CHECK_INT(0, outcome.status);
    CHECK_HAS(outcome.report, "SecurityToken: ***\n");
    check_no_piece("the report", outcome.report, token);
}

/* In the table, in a body, in what is no HTTP, and in what is said on standard error. */
static void a_secret_is_not_shown_in_part_wherever_an_answer_is_cut(void)
{
    char *token = long_token(2600);
    const char *const answers[] = {
        fake_answer(403, "", format("{\"RetCode\":-1,\"ErrMsg\":\"SecurityToken: %s of %s\"}", token, TEST_PUBLIC_KEY)),
        fake_answer(403, format("X-Repeated: %s\r\n", token), format("%s %s", TEST_PUBLIC_KEY, token)),
        format("SecurityToken: %s %s\r\n\r\n", TEST_PUBLIC_KEY, token),
        format("HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n%s\r\n", 2 * strlen(token), token),
    };

    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        fake_service *fake = fake_start();
        struct outcome outcome = probe_fake(fake, token, answers[i]);
        CHECK_INT(2, outcome.status);
        CHECK_HAS(outcome.messages, "cannot be listed");
        check_no_piece(format("the report of answer %zu", i), outcome.report, token);
        check_no_piece(format("standard error of answer %zu", i), outcome.messages, token);
        CHECK(strstr(outcome.report, TEST_PUBLIC_KEY) == NULL);
        CHECK(strstr(outcome.messages, TEST_PUBLIC_KEY) == NULL);
        fake_stop(fake);
    }
}

/* The cases of src/service/secrets.rs. */
static void the_probe_finds_a_secret_however_it_is_written(void)
{
    static const struct {
        const char *secret, *written;
    } cases[] = {
        {"aB3+/x=?~9", "aB3+/x=?~9"},
        {"aB3+/x=?~9", "aB3%2B%2Fx%3D%3F%7E9"},
        {"aB3+/x=?~9", "aB3%2b/x=%3f~9"},
        {"aB3+/x=?~9", "%61%42%33%2B%2F%78%3D%3F%7E%39"},
        {"aB3+/x=?~9", "aB3%252B%25252Fx=?~9"},
        {"aB3+/x=?~9", "aB3+\\/x=?~9"},
        {"aB3+/x=?~9", "aB3+\\\\/x=?~9"},
        {"aB3+/x=?~9", "aB3\\u002b\\u002Fx\\u003d?~9"},
        {"aB3+/x=?~9", "aB3\\\\u002b\\\\\\\\/x\\u{3D}?~9"},
        {"aB3+/x=?~9", "aB3\\x2b\\x2Fx\\x3D?~9"},
        {"aB3+/x=?~9", "aB3\\053\\057x=?~9"},
        {"aB3+/x=?~9", "aB3&#43;&#x2F;x&#61;?~9"},
        {"aB3+/x=?~9", "aB3&amp;#43;&#X2f;x&#0061;?~9"},
        {"aB3+/x=?~9", "aB3&plus;&sol;x&equals;?~9"},
        {"a%2Bc", "a%2Bc"},
        {"a%2Bc", "a%252Bc"},
        {"a\\x2bc", "a\\x2bc"},
        {"a\\x2bc", "a\\\\x2bc"},
        {"a&#43;c", "a&#43;c"},
        {"a&#43;c", "a&amp;#43;c"},
        {"a&amp;c", "a&amp;c"},
        {"a&amp;c", "a&amp;amp;c"},
        {"a&lt;c", "a&amp;lt;c"},
        {"a&b<c", "a&amp;b&lt;c"},
        {"a`b\"c", "a`b&quot;c"},
    };
    enum { CASES = sizeof cases / sizeof *cases };

    /* All cases of one secret in one body. */
    for (size_t first = 0, next; first < CASES; first = next) {
        char *body = format("%s", ""), *expected = body, *secret = format("%s", "");
        for (next = first; next < CASES && strcmp(cases[next].secret, cases[first].secret) == 0; next++) {
            body = format("%s %zu(%s)", body, next, cases[next].written);
            expected = format("%s %zu(***)", expected, next);
        }
        for (const char *at = cases[first].secret; *at != '\0'; at++)
            secret = format("%s%s%c", secret, *at == '"' || *at == '\\' ? "\\" : "", *at);
        fake_service *fake = fake_start();
        struct outcome outcome = probe_fake(fake, secret, fake_answer(403, "", body));
        CHECK_HAS(outcome.report, expected);
        fake_stop(fake);
    }
}

static void other_text_is_shown_as_it_is(void)
{
    static const char body[] = "aB3+/x=?~8 100 % & <b> %zz \\ &#; &#x; %25 %+4 \\u{ \\ %";
    fake_service *fake = fake_start();
    struct outcome outcome = probe_fake(fake, "aB3+/x=?~9", fake_answer(403, "", body));

    CHECK_HAS(outcome.report, body);
    fake_stop(fake);
}

static void the_signature_of_a_request_over_https_is_not_shown(void)
{
    static const char *const rules[] = {
        "{\"call\":\"put\",\"policy\":false,\"fault\":{\"gateway\":{\"status\":403,\"repeats\":true}}}",
        "{\"call\":\"put\",\"policy\":true,\"times\":100,\"fault\":{\"gateway\":{\"status\":403,\"repeats\":true}}}",
    };
    char *endpoint = format("https://localhost%s", strrchr(env("US3_TEST_TLS"), ':'));
    char *more = format(",\"ca_file\":\"%s\",\"settle_timeout_ms\":100", env("US3_TEST_CA"));
    struct outcome outcome;

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        emulator_breaks("[]");
        emulator_tell("/rules", rules[i]);
        outcome = run_probe(write_config(endpoint, more), ARGUMENTS(LISTEN, "--bound-ms", "400"));
        CHECK_HAS(outcome.report, "authorization: UCloud ***:***");
        for (const char *at = outcome.report; (at = strstr(at, "UCloud ")) != NULL; at++)
            CHECK(strncmp(at, "UCloud ***:***", 14) == 0);
    }
    outcome = run_probe(write_config(endpoint, format("%s,\"verify_upload_md5\":true", more)), NO_ARGUMENTS);
    CHECK_INT(2, outcome.status);
    CHECK_HAS(outcome.messages, "set verify_upload_md5 to false");
}

/* ---- hostile answers ------------------------------------------------------------------------------------------- */

#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

/* What is said of PutFile, and that the probe then cleans up, and ends as it should. */
static void an_answer_with_impossible_lengths_is_no_answer_and_the_probe_cleans_up(void)
{
    static const struct {
        const char *answer, *said;
    } cases[] = {
        {CHUNKED "FFFFFFFFFFFFFFFF\r\nabc\r\n", "larger than 1 MiB"},
        {CHUNKED "FFFFFFFFFFFFFFFE\r\nabc\r\n", "larger than 1 MiB"},
        {CHUNKED "7FFFFFFFFFFFFFFF\r\nabc\r\n", "larger than 1 MiB"},
        {CHUNKED "FFFFFFFFFFFFFFFFFFFFFFFFFF\r\nabc\r\n", "larger than 1 MiB"},
        {CHUNKED "-1\r\nabc\r\n", "chunk"},
        {CHUNKED "-2\r\nabc\r\n", "chunk"},
        {CHUNKED "\r\n3\r\nabc\r\n0\r\n\r\n", "chunk"},
        {CHUNKED "three\r\nabc\r\n0\r\n\r\n", "chunk"},
        {CHUNKED "2\r\nabc\r\n0\r\n\r\n", "chunk"},
        {CHUNKED "3\r\nabc\r\nFFFFFFFFFFFFFFFF\r\n", "larger than 1 MiB"},
        {CHUNKED "3\r\nab", "closed within the answer"},
        {CHUNKED "3\r\nabc\r\n", "closed within the answer"},
        {CHUNKED "3\r\nabc\r\n0", "closed within the answer"},
        {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc", "Content-Length"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nabc", "larger than 1 MiB"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nabc", "larger than 1 MiB"},
        {"HTTP/1.1 200 OK\r\nContent-Length: three\r\n\r\nabc", "Content-Length"},
        {"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nabc", "Content-Length"},
        /* The fake service leaves connections open only after a Content-Length in this spelling. */
        {"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc", "closed within the answer"},
        {"HTTP/1.1 99999999999 No\r\n\r\n", "no HTTP"},
        {"HTTP/1.1 -5 No\r\n\r\n", "no HTTP"},
        {"HTTP/1.\r\n\r\n", "no HTTP"},
        {"\r\n\r\n", "no HTTP"},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 1", "closed within the answer"},
        {"HTTP/1.1 200 OK", "closed within the answer"},
        {FAKE_ENDLESS_ERROR, "larger than 1 MiB"},
        {FAKE_ENDLESS_BODY, "larger than 1 MiB"},
        {FAKE_ENDLESS_HEADERS, "larger than 1 MiB"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake_service *fake = fake_start();
        struct outcome outcome = probe_fake(fake, "a-token", cases[i].answer);
        const char *said = verdict(&outcome, 4);
        if (outcome.status != 2 || strstr(said, "not tried: PutFile was answered no answer: ") == NULL || strstr(said, cases[i].said) == NULL)
            check_fail(__FILE__, __LINE__, "%.60s: status %d, \"%s\"", cases[i].answer, outcome.status, said);
        if (fake_count(fake, FAKE_DELETE) == 0)
            check_fail(__FILE__, __LINE__, "%.60s: nothing was cleaned up", cases[i].answer);
        fake_stop(fake);
    }
}

static void an_answer_in_chunks_is_read(void)
{
    static const char *const answers[] = {
        "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n"
        "1a;some=thing\r\n{\"RetCode\":-1,\"ErrMsg\":\"in\r\n00000e\r\n three chunks\"\r\n1\r\n}\r\n0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 No\r\n\r\n{\"RetCode\":-1,\"ErrMsg\":\"in three chunks\"}",
    };

    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        fake_service *fake = fake_start();
        struct outcome outcome = probe_fake(fake, "a-token", answers[i]);
        CHECK_STR("not tried: PutFile was answered 403 / -1 \"in three chunks\"", verdict(&outcome, 4));
        fake_stop(fake);
    }
}

static void a_message_of_the_service_is_one_line_whatever_is_in_it(void)
{
    fake_service *fake = fake_start();
    struct outcome outcome = probe_fake(fake, "a-token", fake_answer(403, "", "{\"RetCode\":-1,\"ErrMsg\":\"a\\nb\\u001b[2Jc\"}"));

    CHECK_HAS(outcome.messages, "\"a\\x0ab\\x1b[2Jc\"");
    CHECK(strchr(outcome.report, '\x1b') == NULL);
    fake_stop(fake);
}

static void a_bound_beyond_a_day_is_refused(void)
{
    struct outcome outcome = run_probe(write_config(refusing_url(), ""), ARGUMENTS("--bound-ms", "9223372036854775807"));

    CHECK_INT(2, outcome.status);
    CHECK_HAS(outcome.messages, "--bound-ms 9223372036854775807: ");
}

/* ---- interrupted ----------------------------------------------------------------------------------------- */

static void await_stalled(void)
{
    for (int tries = 0; emulator_count("rules", "\"stalled\":1") == 0; tries++) {
        REQUIRE(tries < 6000);
        poll(NULL, 0, 10);
    }
}

/* A probe that waits for an answer. */
static pid_t start_waiting_probe(const char *rule)
{
    emulator_breaks("[]");
    emulator_tell("/rules", rule);
    pid_t pid = start_probe(write_config(env("US3_TEST_ENDPOINT"), ""), ARGUMENTS(LISTEN));
    await_stalled();
    return pid;
}

static void an_interrupted_probe_waits_for_the_answer_and_leaves_nothing(void)
{
    static const char *const rules[] = {
        "{\"call\":\"put\",\"nth\":5,\"at\":\"after_body\",\"fault\":{\"stall\":{}}}",
        "{\"call\":\"initiate\",\"at\":\"after_executing\",\"fault\":{\"stall\":{}}}",
        "{\"call\":\"part\",\"at\":\"after_executing\",\"fault\":{\"stall\":{}}}",
    };

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        pid_t pid = start_waiting_probe(rules[i]);
        kill(pid, SIGINT);
        emulator_tell("/release", "");
        struct outcome outcome = end_of(pid);
        CHECK_INT(2, outcome.status);
        CHECK_STR("not tried: interrupted", verdict(&outcome, 1));
        CHECK_STR("holds", verdict(&outcome, 4));
        check_nothing_left(&outcome);
    }
}

static void a_probe_that_is_interrupted_twice_names_what_may_still_come(void)
{
    pid_t pid = start_waiting_probe("{\"call\":\"put\",\"nth\":5,\"at\":\"after_body\",\"fault\":{\"stall\":{\"persist\":true}}}");
    struct outcome outcome;
    siginfo_t ended = {0};

    /* Two signals that come together are one. */
    while (waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == 0) {
        if (strstr(read_text(test_path("messages")), "cleaning up") == NULL)
            kill(pid, SIGINT);
        poll(NULL, 0, 10);
    }
    outcome = end_of(pid);
    CHECK_INT(2, outcome.status);
    CHECK_HAS(outcome.messages, "interrupted; cleaning up");
    CHECK_HAS(outcome.messages, "may still appear: nobody knows what became of its request");
    CHECK_INT(0, emulator_count("objects", "\"key\":"));
    emulator_reset();
}

int main(void)
{
    RUN(every_assumption_holds_of_a_sound_service);
    RUN(exactly_the_broken_assumption_is_called_broken);
    RUN(an_object_that_head_shows_late_breaks_a4);
    RUN(an_object_without_a_date_breaks_a4);
    RUN(a_gateway_that_answers_is_no_verdict);
    RUN(a_callback_breaks_a1_though_nothing_is_stored);
    RUN(a_callback_breaks_a1_though_it_comes_after_the_answer);
    RUN(without_a_callback_address_what_needs_one_is_not_tried);
    RUN(a_callback_address_that_is_not_reached_is_named);
    RUN(a_599_that_is_not_in_the_form_says_nothing);
    RUN(over_https_only_what_the_library_can_send_is_tried);
    RUN(a_service_that_cannot_be_used_is_no_verdict);
    RUN(nothing_stays_when_the_service_fails_half_way);
    RUN(what_comes_late_is_waited_for);
    RUN(what_stays_is_named);
    RUN(secrets_that_the_service_repeats_are_not_shown);
    RUN(secrets_in_another_spelling_are_not_shown);
    RUN(a_token_that_is_longer_than_what_is_shown_is_not_shown_in_part);
    RUN(a_secret_is_not_shown_in_part_wherever_an_answer_is_cut);
    RUN(the_probe_finds_a_secret_however_it_is_written);
    RUN(other_text_is_shown_as_it_is);
    RUN(the_signature_of_a_request_over_https_is_not_shown);
    RUN(an_answer_with_impossible_lengths_is_no_answer_and_the_probe_cleans_up);
    RUN(an_answer_in_chunks_is_read);
    RUN(a_message_of_the_service_is_one_line_whatever_is_in_it);
    RUN(a_bound_beyond_a_day_is_refused);
    RUN(an_interrupted_probe_waits_for_the_answer_and_leaves_nothing);
    RUN(a_probe_that_is_interrupted_twice_names_what_may_still_come);
    return check_done();
}
