FROM scratch
COPY d /d
