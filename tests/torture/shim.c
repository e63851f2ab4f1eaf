/* A disk that fails and a clock that is wrong, for one process: loaded with LD_PRELOAD, see shim.py.

   Calls on files whose path begins with $TORTURE_PREFIX fail, or write less than asked, as the file $TORTURE_PLAN says.
   That file is mapped, so a change of it holds for the next call. It begins with a number that grows with every change
   (0: it is being written, nothing fails); then one line each:

       seed N                 begins the chances anew
       clock SECONDS          the wall clock is off by so much; the kernel then says that it is not synchronised
       free BYTES             what statvfs tells of free space; -1: the truth
       CALL WHAT PERMILLE     CALL: pwrite write fdatasync fsync ftruncate rename unlink
                              WHAT: ENOSPC EIO, SHORT (half is written), GROW (ENOSPC where the file would become longer)

   Whether the n-th call of a kind fails depends on the seed and n alone. CLOCK_MONOTONIC and CLOCK_BOOTTIME are never touched. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

enum { PWRITE, WRITE, FDATASYNC, FSYNC, FTRUNCATE, RENAME, UNLINK, CALLS };
enum { NOTHING, SHORT, GROW, ERRNO }; /* ERRNO + e: fail with e */
enum { PLAN_BYTES = 4096, FAULTS = 16 };
static const char *const names[CALLS] = {"pwrite", "write", "fdatasync", "fsync", "ftruncate", "rename", "unlink"};

struct plan {
    uint64_t version, seed;
    long long clock_s, free_bytes;
    int count;
    struct { int call, what, permille; } faults[FAULTS];
};
static struct plan current = {.free_bytes = -1};
static atomic_ullong version; /* of `current`, to be compared without the lock */
static atomic_llong clock_s;
static atomic_uint calls[CALLS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const volatile char *mapped;
static const char *prefix;
static pthread_once_t once = PTHREAD_ONCE_INIT;

#define REAL(name) ({ static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name); real; })

static void begin(void) {
    const char *path = getenv("TORTURE_PLAN");
    prefix = getenv("TORTURE_PREFIX");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *where = mmap(NULL, PLAN_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (where != MAP_FAILED) mapped = where;
}

static uint64_t mapped_version(void) {
    uint64_t n = 0;
    for (int i = 0; i < 12 && mapped[i] >= '0' && mapped[i] <= '9'; i++) n = n * 10 + (uint64_t)(mapped[i] - '0');
    return n;
}

static void parse(char *text, struct plan *plan) {
    char *rest = NULL, call[16], what[16];
    int permille;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (sscanf(line, "seed %llu", (unsigned long long *)&plan->seed) == 1) continue;
        if (sscanf(line, "clock %lld", &plan->clock_s) == 1) continue;
        if (sscanf(line, "free %lld", &plan->free_bytes) == 1) continue;
        if (sscanf(line, "%15s %15s %d", call, what, &permille) != 3 || plan->count == FAULTS) continue;
        for (int kind = 0; kind < CALLS; kind++)
            if (!strcmp(call, names[kind])) {
                plan->faults[plan->count].call = kind;
                plan->faults[plan->count].permille = permille;
                plan->faults[plan->count++].what = !strcmp(what, "SHORT") ? SHORT : !strcmp(what, "GROW") ? GROW
                    : ERRNO + (!strcmp(what, "EIO") ? EIO : ENOSPC);
            }
    }
}

/* The plan as it is now, read again if it has changed. */
static struct plan now(void) {
    struct plan plan = {.free_bytes = -1};
    char text[PLAN_BYTES + 1];
    pthread_once(&once, begin);
    if (!mapped) return plan;
    pthread_mutex_lock(&lock);
    uint64_t wanted = mapped_version();
    if (wanted && wanted != current.version) {
        plan.version = wanted;
        for (int i = 0; i < PLAN_BYTES; i++) text[i] = mapped[i];
        text[PLAN_BYTES] = 0;
        parse(text, &plan);
        if (mapped_version() == wanted) {
            if (plan.seed != current.seed) for (int i = 0; i < CALLS; i++) calls[i] = 0;
            current = plan;
            atomic_store(&clock_s, plan.clock_s);
            atomic_store(&version, wanted);
        }
    }
    plan = current;
    pthread_mutex_unlock(&lock);
    return plan;
}

static int ours(const char *path) { return prefix && path && !strncmp(path, prefix, strlen(prefix)); }

static int ours_fd(int fd) {
    char link[40], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = 0;
    return ours(path);
}

static uint64_t mix(uint64_t x) { /* splitmix64 */
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* What happens to this call: NOTHING, SHORT, GROW, or ERRNO + e. */
static int fate(int call) {
    struct plan plan = now();
    uint64_t n = atomic_fetch_add(&calls[call], 1);
    for (int i = 0; i < plan.count; i++)
        if (plan.faults[i].call == call && (int)(mix(plan.seed ^ mix(n * CALLS + (uint64_t)call + ((uint64_t)i << 48))) % 1000) < plan.faults[i].permille)
            return plan.faults[i].what;
    return NOTHING;
}

static int fails(int call, int mine) {
    int what = mine ? fate(call) : NOTHING;
    if (what < ERRNO) return 0;
    errno = what - ERRNO;
    return 1;
}

/* How many of `count` bytes at `offset` (-1: at the end) may be written; -1 with errno: none. */
static ssize_t allowed(int call, int fd, size_t count, off_t offset) {
    struct stat64 found;
    int what = count && mapped_version() && ours_fd(fd) ? fate(call) : NOTHING;
    if (what == SHORT) return (ssize_t)((count + 1) / 2);
    if (what == GROW && (fstat64(fd, &found) || (offset >= 0 && offset + (off_t)count <= found.st_size))) what = NOTHING;
    if (what == GROW) what = ERRNO + ENOSPC;
    if (what < ERRNO) return (ssize_t)count;
    errno = what - ERRNO;
    return -1;
}

static int active(void) { pthread_once(&once, begin); return mapped && prefix; }

#define WRITER(name, call, at, parameters, ...) \
    ssize_t name parameters { \
        ssize_t n = active() ? allowed(call, fd, count, at) : (ssize_t)count; \
        count = n < 0 ? 0 : (size_t)n; \
        return n < 0 ? -1 : REAL(name)(__VA_ARGS__); \
    }
WRITER(pwrite64, PWRITE, offset, (int fd, const void *data, size_t count, off64_t offset), fd, data, count, offset)
WRITER(pwrite, PWRITE, offset, (int fd, const void *data, size_t count, off_t offset), fd, data, count, offset)
WRITER(write, WRITE, -1, (int fd, const void *data, size_t count), fd, data, count)

#define FAILING(name, call, mine, parameters, ...) \
    int name parameters { return active() && fails(call, mine) ? -1 : REAL(name)(__VA_ARGS__); }
FAILING(fdatasync, FDATASYNC, ours_fd(fd), (int fd), fd)
FAILING(fsync, FSYNC, ours_fd(fd), (int fd), fd)
FAILING(ftruncate64, FTRUNCATE, ours_fd(fd), (int fd, off64_t size), fd, size)
FAILING(ftruncate, FTRUNCATE, ours_fd(fd), (int fd, off_t size), fd, size)
FAILING(rename, RENAME, ours(from) || ours(to), (const char *from, const char *to), from, to)
FAILING(unlink, UNLINK, ours(path), (const char *path), path)

#define SPACE(name, type, mine, parameters, ...) \
    int name parameters { \
        int result = REAL(name)(__VA_ARGS__); \
        long long bytes = result || !active() || !(mine) ? -1 : now().free_bytes; \
        if (bytes >= 0) found->f_bfree = found->f_bavail = (unsigned long long)bytes / found->f_frsize; \
        return result; \
    }
SPACE(statvfs, struct statvfs, ours(path), (const char *path, struct statvfs *found), path, found)
SPACE(statvfs64, struct statvfs64, ours(path), (const char *path, struct statvfs64 *found), path, found)
SPACE(fstatvfs, struct statvfs, ours_fd(fd), (int fd, struct statvfs *found), fd, found)
SPACE(fstatvfs64, struct statvfs64, ours_fd(fd), (int fd, struct statvfs64 *found), fd, found)

static long long shift(void) {
    if (!active()) return 0;
    uint64_t wanted = mapped_version();
    return wanted && wanted != atomic_load(&version) ? now().clock_s : atomic_load(&clock_s);
}

int clock_gettime(clockid_t which, struct timespec *t) {
    int result = REAL(clock_gettime)(which, t);
    if (!result && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) t->tv_sec += shift();
    return result;
}

time_t time(time_t *out) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (out) *out = t.tv_sec;
    return t.tv_sec;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone) {
    int result = REAL(gettimeofday)(t, zone);
    if (!result) t->tv_sec += shift();
    return result;
}

int adjtimex(struct timex *timex) {
    int result = REAL(adjtimex)(timex);
    if (result < 0 || !shift()) return result;
    timex->maxerror = 16000000;
    timex->status |= STA_UNSYNC;
    return TIME_ERROR;
}
