FROM scratch AS a
COPY secret.key /
COPY ./dir/../secret.key other /x/
ADD secret.key /
ADD https://example.com/secret.key git@github.com:a/b /
COPY /secret.key /
COPY . /
COPY --from=a secret.key /
COPY <<secret.key /
EOF
secret.key
COPY $unknown secret.key /
ENV f=secret.key
COPY ["$f", "fine", "/"]
