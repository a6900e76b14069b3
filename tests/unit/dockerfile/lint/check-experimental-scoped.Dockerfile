FROM scratch
# check=experimental=all
# wrong name
ARG x
# wrong name
ARG y
