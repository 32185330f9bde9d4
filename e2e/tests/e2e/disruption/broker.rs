//! The broker is replaced, and then not there.

use alter_e2e::{
    Failure,
    app::{end_calls, start_calls},
    brokered::{idle_pod, with_brokered_app},
    kubectl,
    system::{BROKER, SYSTEM_NAMESPACE, rolled_out, scale},
};

#[tokio::test]
async fn an_outage_of_the_broker_costs_running_pods_nothing() -> Result<(), Failure> {
    with_brokered_app("broker-outage", async |here| {
        here.keep_logs().await?;
        let calls = start_calls(here)?;
        let deployment = format!("deployment/{BROKER}");
        let restart = ["rollout", "restart", "-n", SYSTEM_NAMESPACE, &deployment];
        kubectl::run(&restart).await?;
        rolled_out(BROKER).await?;
        here.keep_logs().await?;
        scale(BROKER, 0).await?;
        let served = here.is_served("app").await;
        scale(BROKER, 2).await?;
        served?;
        here.ready_pod("next", &idle_pod("next", "bedrock")).await?;
        here.is_served("next").await?;
        end_calls(calls).await
    })
    .await
}
