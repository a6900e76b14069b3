# check=skip=all;error=true
FROM scratch as Base
MAINTAINER me
CMD run me
