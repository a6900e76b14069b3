arg ignored=1
FROM scratch
# one against two
copy Dockerfile /foo
COPY Dockerfile /bar
