# What runs in annotated pods. It speaks to nothing outside its pod but the broker, whose CA a ConfigMap brings. The
# build context is a folder that images/build fills.
FROM scratch
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="alter-agent" \
      org.opencontainers.image.description="Alter's agent and credential_process helper" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY LICENSE alter-agent credential-process /
USER 65532:65532
ENTRYPOINT ["/alter-agent"]
CMD ["serve"]
