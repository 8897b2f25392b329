/* An allocator with a lock of its own, under which it waits for an allocation of one odd size. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#define ODD 1234567

extern void *__libc_malloc(size_t);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void *malloc(size_t size) {
    pthread_mutex_lock(&lock);
    if (size == ODD) {
        struct timespec long_time = {600, 0};
        (void)!write(1, "\"ready\"\n", 8);
        nanosleep(&long_time, NULL);
    }
    void *found = __libc_malloc(size);
    pthread_mutex_unlock(&lock);
    return found;
}

void *calloc(size_t count, size_t size) {
    extern void *__libc_calloc(size_t, size_t);
    pthread_mutex_lock(&lock);
    void *found = __libc_calloc(count, size);
    pthread_mutex_unlock(&lock);
    return found;
}
