/* The memory of arena.h: blocks of malloc in a list, each with its neighbours in front. */
#include "arena.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

union block {
    struct {
        union block *before, *after;
    } links;
    long double aligned; /* as malloc's memory is */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static union block *first;

void *arena_alloc(size_t size)
{
    union block *block = malloc(sizeof *block + size);

    if (block == NULL) {
        perror("arena_alloc");
        exit(1);
    }
    pthread_mutex_lock(&lock);
    block->links.before = NULL;
    block->links.after = first;
    if (first != NULL)
        first->links.before = block;
    first = block;
    pthread_mutex_unlock(&lock);
    return block + 1;
}

char *arena_copy(const char *text)
{
    size_t size = strlen(text) + 1;

    return memcpy(arena_alloc(size), text, size);
}

void arena_drop(void *memory)
{
    union block *block = memory, *before, *after;

    if (block == NULL)
        return;
    block--;
    pthread_mutex_lock(&lock);
    before = block->links.before;
    after = block->links.after;
    if (before == NULL)
        first = after;
    else
        before->links.after = after;
    if (after != NULL)
        after->links.before = before;
    pthread_mutex_unlock(&lock);
    free(block);
}

void arena_clear(void)
{
    while (first != NULL)
        arena_drop(first + 1);
}
