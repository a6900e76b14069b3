FROM scratch AS parent
ONBUILD ARG fromparent=1
ONBUILD WORKDIR rel
ONBUILD USER $nope
FROM parent AS child
USER $fromparent
FROM child
USER $fromparent
