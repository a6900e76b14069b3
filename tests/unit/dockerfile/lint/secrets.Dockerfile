ARG GLOBAL_TOKEN
FROM scratch
ARG SECRET_PASSPHRASE
ENV SUPER_Secret=foo APIKEY=bar monkey=bar
ENV password=foo secret=bar
ARG super_duper_secret_token=foo auth=bar
ENV apikey=bar sunflower=foo git_key=
ENV PUBLIC_KEY= KEY_FILE= TOKEN_VERSION= public_token=
ENV credentials=x MY_CREDENTIAL=y AUTHOR=z passwd_= _pword=x TOKENS=1 KEYS=2
LABEL password=x
