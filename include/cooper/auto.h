/* SPDX-License-Identifier: MIT
 *
 * auto.h — scope-bound ownership. Declare and initialise on one line, hand over with co_steal().
 * Never mixed with goto in one function. Cleanups keep errno.
 */
#pragma once
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <dirent.h>

#define co_cleanup(f) __attribute__((cleanup(f)))
/* Moves a pointer out of its variable. */
#define co_steal(pp)                                                                               \
	({                                                                                         \
		__typeof__(*(pp)) co_stolen_ = *(pp);                                              \
		*(pp) = NULL;                                                                      \
		co_stolen_;                                                                        \
	})
/* Moves a descriptor out of its variable. */
static inline int co_steal_fd(int *fd)
{
	int v = *fd;
	*fd = -1;
	return v;
}
static inline void co_close_fd(int *fd)
{
	int e = errno;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = e;
}
static inline void co_free_ptr(void *pp)
{
	int e = errno;
	free(*(void **)pp);
	errno = e;
}
static inline void co_close_file(FILE **f)
{
	if (*f)
		fclose(*f);
	*f = NULL;
}
static inline void co_close_dir(DIR **d)
{
	int e = errno;
	if (*d)
		closedir(*d);
	*d = NULL;
	errno = e;
}
#define auto_fd	  co_cleanup(co_close_fd) int
#define auto_free co_cleanup(co_free_ptr)
#define auto_file co_cleanup(co_close_file) FILE *
#define auto_dir  co_cleanup(co_close_dir) DIR *
