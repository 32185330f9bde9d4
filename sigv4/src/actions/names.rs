//! What policies call services and operations, where that is not what the models call them.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/>

/// The prefix of a service's actions.
pub(super) fn service(signing_name: &'static str) -> &'static str {
    match signing_name {
        "IoTSecuredTunneling" | "iotdata" => "iot",
        "awsssoportal" => "sso",
        "cloudcontrolapi" => "cloudformation",
        "iot-jobs-data" => "iotjobsdata",
        "monitoring" => "cloudwatch",
        "tagging" => "tag",
        same => same,
    }
}

/// The action that an operation is allowed by.
pub(super) fn action<'a>(signing_name: &str, operation: &'a str) -> &'a str {
    match (signing_name, operation) {
        // Converse and its stream have no actions of their own.
        ("bedrock", "Converse") => "InvokeModel",
        ("bedrock", "ConverseStream") => "InvokeModelWithResponseStream",
        ("lambda", "Invoke" | "InvokeAsync" | "InvokeWithResponseStream") => "InvokeFunction",
        ("lambda", "GetLayerVersionByArn") => "GetLayerVersion",
        ("sns", "PublishBatch") => "Publish",
        ("sqs", "SendMessageBatch") => "SendMessage",
        ("sqs", "DeleteMessageBatch") => "DeleteMessage",
        ("sqs", "ChangeMessageVisibilityBatch") => "ChangeMessageVisibility",
        (_, same) => same,
    }
}
