/* SPDX-License-Identifier: MIT
 *
 * slots.h — the stacks on which trapped calls are served, one per call in progress.
 */
#pragma once
#include <stdint.h>
#include <ucontext.h>
#include <signal.h>

#define SLOTS	  128
#define SLOT_SIZE 98304u
/* The words of slots that are in use. OPEN: a call without a trap, signals not held. */
enum { SLOT_TAKEN = 1, SLOT_OPEN = 2 };
int slot_take(uint32_t word);
void slot_give(int slot);
char *slot_top(int slot);
/* The slot's word: nonzero while it is taken. The kernel may clear it for us (exec.c). */
uint32_t *slot_word(int slot);
/* Does this process share its memory with a parent (vfork)? */
bool slot_is_guest_of_parent(void);
/* Waits until no call is in progress during which signals are not held. */
void slots_drain(void);
/* Before anything else: brings in the memory that every process uses. */
void slots_prepare(void);
void slots_init(void);
void trap_c(siginfo_t *si, ucontext_t *uc, int slot);
uint64_t start_c(uint64_t *sp);
