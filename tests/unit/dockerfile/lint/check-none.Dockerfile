FROM scratch as Base
MAINTAINER me
CMD run me
