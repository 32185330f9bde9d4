# Python with the AWS SDK and command line, and MiniStack, which needs the very same SDK. BASE has
# Python alone; pip runs out of its own wheel, so that the image is left without it.
ARG BASE
FROM $BASE AS install
COPY wheels /wheels
RUN python3 "$(echo /wheels/pip-*.whl)/pip" install --no-index --find-links /wheels --no-cache-dir \
        --root-user-action ignore --target /opt/packages boto3 awscli ministack \
    && rm -rf /opt/packages/awscli/examples
FROM $BASE
COPY --from=install /opt/packages /opt/packages
RUN site="$(python3 -c 'import site; print(site.getsitepackages()[0])')" \
    && mkdir -p "$site" && echo /opt/packages >"$site/packages.pth" \
    && ln -s /opt/packages/bin/aws /opt/packages/bin/ministack /usr/local/bin/
# For any user, on a root file system that is read-only.
ENV HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
CMD ["python3"]
