/* The probe: tries on the live service what libus3 assumes of it, and prints a report for the maintainers.
 *
 *   probe [--listen ADDRESS:PORT] [--callback URL] [--dead-callback URL] [--bound-ms MS] CONFIG
 *
 * CONFIG is the JSON file with the keys, the bucket and its host. Uploads are small; their keys begin with
 * libus3-probe-, and all of them are deleted at the end, also after Ctrl-C.
 *
 * --listen         the probe's own callback service, such as 0.0.0.0:8000. Without it, --callback or not, the port is
 *                  that of the callback's URL, on all addresses
 * --callback       the URL at which US3 reaches it, such as http://203.0.113.7:8000/. Without it: the address of --listen
 * --dead-callback  a URL at which US3 reaches nobody; http://libus3-probe.invalid/ if it is not given
 * --bound-ms       F of the assumption A2; response_timeout_ms of CONFIG and 10 s more if it is not given; at most a day
 *
 * The report is Markdown on standard output. The status is 0 when all assumptions that were tried hold, 1 when one is
 * broken, 2 when the probe could not run, was interrupted, or left something behind.
 *
 * libus3 checks the configuration, cleans up, and makes the requests over https. What it refuses to send on
 * purpose, such as a second finish, is sent by hand, in examples-c/probe/.
 *
 *   cc -std=c99 -Iinclude examples-c/probe.c examples-c/probe/[a-z]*.c -Lbuild/lib -lus3 -lpthread -o us3-probe
 */
#define _POSIX_C_SOURCE 200809L

#include "probe/bucket.h"
#include "probe/listener.h"
#include "probe/mask.h"
#include "probe/report.h"
#include "probe/text.h"
#include "probe/trials.h"

#include <us3.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BROKEN = 1, COULD_NOT_RUN = 2 };

/* A day. */
enum { MOST_BOUND_MS = 24 * 60 * 60 * 1000 };

struct options {
    const char *config, *listen, *callback, *dead_callback;
    long bound_ms;
};

static void on_signal(int number)
{
    (void)number;
    if (interrupts < 2)
        interrupts++;
}

static void handle_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    /* Whoever reads the report may leave; the probe still cleans up. */
    signal(SIGPIPE, SIG_IGN);
}

static bool usage(void)
{
    fprintf(stderr, "usage: probe [--listen ADDRESS:PORT] [--callback URL] [--dead-callback URL] [--bound-ms MS] CONFIG\n");
    return false;
}

static bool read_bound(const char *text, long *bound_ms)
{
    char *end;

    *bound_ms = strtol(text, &end, 10);
    if (*end == '\0' && *bound_ms > 0 && *bound_ms <= MOST_BOUND_MS)
        return true;
    tell("--bound-ms %s: write milliseconds, from 1 to %d, which is a day", text, MOST_BOUND_MS);
    return false;
}

static bool read_options(int argc, char **argv, struct options *options)
{
    const struct {
        const char *name, **value;
    } known[] = {{"--listen", &options->listen}, {"--callback", &options->callback}, {"--dead-callback", &options->dead_callback}};
    int i = 1;

    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        bool found = strcmp(argv[i], "--bound-ms") == 0;
        if (found && !read_bound(argv[i + 1], &options->bound_ms))
            return false;
        for (size_t k = 0; k < sizeof known / sizeof *known && !found; k++)
            if ((found = strcmp(argv[i], known[k].name) == 0))
                *known[k].value = argv[i + 1];
        if (!found)
            return usage();
    }
    if (i + 1 != argc || argv[i][0] == '-')
        return usage();
    options->config = argv[i];
    return true;
}

/* 16 hexadecimal digits that nobody else has. */
static char *random_digits(void)
{
    unsigned char bytes[8] = {0};
    FILE *file = fopen("/dev/urandom", "rb");
    struct text text = {0};

    if (file == NULL || fread(bytes, 1, sizeof bytes, file) != sizeof bytes) {
        tell("/dev/urandom cannot be read");
        exit(COULD_NOT_RUN);
    }
    fclose(file);
    for (size_t i = 0; i < sizeof bytes; i++)
        append_format(&text, "%02x", bytes[i]);
    return kept(&text);
}

/* The port of http://host:port/, on all addresses. */
static const char *listen_for(const char *url)
{
    const char *port = strrchr(strstr(url, "://") + 3, ':');

    return say("0.0.0.0:%ld", port == NULL ? 80 : strtol(port + 1, NULL, 10));
}

/* Whether a policy can have this callback URL, to which the probe adds a path; says so if not. */
static bool is_callback_url(const char *option, const char *url)
{
    us3_result result = US3_RESULT_INIT;
    char *policy = us3_policy_build(url, "{}", "application/json", NULL, 0, &result);
    bool ok = policy != NULL && strpbrk(url, "\"\\?#") == NULL;

    if (!ok)
        tell("%s %s: %s", option, url, policy == NULL ? result.err_msg : "write http://host:port/ without a query");
    us3_string_free(policy);
    us3_result_clear(&result);
    return ok;
}

static bool check_callback_urls(const struct options *options)
{
    if (options->callback != NULL && !is_callback_url("--callback", options->callback))
        return false;
    if (options->dead_callback != NULL && !is_callback_url("--dead-callback", options->dead_callback))
        return false;
    if (options->callback == NULL || options->listen != NULL || strncmp(options->callback, "http:", 5) == 0)
        return true;
    tell("--callback %s: the probe speaks no https; say with --listen where the server before it passes callbacks on to",
         options->callback);
    return false;
}

/* Begins to listen; where US3 finds the callback service, or NULL, with `ok` false if that failed. */
static const char *open_callback(const struct options *options, const char *random, bool *ok)
{
    const char *address = options->listen, *url = options->callback;
    char *listening;
    size_t len;

    *ok = true;
    if (address == NULL && url == NULL)
        return NULL;
    if (address == NULL)
        address = listen_for(url);
    listening = listener_open(address, random, look_within_callback());
    *ok = listening != NULL;
    if (listening == NULL)
        return NULL;
    if (url == NULL)
        url = listening;
    len = strlen(url);
    return say("%.*s/%s", (int)(len - (url[len - 1] == '/')), url, random);
}

static char *header_text(const struct options *options, const struct settings *settings, const char *callback, long bound_ms)
{
    time_t now = time(NULL);
    char date[32];

    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    return say("# What the service does, beside what libus3 assumes\n\n"
               "libus3 %s, %s, bucket %s%s%s, callback %s, F = %ld ms, %d requests\n",
               us3_version(), date, settings->bucket, settings->bucket_in_host ? " of " : " at ", settings->host,
               callback == NULL ? "none" : options->callback == NULL ? "to the probe itself" : options->callback, bound_ms,
               exchanges_logged());
}

/* Tries everything, cleans up, and prints the report. */
static int run(const struct options *options, const struct settings *settings, us3_client *client)
{
    const char *random = random_digits();
    struct trials trials = {.settings = settings, .bound_ms = options->bound_ms};
    bool ok, clean;
    char *cleaned;
    int broken;

    if (trials.bound_ms == 0)
        trials.bound_ms = (long)settings->response_timeout_ms + 10000;
    trials.missing_bucket = say("us3-probe-%s", random);
    trials.dead_callback = options->dead_callback == NULL ? "http://libus3-probe.invalid/" : options->dead_callback;
    trials.callback = open_callback(options, random, &ok);
    if (!ok)
        return COULD_NOT_RUN;
    bucket_use(settings, client, say("libus3-probe-%s/", random), trials.bound_ms);
    ok = try_everything(&trials);
    bool stopped = interrupts > 0;
    tell("%scleaning up", stopped ? "interrupted; " : "");
    clean = bucket_clean_up(&cleaned);
    listener_close();
    broken = report_print(header_text(options, settings, trials.callback, trials.bound_ms), say("Afterwards: %s.", cleaned),
                          stopped ? "interrupted" : ok ? "nothing was seen" : "the first requests failed");
    tell("%s", cleaned);
    if (!ok)
        tell("the service cannot be used: see A4 in the report");
    if (broken > 0 && ok && !stopped && clean)
        return BROKEN;
    return ok && !stopped && clean ? 0 : COULD_NOT_RUN;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    us3_result result = US3_RESULT_INIT;
    struct settings *settings = NULL;
    us3_client *client = NULL;
    int status = COULD_NOT_RUN;

    if (!read_options(argc, argv, &options) || !check_callback_urls(&options))
        return COULD_NOT_RUN;
    handle_signals();
    if (us3_client_from_file(options.config, &client, &result) != US3_OK)
        tell("%s", result.err_msg);
    else
        settings = settings_read(options.config);
    if (settings != NULL)
        status = run(&options, settings, client);
    us3_result_clear(&result);
    us3_client_free(client);
    release_all();
    return status;
}
