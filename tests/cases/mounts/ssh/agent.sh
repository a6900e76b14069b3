ssh-agent -a "$CASE/sock" -D >/dev/null 2>&1 & echo $! >pid
for i in 1 2 3 4 5 6 7 8 9; do test -S sock && break; sleep 0.1; done
