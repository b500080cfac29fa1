/* Checks the put policies and configurations that documents show, with the library itself.
 *
 *   check_json policy|config FILE
 */
#include <us3.h>

#include <stdio.h>
#include <string.h>

enum { LARGEST = 1 << 16 };

static char text[LARGEST];

static int read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    size_t len;

    if (file == NULL)
        return perror(path), 0;
    len = fread(text, 1, LARGEST - 1, file);
    text[len] = '\0';
    fclose(file);
    return 1;
}

int main(int argc, char **argv)
{
    us3_client *client = NULL;
    us3_result result = US3_RESULT_INIT;
    us3_status status;

    if (argc != 3 || !read_file(argv[2]))
        return 2;
    if (strcmp(argv[1], "policy") == 0)
        status = us3_policy_check(text, &result);
    else
        status = us3_client_from_file(argv[2], &client, &result);
    if (status != US3_OK)
        fprintf(stderr, "%s\n", result.err_msg);
    us3_client_free(client);
    us3_result_clear(&result);
    return status == US3_OK ? 0 : 1;
}
