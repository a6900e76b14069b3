/* SPDX-License-Identifier: MIT
 *
 * Which devices the processes of a control group may open: the ones every program expects. As in
 * Docker a step's root may make any node, for the image, but not use it on this machine.
 */
#include "sandbox-internal.h"
#include <linux/bpf.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#define MAX_GIVEN 64 /* as many descriptors as a step's mounts have */

#define INSN(c, d, s, o, i)                                                                        \
	((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define LOAD(d, o)   INSN(BPF_LDX | BPF_MEM | BPF_W, d, BPF_REG_1, o, 0)
#define JNE(r, i, o) INSN(BPF_JMP | BPF_JNE | BPF_K, r, 0, o, i)
#define JEQ(r, i, o) INSN(BPF_JMP | BPF_JEQ | BPF_K, r, 0, o, i)
#define AND(r, i)    INSN(BPF_ALU64 | BPF_AND | BPF_K, r, 0, 0, i)
#define RET(i)                                                                                     \
	INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, i), INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define OFF(f) ((short)__builtin_offsetof(struct bpf_cgroup_dev_ctx, f))

static const struct {
	unsigned major, minor; /* minor ANY: all */
} usual[] = {{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 2}, {136, ~0u}};

static long bpf(int cmd, union bpf_attr *a)
{
	return syscall(SYS_bpf, cmd, a, sizeof(*a));
}

/* The devices that the step was given. */
static size_t allow_given(struct bpf_insn *p, const struct co_run *run)
{
	size_t n = 0, count = 0;
	for (size_t i = 0; run && i < run->n_mounts && count < MAX_GIVEN; i++) {
		struct stat sb;
		const struct co_mount_op *op = &run->mounts[i];
		if (op->kind != CO_MOP_DEVICE || fstat(op->src_fd, &sb) < 0)
			continue;
		int type = S_ISBLK(sb.st_mode) ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
		const struct bpf_insn one[] = {JNE(BPF_REG_2, type, 4),
					       JNE(BPF_REG_3, (int)major(sb.st_rdev), 3),
					       JNE(BPF_REG_4, (int)minor(sb.st_rdev), 2), RET(1)};
		memcpy(p + n, one, sizeof(one));
		n += sizeof(one) / sizeof(one[0]);
		count++;
	}
	return n;
}

/* r2: type and access; r3, r4: numbers. */
static size_t program(struct bpf_insn *p, const struct co_run *given)
{
	size_t n = 0;
	const struct bpf_insn head[] = {
		LOAD(BPF_REG_2, OFF(access_type)), LOAD(BPF_REG_3, OFF(major)),
		LOAD(BPF_REG_4, OFF(minor)),
		/* making a node is no use of it */
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_5, BPF_REG_2, 0, 0),
		INSN(BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_5, 0, 0, 16),
		JNE(BPF_REG_5, BPF_DEVCG_ACC_MKNOD, 2), RET(1), AND(BPF_REG_2, 0xffff)};
	memcpy(p, head, sizeof(head));
	n = sizeof(head) / sizeof(head[0]);
	n += allow_given(p + n, given);
	const struct bpf_insn chars[] = {JEQ(BPF_REG_2, BPF_DEVCG_DEV_CHAR, 2), RET(0)};
	memcpy(p + n, chars, sizeof(chars));
	n += sizeof(chars) / sizeof(chars[0]);
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
		bool any = usual[i].minor == ~0u;
		p[n++] = JNE(BPF_REG_3, (int)usual[i].major, any ? 2 : 3);
		if (!any)
			p[n++] = JNE(BPF_REG_4, (int)usual[i].minor, 2);
		const struct bpf_insn yes[] = {RET(1)};
		memcpy(p + n, yes, sizeof(yes));
		n += 2;
	}
	const struct bpf_insn no[] = {RET(0)};
	memcpy(p + n, no, sizeof(no));
	return n + 2;
}

int group_devices(int cgroup, const struct co_run *given)
{
	struct bpf_insn insns[64 + MAX_GIVEN * 5];
	union bpf_attr load = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE};
	load.insns = (uint64_t)(uintptr_t)insns;
	load.insn_cnt = (uint32_t)program(insns, given);
	load.license = (uint64_t)(uintptr_t) "MIT";
	auto_fd prog = (int)bpf(BPF_PROG_LOAD, &load);
	if (prog < 0)
		return -1;
	union bpf_attr attach = {.target_fd = (uint32_t)cgroup,
				 .attach_bpf_fd = (uint32_t)prog,
				 .attach_type = BPF_CGROUP_DEVICE,
				 .attach_flags = BPF_F_ALLOW_MULTI};
	return (int)bpf(BPF_PROG_ATTACH, &attach);
}
