from scratch
COPY Dockerfile /foo
copy Dockerfile /bar
