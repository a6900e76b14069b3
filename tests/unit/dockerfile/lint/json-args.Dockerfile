FROM scratch AS a
cmd run me
entrypoint run me
FROM scratch AS b
SHELL ["/bin/bash", "-c"]
CMD run me
FROM b
ENTRYPOINT run me
FROM scratch
CMD ["run"]
ENTRYPOINT []
HEALTHCHECK CMD run me
FROM scratch
CMD ['run']
