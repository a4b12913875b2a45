/* A slow, lossy wire between two network namespaces, for kernels without netem.
 *
 * usage: relay HOST_PID SWITCH_PID PORT DELAY_OUT_US DELAY_IN_US LOSS_PER_MILLION
 *
 * It makes a TAP `eth0` in the host's namespace and a TAP `PORT` in the switch's, and carries frames
 * between the two: those from the host are DELAY_OUT_US late, those to it DELAY_IN_US; of both, so many
 * per million are lost. It says "ready" when both are there. The TAPs go when it ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* Frames under way in one direction at most; beyond that they are lost, as on any wire. */
#define QUEUE 16384
#define FRAME 2048

struct frame {
    int64_t due_us;
    ssize_t length;
    char bytes[FRAME];
};

struct direction {
    int from, to;
    int64_t delay_us;
    size_t head, count;
    struct frame *frames;
};

static void fail(const char *what) {
    fprintf(stderr, "failed to %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

static int open_namespace(const char *pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/ns/net", pid);
    int namespace = open(path, O_RDONLY | O_CLOEXEC);
    if (namespace < 0) fail(path);
    return namespace;
}

/* A TAP in a namespace: its name is found where the device was opened. */
static int open_tap(int namespace, const char *name) {
    struct ifreq request = {0};
    if (setns(namespace, CLONE_NEWNET) != 0) fail("enter a network namespace");
    int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tap < 0) fail("open /dev/net/tun");
    snprintf(request.ifr_name, IFNAMSIZ, "%s", name);
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    if (ioctl(tap, TUNSETIFF, &request) < 0) fail("make a TAP");
    return tap;
}

static uint64_t random_state = 88172645463325252ULL;

static uint64_t next_random(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void take_in(struct direction *way, uint64_t loss_per_million) {
    static char dropped[FRAME];
    for (;;) {
        int full = way->count == QUEUE;
        struct frame *frame = &way->frames[(way->head + way->count) % QUEUE];
        ssize_t length = read(way->from, full ? dropped : frame->bytes, FRAME);
        if (length <= 0) return;
        if (full || next_random() % 1000000 < loss_per_million) continue;
        frame->length = length;
        frame->due_us = now_us() + way->delay_us;
        way->count++;
    }
}

/* Sends what is due, and returns when the next frame is: microseconds from now, -1 for never. */
static int64_t let_out(struct direction *way) {
    while (way->count > 0) {
        struct frame *frame = &way->frames[way->head];
        int64_t left_us = frame->due_us - now_us();
        if (left_us > 0) return left_us;
        /* A frame that the other side cannot take is lost, as on any wire. */
        ssize_t written = write(way->to, frame->bytes, frame->length);
        (void)written;
        way->head = (way->head + 1) % QUEUE;
        way->count--;
    }
    return -1;
}

int main(int argc, char **argv) {
    if (argc != 7) {
        fprintf(stderr, "usage: relay HOST_PID SWITCH_PID PORT DELAY_OUT_US DELAY_IN_US LOSS_PER_MILLION\n");
        return 2;
    }
    int host_namespace = open_namespace(argv[1]), switch_namespace = open_namespace(argv[2]);
    int host = open_tap(host_namespace, "eth0"), port = open_tap(switch_namespace, argv[3]);
    uint64_t loss = strtoull(argv[6], NULL, 10);
    struct direction ways[2] = {
        {.from = host, .to = port, .delay_us = atoll(argv[4])},
        {.from = port, .to = host, .delay_us = atoll(argv[5])},
    };
    for (int i = 0; i < 2; i++) {
        ways[i].frames = malloc(QUEUE * sizeof(struct frame));
        if (!ways[i].frames) fail("take memory");
    }
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        struct pollfd ends[2] = {{.fd = host, .events = POLLIN}, {.fd = port, .events = POLLIN}};
        int64_t next_us = -1;
        for (int i = 0; i < 2; i++) {
            int64_t left_us = let_out(&ways[i]);
            if (left_us >= 0 && (next_us < 0 || left_us < next_us)) next_us = left_us;
        }
        struct timespec wait = {.tv_sec = next_us / 1000000, .tv_nsec = next_us % 1000000 * 1000};
        int ready = ppoll(ends, 2, next_us < 0 ? NULL : &wait, NULL);
        if (ready < 0 && errno != EINTR) fail("wait for frames");
        for (int i = 0; i < 2; i++) {
            /* A TAP that is not up yet reports an error without end. */
            if (ends[i].revents & POLLERR) usleep(5000);
            if (ends[i].revents & POLLIN) take_in(&ways[i], loss);
        }
    }
}
