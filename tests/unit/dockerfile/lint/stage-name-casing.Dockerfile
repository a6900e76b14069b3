FROM scratch AS BadStageName
FROM scratch AS good
FROM badstagename AS Other-Name_1
