/* SPDX-License-Identifier: MIT
 *
 * tar-internal.h — the ustar header block and the PAX records that go before it.
 */
#pragma once
#include <cooper/buf.h>
#include <cooper/tar.h>
#include <stdbool.h>
#include <stdint.h>

#define TAR_BLOCK   512u
#define TAR_PAX_MAX (1u << 20) /* what readers accept as one header */

struct ustar {
	char name[100];
	char mode[8], uid[8], gid[8];
	char size[12], mtime[12];
	char chksum[8];
	char typeflag;
	char linkname[100];
	char magic[6], version[2];
	char uname[32], gname[32];
	char devmajor[8], devminor[8];
	char prefix[155];
	char pad[12];
};
_Static_assert(sizeof(struct ustar) == TAR_BLOCK, "a header is one block");

/* Fills h for e named `name` (with the final slash of a directory); what does not fit into the
 * header goes into pax as records. */
void tar_fill(struct ustar *h, const struct co_tar_entry *e, const char *name, char type,
	      struct co_buf *pax);
/* The header block of a PAX record set of `size` bytes that belongs to `name`. */
void tar_fill_pax(struct ustar *h, const char *name, uint64_t size);
