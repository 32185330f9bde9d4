//! The grants that a pod names: whether they are for it, and what its author should know of them.

use super::{annotations::Asked, denial::Denial};
use alter_crds::{AwsGrant, condition, names::secret};
use alter_policy::service_account;
use alter_protocol::Delivery;

/// A grant that a pod names, as the webhook sees it.
#[derive(Clone, Copy, Debug)]
pub struct GrantView<'a> {
    /// As in the annotation.
    pub name: &'a str,
    /// `None` where there is none yet.
    pub grant: Option<&'a AwsGrant>,
}

impl GrantView<'_> {
    /// The Secret with the grant's session; for a grant that does not exist yet, the one it gets by default.
    #[must_use]
    pub fn secret_name(&self) -> String {
        self.grant.map_or_else(
            || format!("{}{}", self.name, secret::SUFFIX),
            AwsGrant::secret_name,
        )
    }
}

/// Denies the pod what a grant excludes it from. A grant that comes later is checked by the agent.
pub fn check(grants: &[GrantView<'_>], asked: &Asked<'_>, account: &str) -> Result<(), Denial> {
    for view in grants {
        let Some(grant) = view.grant else { continue };
        let spec = &grant.spec;
        if !service_account::may_use(&spec.service_accounts, account) {
            return Err(Denial::ServiceAccount {
                grant: view.name.to_owned(),
                account: account.to_owned(),
                allowed: spec.service_accounts.join(", "),
            });
        }
        let allowed = spec.deliveries();
        if !allowed.contains(&asked.delivery) {
            let listed = |own: &alter_crds::grant::Delivery| Delivery::from(*own) == asked.delivery;
            if spec.deliveries.iter().any(listed) {
                return Err(Denial::UnfitForImds {
                    grant: view.name.to_owned(),
                });
            }
            let allowed: Vec<_> = allowed.into_iter().map(Delivery::as_str).collect();
            return Err(Denial::Delivery {
                grant: view.name.to_owned(),
                delivery: asked.delivery,
                allowed: allowed.join(", "),
            });
        }
    }
    Ok(())
}

/// What keeps the pod waiting, and regions that the pod's variables cannot say.
pub fn warn(grants: &[GrantView<'_>], warnings: &mut Vec<String>) {
    for (index, view) in grants.iter().enumerate() {
        let name = view.name;
        match view.grant {
            None => {
                let region = if index == 0 {
                    "; AWS_REGION is not set"
                } else {
                    ""
                };
                warnings.push(format!(
                    "AwsGrant {name:?} does not exist yet: the pod waits for it{region}"
                ));
            }
            Some(grant) if grant.spec.suspend => warnings.push(format!(
                "AwsGrant {name:?} is suspended: the pod waits until spec.suspend is false"
            )),
            Some(grant) => match not_ready(grant) {
                Some(condition::reason::PAUSED) => warnings.push(format!(
                    "AwsGrant {name:?} is paused, as no pod used it: this one wakes it, and waits until it is ready"
                )),
                Some(reason) => warnings.push(format!(
                    "AwsGrant {name:?} is not ready ({reason}): the pod waits until it is; see kubectl describe awsgrant {name}"
                )),
                None => {}
            },
        }
    }
    let Some(first) = grants.first().and_then(|view| view.grant) else {
        return;
    };
    let elsewhere = grants.iter().find(|view| {
        view.grant
            .is_some_and(|other| other.spec.region != first.spec.region)
    });
    if let Some(other) = elsewhere {
        warnings.push(format!(
            "AWS_REGION is {}, and AwsGrant {:?} has another region: name it in the code that uses that profile",
            first.spec.region, other.name
        ));
    }
}

/// The reason of a `Ready` condition that is not true.
fn not_ready(grant: &AwsGrant) -> Option<&str> {
    let conditions = grant
        .status
        .as_ref()
        .map_or(&[][..], |status| &status.conditions);
    if condition::is_true(conditions, condition::READY) {
        return None;
    }
    let ready = condition::find(conditions, condition::READY);
    Some(ready.map_or(condition::reason::PENDING, |ready| &ready.reason))
}
