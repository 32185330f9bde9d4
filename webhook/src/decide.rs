//! From a question to a verdict: looks up what the pure decisions need.

use crate::{
    cache::{Cache, Guarded},
    pod::{self, Asked, GrantView, Settings, view::Pod},
    review::{Request, Verdict},
    validate::{
        grant::{self, Known, Surroundings},
        identity,
    },
};
use alter_crds::{AwsGrant, AwsIdentity, condition::reason};
use futures::future::{join, try_join_all};
use kube::{ResourceExt, core::DeserializeGuard};

const CREATE: &str = "CREATE";
const UPDATE: &str = "UPDATE";

/// A pod that is created.
pub async fn pod(cache: &Cache, settings: &Settings, request: &Request<'_, Pod<'_>>) -> Verdict {
    let (CREATE, true, Some(pod)) = (&*request.operation, request.is_whole(), &request.object)
    else {
        return Verdict::allowed(Vec::new());
    };
    let asked = match Asked::read(&pod.metadata.annotations) {
        Ok(Some(asked)) => asked,
        Ok(None) => return Verdict::allowed(Vec::new()),
        Err(error) => {
            let denial = pod::Denial::from(error);
            return Verdict::denied(denial.category(), &denial);
        }
    };
    let namespace = request.namespace.as_deref().unwrap_or_default();
    let lookups = asked.grants.iter().map(|name| cache.grant(namespace, name));
    let found = match try_join_all(lookups).await {
        Ok(found) => found,
        Err(error) => return Verdict::unavailable(error.category(), &error),
    };
    let mut grants = Vec::with_capacity(found.len());
    for (name, found) in asked.grants.iter().zip(&found) {
        match found.as_deref().map(|guard| &guard.0) {
            None => grants.push(GrantView { name, grant: None }),
            Some(Ok(grant)) => grants.push(GrantView {
                name,
                grant: Some(grant),
            }),
            Some(Err(error)) => {
                let message =
                    format!("AwsGrant {name:?} cannot be read: {error}; mend it, then try again");
                return Verdict::denied(reason::INVALID_GRANT, &message);
            }
        }
    }
    match pod::inject(pod, &asked, &grants, settings) {
        Ok(injection) => Verdict::Allowed {
            patch: injection.patch,
            warnings: injection.warnings,
        },
        Err(denial) => Verdict::denied(denial.category(), &denial),
    }
}

/// A grant that is created or changed.
pub async fn grant(
    cache: &Cache,
    settings: &Settings,
    request: &Request<'_, DeserializeGuard<AwsGrant>, DeserializeGuard<AwsGrant>>,
) -> Verdict {
    let new = match changed(request, grant::is_free) {
        Ok(new) => new,
        Err(verdict) => return verdict,
    };
    let namespace = request.namespace.as_deref().unwrap_or_default();
    // Side by side: one after the other they could take longer than the API server waits.
    let (identity, labels) = join(
        cache.identity(&new.spec.identity),
        cache.namespace_labels(namespace),
    )
    .await;
    let identity = identity.map_err(|error| error.to_string());
    let labels = labels
        .map_err(|error| error.to_string())
        .and_then(|labels| seen(cache, known(&identity)).map(|()| labels));
    // What changes cannot change the Secret's name.
    let same_secret = match &*request.operation {
        CREATE => same_secret(cache, namespace, new),
        _ => None,
    };
    let around = Surroundings {
        identity: known(&identity),
        namespace_labels: labels.as_ref().map_err(String::as_str),
        same_secret: same_secret.as_deref(),
        has_broker: settings.broker.is_some(),
    };
    match grant::check(new, namespace, around) {
        Ok(warnings) => Verdict::allowed(warnings),
        Err(denial) => Verdict::denied(denial.category(), &denial),
    }
}

/// An identity that is created or changed.
#[must_use]
pub fn identity(
    cache: &Cache,
    request: &Request<'_, DeserializeGuard<AwsIdentity>, DeserializeGuard<AwsIdentity>>,
) -> Verdict {
    let new = match changed(request, identity::is_free) {
        Ok(new) => new,
        Err(verdict) => return verdict,
    };
    match identity::check(&new.spec, cache.knows_labels()) {
        Ok(warnings) => Verdict::allowed(warnings),
        Err(invalid) => Verdict::denied(reason::INVALID_SPEC, &invalid),
    }
}

/// The object, where there is anything to check: it is created or changed, and not free to be as it is.
fn changed<'r, K>(
    request: &'r Request<'_, DeserializeGuard<K>, DeserializeGuard<K>>,
    is_free: fn(&K, Option<&K>) -> bool,
) -> Result<&'r K, Verdict> {
    let old = request.old_object.as_ref();
    let old = old.and_then(|old| old.0.as_ref().ok());
    match (&*request.operation, request.is_whole(), &request.object) {
        (CREATE | UPDATE, true, Some(DeserializeGuard(Ok(new)))) if !is_free(new, old) => Ok(new),
        (CREATE | UPDATE, true, Some(DeserializeGuard(Err(error)))) => {
            let message = format!("the object cannot be read: {error}; mend it, then try again");
            Err(Verdict::denied(reason::INVALID_SPEC, &message))
        }
        _ => Err(Verdict::allowed(Vec::new())),
    }
}

/// Whether all that the identity's rules ask for can be seen.
fn seen(cache: &Cache, identity: Known<'_>) -> Result<(), String> {
    match identity {
        Known::Present(identity) if !cache.knows_labels() => {
            let checked = identity.spec.check_without_labels();
            checked.map_err(|error| error.to_string())
        }
        _ => Ok(()),
    }
}

fn known(found: &Result<Option<Guarded<AwsIdentity>>, String>) -> Known<'_> {
    match found {
        Ok(None) => Known::Absent,
        Err(why) => Known::Unknown(why),
        Ok(Some(guard)) => match &guard.0 {
            Ok(identity) => Known::Present(identity),
            Err(error) => Known::Unknown(&error.error),
        },
    }
}

/// Another grant of the namespace whose session is in the Secret that this one would have.
fn same_secret(cache: &Cache, namespace: &str, new: &AwsGrant) -> Option<String> {
    let (name, secret) = (new.name_any(), new.secret_name());
    let mut others = cache.grants_of(namespace);
    let other = others.find(|other| {
        let other = other.0.as_ref().ok();
        other.is_some_and(|other| other.name_any() != name && other.secret_name() == secret)
    });
    other.map(|other| other.name_any())
}
