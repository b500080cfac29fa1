/* The operations of operations.h. */
#include "operations.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

static us3_status put_file(us3_client *client, const char *file, const char *key, const char *policy, us3_result *result)
{
    return us3_put_file_with_policy(client, file, key, NULL, policy, result);
}

static us3_status mput(us3_client *client, const char *file, const char *key, const char *policy, us3_result *result)
{
    return us3_mput_with_policy(client, file, key, NULL, policy, result);
}

static us3_status async_mput(us3_client *client, const char *file, const char *key, const char *policy, us3_result *result)
{
    return us3_async_mput_with_policy(client, file, key, NULL, policy, result);
}

static us3_status async_upload(us3_client *client, const char *file, const char *key, const char *policy, us3_result *result)
{
    return us3_async_upload_with_policy(client, file, key, NULL, 20, policy, result);
}

static us3_status send_parts(us3_multipart *upload, FILE *file, us3_result *result)
{
    size_t part_size = (size_t)us3_multipart_part_size(upload), len;
    void *part = malloc(part_size);
    us3_status status = US3_OK;
    uint32_t number = 0;

    REQUIRE(part != NULL);
    while (status == US3_OK && (len = fread(part, 1, part_size, file)) > 0)
        status = us3_upload_part(upload, number++, part, len, result);
    free(part);
    return status;
}

static us3_status by_hand(us3_client *client, const char *path, const char *key, const char *policy, us3_result *result)
{
    us3_multipart *upload = NULL;
    FILE *file = fopen(path, "rb");
    us3_status status = us3_initiate_multipart_upload(client, key, NULL, &upload, result);

    REQUIRE(file != NULL);
    if (status == US3_OK)
        status = send_parts(upload, file, result);
    if (status == US3_OK)
        status = us3_finish_multipart_upload_with_policy(upload, policy, result);
    us3_multipart_free(upload);
    fclose(file);
    return status;
}

const struct operation operations[OPERATIONS] = {
    {"PutFile", put_file, false},
    {"MPut", mput, true},
    {"AsyncMPut", async_mput, true},
    {"AsyncUpload", async_upload, true},
    {"FinishMultipartUpload", by_hand, true},
};

us3_multipart *initiate(us3_client *client, const char *key)
{
    us3_result result = US3_RESULT_INIT;
    us3_multipart *upload = NULL;

    CHECK_STATUS(US3_OK, us3_initiate_multipart_upload(client, key, NULL, &upload, &result), &result);
    REQUIRE(upload != NULL);
    us3_result_clear(&result);
    return upload;
}
