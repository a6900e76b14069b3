list(APPEND SRC expand.c glob.c rune.c mount.c chmod.c expose.c refname.c lint.c lint_config.c
	lint_scope.c lint_eval.c lint_file.c lint_from.c lint_insn.c)
