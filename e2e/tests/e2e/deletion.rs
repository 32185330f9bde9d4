//! What takes minutes by its nature. `e2e/run` starts it first, beside everything else, disruptions too.

use alter_e2e::{Failure, app::with_grant, kubectl, wait};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use std::time::{Duration, SystemTime};

/// The Secret stays so long after it was emptied: pods must see it empty before it goes.
const GRACE: Duration = Duration::from_mins(5);
/// The operator may be down for a part of it.
const DEADLINE: Duration = Duration::from_mins(10);

#[tokio::test]
async fn the_secret_of_a_deleted_grant_goes_five_minutes_later() -> Result<(), Failure> {
    with_grant("deletion", &[], async |here| {
        kubectl::run(&["delete", "awsgrant", "bedrock", "-n", &here.name]).await?;
        here.taken_away("bedrock-aws").await?;
        let secrets: Api<Secret> = Api::namespaced(here.client.clone(), &here.name);
        let secret = secrets.get("bedrock-aws").await?;
        let since = secret.metadata.annotations.unwrap_or_default();
        let since: jiff::Timestamp = since[alter_crds::names::secret::REVOKED_AT].parse()?;
        let gone = |secret: Option<&Secret>| secret.is_none();
        wait::until_within(DEADLINE, &secrets, "bedrock-aws", "gone", gone).await?;
        let stayed = SystemTime::now().duration_since(since.into())?;
        assert!(stayed >= GRACE, "it went after {stayed:?}");
        Ok(())
    })
    .await
}
