/* SPDX-License-Identifier: MIT */
#include "plain-internal.h"
#include <fcntl.h>
#include <stdlib.h>

#define MAX_DEPTH 2000

struct plain_tree *plain_tree_new(void)
{
	return co_xcalloc(1, sizeof(struct plain_tree));
}

static void free_children(struct plain_node *dir)
{
	for (size_t i = 0; i < dir->n; i++)
		free_children(&dir->children[i]);
	free(dir->children);
}

void plain_tree_free(struct plain_tree *t)
{
	if (!t)
		return;
	free_children(&t->root);
	co_arena_release(&t->arena);
	free(t);
}

static void make_room(struct plain_node *dir)
{
	if (dir->n < dir->room)
		return;
	dir->room = dir->room ? dir->room + dir->room / 2 : 4;
	dir->children = co_xrealloc(dir->children, dir->room, sizeof(*dir->children));
}

struct plain_node *plain_tree_add(struct plain_tree *t, struct plain_node *dir, const char *name,
				  const struct co_meta *m)
{
	make_room(dir);
	struct plain_node *node = &dir->children[dir->n++];
	*node = (struct plain_node){.name = co_arena_strdup(&t->arena, name), .m = *m};
	return node;
}

static int by_name(const void *key, const void *node)
{
	return strcmp(key, ((const struct plain_node *)node)->name);
}

struct plain_node *plain_tree_find(const struct plain_node *dir, const char *name)
{
	return dir->n ? bsearch(name, dir->children, dir->n, sizeof(*dir->children), by_name)
		      : NULL;
}

static int capture_dir(struct plain_tree *t, struct plain_node *dir, const struct co_root *root,
		       int fd, unsigned depth, struct co_err *err)
{
	if (depth > MAX_DEPTH)
		return co_fail(err, CO_E_LIMIT, "directories nested deeper than %d", MAX_DEPTH);
	struct co_names names;
	int e = names_read(&names, fd, err);
	for (size_t i = 0; e == 0 && i < names.n; i++) {
		struct co_meta m;
		const char *name = names.items[i];
		if (co_root_stat(root, fd, name, &m) < 0) {
			e = co_fail_sys(err, "stat %s", name);
			break;
		}
		struct plain_node *node = plain_tree_add(t, dir, name, &m);
		if (!S_ISDIR(m.mode))
			continue;
		auto_fd sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		e = sub < 0 ? co_fail_sys(err, "open directory %s", name)
			    : capture_dir(t, node, root, sub, depth + 1, err);
	}
	co_names_release(&names);
	return e;
}

int plain_tree_capture(struct plain_tree **out, const struct co_root *root, struct co_err *err)
{
	struct plain_tree *t = plain_tree_new();
	auto_fd fd = openat(root->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int e = fd < 0 ? co_fail_sys(err, "open the tree")
		       : capture_dir(t, &t->root, root, fd, 1, err);
	if (e < 0)
		plain_tree_free(t);
	else
		*out = t;
	return e;
}
