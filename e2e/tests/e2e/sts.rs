//! What AWS answers instead of a session, and what Alter makes of it. Other grants of the same identity
//! go on.

use alter_e2e::{
    Failure, TestNamespace,
    fixture::{AWS_ENDPOINT, DENIED_ROLE, grant_of, identity},
    kubectl,
    relay::{self, Fault},
    system::lives,
    wait, with_temp_namespace,
};

fn role(name: &str) -> String {
    format!("arn:aws:iam::000000000000:role/{name}")
}

/// What a grant of each faulty role says: the condition's reason, and what is in its message.
fn faults() -> Vec<(Fault, &'static str, [&'static str; 2])> {
    vec![
        (
            Fault::error("throttled", 400, "Throttling", "Rate exceeded"),
            "Throttled",
            ["Throttling: Rate exceeded", "asks again by itself"],
        ),
        (
            Fault::error(
                "expired",
                403,
                "ExpiredToken",
                "The security token included in the request is expired",
            ),
            "SourceRejected",
            [
                "ExpiredToken: The security token",
                "write an access key that is active",
            ],
        ),
        (
            Fault::error(
                "forged",
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided",
            ),
            "SourceRejected",
            ["SignatureDoesNotMatch: ", "of one and the same key"],
        ),
        (
            Fault::error(
                "too-long",
                400,
                "ValidationError",
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            ),
            "InvalidInput",
            ["ValidationError: ", "lower durationSeconds"],
        ),
        (
            Fault::error(
                "failing",
                500,
                "InternalFailure",
                "We encountered an internal error",
            ),
            "Unavailable",
            ["InternalFailure: ", "asks again by itself"],
        ),
        (
            Fault {
                role: "gateway",
                status: 502,
                body: "<html>Bad Gateway</html>".to_owned(),
                times: u32::MAX,
            },
            "Unavailable",
            [
                "HTTP 502 in a form that is not STS's",
                "check that endpoints.sts",
            ],
        ),
        (
            Fault {
                role: "malformed",
                status: 200,
                body: "<html>Welcome</html>".to_owned(),
                times: u32::MAX,
            },
            "Unavailable",
            ["malformed", "check that endpoints.sts"],
        ),
    ]
}

async fn through_relay(
    here: &TestNamespace,
    life: Option<u32>,
    faults: &[Fault],
) -> Result<(), Failure> {
    relay::start(here, faults, life).await?;
    let identity = identity(&here.name).replace(AWS_ENDPOINT, &relay::endpoint(here));
    here.apply(&identity).await?;
    here.identity_is(true, "").await
}

#[tokio::test]
async fn each_error_of_aws_is_a_condition_and_an_event_and_others_go_on() -> Result<(), Failure> {
    with_temp_namespace("sts-errors", &[], async |here| {
        let before = lives().await?;
        let rows = faults();
        let of_relay: Vec<_> = rows.iter().map(|(fault, ..)| fault.clone()).collect();
        through_relay(&here, None, &of_relay).await?;
        for (fault, ..) in &rows {
            here.apply(&grant_of(&here.name, fault.role, &role(fault.role), ""))
                .await?;
        }
        here.apply(&grant_of(&here.name, "denied", DENIED_ROLE, ""))
            .await?;
        let denied = (
            "denied",
            "AccessDenied",
            ["is not authorized", "allow sts:AssumeRole"],
        );
        let rows = rows
            .iter()
            .map(|(fault, reason, parts)| (fault.role, *reason, *parts));
        for (name, reason, parts) in rows.chain([denied]) {
            let grant = here.grant_is(name, false, reason).await?;
            let conditions = grant.status.map(|own| own.conditions).unwrap_or_default();
            let ready = conditions
                .iter()
                .find(|own| own.type_ == "Ready")
                .map(|own| (own.reason.as_str(), own.message.as_str()));
            let (found, message) = ready.unwrap_or_default();
            assert_eq!(found, reason, "{name}: {message}");
            for part in parts {
                assert!(message.contains(part), "{part} is not in {message}");
            }
            wait::until_found("an event that says the same", async || {
                let about = format!("involvedObject.name={name},reason={reason},type=Warning");
                let events = [
                    "get",
                    "events",
                    "-n",
                    &here.name,
                    "--field-selector",
                    &about,
                    "-o",
                    "jsonpath={.items[*].message}",
                ];
                Ok(kubectl::run(&events)
                    .await?
                    .contains(parts[0])
                    .then_some(()))
            })
            .await?;
        }
        here.ready_grant("good", "").await?;
        here.identity_is(true, "").await?;
        assert_eq!(lives().await?, before, "something crashed");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_aws_only_puts_off_comes_by_itself() -> Result<(), Failure> {
    with_temp_namespace("sts-later", &[], async |here| {
        let throttled = Fault::error("team-a-app", 400, "Throttling", "Rate exceeded");
        let twice = Fault {
            times: 2,
            ..throttled
        };
        through_relay(&here, None, &[twice]).await?;
        here.ready_grant("bedrock", "").await.map(|_| ())
    })
    .await
}

/// An identity whose endpoint is not STS says so, and mends itself with its spec.
#[tokio::test]
async fn an_endpoint_that_is_not_sts_is_named() -> Result<(), Failure> {
    with_temp_namespace("no-sts", &[], async |here| {
        // Nothing listens there.
        let nowhere = identity(&here.name).replace(AWS_ENDPOINT, "http://127.0.0.1:1");
        here.apply(&nowhere).await?;
        here.identity_is(false, "cannot reach").await?;
        here.identity_is(false, "http://127.0.0.1:1").await?;
        here.identity().await
    })
    .await
}
