/* SPDX-License-Identifier: MIT
 *
 * All commands, in the order in which help lists them.
 */
#include "commands.h"

const struct command *const commands[] = {
	&cmd_build,  &cmd_verify, &cmd_lint, &cmd_push,	   &cmd_pull,	 &cmd_login,  &cmd_logout,
	&cmd_images, &cmd_tag,	  &cmd_rmi,  &cmd_prune,   &cmd_cache,	 &cmd_save,   &cmd_load,
	&cmd_export, &cmd_ls,	  &cmd_cat,  &cmd_inspect, &cmd_history, &cmd_doctor, &cmd_version,
	&cmd_help,   &cmd_gen,	  &cmd_dump, NULL};
