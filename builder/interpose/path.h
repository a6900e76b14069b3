/* SPDX-License-Identifier: MIT
 *
 * path.h — from a name as the guest gives it to a place the kernel understands. No descriptor is
 * opened on the way: symbolic links are read, and what was learnt is kept in a cache that all
 * processes of the step share.
 */
#pragma once
#include "guest.h"

enum {		     /* how */
       W_FOLLOW = 1, /* the last component's link is followed */
       W_EMPTY = 2,  /* an empty name means dirfd itself (AT_EMPTY_PATH) */
       W_CHANGE = 4, /* the entry itself will be made, renamed or removed: no mount may be there */
       W_OPEN = 8    /* a descriptor that must be more than a place (O_PATH) */
};

struct where {
	/* For the *at() calls. Links in rel are to be followed only when `follow` says so. rel is
	 * "" only when W_EMPTY was given and means dir itself. */
	int dir;
	const char *rel;
	bool follow;
	/* Following was asked for and nobody has looked yet: an operation that meets a link calls
	 * where_follow() and tries again. */
	bool maybe_link;
	bool readonly; /* EROFS for changes */
	bool is_mount;
	bool slash;	   /* the name ended in a slash: only a directory will do */
	const char *guest; /* canonical path, NULL when it was not needed */
	int from;
	unsigned how;
	char link[32]; /* what stands for a mounted file */
	char in[PATH_SIZE];
	char text[PATH_SIZE];
};

/* 0 or a negative errno. */
long where_find(struct where *w, int dirfd, const char *name, unsigned how);
long where_follow(struct where *w);
/* Makes sure that w->guest is known. */
long where_guest(struct where *w);
static inline int where_at(const struct where *w)
{
	return (w->follow ? 0 : AT_SYMLINK_NOFOLLOW) | (*w->rel ? 0 : AT_EMPTY_PATH);
}
/* The place as one path for calls that have no *at() form; out holds WHERE_PATH bytes. */
#define WHERE_PATH (PATH_SIZE + 64)
const char *where_path(const struct where *w, char *out);
/* An O_PATH descriptor of the place (or another kind), to be closed. */
long where_open(const struct where *w, int flags);
/* Resolves the canonical or any absolute guest path in w->in, which the caller filled. */
long where_walk(struct where *w, bool follow);
/* Turns canonical guest text into a place. */
void where_place(struct where *w, const char *text);

/* names.c: the host's names and the guest's. */
bool name_to_guest(char *out, size_t size, const char *host);
/* Guest path (canonical, not cut by the guest's chroot) of a directory descriptor or AT_FDCWD. */
long name_of_fd(int fd, char *out, size_t size);
void name_cwd_changed(void);
const char *fd_path(char *b, size_t size, int fd);
/* Cuts the guest's chroot off a path; false when it lies outside. */
bool name_in_chroot(char *path);
const struct co_ip_mount *mount_at(const char *text, size_t len, const char **rest);
bool mount_below(const char *text); /* a mount lies somewhere below this directory */
/* proc.c: is (dir, name) one of /proc's links that are more than text? */
bool proc_magic(const char *dir, size_t dir_len, const char *name, size_t name_len);
/* The guest path that a magic link stands for: its length, 0 when only the kernel knows. */
long proc_link(const char *path, char *out, size_t size);
/* Where names are the kernel's: the program that (dir, name) stands for, when that is the link
 * "exe" of a process of the step: the length of its path, else 0. */
long proc_exe(int dir, const char *name, char *out, size_t size);

/* cache.c */
/* The generation an entry belongs to. dots: the name goes through "..", so that a directory must
 * not only have kept its place but still be there. */
uint32_t cache_gen(bool dots);
bool cache_find(const char *key, size_t len, char *value, size_t *value_len, uint32_t gen);
void cache_add(const char *key, size_t len, const char *value, size_t value_len, uint32_t gen);
void cache_bump(void);
/* A link was made. */
void cache_new_link(void);

static inline uint64_t name_bit(const char *s, size_t n)
{
	return 1ull << (((unsigned char)s[0] * 31u + n) & 63);
}
