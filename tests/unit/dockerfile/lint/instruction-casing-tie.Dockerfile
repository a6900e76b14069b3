FROM scratch
copy a b
