# Operator, webhook and broker. The build context is a folder that images/build fills.
FROM scratch
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="alter" \
      org.opencontainers.image.description="Alter's operator, webhook and broker" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY LICENSE alter-operator alter-webhook alter-broker /
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
USER 65532:65532
