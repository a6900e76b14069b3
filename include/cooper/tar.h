/* SPDX-License-Identifier: MIT
 *
 * tar.h — tar archives: our own writer (bytes must never change), libarchive's reader.
 */
#pragma once
#include <cooper/err.h>
#include <cooper/stream.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

struct co_xattr {
	const char *name; /* "security.capability" */
	const void *value;
	size_t size;
};
/* One member. Borrowed pointers, valid until the next call on the reader that gave it. */
struct co_tar_entry {
	const char *path; /* as in the archive when read; relative, no "./", dirs without "/" when
			     written */
	const char *link; /* target of a symbolic or hard link, else NULL */
	bool hardlink;
	uint32_t mode; /* type and permission bits (type 0 for a hard link) */
	uint32_t uid, gid;
	uint32_t dev_major, dev_minor;
	uint64_t size;
	struct timespec mtime;
	const struct co_xattr *xattrs; /* sorted by name when written */
	size_t n_xattrs;
};

/* Writer: ustar where it fits, a PAX header only where it must (long or non-ASCII names, sizes over
 * 8 GiB, ids over 2097151, xattrs as SCHILY.xattr.*); whole-second mtime; no user or group names;
 * no type bits in the mode field; ends with 1024 zero bytes. Rules: OCI image-spec layer.md. */
struct co_tar_writer;
/* Takes below. */
struct co_tar_writer *co_tar_writer_new(struct co_sink *below);
/* A size-0 or non-regular member is complete with this call. */
int co_tar_write_entry(struct co_tar_writer *w, const struct co_tar_entry *e);
int co_tar_write_data(struct co_tar_writer *w, const void *data, size_t len);
/* Copies exactly e->size bytes from fd behind a written entry; pads with zeros when the file got
 * shorter, stops when it grew (a warning is the caller's affair: *short_by tells). */
int co_tar_write_fd(struct co_tar_writer *w, int fd, uint64_t size, uint64_t *short_by);
int co_tar_writer_close(struct co_tar_writer *w, struct co_err *err) co_must_check;
void co_tar_writer_abort(struct co_tar_writer *w);

/* Reader limits; 0 fields mean the defaults in brackets. */
struct co_tar_limits {
	uint64_t max_bytes;   /* sum of file sizes [64 GiB] */
	uint64_t max_entries; /* [2,000,000] */
	uint32_t max_name;    /* path bytes [4096] */
	uint32_t max_depth;   /* components [256] */
};
/* Reads tar (v7, ustar, GNU, PAX; sparse) from an already decompressed stream. Takes s. Only the
 * tar format is enabled in libarchive. Everything behind the end marker is read too, so that a hash
 * below covers the whole stream. */
struct co_tar_reader;
int co_tar_reader_open(struct co_tar_reader **out, struct co_source_stream *s,
		       const struct co_tar_limits *limits, struct co_err *err) co_must_check;
/* 1: *e is the next member, 0: end, <0: error. */
int co_tar_next(struct co_tar_reader *r, struct co_tar_entry *e, struct co_err *err);
ssize_t co_tar_read(struct co_tar_reader *r, void *data, size_t len, struct co_err *err);
/* Next run of data with its offset (sparse files keep their holes): 1, 0 at the end, <0. */
int co_tar_read_block(struct co_tar_reader *r, const void **data, size_t *len, int64_t *offset,
		      struct co_err *err);
void co_tar_reader_close(struct co_tar_reader *r);

/* Unpacking into a root. */
enum co_unpack_mode {
	CO_UNPACK_FLAT,	   /* whiteouts delete from the tree (flattened image) */
	CO_UNPACK_OVERLAY, /* whiteouts become overlayfs whiteouts (char 0:0) and
			      user.overlay.opaque */
	CO_UNPACK_PLAIN	   /* no whiteout meaning (ADD of an archive): names are names */
};
struct co_root;
struct co_unpack {
	enum co_unpack_mode mode;
	const struct co_root *root;
	const char *dest; /* path inside the root to unpack below; "" for the root */
	bool force_owner; /* CO_UNPACK_PLAIN: all entries get uid:gid */
	uint32_t uid, gid;
	struct co_bus *bus; /* warnings (xattrs that cannot be set, devices) */
	uint64_t entries;   /* out: members unpacked */
};
/* Safe against hostile archives: see the attack list in docs/security.md (each row is a test):
 * ".." and absolute names contained or refused, links stored verbatim, parents resolved in-root,
 * the root itself never replaced, hard links resolved inside. Applies owner, mode, xattrs, times in
 * that order, directory times last. */
int co_unpack(struct co_tar_reader *r, struct co_unpack *u, struct co_err *err) co_must_check;
