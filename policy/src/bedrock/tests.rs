use super::*;
use crate::{arn::Owner, session_policy::LIMIT};

pub(super) const OWNER: Owner<'_> = Owner {
    partition: "aws",
    account: "111122223333",
};
pub(super) const REGION: &str = "us-east-1";
const HAIKU: &str = "anthropic.claude-3-haiku-20240307-v1:0";
pub(super) const GUARDRAIL: &str = "arn:aws:bedrock:us-east-1:111122223333:guardrail/abc123def456";
pub(super) fn bedrock<'a>(models: &'a [String], guardrail: Option<&'a str>) -> Bedrock<'a> {
    Bedrock {
        models,
        guardrail,
        region: REGION,
    }
}

fn owned(models: &[&str]) -> Vec<String> {
    models.iter().map(|&model| model.to_owned()).collect()
}

fn compiled(models: &[&str]) -> Result<String, BedrockError> {
    compile(bedrock(&owned(models), None), OWNER)
}

#[test]
fn a_model_is_allowed_in_the_grants_region_alone() {
    assert_eq!(
        compiled(&[HAIKU]).unwrap(),
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["bedrock:InvokeModel","bedrock:InvokeModelWithResponseStream"],"Resource":"arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0"}]}"#
    );
}

#[test]
fn a_geographic_profile_fences_its_model() {
    let profile = "arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.meta.llama3-1-70b-instruct-v1:0";
    assert_eq!(
        compiled(&["us.meta.llama3-1-70b-instruct-v1:0"]).unwrap(),
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":["bedrock:InvokeModel","bedrock:InvokeModelWithResponseStream"],"Resource":"{profile}"}},{{"Effect":"Allow","Action":["bedrock:InvokeModel","bedrock:InvokeModelWithResponseStream"],"Resource":"arn:aws:bedrock:*::foundation-model/meta.llama3-1-70b-instruct-v1:0","Condition":{{"StringLike":{{"bedrock:InferenceProfileArn":"{profile}"}}}}}}]}}"#
        )
    );
}

#[test]
fn a_global_profile_leads_from_the_grants_region_to_no_named_one() {
    let policy = compiled(&["global.amazon.nova-2-lite-v1:0"]).unwrap();
    let policy: serde_json::Value = serde_json::from_str(&policy).unwrap();
    let profile =
        "arn:aws:bedrock:us-east-1:111122223333:inference-profile/global.amazon.nova-2-lite-v1:0";
    let fence = |rest: serde_json::Value| {
        let mut keys = rest;
        keys["bedrock:InferenceProfileArn"] = profile.into();
        serde_json::json!({"StringLike": keys})
    };
    let statements: Vec<_> = policy["Statement"].as_array().unwrap().iter().collect();
    assert_eq!(statements.len(), 3);
    for (at, resource, condition) in [
        (0, profile, serde_json::Value::Null),
        (
            1,
            "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-2-lite-v1:0",
            fence(serde_json::json!({})),
        ),
        (
            2,
            "arn:aws:bedrock:::foundation-model/amazon.nova-2-lite-v1:0",
            fence(serde_json::json!({"aws:RequestedRegion": "unspecified"})),
        ),
    ] {
        assert_eq!(statements[at]["Resource"], resource);
        assert_eq!(statements[at]["Condition"], condition);
    }
}

#[test]
fn sizes_are_no_more_than_those_known() {
    let geographic = |n: usize| {
        (0..n)
            .map(|i| format!("us.anthropic.claude-sonnet-4-2025051{i}-v1:0"))
            .collect::<Vec<_>>()
    };
    for (models, limit) in [
        (geographic(1), 597),
        (geographic(6), LIMIT),
        (
            owned(&["global.anthropic.claude-sonnet-4-20250514-v1:0"]),
            1_002,
        ),
    ] {
        let policy = compile(bedrock(&models, None), OWNER).unwrap();
        assert!(policy.len() <= limit, "{}: {policy}", policy.len());
    }
}

#[test]
fn what_does_not_fit_says_how_many_do_and_what_to_write() {
    let listed: Vec<_> = (0..20)
        .map(|i| format!("us.anthropic.claude-sonnet-4-2025{i:04}-v1:0"))
        .collect();
    let error = compile(bedrock(&listed, None), OWNER).unwrap_err();
    let BedrockError::TooLong { fit, .. } = error else {
        panic!("{error}");
    };
    assert!(compile(bedrock(&listed[..fit], None), OWNER).is_ok());
    assert!(compile(bedrock(&listed[..=fit], None), OWNER).is_err());
    let text = error.to_string();
    let expected = format!(
        "AWS takes 2048: the first {fit} fit; write us.anthropic.claude-sonnet-4-202500* instead"
    );
    assert!(text.contains(&expected), "{text}");
    assert!(text.contains("spec.policyArns"), "{text}");
    let family = owned(&["us.anthropic.claude-sonnet-4-202500*"]);
    assert!(compile(bedrock(&family, None), OWNER).is_ok());

    let strangers: Vec<_> = (0..40).map(|i| format!("provider-{i}.model")).collect();
    let text = compile(bedrock(&strangers, None), OWNER)
        .unwrap_err()
        .to_string();
    assert!(text.contains("write a family such as"), "{text}");
}

#[test]
fn what_another_entry_covers_costs_nothing() {
    let all = compiled(&["anthropic.*"]).unwrap();
    assert_eq!(
        compiled(&[HAIKU, "anthropic.*", "anthropic.claude-3*"]).unwrap(),
        all
    );
    assert_eq!(
        compiled(&[HAIKU, HAIKU]).unwrap(),
        compiled(&[HAIKU]).unwrap()
    );
}

#[test]
fn what_names_no_model_is_refused() {
    for (entry, start) in [
        ("*", "\"*\" names no provider"),
        ("anthropic*", "\"anthropic*\" names no provider"),
        ("claude", "\"claude\" names no provider"),
        ("us.*", "\"us.*\" names no provider"),
        ("us.anthropic*", "\"us.anthropic*\" names no provider"),
        ("global.*", "\"global.*\" names no provider"),
        (".claude", "\".claude\" names no provider"),
        ("*.claude", "\"*.claude\" has a *"),
        ("anthropic.*-haiku", "\"anthropic.*-haiku\" has a *"),
        ("anthropic.claude**", "\"anthropic.claude**\" has a *"),
        ("anthropic.", "\"anthropic.\" is no model"),
        ("anthropic.claude?", "\"anthropic.claude?\" is no model"),
        (
            "anthropic.${aws:username}",
            "\"anthropic.${aws:username}\" is no model",
        ),
        ("anthropic.a/b", "\"anthropic.a/b\" is no model"),
        ("Anthropic.claude", "\"Anthropic.claude\" is no model"),
        (
            "arn:aws:bedrock:us-east-1::foundation-model/x.y",
            "\"arn:aws:bedrock:us-east-1::foundation-model/x.y\" is no ARN of an app",
        ),
        (
            "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/*",
            "\"arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/*\" is no ARN of an app",
        ),
        (
            "arn:aws:bedrock:us-east-1:111122223333:custom-model/a",
            "\"arn:aws:bedrock:us-east-1:111122223333:custom-model/a\" is no ARN of an app",
        ),
        (
            "arn:aws:bedrock:eu-west-1:111122223333:application-inference-profile/a",
            "\"arn:aws:bedrock:eu-west-1:111122223333:application-inference-profile/a\" is not in us-east-1",
        ),
        (
            "arn:aws:bedrock:us-east-1:444455556666:application-inference-profile/a",
            "\"arn:aws:bedrock:us-east-1:444455556666:application-inference-profile/a\" is not of account 111122223333",
        ),
        (
            "arn:aws-cn:bedrock:us-east-1:111122223333:application-inference-profile/a",
            "\"arn:aws-cn:bedrock:us-east-1:111122223333:application-inference-profile/a\" is not of account",
        ),
    ] {
        let error = compiled(&[HAIKU, entry]).unwrap_err();
        assert!(
            matches!(error, BedrockError::Model { index: 1, .. }),
            "{error:?}"
        );
        let text = error.to_string();
        assert!(text.starts_with(start), "{text}");
    }
    assert_eq!(compiled(&[]), Err(BedrockError::Empty));
    let far = owned(&["arn:aws-cn:bedrock:us-east-1:444455556666:application-inference-profile/a"]);
    assert_eq!(
        check(bedrock(&far, None), None),
        Ok(()),
        "nobody knows whose"
    );
}

#[test]
fn what_is_no_guardrail_is_refused() {
    for (text, part) in [
        ("abc123def456", "is no guardrail"),
        (
            "arn:aws:bedrock:us-east-1:111122223333:guardrail/*",
            "is no guardrail",
        ),
        (
            "arn:aws:bedrock:us-east-1:111122223333:guardrail/a:",
            "is no guardrail",
        ),
        (
            "arn:aws:bedrock:us-east-1:111122223333:guardrail/a:*",
            "is no guardrail",
        ),
        (
            "arn:aws:bedrock:us-east-1:111122223333:prompt/a",
            "is no guardrail",
        ),
        (
            "arn:aws:bedrock:eu-west-1:111122223333:guardrail/a",
            "is not in us-east-1",
        ),
        (
            "arn:aws-cn:bedrock:us-east-1:111122223333:guardrail/a",
            "is not in partition aws, to which the session belongs: write a guardrail of that partition",
        ),
    ] {
        let error = compile(bedrock(&owned(&[HAIKU]), Some(text)), OWNER).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
}
