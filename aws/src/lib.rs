//! STS through the AWS SDK: source credentials, role sessions, error classes.
