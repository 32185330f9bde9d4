//! Controllers of AwsIdentity and AwsGrant, and the keeper of the webhook certificate.
