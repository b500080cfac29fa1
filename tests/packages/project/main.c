/* A stranger's program: uploads a file with a callback. upload CONFIG FILE KEY CALLBACK_URL */
#include <us3.h>

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    us3_client *client = NULL;
    us3_result result = US3_RESULT_INIT;
    char *policy = NULL, *text;

    if (argc != 5)
        return 2;
    if (strcmp(us3_version(), US3_VERSION) != 0) {
        fprintf(stderr, "compiled with %s, and %s is loaded\n", US3_VERSION, us3_version());
        return 3;
    }
    if (us3_client_from_file(argv[1], &client, &result) == US3_OK)
        policy = us3_policy_build(argv[4], argv[3], "text/plain", NULL, 0, &result);
    if (policy != NULL)
        us3_async_upload_with_policy(client, argv[2], argv[3], NULL, 4, policy, &result);
    text = us3_result_describe(&result);
    puts(text);
    us3_string_free(text);
    us3_string_free(policy);
    argc = result.status;
    us3_result_clear(&result);
    us3_client_free(client);
    return argc;
}
