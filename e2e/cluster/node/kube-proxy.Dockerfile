# kube-proxy with the nft program that it calls, taken from BASE together with its libraries.
ARG BASE
FROM $BASE AS nft
RUN mkdir /only \
    && ldd /usr/sbin/nft | grep -o '/[^ ]*' | xargs -I{} cp --parents -L {} /only \
    && cp --parents /usr/sbin/nft /only
FROM scratch
COPY --from=nft /only /
COPY kube-proxy /usr/local/bin/
