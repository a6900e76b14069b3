# syntax=docker/dockerfile:1
ARG TAG=3
FROM --platform=$BUILDPLATFORM alpine:${TAG} AS build
ARG TARGETARCH
ENV HOME_DIR=/srv PATH=$PATH:/srv/bin
WORKDIR /src
WORKDIR sub
COPY . .
RUN make ARCH=$TARGETARCH $anything
FROM scratch
COPY --from=build /src/out /out
EXPOSE 80 443/udp
CMD ["/out"]
