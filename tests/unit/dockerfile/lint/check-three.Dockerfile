# check = skip=FromAsCasing ; error=1 ; experimental=all
FROM scratch as Base
MAINTAINER me
CMD run me
