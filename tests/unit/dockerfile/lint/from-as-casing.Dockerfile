FROM scratch as base
FROM scratch AS base2
FROM scratch As base3
FROM --platform=$BUILDPLATFORM scratch as base4
