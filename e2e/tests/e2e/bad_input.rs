//! What cannot be right is refused at once, with the field and the mend; what is right goes on beside it.

use alter_e2e::{
    Failure, TestNamespace,
    app::with_served_app,
    fixture::{AWS_ENDPOINT, IDLE, grant, grant_of, identity, python_pod},
    system::lives,
    wait,
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

/// Beside a good grant and its app, which go on, and so does the installation.
async fn beside_a_good_grant(
    test: &str,
    body: impl AsyncFnOnce(&TestNamespace) -> Result<(), Failure>,
) -> Result<(), Failure> {
    with_served_app(test, "process", async |here| {
        let before = lives().await?;
        body(here).await?;
        here.is_served("app").await?;
        here.ready_grant("another", "").await?;
        assert_eq!(lives().await?, before, "something crashed");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn grants() -> Result<(), Failure> {
    beside_a_good_grant("bad-grant", async |here| {
        for (spec, expected) in [
            ("  durationSeconds: 899", ["durationSeconds", "900"]),
            ("  durationSeconds: 43201", ["durationSeconds", "43200"]),
            ("  durationSeconds: soon", ["durationSeconds", "integer"]),
            ("  refreshBefore: soon", ["refreshBefore", "30m"]),
            ("  refreshBefore: 2h", ["refreshBefore", "durationSeconds"]),
            ("  sessionName: a b", ["sessionName", "letters"]),
            ("  externalId: a", ["externalId", "2 to 1224"]),
            ("  tags: {owner: \"a;b\"}", ["tags", "owner"]),
            ("  deliveries: [proxy]", ["deliveries", "process"]),
            ("  deliveries: []", ["deliveries", "at least 1"]),
            (
                "  serviceAccounts: [Not_A_Name]",
                ["serviceAccounts", "should match"],
            ),
            ("  secretName: Not_A_Name", ["secretName", "should match"]),
            (
                "  secretName: bedrock-aws",
                ["spec.secretName", "choose another name"],
            ),
            (
                "  secretTemplate: {labels: {alter.dev/grant: x}}",
                ["labels", "Alter's own"],
            ),
            (
                "  secretTemplate: {annotations: {alter.dev/grant-uid: x}}",
                ["annotations", "Alter's own"],
            ),
            (
                "  secretTemplate: {labels: {\"a b\": x}}",
                ["spec.secretTemplate.labels", "with a letter or digit"],
            ),
            (
                "  secretTemplate: {labels: {a: \"b c\"}}",
                ["spec.secretTemplate.labels", "that a label may have"],
            ),
            (
                "  secretTemplate: {annotations: {\"a b\": x}}",
                ["spec.secretTemplate.annotations", "with a letter or digit"],
            ),
            ("  suspend: maybe", ["suspend", "boolean"]),
            ("  nonsense: true", ["nonsense", "unknown field"]),
        ] {
            refused(here, &grant(&here.name, "bad", spec), &expected).await?;
        }
        for role in [
            "nonsense",
            "arn:aws:iam::1111:role/a",
            "arn:aws:iam::111122223333:user/a",
            "arn:aws:iam::000000000000:role/*",
        ] {
            let mend = ["roleArn", "arn:aws:iam::111122223333:role/name"];
            refused(here, &grant_of(&here.name, "bad", role, ""), &mend).await?;
        }
        let good = grant(&here.name, "bad", "");
        let identity = format!("identity: {}", here.name);
        for (bad, expected) in [
            (good.replace("us-east-1", "moon"), ["region", "us-east-1"]),
            (
                good.replace(&identity, "identity: No_Name"),
                ["spec.identity", "lower-case letters"],
            ),
            (
                good.replace(&identity, "identity: \"\""),
                ["identity", "at least 1"],
            ),
            (
                grant(&here.name, "with.dot", ""),
                ["metadata.name", "at most 50"],
            ),
            (
                grant(&here.name, &"x".repeat(51), ""),
                ["metadata.name", "at most 50"],
            ),
        ] {
            refused(here, &bad, &expected).await?;
        }
        // What may come later is no error, and says what is waited for.
        let yaml = good.replace("name: bad", "name: unknown");
        let said = here
            .apply(&yaml.replace(&identity, "identity: nobody"))
            .await?;
        assert!(
            said.contains("Warning") && said.contains("nobody"),
            "{said}"
        );
        here.grant_is("unknown", false, "IdentityNotFound").await?;
        here.grant_is("unknown", false, "spec.identity").await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn identities() -> Result<(), Failure> {
    beside_a_good_grant("bad-identity", async |here| {
        // Under a name of its own: the good one serves the grant.
        let good = identity(&here.name).replacen(&here.name, "bad-identity", 1);
        let with = |from: &str, to: &str| good.replace(from, to);
        let session = |session: &str| format!("{}\n  session: {session}\n", good.trim_end());
        let rule = |rule: &str| format!("{}\n    {rule}\n", good.trim_end());
        let namespaces = format!("namespaces: {{names: [{}]}}", here.name);
        let key = "{accessKey: {secretRef: {name: aws-access-key}}}";
        for (yaml, expected) in [
            (
                with("{accessKey:", "{ambient: {}, accessKey:"),
                ["spec.credentials", "exactly one"],
            ),
            (with(key, "{}"), ["spec.credentials", "exactly one"]),
            (
                with(key, "{accessKey: {}}"),
                ["spec.credentials.accessKey.secretRef", "Required"],
            ),
            (
                with("aws-access-key", "Not_A_Name"),
                ["spec.credentials.accessKey.secretRef.name", "should match"],
            ),
            (
                with("aws-access-key", "\"\""),
                ["spec.credentials.accessKey.secretRef.name", "at least 1"],
            ),
            (
                with("http://ministack", "ministack"),
                ["endpoints.sts", "https://sts."],
            ),
            (
                with(AWS_ENDPOINT, "no url"),
                ["endpoints.sts", "https://sts."],
            ),
            (with("http://", "ftp://"), ["endpoints.sts", "https://sts."]),
            (
                with("http://", "http://user:word@"),
                ["spec.endpoints.sts", "remove what is before the @"],
            ),
            (with("us-east-1", "moon"), ["spec.region", "us-east-1"]),
            (
                with(
                    "arn:aws:iam::000000000000:role/*",
                    "arn:aws:iam::*:nonsense",
                ),
                ["spec.allow[0].roleArns[0]", "role"],
            ),
            (
                with("[\"arn:aws:iam::000000000000:role/*\"]", "[]"),
                ["spec.allow[0].roleArns", "at least 1"],
            ),
            (
                with(&namespaces, "namespaces: {}"),
                ["spec.allow[0].namespaces", "write names, or a selector"],
            ),
            (
                with(&namespaces, "namespaces: {names: []}"),
                ["spec.allow[0].namespaces.names", "at least 1"],
            ),
            (
                with(
                    &namespaces,
                    "namespaces: {selector: {matchExpressions: [{key: team, operator: NotIn}]}}",
                ),
                [
                    "spec.allow[0].namespaces.selector",
                    "write those that the label may have",
                ],
            ),
            (
                rule("maxDurationSeconds: 899"),
                ["spec.allow[0].maxDurationSeconds", "900"],
            ),
            (
                rule("maxDurationSeconds: 43201"),
                ["spec.allow[0].maxDurationSeconds", "43200"],
            ),
            (
                rule("externalId: own"),
                ["spec.allow[0].externalId", "\"FromGrant\""],
            ),
            (
                rule("sessionName: own"),
                ["spec.allow[0].sessionName", "\"FromGrant\""],
            ),
            (rule("stores: [Secret]"), ["spec.allow[0].stores[0]", "\"Broker\""]),
            (
                with(
                    "roleArns: [\"arn:aws:iam::000000000000:role/*\"]",
                    "identitySession: Full\n    chainArns: [\"arn:aws:iam::000000000000:role/hub\"]",
                ),
                ["spec.allow[0]", "write roleArns too"],
            ),
            (
                rule("tagKeys: [Kubernetes-Namespace]"),
                ["spec.allow[0].tagKeys[0]", "reserved"],
            ),
            (
                session("{name: \"{node}\"}"),
                ["session.name", "{namespace}"],
            ),
            (session("{name: \"a b\"}"), ["session.name", "letters"]),
            (
                session("{sourceIdentity: \"{grant\"}"),
                ["session.sourceIdentity", "without its"],
            ),
            (
                session("{externalId: \"{namespace}-{grant}\"}"),
                ["session.externalId", "makes one text of"],
            ),
            (
                session("{externalId: \"{cluster}/{grant}\"}"),
                ["session.externalId", "without {namespace}"],
            ),
            (
                session("{sourceIdentity: \"{namespace}-{grant}\"}"),
                ["session.sourceIdentity", "makes one text of"],
            ),
            (
                session("{externalId: \"a b\"}"),
                ["session.externalId", "letters"],
            ),
        ] {
            refused(here, &yaml, &expected).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn annotations() -> Result<(), Failure> {
    beside_a_good_grant("bad-pod", async |here| {
        for (annotations, expected) in [
            ("alter.dev/grant: \"\"", ["alter.dev/grant", "name"]),
            ("alter.dev/grant: \" , \"", ["alter.dev/grant", "name"]),
            ("alter.dev/grant: Bad_Name", ["alter.dev/grant", "Bad_Name"]),
            ("alter.dev/grant: with.dot", ["alter.dev/grant", "with.dot"]),
            ("alter.dev/grant: \"-a\"", ["alter.dev/grant", "\"-a\""]),
            (
                "alter.dev/grant: \"bedrock,\"",
                ["alter.dev/grant", "remove the comma"],
            ),
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
            refused(here, &python_pod("bad", annotations, IDLE), &expected).await?;
        }
        // A grant that may come later is no error: the pod waits, and says for what.
        let said = here
            .apply(&python_pod("waits", "alter.dev/grant: unknown", IDLE))
            .await?;
        assert!(
            said.contains("Warning") && said.contains("\"unknown\""),
            "{said}"
        );
        // With a broker nobody knows where the session will come from: the agent says what lacks.
        wait::until_found("an event that names the grant", async || {
            let about = "involvedObject.name=waits,type=Warning";
            let events = ["get", "events", "-n", &here.name, "--field-selector", about];
            let events = alter_e2e::kubectl::run(&events).await?;
            Ok(events.contains("grant unknown: ").then_some(()))
        })
        .await?;
        Ok(())
    })
    .await
}
