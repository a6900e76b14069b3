ARG tag=latest
ARG declared
FROM busybox:${tga}
FROM --platform=$BULIDPLATFORM scratch
FROM alpine:$zzzzzzzz
FROM busybox:${tag}${declared}
FROM ${base:-alpine}
FROM alpine${TAG:+:3}
