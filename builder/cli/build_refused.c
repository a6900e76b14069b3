/* SPDX-License-Identifier: MIT
 *
 * What docker (buildx) build has and cooper does not carry out. A value that asks for what cooper
 * does anyway is accepted.
 */
#include "build_args.h"

#define LEAVE_OUT "leave the flag out"

const struct refusal build_refused[] = {
	{"load", 0, false, "false", "there is no daemon to load the image into",
	 "the image is in cooper's own store; for docker write an archive: -o "
	 "type=docker,dest=image.tar"},
	{"builder", 0, true, "default", "there is one builder, and it is this process",
	 LEAVE_OUT "; several machines need several calls of cooper"},
	{"attest", 0, true, "type=provenance,disabled=true", "attestations are not made",
	 LEAVE_OUT ", and attach them with a tool of your choice to the pushed digest"},
	{"provenance", 0, false, "false", "provenance attestations are not made",
	 "give --provenance=false, or attach them to the pushed digest with another tool"},
	{"sbom", 0, false, "false", "SBOM attestations are not made",
	 "give --sbom=false, or attach them to the pushed digest with another tool"},
	{"cgroup-parent", 0, true, NULL, "steps run in a cgroup of cooper's own",
	 "limit a step with --memory, --cpus and --pids"},
	{"shm-size", 0, true, NULL, "/dev/shm has the size the kernel gives a tmpfs",
	 "mount what the step needs: RUN --mount=type=tmpfs,target=/dev/shm,size=64m"},
	{"ulimit", 0, true, NULL, "steps run under the limits of the calling process",
	 "set them before the build: ulimit -n 65536; cooper build …"},
	{"debug", 'D', false, "false", "there is no debug log",
	 "--progress=plain shows everything a step says"},
	{"compress", 0, false, NULL, "the context is read in place and never sent anywhere",
	 LEAVE_OUT},
	{"rm", 0, false, "true", "there are no intermediate containers that could stay", LEAVE_OUT},
	{"force-rm", 0, false, "true", "there are no intermediate containers that could stay",
	 LEAVE_OUT},
	{"isolation", 0, true, "default", "isolation technologies are a matter of Windows",
	 "choose how steps are walled in with --sandbox"},
	{"security-opt", 0, true, NULL, "the wall around steps is not configurable",
	 "choose a sandbox with --sandbox; RUN --security=insecure needs "
	 "--allow=security.insecure"},
	{"memory-swap", 0, true, NULL, "swap is not limited by itself",
	 "limit memory with --memory"},
	{"cpu-period", 0, true, NULL, "CPU time is limited as a number of CPUs", "give --cpus=1.5"},
	{"cpu-quota", 0, true, NULL, "CPU time is limited as a number of CPUs", "give --cpus=1.5"},
	{"cpu-shares", 'c', true, NULL, "CPU time is limited as a number of CPUs",
	 "give --cpus=1.5"},
	{"cpuset-cpus", 0, true, NULL, "steps run on the CPUs of the calling process",
	 "start cooper with taskset -c 0-3"},
	{"cpuset-mems", 0, true, NULL, "steps use the memory nodes of the calling process",
	 "start cooper with numactl"},
	{NULL, 0, false, NULL, NULL, NULL}};
