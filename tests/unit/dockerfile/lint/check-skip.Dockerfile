# check=skip=StageNameCasing, JSONArgsRecommended ,Unknown
FROM scratch as Base
MAINTAINER me
CMD run me
