# MiniStack: AWS's STS, IAM, S3, Secrets Manager and Bedrock in one process that checks signatures,
# session tokens and policies. The keys are those of its root user.
ARG BASE
FROM $BASE
ENV AUTH=true GATEWAY_PORT=4566 BIND_HOST=0.0.0.0 \
    AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_DEFAULT_REGION=us-east-1
EXPOSE 4566
CMD ["ministack"]
