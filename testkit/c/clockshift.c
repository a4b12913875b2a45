/* Another machine's clock: preloaded into a process, it moves what that takes for the time of day.
 *
 * CLOCK_REALTIME = true time + CLOCK_SHIFT_S + CLOCK_DRIFT_PPM * (time since the process began)
 *
 * CLOCK_MONOTONIC is left alone. Absolute waits in the time of day are moved back, so that they last what
 * they should: librdkafka waits with cnd_timedwait, and would spin or hang otherwise.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>

typedef int wait_on_condition(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
typedef int wait_on_c11_condition(cnd_t *, mtx_t *, const struct timespec *);

static long long shift_ns, began_ns;
static double drift_ppm;
static int (*true_clock_gettime)(clockid_t, struct timespec *);

#define FIND(function, name) \
    do { if (!(function)) *(void **)&(function) = dlsym(RTLD_NEXT, name); } while (0)

static long long to_ns(const struct timespec *time) {
    return time->tv_sec * 1000000000LL + time->tv_nsec;
}

static void from_ns(struct timespec *time, long long ns) {
    time->tv_sec = ns / 1000000000LL;
    time->tv_nsec = ns % 1000000000LL;
}

static long long monotonic_ns(void) {
    struct timespec now;
    FIND(true_clock_gettime, "clock_gettime");
    true_clock_gettime(CLOCK_MONOTONIC, &now);
    return to_ns(&now);
}

__attribute__((constructor)) static void begin(void) {
    const char *text;
    began_ns = monotonic_ns();
    if ((text = getenv("CLOCK_SHIFT_S"))) shift_ns = (long long)(atof(text) * 1e9);
    if ((text = getenv("CLOCK_DRIFT_PPM"))) drift_ppm = atof(text);
}

static long long error_ns(void) {
    if (drift_ppm == 0) return shift_ns;
    return shift_ns + (long long)((monotonic_ns() - began_ns) * drift_ppm / 1e6);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    FIND(true_clock_gettime, "clock_gettime");
    int result = true_clock_gettime(clock, time);
    int is_time_of_day = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
    if (result == 0 && is_time_of_day) from_ns(time, to_ns(time) + error_ns());
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *time, int base) {
    clock_gettime(CLOCK_REALTIME, time);
    return base;
}

/* Waits on other clocks begin at boot and are small; they are left alone. */
static const struct timespec *true_time(const struct timespec *at, struct timespec *moved) {
    if (!at || at->tv_sec < 1000000000LL) return at;
    from_ns(moved, to_ns(at) - error_ns());
    return moved;
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
    static wait_on_condition *wait;
    struct timespec moved;
    /* dlsym alone finds the oldest version, which is for another layout of the condition. */
    if (!wait) *(void **)&wait = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    return wait(condition, mutex, true_time(until, &moved));
}

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict until) {
    static wait_on_c11_condition *wait;
    struct timespec moved;
    FIND(wait, "cnd_timedwait");
    return wait(condition, mutex, true_time(until, &moved));
}

int mtx_timedlock(mtx_t *restrict mutex, const struct timespec *restrict until) {
    static int (*lock)(mtx_t *, const struct timespec *);
    struct timespec moved;
    FIND(lock, "mtx_timedlock");
    return lock(mutex, true_time(until, &moved));
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict until) {
    static int (*lock)(pthread_mutex_t *, const struct timespec *);
    struct timespec moved;
    FIND(lock, "pthread_mutex_timedlock");
    return lock(mutex, true_time(until, &moved));
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
    static int (*wait)(sem_t *, const struct timespec *);
    struct timespec moved;
    FIND(wait, "sem_timedwait");
    return wait(semaphore, true_time(until, &moved));
}
