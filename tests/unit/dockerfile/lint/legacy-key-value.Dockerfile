FROM scratch
ENV key value
LABEL key value
ENV a=b
LABEL a=b
env x y
