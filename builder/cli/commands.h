/* SPDX-License-Identifier: MIT
 *
 * commands.h — the entries that the table in commands.c is made of.
 */
#pragma once
#include "cli.h"

extern const struct command cmd_build, cmd_lint, cmd_verify;
extern const struct command cmd_push, cmd_pull, cmd_tag, cmd_save, cmd_load;
extern const struct command cmd_login, cmd_logout;
extern const struct command cmd_images, cmd_rmi, cmd_prune, cmd_cache;
extern const struct command cmd_export, cmd_ls, cmd_cat;
extern const struct command cmd_inspect, cmd_history;
extern const struct command cmd_doctor, cmd_version, cmd_help, cmd_gen, cmd_dump;
