/* A host that has libcurl and no US3 library: small files one after the other, over one connection.
 *
 *   curl_loop URL FILE COUNT */
#define _GNU_SOURCE

#include <curl/curl.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static size_t ignore(char *bytes, size_t size, size_t count, void *unused)
{
    (void)bytes, (void)unused;
    return size * count;
}

static int put(CURL *curl, const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat facts;
    CURLcode code;

    if (file == NULL || fstat(fileno(file), &facts) != 0)
        return perror(path), -1;
    curl_easy_setopt(curl, CURLOPT_READDATA, file);
    curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)facts.st_size);
    code = curl_easy_perform(curl);
    fclose(file);
    if (code != CURLE_OK)
        return fprintf(stderr, "curl: %s\n", curl_easy_strerror(code)), -1;
    return 0;
}

int main(int argc, char **argv)
{
    CURL *curl;
    int count;

    if (argc < 4)
        return fprintf(stderr, "usage: curl_loop URL FILE COUNT\n"), 2;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    curl = curl_easy_init();
    if (curl == NULL)
        return 1;
    curl_easy_setopt(curl, CURLOPT_URL, argv[1]);
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore);
    for (count = atoi(argv[3]); count > 0; count--)
        if (put(curl, argv[2]) != 0)
            return 1;
    curl_easy_cleanup(curl);
    curl_global_cleanup();
    return 0;
}
