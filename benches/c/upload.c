/* libus3 at work, through its C interface.
 *
 *   upload OPTIONS URL FILE
 *     -m put|parts|many|idle|first      one PutFile (default); parts; COUNT uploads started at once and not waited
 *                                       for; a client that does nothing for COUNT seconds; the time to the first byte
 *     -n COUNT    uploads (1)           -t THREADS   that share the uploads, each waiting for its own (1)
 *     -j JOBS     parts in flight (10)  -u           without ETag verification
 *     -w WORKERS  threads of the client (2)
 *     -c CA_FILE  for https
 *
 * What other programs cannot see from outside is printed as "name value". */
#define _GNU_SOURCE

#include <us3.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_THREADS = 256, MOST_TASKS = 100000 };

static us3_config config = US3_CONFIG_INIT;
static us3_client *client;
static const char *file;
static int mode = US3_MODE_PUT, jobs = 10, count = 1, threads = 1;
static atomic_int left;

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void check(us3_result *result)
{
    char *text;

    if (result->status == US3_OK)
        return;
    text = us3_result_describe(result);
    fprintf(stderr, "upload: %s\n", text);
    exit(1);
}

static us3_upload_request request(void)
{
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;

    request.mode = mode;
    request.file_path = file;
    request.key = "key";
    request.mime_type = "application/octet-stream";
    request.jobs = jobs;
    return request;
}

static void begin(void)
{
    us3_result result = US3_RESULT_INIT;

    us3_client_new(&config, &client, &result);
    check(&result);
}

/* ---- uploads ------------------------------------------------------------------------------- */

static void *upload(void *unused)
{
    us3_upload_request what = request();
    us3_result result = US3_RESULT_INIT;

    while (atomic_fetch_sub(&left, 1) > 0) {
        us3_upload(client, &what, &result);
        check(&result);
    }
    us3_result_clear(&result);
    return unused;
}

static void upload_all(void)
{
    pthread_t ids[MOST_THREADS];

    left = count;
    for (int i = 1; i < threads; i++)
        pthread_create(&ids[i], NULL, upload, NULL);
    upload(NULL);
    for (int i = 1; i < threads; i++)
        pthread_join(ids[i], NULL);
}

/* A line of /proc/self/status. */
static long status_of(const char *name)
{
    FILE *status = fopen("/proc/self/status", "r");
    char line[256];
    long value = -1;

    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            value = atol(line + strlen(name) + 1);
    if (status != NULL)
        fclose(status);
    return value;
}

static void start_all(void)
{
    static us3_task *tasks[MOST_TASKS];
    us3_upload_request what = request();
    us3_result result = US3_RESULT_INIT;

    for (int i = 0; i < count; i++) {
        us3_upload_start(client, &what, &tasks[i], &result);
        check(&result);
    }
    for (int i = 0; i < count; i++) {
        us3_task_wait(tasks[i], -1, &result);
        check(&result);
        if (i == count / 2)
            printf("threads %ld\n", status_of("Threads:"));
        us3_task_free(tasks[i]);
    }
    us3_result_clear(&result);
}

/* ---- idle ---------------------------------------------------------------------------------- */

static long switches(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return used.ru_nvcsw + used.ru_nivcsw;
}

/* Beside what this thread's own sleep costs: two switches. */
static void idle(int seconds)
{
    long before_client = status_of("VmRSS:"), before;

    begin();
    sleep(1);
    before = switches();
    sleep((unsigned)seconds);
    printf("wakeups %ld\n", switches() - before - 1);
    printf("client_kib %ld\n", status_of("VmRSS:") - before_client);
    printf("client_threads %ld\n", status_of("Threads:") - 1);
}

/* ---- the first byte ------------------------------------------------------------------------ */

static void *upload_and_fail(void *unused)
{
    us3_upload_request what = request();

    begin();
    us3_upload(client, &what, NULL);
    return unused;
}

/* To a server in this program, which stops at the first byte. */
static void first_byte(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), connection;
    char url[64], byte;
    pthread_t thread;
    double begun;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, len) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &len) != 0)
        exit(1);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    config.endpoint = url;
    begun = now();
    pthread_create(&thread, NULL, upload_and_fail, NULL);
    connection = accept(listener, NULL, NULL);
    if (connection < 0 || recv(connection, &byte, 1, 0) != 1)
        exit(1);
    printf("first_byte_ms %.3f\n", (now() - begun) * 1e3);
    fflush(stdout);
    _exit(0);
}

int main(int argc, char **argv)
{
    const char *what = "put";
    int option;

    config.public_key = "public";
    config.private_key = "private";
    config.bucket_name = "bench";
    while ((option = getopt(argc, argv, "m:n:t:j:w:uc:")) != -1)
        switch (option) {
        case 'm': what = optarg; break;
        case 'n': count = atoi(optarg); break;
        case 't': threads = atoi(optarg); break;
        case 'w': config.worker_threads = (uint32_t)atoi(optarg); break;
        case 'j': jobs = atoi(optarg); break;
        case 'u': config.verify_etag = false; break;
        case 'c': config.ca_file = optarg; break;
        default: return 2;
        }
    if (optind + 2 != argc || count > MOST_TASKS || threads > MOST_THREADS)
        return fprintf(stderr, "usage: upload [OPTIONS] URL FILE\n"), 2;
    config.endpoint = argv[optind];
    file = argv[optind + 1];
    if (strcmp(what, "first") == 0)
        first_byte();
    if (strcmp(what, "idle") == 0)
        return idle(count), 0;
    mode = strcmp(what, "parts") == 0 ? US3_MODE_MPUT : US3_MODE_PUT;
    begin();
    strcmp(what, "many") == 0 ? start_all() : upload_all();
    us3_client_free(client);
    return 0;
}
