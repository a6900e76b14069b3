FROM --platform=$TARGETPLATFORM alpine
FROM --platform=${TARGETPLATFORM} alpine
FROM --platform=${TARGETPLATFORM:-linux/arm64} alpine
FROM --platform=$BUILDPLATFORM alpine
FROM --platform=$TARGETOS/$TARGETARCH alpine
FROM --platform=$TARGETPLATFORM$TARGETVARIANT alpine
