/* SPDX-License-Identifier: MIT
 *
 * fuzz_layer.c — any bytes as a layer: decompressed, read and unpacked below a folder of its own,
 * with small limits. Nothing may crash or leave the folder.
 */
#include "fuzz.h"
#include <cooper/auto.h>
#include <cooper/fs.h>
#include <cooper/root.h>
#include <cooper/tar.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char dir[] = "/tmp/cooper-fuzz-XXXXXX";
	struct co_err err = CO_ERR_INIT, ignore = CO_ERR_INIT;
	struct co_tar_limits limits = {
		.max_bytes = 4u << 20, .max_entries = 500, .max_name = 1000, .max_depth = 40};
	struct co_tar_reader *tar;
	if (size < 1 || !mkdtemp(dir))
		return 0;
	/* The first byte chooses what whiteouts mean */
	enum co_unpack_mode mode = data[0] % 3;
	struct co_source_stream *in =
		co_stream_inflate(co_stream_mem(data + 1, size - 1), 16u << 20);
	struct co_root root = {.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	struct co_unpack u = {.mode = mode, .root = &root, .dest = ""};
	if (co_tar_reader_open(&tar, in, &limits, &err) == 0) {
		if (co_unpack(tar, &u, &err) < 0 && !err.msg[0])
			abort();
		co_tar_reader_close(tar);
	}
	co_root_close(&root);
	if (co_root_remove(&(struct co_root){.fd = -1}, AT_FDCWD, dir) < 0 &&
	    co_remove_tree(AT_FDCWD, dir, &ignore) < 0)
		abort();
	return 0;
}
