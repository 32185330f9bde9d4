//! Sessions change under a running app, which never notices.

use alter_e2e::{
    Failure,
    fixture::{IDLE, python_pod},
    with_temp_namespace,
};

/// Takes credentials anew for each call until three access keys were seen; any failed call ends it.
const THREE_KEYS: &str = r"
import boto3, time
seen, calls, end = [], 0, time.monotonic() + 240
while len(seen) < 3:
    assert time.monotonic() < end, f'only {seen} in {calls} calls'
    session = boto3.Session()
    key = session.get_credentials().get_frozen_credentials().access_key
    session.client('sts').get_caller_identity()
    calls += 1
    if key not in seen:
        seen.append(key)
print(len(seen))
";

#[tokio::test]
async fn three_access_keys_pass_without_a_failed_call_or_a_restart() -> Result<(), Failure> {
    with_temp_namespace("renewal", &[], async |here| {
        here.identity().await?;
        here.ready_grant("fast", "  durationSeconds: 900\n  refreshBefore: 14m57s")
            .await?;
        here.ready_pod("app", &python_pod("app", "alter.dev/grant: fast", IDLE))
            .await?;
        let life = here.life_of("app").await?;
        assert_eq!(here.python("app", THREE_KEYS).await?.trim_end(), "3");
        assert_eq!(here.life_of("app").await?, life, "the app was left alone");
        assert!(life.ends_with(" 0 0"), "{life}");
        Ok(())
    })
    .await
}
