# check=experimental=InvalidDefinitionDescription
# bar this is the bar
ARG foo=bar
# BasE this is the BasE image
FROM scratch AS base
# definitely a bad comment
ARG version=latest
# definitely a bad comment
ARG baz=quux qux=xyz
#
FROM scratch AS next
# next

FROM scratch AS after
# good the good one
FROM scratch AS good
# two comments
# one fine name
ARG one=1 two=2
# check=skip=JSONArgsRecommended
ARG skipped
# no name here
FROM scratch
# about this command
RUN true
