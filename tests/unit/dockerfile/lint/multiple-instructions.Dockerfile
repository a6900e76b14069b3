FROM scratch
CMD ["a"]
cmd ["b"]
CMD ["c"]
ENTRYPOINT ["a"]
ENTRYPOINT ["b"]
HEALTHCHECK NONE
HEALTHCHECK CMD true
SHELL ["a"]
SHELL ["b"]
FROM scratch
CMD ["a"]
ENTRYPOINT ["a"]
