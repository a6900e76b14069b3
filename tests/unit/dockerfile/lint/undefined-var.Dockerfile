FROM alpine AS base
COPY Dockerfile $foo
ARG foo=bar
RUN echo $foo $nothing
COPY $foo ${foa} .
ENV a=$b b=$a
LABEL x=$a y=$undefined z=${undefined}
USER ${usr:-root}
VOLUME $vol ${vol2:+x}
WORKDIR /$wd
STOPSIGNAL $sig
EXPOSE $port
RUN --mount=type=cache,target=/$cache --mount=type=secret,id=$id true
COPY --chown=$own --chmod=${mod} --from=base a b
ADD --checksum=$sum https://example.com/x /
CMD ["$cmd"]
ENTRYPOINT ["$ep"]
HEALTHCHECK CMD $hc
ONBUILD USER $later
ARG declared
USER $declared
ARG x=$declared y=$x z=$not
COPY <<EOF <<'RAW' /dir/
$body \$no
EOF
$raw
RAW
USER $BUILDKIT_SBOM_SCAN_STAGE
