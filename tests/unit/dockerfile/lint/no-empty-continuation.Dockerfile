FROM scratch
COPY Dockerfile \

.
COPY Dockerfile \
.
