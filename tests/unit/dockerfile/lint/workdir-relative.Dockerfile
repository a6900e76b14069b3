FROM alpine AS a
WORKDIR app/
WORKDIR more
FROM alpine AS b
WORKDIR /app
WORKDIR more
FROM b
WORKDIR still/fine
FROM alpine
ARG dir=sub
ENV base=/srv
WORKDIR $base
FROM alpine
ARG dir=a"b
WORKDIR ${dir}
FROM alpine
ARG dir=sub
WORKDIR $dir
FROM alpine
WORKDIR $APP_HOME
FROM alpine
ARG given
WORKDIR $given
FROM scratch
WORKDIR ''
