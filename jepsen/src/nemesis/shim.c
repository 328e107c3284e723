// Faults of the disk and of the clock, inside the process that suffers them.
//
// Loaded by LD_PRELOAD. JEPSEN_CONTROL names a file of 64-bit numbers that the harness changes while the process runs;
// it is mapped, so that looking at it costs a load. Disk faults touch files under JEPSEN_FOLDER alone. Only the wall
// clock is moved: no process relies on a monotonic clock that lies.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// The order is that of `Knob` in shim.rs.
enum { ARMED, SYNC_EIO, WRITE_EIO, WRITE_ENOSPC, SLOW_US, HUNG, TORN, CLOCK_OFFSET, CLOCK_PPM, CLOCK_SINCE, HITS, CLOCK_HITS, KNOBS };

static int64_t none[KNOBS];
static volatile int64_t *knobs = none;
static const char *folder = "";
static size_t folder_length;

#define REAL(name) static __typeof__(name) *real; if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
    const char *control = getenv("JEPSEN_CONTROL");
    const char *under = getenv("JEPSEN_FOLDER");
    if (!control || !under) return;
    folder = under;
    folder_length = strlen(under);
    int file = open(control, O_RDWR | O_CLOEXEC);
    if (file < 0) return;
    void *mapped = mmap(NULL, KNOBS * sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (mapped != MAP_FAILED) knobs = mapped;
}

static void hit_at(int knob) { __atomic_fetch_add((int64_t *)&knobs[knob], 1, __ATOMIC_RELAXED); }
static void hit(void) { hit_at(HITS); }

static int is_victim(int file) {
    if (!knobs[ARMED]) return 0;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return !strncmp(path, folder, folder_length);
}

// Waits as the disk does: it is not known for how long.
static void drag(void) {
    if (knobs[SLOW_US]) { hit(); usleep(knobs[SLOW_US]); }
    if (knobs[HUNG]) hit();
    while (knobs[HUNG]) usleep(2000);
}

static int syncs_fail(int file) {
    if (!is_victim(file)) return 0;
    drag();
    if (!knobs[SYNC_EIO]) return 0;
    hit();
    errno = EIO;
    return 1;
}

// Whether a write fails; a torn one does its half and takes the process with it.
static int writes_fail(int file, const void *bytes, size_t count, off_t at) {
    if (!is_victim(file)) return 0;
    drag();
    if (knobs[TORN] && count > 1) {
        hit();
        REAL(pwrite);
        if (at >= 0) real(file, bytes, count / 2, at);
        else {
            static ssize_t (*plain)(int, const void *, size_t);
            if (!plain) plain = dlsym(RTLD_NEXT, "write");
            plain(file, bytes, count / 2);
        }
        kill(getpid(), SIGKILL);
    }
    if (knobs[WRITE_EIO]) { hit(); errno = EIO; return 1; }
    if (knobs[WRITE_ENOSPC]) { hit(); errno = ENOSPC; return 1; }
    return 0;
}

int fsync(int file) { REAL(fsync); return syncs_fail(file) ? -1 : real(file); }
int fdatasync(int file) { REAL(fdatasync); return syncs_fail(file) ? -1 : real(file); }
int sync_file_range(int file, off64_t from, off64_t count, unsigned flags) {
    REAL(sync_file_range);
    return syncs_fail(file) ? -1 : real(file, from, count, flags);
}

ssize_t write(int file, const void *bytes, size_t count) {
    REAL(write);
    return writes_fail(file, bytes, count, -1) ? -1 : real(file, bytes, count);
}
ssize_t pwrite(int file, const void *bytes, size_t count, off_t at) {
    REAL(pwrite);
    return writes_fail(file, bytes, count, at) ? -1 : real(file, bytes, count, at);
}
ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t at) {
    REAL(pwrite64);
    return writes_fail(file, bytes, count, at) ? -1 : real(file, bytes, count, at);
}
ssize_t writev(int file, const struct iovec *parts, int count) {
    REAL(writev);
    const void *first = count > 0 ? parts[0].iov_base : NULL;
    return writes_fail(file, first, count > 0 ? parts[0].iov_len : 0, -1) ? -1 : real(file, parts, count);
}

static void move(struct timespec *told) {
    int64_t offset = knobs[CLOCK_OFFSET];
    if (knobs[CLOCK_PPM]) {
        struct timespec now;
        static int (*plain)(clockid_t, struct timespec *);
        if (!plain) plain = dlsym(RTLD_NEXT, "clock_gettime");
        plain(CLOCK_MONOTONIC, &now);
        int64_t passed = now.tv_sec * 1000000000LL + now.tv_nsec - knobs[CLOCK_SINCE];
        offset += passed / 1000000 * knobs[CLOCK_PPM];
    }
    if (!offset) return;
    hit_at(CLOCK_HITS);
    int64_t moved = told->tv_sec * 1000000000LL + told->tv_nsec + offset;
    told->tv_sec = moved / 1000000000LL;
    told->tv_nsec = moved % 1000000000LL;
}

int clock_gettime(clockid_t clock, struct timespec *told) {
    REAL(clock_gettime);
    int failed = real(clock, told);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) move(told);
    return failed;
}

int gettimeofday(struct timeval *told, void *zone) {
    struct timespec now;
    (void)zone;
    int failed = clock_gettime(CLOCK_REALTIME, &now);
    if (!failed) { told->tv_sec = now.tv_sec; told->tv_usec = now.tv_nsec / 1000; }
    return failed;
}

time_t time(time_t *told) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (told) *told = now.tv_sec;
    return now.tv_sec;
}
