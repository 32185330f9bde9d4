//! The variables that lead an SDK to the delivery, and those of the pod that would lead it elsewhere.
//!
//! The orders that SDKs look in: botocore, Go, Java, Rust and JavaScript agree on what is said here.

use super::{
    grant::GrantView,
    view::{Container, Variable},
};
use alter_protocol::{
    Delivery,
    pod::{CONFIG_FILE, ENDPOINT_ADDRESS, ENDPOINT_PATH, TOKEN_FILE},
};

/// Access keys and IRSA's variables: every SDK looks at them before a profile's `credential_process` and
/// before the container endpoint. Half of a pair counts, as its other half may come from `envFrom`.
const ALWAYS: [&str; 7] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    // Read by the Go and the older Java SDK.
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
];
/// A profile that is chosen, or a file that may hold a default one, comes before the container endpoint and instance metadata;
/// the relative URI before the full one; and in Java, the token before the token's file.
const ENDPOINT: [&str; 6] = [
    "AWS_PROFILE",
    DEFAULT_PROFILE,
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
];
/// botocore reads it before `AWS_PROFILE`.
const DEFAULT_PROFILE: &str = "AWS_DEFAULT_PROFILE";
/// Sends an SDK's calls to Bedrock with a bearer token in place of a signature.
const BEDROCK_TOKEN: &str = "AWS_BEARER_TOKEN_BEDROCK";
const REGIONS: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// A variable to add.
pub type Addition = (&'static str, String);

/// Comes before instance metadata, as what [`ENDPOINT`] names does.
const FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const METADATA_DISABLED: &str = "AWS_EC2_METADATA_DISABLED";

/// The two variables that together lead an SDK to a grant's session; the first one names the grant, if any does.
fn leading(delivery: Delivery, grant: &str) -> [Addition; 2] {
    match delivery {
        Delivery::Process => [
            ("AWS_PROFILE", grant.to_owned()),
            ("AWS_CONFIG_FILE", CONFIG_FILE.to_owned()),
        ],
        Delivery::Endpoint => [
            (
                FULL_URI,
                format!("http://{ENDPOINT_ADDRESS}{ENDPOINT_PATH}{grant}"),
            ),
            (
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                TOKEN_FILE.to_owned(),
            ),
        ],
        Delivery::Imds => [
            (
                "AWS_EC2_METADATA_SERVICE_ENDPOINT",
                format!("http://{ENDPOINT_ADDRESS}"),
            ),
            (METADATA_DISABLED, "false".to_owned()),
        ],
    }
}

/// Whether the container's variable says just this.
fn says(variable: &Variable<'_>, value: &str) -> bool {
    variable.visible() == Some(value)
}

/// The grant that the container's own variables choose, or the first; and those of its leading variables
/// that lead elsewhere.
fn chosen<'g>(
    container: &Container<'_>,
    delivery: Delivery,
    grants: &[GrantView<'g>],
) -> (Option<GrantView<'g>>, Vec<&'static str>) {
    let mut grant = grants.first().copied();
    let mut foreign = Vec::new();
    let [names_grant, constant] = leading(delivery, grant.map_or("", |grant| grant.name));
    if let Some(variable) = container.variable(names_grant.0) {
        let own = grants
            .iter()
            .find(|view| says(variable, &leading(delivery, view.name)[0].1));
        match own {
            Some(own) => grant = Some(*own),
            None => foreign.push(names_grant.0),
        }
    }
    if let Some(variable) = container.variable(constant.0)
        && !says(variable, &constant.1)
    {
        foreign.push(constant.0);
    }
    (grant, foreign)
}

/// The container's own variables that an SDK would follow in place of the delivery.
#[must_use]
pub fn outranking(
    container: &Container<'_>,
    delivery: Delivery,
    grants: &[GrantView<'_>],
) -> Vec<&'static str> {
    // Most containers set nothing of AWS's.
    if !container.env.iter().any(|own| own.name.starts_with("AWS_")) {
        return Vec::new();
    }
    let (_, mut found) = chosen(container, delivery, grants);
    let set = |name: &&str| {
        container
            .variable(name)
            .is_some_and(|variable| !matches!(variable.visible(), Some("" | "/dev/null")))
    };
    found.extend(ALWAYS.into_iter().filter(set));
    match delivery {
        Delivery::Process => {
            let other = |variable: &Variable<'_>| {
                !grants.iter().any(|view| says(variable, view.name)) && !says(variable, "")
            };
            if container.variable(DEFAULT_PROFILE).is_some_and(other) {
                found.push(DEFAULT_PROFILE);
            }
        }
        Delivery::Endpoint => found.extend(ENDPOINT.into_iter().filter(set)),
        Delivery::Imds => found.extend(ENDPOINT.into_iter().chain([FULL_URI]).filter(set)),
    }
    found
}

/// The variables that the container lacks, in order.
///
/// Nothing that it sets is changed. Where its own variables lead elsewhere, which they may where the pod
/// keeps its conflicts, it gets none: half of a delivery, such as its token for a foreign endpoint, would
/// be worse than nothing.
#[must_use]
pub fn missing(
    container: &Container<'_>,
    delivery: Delivery,
    grants: &[GrantView<'_>],
) -> Vec<Addition> {
    let (Some(grant), foreign) = chosen(container, delivery, grants) else {
        return Vec::new();
    };
    if !foreign.is_empty() {
        return Vec::new();
    }
    let mut wanted = Vec::with_capacity(6);
    wanted.extend(leading(delivery, grant.name));
    wanted.extend(regions(container, grant));
    if delivery != Delivery::Imds {
        wanted.push((METADATA_DISABLED, "true".to_owned()));
    }
    if delivery == Delivery::Process {
        // The first Go SDK and the second JavaScript SDK read the config file only then.
        wanted.push(("AWS_SDK_LOAD_CONFIG", "1".to_owned()));
    }
    wanted.retain(|(name, _)| container.variable(name).is_none());
    wanted
}

/// The grant's region in both variables; where the container sets one of them, the other gets the same,
/// so that all SDKs agree. One whose value comes from elsewhere stays alone: it may turn out to be absent.
fn regions(container: &Container<'_>, grant: GrantView<'_>) -> Vec<Addition> {
    let own = REGIONS
        .into_iter()
        .find_map(|name| container.variable(name));
    let value = match (own, grant.grant) {
        (Some(own), _) => own.visible(),
        (None, grant) => grant.map(|grant| grant.spec.region.as_str()),
    };
    let pair = |value: &str| REGIONS.map(|name| (name, value.to_owned()));
    value.map(pair).into_iter().flatten().collect()
}

/// What else the container's author should know.
pub fn warn(container: &Container<'_>, delivery: Delivery, warnings: &mut Vec<String>) {
    if !container.env_from.is_empty() {
        warnings.push(format!(
            "container {:?} has envFrom, which Alter cannot see into: AWS access keys from there would outrank delivery {delivery}",
            &*container.name
        ));
    }
    if container.variable(BEDROCK_TOKEN).is_some() {
        warnings.push(format!(
            "container {:?} sets {BEDROCK_TOKEN}: SDKs call Bedrock with it, not with the grant",
            &*container.name
        ));
    }
}
