/* Another machine's clocks: preloaded into a process, it moves what that takes for the time.
 *
 * CLOCK_REALTIME = true time + CLOCK_SHIFT_S + CLOCK_DRIFT_PPM * (time since the process began)
 * CLOCK_MONOTONIC = true time + CLOCK_MONOTONIC_PPM * (time since the process began)
 *
 * Processes of one host thus have different monotonic clocks; an agent is one process. Absolute waits are
 * moved back, so that they last what they should: librdkafka waits with cnd_timedwait, and would spin or
 * hang otherwise, and Rust's library waits in futexes, for which it asks the kernel by syscall().
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>

typedef int wait_on_condition(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
typedef int wait_on_c11_condition(cnd_t *, mtx_t *, const struct timespec *);

static long long shift_ns, began_ns;
static double drift_ppm, monotonic_ppm;
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
    if ((text = getenv("CLOCK_MONOTONIC_PPM"))) monotonic_ppm = atof(text);
}

static long long error_ns(void) {
    if (drift_ppm == 0) return shift_ns;
    return shift_ns + (long long)((monotonic_ns() - began_ns) * drift_ppm / 1e6);
}

static long long monotonic_error_ns(void) {
    if (monotonic_ppm == 0) return 0;
    return (long long)((monotonic_ns() - began_ns) * monotonic_ppm / 1e6);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    FIND(true_clock_gettime, "clock_gettime");
    int result = true_clock_gettime(clock, time);
    if (result != 0) return result;
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_TAI:
        from_ns(time, to_ns(time) + error_ns());
        break;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_BOOTTIME:
        from_ns(time, to_ns(time) + monotonic_error_ns());
        break;
    }
    return 0;
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

/* Other clocks than the time of day begin at boot and are small. */
static const struct timespec *true_time(const struct timespec *at, struct timespec *moved) {
    if (!at) return at;
    from_ns(moved, to_ns(at) - (at->tv_sec < 1000000000LL ? monotonic_error_ns() : error_ns()));
    return moved;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *at, struct timespec *left) {
    static int (*sleep)(clockid_t, int, const struct timespec *, struct timespec *);
    struct timespec moved;
    FIND(sleep, "clock_nanosleep");
    return sleep(clock, flags, flags & TIMER_ABSTIME ? true_time(at, &moved) : at, left);
}

/* Of all calls only a futex's wait until a moment is looked at. More arguments than were given may be read:
 * they are in registers, as in the C library's own. */
long syscall(long number, ...) {
    static long (*call)(long, ...);
    struct timespec moved;
    long given[6];
    va_list arguments;
    va_start(arguments, number);
    for (int i = 0; i < 6; i++) given[i] = va_arg(arguments, long);
    va_end(arguments);
    FIND(call, "syscall");
    if (number == SYS_futex && (given[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET)
        given[3] = (long)true_time((const struct timespec *)given[3], &moved);
    return call(number, given[0], given[1], given[2], given[3], given[4], given[5]);
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
