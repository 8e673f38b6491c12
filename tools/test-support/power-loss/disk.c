/*
 * disk.c - remembers what a disk would hold if the power went now. For tests; loaded with LD_PRELOAD into one process.
 *
 * Below POWER_LOSS_ROOT, only this is on the disk:
 *   - what was there when the process started;
 *   - the content of a file as it was when an fsync or fdatasync of that file last succeeded; a file that was never
 *     synced is empty;
 *   - the names in a folder as they were when an fsync of that folder last succeeded.
 * Nothing else is: no write, truncation, new name, rename or removal reaches the disk by time passing, by closing, or
 * because something else was synced. That is what POSIX promises and less than any file system does (ext4 with
 * data=ordered commits all earlier changes of names with each fsync), so a program that loses nothing here loses nothing there.
 * Not modelled: modes and owners (kept as they are), links, bytes that the disk itself loses or changes.
 *
 * Writes need not be seen, whichever way they are made: the content is taken when it is synced. A sync that went past
 * fsync and fdatasync (sync_file_range, msync, O_SYNC, io_uring) would not be noticed: it makes the test fail, never pass.
 *
 * POWER_LOSS_DISK holds, by inode number:
 *   content/<inode>   bytes
 *   folder/<inode>    "<inode> <f|d> <mode> <name>" per line
 *   syncs             "<bytes that changed> <path below the root, with a dot before it>" per sync
 * Each inode is kept open, so that its number is never given to another file while the process lives. A kill in the
 * middle of a sync leaves parts of it on the disk, as a loss of power does.
 *
 * POWER_LOSS_LIES=1: the disk says that it has synced, and has not.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 65536

static char root[PATH_MAX];
static int disk = -1;
static bool lies;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* A test whose disk does not work must not go on. */
static void die(const char *what) {
  dprintf(2, "power-loss: %s: %s\n", what, strerror(errno));
  abort();
}

static int open_on_disk(const char *kind, ino_t inode, int flags) {
  char name[64];
  snprintf(name, sizeof name, "%s/%lu", kind, (unsigned long)inode);
  return openat(disk, name, flags | O_CLOEXEC, 0600);
}

/* Enters a file or folder that is new to the disk: empty, and kept open through O_PATH, which touches none of its locks. */
static void enter(int at, const char *name, int flags, const struct stat *s) {
  int image = open_on_disk(S_ISDIR(s->st_mode) ? "folder" : "content", s->st_ino, O_WRONLY | O_CREAT | O_EXCL);
  if (image < 0 && errno == EEXIST) return;
  if (image < 0) die("cannot enter a file");
  close(image);
  if (openat(at, name, O_PATH | O_CLOEXEC | flags) < 0) die("cannot keep a file open");
}

/* Brings the image up to the file; returns how many bytes it wrote. Reads through fd itself: closing another
 * descriptor of the file would drop the locks that SQLite holds on it. */
static long save_content(int fd, ino_t inode) {
  static char now[BLOCK], before[BLOCK];
  int image = open_on_disk("content", inode, O_RDWR);
  if (image < 0) die("a file has no image");
  long changed = 0;
  off_t at = 0;
  for (ssize_t n; (n = pread(fd, now, BLOCK, at)) != 0; at += n) {
    if (n < 0) die("cannot read what was synced");
    ssize_t m = pread(image, before, n, at);
    if (m == n && memcmp(now, before, n) == 0) continue;
    if (pwrite(image, now, n, at) != n) die("cannot write an image");
    changed += n;
  }
  if (ftruncate(image, at) != 0) die("cannot cut an image");
  close(image);
  return changed;
}

/* Replaces the listing of a folder in one step. Returns its length. */
static long save_listing(int fd, ino_t inode) {
  int folder = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *entries = folder < 0 ? NULL : fdopendir(folder);
  if (entries == NULL) die("cannot list a folder");
  char name[64];
  snprintf(name, sizeof name, "folder/%lu", (unsigned long)inode);
  int draft = openat(disk, "draft", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (draft < 0) die("cannot write a listing");
  long length = 0;
  for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
    struct stat s;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (fstatat(fd, entry->d_name, &s, AT_SYMLINK_NOFOLLOW) != 0) continue; /* gone since */
    if (!S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode)) continue;
    enter(fd, entry->d_name, O_NOFOLLOW, &s);
    length += dprintf(draft, "%lu %c %o %s\n", (unsigned long)s.st_ino, S_ISDIR(s.st_mode) ? 'd' : 'f',
                      (unsigned)(s.st_mode & 07777), entry->d_name);
  }
  close(draft);
  closedir(entries);
  if (renameat(disk, "draft", disk, name) != 0) die("cannot put a listing in its place");
  return length;
}

/* What is there at the start counts as synced. */
static void save_tree(int fd) {
  struct stat s;
  if (fstat(fd, &s) != 0) die("cannot look at a folder");
  save_listing(fd, s.st_ino);
  int folder = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *entries = folder < 0 ? NULL : fdopendir(folder);
  if (entries == NULL) die("cannot list a folder");
  for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (fstatat(fd, entry->d_name, &s, AT_SYMLINK_NOFOLLOW) != 0) die("cannot look at a file");
    if (!S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode)) continue;
    int child = openat(fd, entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (child < 0) die("cannot open a file");
    if (S_ISDIR(s.st_mode)) save_tree(child);
    else save_content(child, s.st_ino);
    close(child);
  }
  closedir(entries);
}

static void record(int fd) {
  char link[32], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) die("cannot tell what was synced");
  path[length] = '\0';
  size_t prefix = strlen(root);
  if (strncmp(path, root, prefix) != 0 || (path[prefix] != '/' && path[prefix] != '\0')) return;

  struct stat s;
  if (fstat(fd, &s) != 0) die("cannot look at what was synced");
  pthread_mutex_lock(&lock);
  long changed;
  if (S_ISDIR(s.st_mode)) {
    changed = save_listing(fd, s.st_ino);
  } else {
    struct stat entered;
    char image[64];
    snprintf(image, sizeof image, "content/%lu", (unsigned long)s.st_ino);
    if (fstatat(disk, image, &entered, 0) != 0) enter(AT_FDCWD, link, 0, &s); /* by descriptor: it may have no name any more */
    /* A descriptor for writing only cannot be read; nothing that locks its files has one. */
    int readable = (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY ? open(link, O_RDONLY | O_CLOEXEC) : fd;
    if (readable < 0) die("cannot read what was synced");
    changed = save_content(readable, s.st_ino);
    if (readable != fd) close(readable);
  }
  int syncs = openat(disk, "syncs", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (syncs < 0 || dprintf(syncs, "%ld .%s\n", changed, path + prefix) < 0) die("cannot note a sync");
  close(syncs);
  pthread_mutex_unlock(&lock);
}

static int synced(const char *name, int fd) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  if (real == NULL) die("there is no such function");
  int result = real(fd);
  if (result == 0 && disk >= 0 && !lies) {
    int before = errno;
    record(fd);
    errno = before;
  }
  return result;
}

int fsync(int fd) { return synced("fsync", fd); }
int fdatasync(int fd) { return synced("fdatasync", fd); }

__attribute__((constructor)) static void start(void) {
  const char *live = getenv("POWER_LOSS_ROOT"), *images = getenv("POWER_LOSS_DISK");
  if (live == NULL || images == NULL) return;
  /* Of this process only: another one would write the same images. */
  unsetenv("LD_PRELOAD");
  lies = getenv("POWER_LOSS_LIES") != NULL;
  if (realpath(live, root) == NULL) die("no POWER_LOSS_ROOT");
  disk = open(images, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (disk < 0 || mkdirat(disk, "content", 0700) != 0 || mkdirat(disk, "folder", 0700) != 0) die("no new POWER_LOSS_DISK");
  int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) die("cannot open POWER_LOSS_ROOT");
  struct stat s;
  if (fstat(fd, &s) != 0) die("cannot look at POWER_LOSS_ROOT");
  enter(AT_FDCWD, root, 0, &s);
  save_tree(fd);
  close(fd);
}
