/*
 * Loaded before a tool (LD_PRELOAD): counts, over all processes and threads of the program FAULT_PROGRAM, the calls that
 * change something below the folder FAULT_BELOW, in the eight bytes of the file FAULT_COUNT, and kills with -9 the
 * process that comes to the call number FAULT_AT: before it, or half way through it where it writes bytes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long *count;
static long at;
static const char *below;

__attribute__((constructor)) static void begin(void) {
  char program[4096];
  ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
  const char *wanted = getenv("FAULT_PROGRAM"), *file = getenv("FAULT_COUNT"), *number = getenv("FAULT_AT");
  below = getenv("FAULT_BELOW");
  if (length < 0 || !wanted || !file || !number || !below) return;
  program[length] = 0;
  if (strncmp(strrchr(program, '/') + 1, wanted, strlen(wanted)) != 0) return;
  at = atol(number);
  int fd = open(file, O_RDWR | O_CLOEXEC);
  void *shared = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (shared != MAP_FAILED) count = shared;
}

static int is_below(const char *path) {
  char folder[4096];
  if (path[0] != '/') path = getcwd(folder, sizeof folder);
  return path && strncmp(path, below, strlen(below)) == 0;
}

/* Whether this is the call. */
static int is_at(const char *path) { return count && is_below(path) && atomic_fetch_add(count, 1) + 1 == at; }

static int is_at_fd(int fd) {
  char link[64], path[4096];
  if (!count) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return path[0] == '/' && is_at(path);
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
/* A call that changes what a path names. */
#define OF_PATH(type, name, parameters, arguments, path) \
  type name parameters { \
    if (is_at(path)) die(); \
    return REAL(name) arguments; \
  }
/* A call that changes what a descriptor is open on. */
#define OF_FD(type, name, parameters, arguments, fd) \
  type name parameters { \
    if (is_at_fd(fd)) die(); \
    return REAL(name) arguments; \
  }
/* One that writes bytes. */
#define OF_BYTES(name, parameters, whole, half) \
  ssize_t name parameters { \
    if (is_at_fd(fd)) { \
      REAL(name) half; \
      die(); \
    } \
    return REAL(name) whole; \
  }
#define OPENS(name, parameters, path, ...) \
  int name parameters { \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
    va_end(rest); \
    if ((flags & (O_CREAT | O_TRUNC)) && is_at(path)) die(); \
    return REAL(name)(__VA_ARGS__, flags, mode); \
  }

OPENS(open, (const char *path, int flags, ...), path, path)
OPENS(open64, (const char *path, int flags, ...), path, path)
OPENS(openat, (int folder, const char *path, int flags, ...), path, folder, path)
OPENS(openat64, (int folder, const char *path, int flags, ...), path, folder, path)
OF_BYTES(write, (int fd, const void *bytes, size_t length), (fd, bytes, length), (fd, bytes, length / 2))
OF_BYTES(pwrite64, (int fd, const void *bytes, size_t length, off64_t to), (fd, bytes, length, to), (fd, bytes, length / 2, to))
OF_FD(ssize_t, writev, (int fd, const struct iovec *parts, int n), (fd, parts, n), fd)
OF_FD(ssize_t, pwritev64, (int fd, const struct iovec *parts, int n, off64_t to), (fd, parts, n, to), fd)
OF_FD(int, fsync, (int fd), (fd), fd)
OF_FD(int, ftruncate64, (int fd, off64_t length), (fd, length), fd)
OF_FD(int, fchmod, (int fd, mode_t mode), (fd, mode), fd)
OF_FD(int, futimens, (int fd, const struct timespec times[2]), (fd, times), fd)
OF_FD(ssize_t, copy_file_range, (int from, off64_t *at, int to, off64_t *end, size_t length, unsigned flags), (from, at, to, end, length, flags), to)
OF_PATH(int, rename, (const char *from, const char *to), (from, to), to)
OF_PATH(int, link, (const char *from, const char *to), (from, to), to)
OF_PATH(int, symlink, (const char *from, const char *to), (from, to), to)
OF_PATH(int, mkdir, (const char *path, mode_t mode), (path, mode), path)
OF_PATH(int, rmdir, (const char *path), (path), path)
OF_PATH(int, unlink, (const char *path), (path), path)
OF_PATH(int, chmod, (const char *path, mode_t mode), (path, mode), path)
