/* What the kernel allows: a file sent in HTTP requests by as little code as possible.
 *
 *   raw sendfile PORT FILE CONNECTIONS      parts of 4 MiB, no byte passes through the program
 *   raw copy PORT FILE CONNECTIONS          pread and send with a buffer of 256 KiB
 *   raw put PORT FILE                       copy, as one request
 *   raw small PORT FILE COUNT               the same small file again and again, over one connection */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER = 256 << 10, PART = 4 << 20, MOST_CONNECTIONS = 256 };

static int file, port;
static off_t size, part_size = PART;
static bool by_sendfile;
static atomic_int next_part;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int connected(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);

        if (sent <= 0)
            fail("send");
        bytes += sent;
        len -= (size_t)sent;
    }
}

static void send_range(int fd, off_t offset, off_t end, char *buffer)
{
    while (offset < end && by_sendfile)
        if (sendfile(fd, file, &offset, (size_t)(end - offset)) <= 0)
            fail("sendfile");
    while (offset < end) {
        size_t room = end - offset < BUFFER ? (size_t)(end - offset) : BUFFER;
        ssize_t got = pread(file, buffer, room, offset);

        if (got <= 0)
            fail("pread");
        send_all(fd, buffer, (size_t)got);
        offset += got;
    }
}

/* The sink's answers come in one piece. */
static void put(int fd, const char *query, off_t offset, off_t end, char *buffer)
{
    char head[256], answer[1024];
    int len = snprintf(head, sizeof head, "PUT /key%s HTTP/1.1\r\nHost: bench\r\nContent-Length: %lld\r\n\r\n",
                       query, (long long)(end - offset));

    send_all(fd, head, (size_t)len);
    send_range(fd, offset, end, buffer);
    if (recv(fd, answer, sizeof answer, 0) < 12 || strncmp(answer, "HTTP/1.1 200", 12) != 0)
        fail("answer");
}

static void *send_parts(void *unused)
{
    static __thread char buffer[BUFFER];
    int fd = connected();

    for (;;) {
        int number = atomic_fetch_add(&next_part, 1);
        off_t offset = (off_t)number * part_size, end = offset + part_size;
        char query[64];

        if (offset >= size)
            break;
        snprintf(query, sizeof query, "?uploadId=raw&partNumber=%d", number);
        put(fd, query, offset, end < size ? end : size, buffer);
    }
    close(fd);
    return unused;
}

static void send_with(int connections)
{
    pthread_t threads[MOST_CONNECTIONS];

    for (int i = 0; i < connections; i++)
        if (pthread_create(&threads[i], NULL, send_parts, NULL) != 0)
            fail("pthread_create");
    for (int i = 0; i < connections; i++)
        pthread_join(threads[i], NULL);
}

static void send_small(const char *path, int count)
{
    static char buffer[BUFFER];
    int fd = connected();

    for (int i = 0; i < count; i++) {
        file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0)
            fail(path);
        put(fd, "", 0, size, buffer);
        close(file);
    }
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    int count = argc > 4 ? atoi(argv[4]) : 1;
    struct stat facts;

    if (argc < 4 || count < 1)
        return fprintf(stderr, "usage: raw sendfile|copy|put|small PORT FILE [COUNT]\n"), 2;
    port = atoi(argv[2]);
    file = open(argv[3], O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &facts) != 0)
        fail(argv[3]);
    size = facts.st_size;
    by_sendfile = strcmp(how, "sendfile") == 0;
    if (strcmp(how, "put") == 0)
        part_size = size;
    if (strcmp(how, "small") == 0)
        send_small(argv[3], count);
    else
        send_with(count < MOST_CONNECTIONS ? count : MOST_CONNECTIONS);
    return 0;
}
