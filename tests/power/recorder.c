/* Writes down, in order and for all processes that preload it, what happens to the files below a folder: every write with its
 * bytes, every sync, every change of a name. tests/power/disk.py reads it, and knows what a disk would hold after a power cut.
 *
 *     POWER_FOLDER   the folder, absolute and without links
 *     POWER_RECORD   the record; each entry is one write(2) to it in append mode, so entries of several processes do not mix
 *
 * A write or sync is entered before it is done, a change of names after. Stdio and memory maps are not seen; neither SQLite
 * nor PostgreSQL writes by these what it must keep.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define MARK 0x6c6c6177746e6977ULL

struct entry {
    uint64_t mark, inode;
    int64_t offset;
    uint32_t kind, names, length, unused; /* then `names` bytes of paths, then `length` bytes of data */
};

static __typeof__(write) *real_write;
static __typeof__(writev) *real_writev;
static char folder[PATH_MAX];
static size_t folder_length;
static int record = -1;
static char watched[1 << 16]; /* by descriptor */

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("POWER_RECORD"), *below_it = getenv("POWER_FOLDER");
    real_write = dlsym(RTLD_NEXT, "write");
    real_writev = dlsym(RTLD_NEXT, "writev");
    if (!below_it || !path)
        return;
    snprintf(folder, sizeof folder, "%s", below_it); /* a copy: PostgreSQL writes its titles over its environment */
    __typeof__(open) *real_open = dlsym(RTLD_NEXT, "open");
    int low = real_open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    record = fcntl(low, F_DUPFD_CLOEXEC, 700); /* out of the way of whoever counts on low numbers */
    close(low);
    folder_length = strlen(folder);
}

static void note(char kind, uint64_t inode, int64_t offset, const char *names, size_t names_length,
                 const struct iovec *data, int parts)
{
    struct entry entry = {MARK, inode, offset, (uint32_t)kind, (uint32_t)names_length, 0, 0};
    struct iovec all[IOV_MAX] = {{&entry, sizeof entry}, {(void *)names, names_length}};
    for (int i = 0; i < parts; i++) {
        all[i + 2] = data[i];
        entry.length += data[i].iov_len;
    }
    if (record >= 0 && real_writev(record, all, parts + 2) < 0)
        abort();
}

static int watches(int fd) { return record >= 0 && fd >= 0 && fd < (int)sizeof watched && watched[fd]; }

static void note_on(int fd, char kind, int64_t offset, const struct iovec *data, int parts)
{
    struct stat status;
    if (watches(fd) && fstat(fd, &status) == 0)
        note(kind, status.st_ino, offset, "", 0, data, parts);
}

static int below(const char *path)
{
    return strncmp(path, folder, folder_length) == 0 && (path[folder_length] == '/' || path[folder_length] == 0);
}

/* The absolute path, if it is below the folder. */
static const char *placed(const char *path, char *room)
{
    if (record < 0)
        return NULL;
    if (path[0] != '/') {
        if (!getcwd(room, PATH_MAX - NAME_MAX - 2))
            return NULL;
        size_t length = strlen(room);
        while (path[0] == '.' && path[1] == '/')
            path += 2;
        snprintf(room + length, PATH_MAX - length, "/%s", path);
        path = room;
    }
    return below(path) ? path : NULL;
}

static int opened(int fd, const char *path, int flags, int existed)
{
    char room[PATH_MAX];
    struct stat status;
    if (fd < 0 || fd >= (int)sizeof watched || record < 0)
        return fd;
    const char *place = placed(path, room);
    watched[fd] = place != NULL;
    if (place && fstat(fd, &status) == 0) {
        note(existed ? 'o' : 'c', status.st_ino, 0, place, strlen(place), NULL, 0);
        if (existed && (flags & O_TRUNC))
            note('t', status.st_ino, 0, "", 0, NULL, 0);
    }
    return fd;
}

#define OPEN(name, declared, given)                                                    \
    int name declared                                                                  \
    {                                                                                  \
        static int (*real) declared;                                                   \
        if (!real)                                                                     \
            real = dlsym(RTLD_NEXT, #name);                                            \
        mode_t mode = 0;                                                               \
        if (flags & (O_CREAT | O_TMPFILE)) {                                           \
            va_list more;                                                              \
            va_start(more, flags);                                                     \
            mode = va_arg(more, mode_t);                                               \
            va_end(more);                                                              \
        }                                                                              \
        int existed = !(flags & O_CREAT) || access(path, F_OK) == 0;                   \
        return opened(real given, path, flags, existed);                               \
    }

OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
OPEN(openat, (int at, const char *path, int flags, ...), (at, path, flags, mode))
OPEN(openat64, (int at, const char *path, int flags, ...), (at, path, flags, mode))

#define REAL(name)                                 \
    static __typeof__(name) *real;                 \
    if (!real)                                     \
        real = dlsym(RTLD_NEXT, #name)

int close(int fd)
{
    REAL(close);
    if (fd >= 0 && fd < (int)sizeof watched)
        watched[fd] = 0;
    return real(fd);
}

static int64_t place_of(int fd)
{
    struct stat status;
    if ((fcntl(fd, F_GETFL) & O_APPEND) && fstat(fd, &status) == 0)
        return status.st_size;
    return lseek(fd, 0, SEEK_CUR);
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    struct iovec part = {(void *)bytes, length};
    if (watches(fd))
        note_on(fd, 'w', place_of(fd), &part, 1);
    return real_write(fd, bytes, length);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    if (watches(fd))
        note_on(fd, 'w', place_of(fd), parts, count);
    return real_writev(fd, parts, count);
}

#define PWRITE(name)                                                        \
    ssize_t name(int fd, const void *bytes, size_t length, off_t offset)    \
    {                                                                       \
        REAL(name);                                                         \
        struct iovec part = {(void *)bytes, length};                        \
        note_on(fd, 'w', offset, &part, 1);                                 \
        return real(fd, bytes, length, offset);                             \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

#define PWRITEV(name)                                                         \
    ssize_t name(int fd, const struct iovec *parts, int count, off_t offset)  \
    {                                                                         \
        REAL(name);                                                           \
        note_on(fd, 'w', offset, parts, count);                               \
        return real(fd, parts, count, offset);                                \
    }
PWRITEV(pwritev)
PWRITEV(pwritev64)

#define RESIZE(name, kind, declared, given, size) \
    int name declared                             \
    {                                             \
        REAL(name);                               \
        note_on(fd, kind, size, NULL, 0);         \
        return real given;                        \
    }
RESIZE(ftruncate, 't', (int fd, off_t length), (fd, length), length)
RESIZE(ftruncate64, 't', (int fd, off_t length), (fd, length), length)
RESIZE(posix_fallocate, 'a', (int fd, off_t offset, off_t length), (fd, offset, length), offset + length)
RESIZE(posix_fallocate64, 'a', (int fd, off_t offset, off_t length), (fd, offset, length), offset + length)
RESIZE(fsync, 's', (int fd), (fd), 0)
RESIZE(fdatasync, 's', (int fd), (fd), 0)

int truncate(const char *path, off_t length)
{
    REAL(truncate);
    char room[PATH_MAX];
    struct stat status;
    if (placed(path, room) && stat(path, &status) == 0)
        note('t', status.st_ino, length, "", 0, NULL, 0);
    return real(path, length);
}

static void note_names(char kind, const char *one, const char *other)
{
    char room[PATH_MAX], more[PATH_MAX], both[2 * PATH_MAX];
    const char *from = placed(one, room), *to = other ? placed(other, more) : NULL;
    if (from && (to || !other)) {
        int length = to ? snprintf(both, sizeof both, "%s\n%s", from, to) : snprintf(both, sizeof both, "%s", from);
        note(kind, 0, 0, both, (size_t)length, NULL, 0);
    }
}

#define RENAME(name, kind, declared, given, one, other)  \
    int name declared                                    \
    {                                                    \
        REAL(name);                                      \
        int done = real given;                           \
        if (done == 0)                                   \
            note_names(kind, one, other);                \
        return done;                                     \
    }
RENAME(rename, 'r', (const char *from, const char *to), (from, to), from, to)
RENAME(link, 'l', (const char *from, const char *to), (from, to), from, to)
RENAME(unlink, 'u', (const char *path), (path), path, NULL)
RENAME(mkdir, 'm', (const char *path, mode_t mode), (path, mode), path, NULL)
RENAME(rmdir, 'd', (const char *path), (path), path, NULL)
