/* SPDX-License-Identifier: MIT
 *
 * The bundle's `cooper`: starts the real program with the loader and the libraries that lie beside
 * it, so that the folder works in any container, whatever C library that has (or none). Static, and
 * it reads nothing but its own place.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOADER	"/lib/ld.so"
#define LIBS	"/lib"
#define PROGRAM "/libexec/cooper"
#define ROOM	32 /* for the longest of these */
#define EXTRA	5  /* loader's own arguments */

/* The folder that this program lies in; links to it are followed. */
static int home(char *out, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", out, size - 1);
	if (n < 0 || (size_t)n == size - 1)
		return -1;
	out[n] = '\0';
	char *slash = strrchr(out, '/');
	if (!slash)
		return -1;
	*slash = '\0';
	return 0;
}

int main(int argc, char **argv)
{
	static char dir[PATH_MAX], loader[PATH_MAX + ROOM], libs[PATH_MAX + ROOM],
		program[PATH_MAX + ROOM], name[] = "cooper";
	char **args = calloc((size_t)argc + EXTRA + 1, sizeof(*args));
	if (!args || home(dir, sizeof(dir)) < 0) {
		fprintf(stderr, "cooper: can not find its own folder: %s (is /proc mounted?)\n",
			strerror(errno));
		return 1;
	}
	snprintf(loader, sizeof(loader), "%s" LOADER, dir);
	snprintf(libs, sizeof(libs), "%s" LIBS, dir);
	snprintf(program, sizeof(program), "%s" PROGRAM, dir);
	char *first[EXTRA + 1] = {loader, (char[]){"--argv0"}, name, (char[]){"--library-path"},
				  libs,	  program};
	memcpy(args, first, sizeof(first));
	if (argc > 1)
		memcpy(args + EXTRA + 1, argv + 1, (size_t)(argc - 1) * sizeof(*argv));
	execv(loader, args);
	fprintf(stderr, "cooper: %s: %s (the folder must stay together: cooper, lib/, libexec/)\n",
		loader, strerror(errno));
	return 1;
}
