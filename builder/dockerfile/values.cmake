list(APPEND SRC expand.c glob.c rune.c mount.c chmod.c expose.c)
