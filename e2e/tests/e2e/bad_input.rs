//! What cannot be right is refused at once, with the field and the mend.

use alter_e2e::{
    Failure, TestNamespace,
    fixture::{IDLE, grant, grant_of, identity, python_pod},
    with_temp_namespace,
};

async fn refused(here: &TestNamespace, yaml: &str, expected: &[&str]) -> Result<(), Failure> {
    let said = here.refused(yaml).await?;
    for part in expected {
        assert!(
            said.contains(part),
            "{part:?} is missing in: {said}\nfor: {yaml}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn grants() -> Result<(), Failure> {
    with_temp_namespace("bad-grant", &[], async |here| {
        here.identity().await?;
        for (spec, expected) in [
            ("  durationSeconds: 899", ["durationSeconds", "900"]),
            ("  durationSeconds: 43201", ["durationSeconds", "43200"]),
            ("  refreshBefore: soon", ["refreshBefore", "30m"]),
            ("  refreshBefore: 2h", ["refreshBefore", "durationSeconds"]),
            ("  sessionName: a b", ["sessionName", "letters"]),
            ("  sessionName: own", ["sessionName", "FromGrant"]),
            ("  externalId: a", ["externalId", "2 to 1224"]),
            ("  externalId: own", ["externalId", "FromGrant"]),
            ("  tags: {Alter-Namespace: other}", ["tags", "reserved"]),
            ("  tags: {owner: me}", ["tags", "tagKeys"]),
            ("  tags: {owner: \"a;b\"}", ["tags", "owner"]),
            ("  deliveries: [proxy]", ["deliveries", "process"]),
            ("  deliveries: []", ["deliveries", "at least 1"]),
            (
                "  serviceAccounts: [Not_A_Name]",
                ["serviceAccounts", "should match"],
            ),
            ("  secretName: Not_A_Name", ["secretName", "should match"]),
            (
                "  secretTemplate: {labels: {alter.dev/grant: x}}",
                ["labels", "Alter's own"],
            ),
            (
                "  secretTemplate: {annotations: {alter.dev/grant-uid: x}}",
                ["annotations", "Alter's own"],
            ),
            ("  nonsense: true", ["nonsense", "unknown field"]),
        ] {
            refused(&here, &grant(&here.name, "bad", spec), &expected).await?;
        }
        for role in [
            "nonsense",
            "arn:aws:iam::1111:role/a",
            "arn:aws:iam::111122223333:user/a",
            "arn:aws:iam::000000000000:role/*",
        ] {
            refused(
                &here,
                &grant_of(&here.name, "bad", role, ""),
                &["roleArn", "arn:aws:iam::111122223333:role/name"],
            )
            .await?;
        }
        refused(
            &here,
            &grant(&here.name, "bad", "").replace("us-east-1", "moon"),
            &["region", "us-east-1"],
        )
        .await?;
        refused(
            &here,
            &grant(&here.name, "with.dot", ""),
            &["metadata.name", "at most 50"],
        )
        .await?;
        refused(
            &here,
            &grant(&here.name, &"x".repeat(51), ""),
            &["metadata.name", "at most 50"],
        )
        .await?;
        let unknown = grant(&here.name, "unknown", "")
            .replace(&format!("identity: {}", here.name), "identity: nobody");
        let said = here.apply(&unknown).await?;
        assert!(
            said.contains("Warning") && said.contains("nobody"),
            "{said}"
        );
        here.grant_is("unknown", false, "IdentityNotFound")
            .await
            .map(|_| ())
    })
    .await
}

#[tokio::test]
async fn identities() -> Result<(), Failure> {
    with_temp_namespace("bad-identity", &[], async |here| {
        let with = |from: &str, to: &str| identity(&here.name).replace(from, to);
        let session = |session: &str| {
            format!(
                "{}\n  session: {session}\n",
                identity(&here.name).trim_end()
            )
        };
        for (yaml, expected) in [
            (
                with(
                    "credentials: {accessKey",
                    "credentials: {ambient: {}, accessKey",
                ),
                ["credentials", "exactly one"],
            ),
            (
                with("http://ministack", "ministack"),
                ["endpoints.sts", "https://sts."],
            ),
            (with("us-east-1", "moon"), ["region", "us-east-1"]),
            (
                with(
                    "arn:aws:iam::000000000000:role/*",
                    "arn:aws:iam::*:nonsense",
                ),
                ["allow[0]", "role"],
            ),
            (
                session("{name: \"{pod}\"}"),
                ["session.name", "{namespace}"],
            ),
            (session("{name: \"a b\"}"), ["session.name", "letters"]),
            (
                session("{sourceIdentity: \"{grant\"}"),
                ["session.sourceIdentity", "without its"],
            ),
            (
                session("{externalId: \"a b\"}"),
                ["session.externalId", "letters"],
            ),
        ] {
            refused(&here, &yaml, &expected).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn annotations() -> Result<(), Failure> {
    with_temp_namespace("bad-pod", &[], async |here| {
        here.identity().await?;
        here.ready_grant("bedrock", "").await?;
        for (annotations, expected) in [
            ("alter.dev/grant: \"\"", ["alter.dev/grant", "name"]),
            ("alter.dev/grant: Bad_Name", ["alter.dev/grant", "Bad_Name"]),
            (
                "alter.dev/grant: \"bedrock,bedrock\"",
                ["alter.dev/grant", "bedrock"],
            ),
            (
                "alter.dev/grant: bedrock, alter.dev/delivery: pigeon",
                ["alter.dev/delivery", "process"],
            ),
            (
                "alter.dev/grant: bedrock, alter.dev/containers: other",
                ["alter.dev/containers", "other"],
            ),
            (
                "alter.dev/grant: bedrock, alter.dev/agent-resources: lots",
                ["alter.dev/agent-resources", "JSON"],
            ),
            (
                "alter.dev/grant: bedrock, alter.dev/conflict: win",
                ["alter.dev/conflict", "keep"],
            ),
        ] {
            refused(&here, &python_pod("bad", annotations, IDLE), &expected).await?;
        }
        Ok(())
    })
    .await
}
