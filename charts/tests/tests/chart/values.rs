//! What the schema of the values refuses, and what Helm's linter says.

use alter_chart_tests::{
    CHART, Failure,
    command::run,
    render::{configuration, configurations, render},
};

#[test]
fn lints_without_a_warning_in_every_configuration() -> Result<(), Failure> {
    for configuration in configurations()? {
        let values = configuration.to_string_lossy();
        run(
            "helm",
            &["lint", "--strict", CHART, "--values", &values],
            "",
        )?;
    }
    Ok(())
}

#[test]
fn refuses_values_that_mean_nothing() {
    for wrong in [
        "imaeg.repository=x",
        "image.repo=x",
        "image.repository=https://registry.example.com/team",
        "image.repository=registry.example.com/team/",
        "image.tag=not a tag",
        "image.pullPolicy=Sometimes",
        "image.pullSecrets={registry}",
        "agent.metricsPort=80",
        "agent.metricsPort=70000",
        "agent.resources.requets.cpu=1",
        "log.format=xml",
        "operator.replicas=two",
        "operator.replicas=-1",
        "operator.minRefreshInterval=5",
        "operator.sts.rate=0",
        "operator.sts.burst=0.5",
        "operator.concurrency=0",
        "operator.concurrency=70000",
        "operator.orphans.interval=5",
        "operator.orphans.evict=sometimes",
        "operator.serviceAccount.name=Not_A_Name",
        "operator.extraEnv[0].value=x",
        "operator.webIdentity.serviceAccounts={Not_A_Name}",
        "operator.webIdentity.serviceAccounts=aws",
        "operator.webIdentity.audiences={a b}",
        "operator.webIdentity.audiences[0]=",
        "operator.nodeSelectors.a=b",
        "webhook.port=443",
        "webhook.hostNetwork=sometimes",
        "webhook.timeoutSeconds=11",
        "webhook.extraEnv[0].name=x",
        "certificates.mode=letsencrypt",
        "certificates.mode=cert-manager",
        "networkPolicy.enable=true",
        "networkPolicy.webhookIngress=10.0.0.0/28",
        "serviceMonitor.labels=prometheus",
        "crds.install=maybe",
        "rbac.aggregated=true",
        "test.grant=Not_A_Grant",
    ] {
        let answer = render(&configuration("default"), &["--set", wrong]);
        let said = answer.err().map(|error| error.to_string());
        let key = wrong.split(['.', '=']).next().unwrap_or_default();
        assert!(
            said.as_ref()
                .is_some_and(|said| said.contains("schema") && said.contains(key)),
            "{wrong}: {said:?}"
        );
    }
}

#[test]
fn says_that_the_repository_is_needed() {
    let answer = run("helm", &["template", "alter", CHART], "");
    let said = answer
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert!(
        said.contains("image.repository is needed: the registry"),
        "{said}"
    );
}
