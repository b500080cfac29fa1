/* The dlopen of loading.h. */
#include "loading.h"
#include "support.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

void look_up(void *library, const char *name, void *function)
{
    void *symbol = dlsym(library, name);

    if (symbol == NULL)
        check_fail(__FILE__, __LINE__, "%s: %s", name, dlerror());
    REQUIRE(symbol != NULL);
    memcpy(function, &symbol, sizeof symbol); /* C has no cast from void * to a function */
}

const char *copy_of_the_library(void)
{
    char *path = test_path("another-libus3.so");
    char *command = format("cp '%s' '%s'", env("US3_TEST_LIBRARY"), path);

    REQUIRE(system(command) == 0);
    arena_drop(command);
    return path;
}

struct api load(const char *path, int mode)
{
    struct api api = {.handle = dlopen(path, RTLD_NOW | mode)};

    if (api.handle == NULL)
        check_fail(__FILE__, __LINE__, "%s", dlerror());
    REQUIRE(api.handle != NULL);
    look_up(api.handle, "us3_client_new", &api.client_new);
    look_up(api.handle, "us3_client_free", &api.client_free);
    look_up(api.handle, "us3_upload", &api.upload);
    look_up(api.handle, "us3_upload_start", &api.upload_start);
    look_up(api.handle, "us3_task_wait", &api.task_wait);
    look_up(api.handle, "us3_task_free", &api.task_free);
    return api;
}
