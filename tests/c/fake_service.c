/* The hand-made service of fake_service.h: one thread that accepts, one for each connection. */
#define _POSIX_C_SOURCE 200809L

#include "fake_service.h"
#include "arena.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 1024, MAX_HEAD = 64 << 10, KEPT_BODY = 64 << 10, HOLD_S = 20 };
#define ENDLESS ((uint64_t)1 << 30)

const char FAKE_CLOSE[] = "close";
const char FAKE_RESET[] = "reset";
const char FAKE_STALL[] = "stall";
const char FAKE_ENDLESS_HEADERS[] = "endless headers";
const char FAKE_ENDLESS_LINE[] = "endless line";
const char FAKE_ENDLESS_BODY[] = "endless body";
const char FAKE_ENDLESS_ERROR[] = "endless error";

struct connection {
    fake_service *service;
    pthread_t thread;
    int fd;
};

struct fake_service {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t acceptor;
    int listener;
    char url[64];
    const char *answers[FAKE_CALLS];
    bool hang_up, stopping, released, stalls_released;
    int hold, parts;
    struct fake_seen seen;
    int counts[FAKE_CALLS];
    char *heads[FAKE_CALLS], *bodies[FAKE_CALLS];
    struct connection connections[MAX_CONNECTIONS];
};

/* A request, read to its end. */
struct request {
    char head[MAX_HEAD + 1];
    char body[KEPT_BODY + 1];
    enum fake_call call;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static char *copy(const char *text)
{
    char *bytes = malloc(strlen(text) + 1);

    if (bytes == NULL)
        die("malloc");
    return strcpy(bytes, text);
}

/* ---- requests ---------------------------------------------------------------------------- */

static bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

static enum fake_call classify(const char *head)
{
    char line[2048];

    snprintf(line, sizeof line, "%.*s", (int)strcspn(head, "\r"), head);
    if (strncmp(line, "HEAD ", 5) == 0)
        return FAKE_HEAD;
    if (strncmp(line, "PUT ", 4) == 0)
        return has(line, "partNumber=") ? FAKE_PART : FAKE_PUT;
    if (strncmp(line, "DELETE ", 7) == 0)
        return has(line, "uploadId=") ? FAKE_ABORT : FAKE_DELETE;
    if (strncmp(line, "POST ", 5) == 0 && has(line, "?uploads"))
        return FAKE_INITIATE;
    if (strncmp(line, "POST ", 5) == 0 && has(line, "uploadId="))
        return FAKE_FINISH;
    return FAKE_OTHER;
}

static uint64_t content_length(const char *head)
{
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, "content-length:", 15) == 0)
            return strtoull(line + 17, NULL, 10);
    return 0;
}

/* Byte by byte, so that nothing of the body is taken; heads are short. */
static bool read_head(int fd, struct request *request)
{
    size_t len = 0;

    while (len < MAX_HEAD) {
        ssize_t n = recv(fd, request->head + len, 1, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        request->head[++len] = '\0';
        if (len >= 4 && strcmp(request->head + len - 4, "\r\n\r\n") == 0)
            return true;
    }
    return false;
}

static bool read_body(int fd, struct request *request)
{
    static const size_t CHUNK = 64 << 10;
    uint64_t left = content_length(request->head);
    size_t kept = 0;
    char *chunk = malloc(CHUNK);
    bool ok = chunk != NULL;

    while (ok && left > 0) {
        ssize_t n = recv(fd, chunk, left < CHUNK ? (size_t)left : CHUNK, 0);
        if (n < 0 && errno == EINTR)
            continue;
        ok = n > 0;
        if (ok) {
            size_t keep = (size_t)n < KEPT_BODY - kept ? (size_t)n : KEPT_BODY - kept;
            memcpy(request->body + kept, chunk, keep);
            kept += keep;
            left -= (uint64_t)n;
        }
    }
    request->body[kept] = '\0';
    free(chunk);
    return ok;
}

static void remember(fake_service *service, const struct request *request)
{
    pthread_mutex_lock(&service->lock);
    service->counts[request->call]++;
    free(service->heads[request->call]);
    free(service->bodies[request->call]);
    service->heads[request->call] = copy(request->head);
    service->bodies[request->call] = copy(request->body);
    pthread_mutex_unlock(&service->lock);
}

/* ---- answers ------------------------------------------------------------------------------ */

static bool send_all(fake_service *service, int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
        pthread_mutex_lock(&service->lock);
        service->seen.bytes_sent += (uint64_t)n;
        pthread_mutex_unlock(&service->lock);
    }
    return true;
}

/* Sends `start`, then `piece` again and again until the client has had enough or 1 GiB has gone. */
static bool send_endless(fake_service *service, int fd, const char *start, const char *piece)
{
    enum { PIECES = 512 };
    size_t len = strlen(piece);
    char *block = malloc(len * PIECES);
    bool ok = block != NULL && send_all(service, fd, start, strlen(start));

    if (ok)
        for (size_t i = 0; i < PIECES; i++)
            memcpy(block + i * len, piece, len);
    for (uint64_t sent = 0; ok && sent < ENDLESS; sent += len * PIECES)
        ok = send_all(service, fd, block, len * PIECES);
    free(block);
    return false; /* whatever came of it, the connection has served */
}

#define FILL_62 "012345678901234567890123456789012345678901234567890123456789ab"

static bool send_answer(fake_service *service, int fd, const char *answer)
{
    if (answer == FAKE_CLOSE)
        return false;
    if (answer == FAKE_ENDLESS_HEADERS)
        return send_endless(service, fd, "HTTP/1.1 200 OK\r\nETag: \"fake\"\r\n", "X-Fill: " FILL_62 "\r\n");
    if (answer == FAKE_ENDLESS_LINE)
        return send_endless(service, fd, "HTTP/1.1 200 OK\r\nETag: \"fake\"\r\nX-Fill: ", FILL_62);
    if (answer == FAKE_ENDLESS_BODY)
        return send_endless(service, fd, "HTTP/1.1 200 OK\r\nETag: \"fake\"\r\nContent-Length: 1073741824\r\n\r\n", FILL_62);
    if (answer == FAKE_ENDLESS_ERROR)
        return send_endless(service, fd, "HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n", "3e\r\n" FILL_62 "\r\n");
    /* An answer that is no HTTP, or has no length, ends with its connection. */
    return send_all(service, fd, answer, strlen(answer)) && has(answer, "Content-Length:");
}

/* Waits until `hold` parts are under way together. Once they were, all later parts pass. */
static bool hold_part(fake_service *service)
{
    struct timespec deadline;
    bool ok;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += HOLD_S;
    pthread_mutex_lock(&service->lock);
    service->parts++;
    if (service->parts > service->seen.most_parts)
        service->seen.most_parts = service->parts;
    if (service->parts >= service->hold)
        service->released = true;
    pthread_cond_broadcast(&service->changed);
    while (!service->released && !service->stopping)
        if (pthread_cond_timedwait(&service->changed, &service->lock, &deadline) == ETIMEDOUT) {
            service->seen.waited_in_vain = true;
            break;
        }
    ok = service->released;
    pthread_mutex_unlock(&service->lock);
    return ok;
}

static const char *good_answer(enum fake_call call);

/* The answer for a call, for which it may have to wait. Holds the lock. */
static const char *answer_for(fake_service *service, enum fake_call call)
{
    if (service->answers[call] != FAKE_STALL)
        return service->answers[call];
    while (!service->stalls_released && !service->stopping)
        pthread_cond_wait(&service->changed, &service->lock);
    return service->stopping ? FAKE_CLOSE : good_answer(call);
}

static bool answer_request(fake_service *service, int fd, enum fake_call call)
{
    bool ok = call != FAKE_PART || hold_part(service);
    const char *answer;

    pthread_mutex_lock(&service->lock);
    /* Counted out before the answer: the client may send its next part as soon as it has read it. */
    if (call == FAKE_PART)
        service->parts--;
    answer = answer_for(service, call);
    pthread_mutex_unlock(&service->lock);
    return ok && send_answer(service, fd, answer);
}

/* Takes some of the body, then says good-bye and drops the rest: the client gets a FIN, and an RST for
 * what it sends after. Its next write is the one that raises SIGPIPE. */
static void reset(struct connection *connection)
{
    static const struct linger at_once = {1, 0};
    char some[4096];

    recv(connection->fd, some, sizeof some, 0);
    shutdown(connection->fd, SHUT_WR);
    setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    pthread_mutex_lock(&connection->service->lock);
    close(connection->fd);
    connection->fd = -1; /* so that fake_stop does not end a stranger with this number */
    pthread_mutex_unlock(&connection->service->lock);
}

static bool resets(fake_service *service, enum fake_call call)
{
    bool yes;

    pthread_mutex_lock(&service->lock);
    yes = service->answers[call] == FAKE_RESET;
    pthread_mutex_unlock(&service->lock);
    return yes;
}

/* ---- connections --------------------------------------------------------------------------- */

static void *serve(void *arg)
{
    struct connection *connection = arg;
    fake_service *service = connection->service;
    struct request *request = malloc(sizeof *request);
    int fd = connection->fd;

    if (request == NULL)
        die("malloc");
    while (read_head(fd, request)) {
        request->call = classify(request->head);
        if (resets(service, request->call)) {
            reset(connection);
            break;
        }
        if (!read_body(fd, request))
            break;
        remember(service, request);
        if (!answer_request(service, fd, request->call))
            break;
    }
    free(request);
    /* The descriptor stays open until fake_stop, so that its number is not given to another. */
    if (connection->fd >= 0)
        shutdown(fd, SHUT_RDWR);
    return NULL;
}

static void start_connection(fake_service *service, int fd)
{
    struct connection *connection;

    pthread_mutex_lock(&service->lock);
    if (service->seen.connections == MAX_CONNECTIONS) {
        fprintf(stderr, "fake_service: more than %d connections\n", MAX_CONNECTIONS);
        exit(1);
    }
    connection = &service->connections[service->seen.connections++];
    connection->service = service;
    connection->fd = fd;
    if (service->hang_up || service->stopping)
        shutdown(fd, SHUT_RDWR);
    if (pthread_create(&connection->thread, NULL, serve, connection) != 0)
        die("pthread_create");
    pthread_mutex_unlock(&service->lock);
}

static void *accept_all(void *arg)
{
    fake_service *service = arg;
    int fd;

    while ((fd = accept(service->listener, NULL, NULL)) >= 0)
        start_connection(service, fd);
    return NULL;
}

/* ---- from the tests ------------------------------------------------------------------------- */

static const char *good_answer(enum fake_call call)
{
    switch (call) {
    case FAKE_INITIATE:
        return "HTTP/1.1 200 OK\r\nContent-Length: 65\r\n\r\n"
               "{\"UploadId\":\"fake-upload\",\"BlkSize\":65536,\"Bucket\":\"b\",\"Key\":\"k\"}";
    case FAKE_ABORT:
    case FAKE_DELETE:
        return "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n";
    case FAKE_HEAD:
        return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    default:
        return "HTTP/1.1 200 OK\r\nETag: \"fake\"\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    }
}

static void set_good_answers(fake_service *service)
{
    for (int call = 0; call < FAKE_CALLS; call++)
        service->answers[call] = good_answer((enum fake_call)call);
}

fake_service *fake_start(void)
{
    struct sockaddr_in address = {0};
    socklen_t len = sizeof address;
    fake_service *service = calloc(1, sizeof *service);

    if (service == NULL)
        die("calloc");
    pthread_mutex_init(&service->lock, NULL);
    pthread_cond_init(&service->changed, NULL);
    set_good_answers(service);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    service->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (service->listener < 0 || bind(service->listener, (struct sockaddr *)&address, len) != 0 ||
        listen(service->listener, 512) != 0 || getsockname(service->listener, (struct sockaddr *)&address, &len) != 0)
        die("fake_service: listen");
    snprintf(service->url, sizeof service->url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    if (pthread_create(&service->acceptor, NULL, accept_all, service) != 0)
        die("pthread_create");
    return service;
}

void fake_stop(fake_service *service)
{
    pthread_mutex_lock(&service->lock);
    service->stopping = true;
    pthread_cond_broadcast(&service->changed);
    for (int i = 0; i < service->seen.connections; i++)
        if (service->connections[i].fd >= 0)
            shutdown(service->connections[i].fd, SHUT_RDWR);
    pthread_mutex_unlock(&service->lock);
    shutdown(service->listener, SHUT_RDWR); /* wakes accept */
    pthread_join(service->acceptor, NULL);
    close(service->listener);
    for (int i = 0; i < service->seen.connections; i++) {
        pthread_join(service->connections[i].thread, NULL);
        if (service->connections[i].fd >= 0)
            close(service->connections[i].fd);
    }
    for (int call = 0; call < FAKE_CALLS; call++) {
        free(service->heads[call]);
        free(service->bodies[call]);
    }
    free(service);
}

const char *fake_url(const fake_service *service)
{
    return service->url;
}

void fake_set(fake_service *service, enum fake_call call, const char *answer)
{
    pthread_mutex_lock(&service->lock);
    service->answers[call] = answer;
    pthread_mutex_unlock(&service->lock);
}

void fake_release(fake_service *service)
{
    pthread_mutex_lock(&service->lock);
    service->stalls_released = true;
    pthread_cond_broadcast(&service->changed);
    pthread_mutex_unlock(&service->lock);
}

void fake_hang_up(fake_service *service)
{
    pthread_mutex_lock(&service->lock);
    service->hang_up = true;
    pthread_mutex_unlock(&service->lock);
}

void fake_hold_parts(fake_service *service, int count)
{
    pthread_mutex_lock(&service->lock);
    service->hold = count;
    pthread_mutex_unlock(&service->lock);
}

int fake_count(fake_service *service, enum fake_call call)
{
    int count;

    pthread_mutex_lock(&service->lock);
    count = service->counts[call];
    pthread_mutex_unlock(&service->lock);
    return count;
}

int fake_count_all(fake_service *service)
{
    int count = 0;

    for (int call = 0; call < FAKE_CALLS; call++)
        count += fake_count(service, (enum fake_call)call);
    return count;
}

struct fake_seen fake_seen(fake_service *service)
{
    struct fake_seen seen;

    pthread_mutex_lock(&service->lock);
    seen = service->seen;
    pthread_mutex_unlock(&service->lock);
    return seen;
}

static char *last(fake_service *service, char **kept)
{
    char *text;

    pthread_mutex_lock(&service->lock);
    text = *kept == NULL ? NULL : arena_copy(*kept);
    pthread_mutex_unlock(&service->lock);
    return text;
}

char *fake_last_head(fake_service *service, enum fake_call call)
{
    return last(service, &service->heads[call]);
}

char *fake_last_body(fake_service *service, enum fake_call call)
{
    return last(service, &service->bodies[call]);
}

char *fake_answer(int http_status, const char *headers, const char *body)
{
    size_t size = strlen(headers) + strlen(body) + 128;
    char *answer = arena_alloc(size);

    snprintf(answer, size, "HTTP/1.1 %d Made Up\r\n%sContent-Length: %zu\r\n\r\n%s", http_status, headers, strlen(body), body);
    return answer;
}
