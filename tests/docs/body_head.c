/* Statements of a page stand here, with what pages take for granted. */
#define _POSIX_C_SOURCE 200809L

#include <us3.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    us3_client *client = NULL;
    us3_result result = US3_RESULT_INIT;

    if (us3_client_from_file("config.json", &client, &result) != US3_OK)
        return 2;
    {
