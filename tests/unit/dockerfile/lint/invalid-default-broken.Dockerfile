ARG A=${B:?no b}
FROM busybox:${A}
