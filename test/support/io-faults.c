/*
 * Preloaded into a program under test: makes the n-th of its writing calls below a folder fail as a full or a broken
 * disk does. What fails, and what came by, stands in a control file that both sides map (see io-faults.ts):
 *
 *   int32 [0] n, the call that fails; 0: none, calls are counted only     [1] errno
 *         [2] how many calls fail from there on; 0: all                   [3] 1: a write is torn: half of it is done
 *         [4] calls so far                                                [5] calls that failed
 *   byte 64..1087 the folder, byte 1088..2111 the first call that failed (`op path`)
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SIZE = 4096, FOLDER = 64, WHERE = 1088, TEXT = 1024 };

struct control {
  int at, error, lasts, torn;
  atomic_int calls, failed;
};

static struct control *control;

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void map_control(void) {
  const char *path = getenv("IO_FAULTS");
  int fd = path ? NEXT(open64)(path, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (map != MAP_FAILED) control = map;
}

/* 0: the call goes through. */
static int fails(const char *op, const char *path) {
  const char *folder = (const char *)control + FOLDER;
  if (!*folder || strncmp(path, folder, strlen(folder)) != 0) return 0;
  int call = atomic_fetch_add(&control->calls, 1) + 1;
  int at = control->at;
  if (at == 0 || call < at || (control->lasts > 0 && call >= at + control->lasts)) return 0;
  if (atomic_fetch_add(&control->failed, 1) == 0)
    snprintf((char *)control + WHERE, TEXT, "%s %s", op, path + strlen(folder));
  errno = control->error;
  return 1;
}

static int fd_fails(const char *op, int fd) {
  char link[32], path[TEXT];
  if (!control) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return fails(op, path);
}

/* How much of a failing write is done, and then it is a short one: only of the first, later ones find the disk full. */
static size_t torn_part(size_t length) {
  return control->torn && control->failed == 1 ? length / 2 : 0;
}

ssize_t write(int fd, const void *bytes, size_t length) {
  if (!fd_fails("write", fd)) return NEXT(write)(fd, bytes, length);
  size_t part = torn_part(length);
  return part > 0 ? NEXT(write)(fd, bytes, part) : -1;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
  if (!fd_fails("pwrite", fd)) return NEXT(pwrite64)(fd, bytes, length, at);
  size_t part = torn_part(length);
  return part > 0 ? NEXT(pwrite64)(fd, bytes, part, at) : -1;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  return fd_fails("writev", fd) ? -1 : NEXT(writev)(fd, parts, count);
}

int fsync(int fd) { return fd_fails("fsync", fd) ? -1 : NEXT(fsync)(fd); }

int fdatasync(int fd) { return fd_fails("fdatasync", fd) ? -1 : NEXT(fdatasync)(fd); }

int ftruncate64(int fd, off64_t size) { return fd_fails("ftruncate", fd) ? -1 : NEXT(ftruncate64)(fd, size); }

int mkdir(const char *path, mode_t mode) {
  return control && fails("mkdir", path) ? -1 : NEXT(mkdir)(path, mode);
}

int rename(const char *from, const char *to) {
  return control && fails("rename", to) ? -1 : NEXT(rename)(from, to);
}

int link(const char *from, const char *to) { return control && fails("link", to) ? -1 : NEXT(link)(from, to); }

/* Only one that makes a file writes. */
int open64(const char *path, int flags, ...) {
  mode_t mode = 0;
  if (flags & O_CREAT) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
    int before = errno;
    if (control && access(path, F_OK) != 0 && fails("create", path)) return -1;
    errno = before;
  }
  return NEXT(open64)(path, flags, mode);
}
