# check=skip=FromAsCasing
FROM alpine:3 as a
MAINTAINER me
# check=skip=MaintainerDeprecated
MAINTAINER me
# a comment
# CHECK = skip=JSONArgsRecommended,MultipleInstructionsDisallowed
# another comment
CMD one
CMD two
# check=rubbish
CMD three
# check=skip=all

CMD four
# check=skip=all
CMD five
# check=experimental=all
ARG x
# check=skip=NoEmptyContinuation
RUN a \

  b
# check=skip=UndefinedArgInFrom,InvalidDefaultArgInFrom
FROM alpine:$tag
