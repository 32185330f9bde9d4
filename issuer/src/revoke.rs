//! Having AWS deny a grant's sessions from before a time: by a policy on their role.

use crate::{
    Inner, IssueError, Retry,
    bucket::REVOCATIONS,
    calls::Caller,
    clock, error,
    metrics::Operation,
    slot::{Connection, Slot},
    target::Target,
};
use alter_aws::{Class, Iam, IamError, RolePolicy, RoleRequest};
use alter_crds::{condition::reason, field::FieldError, revocation::Order};
use alter_policy::{
    arn::RoleArn,
    name::REVOCATION_SESSION,
    revocation::{Denial, DocumentError, Edit, edit},
    session_policy::SessionPolicy,
};
use alter_protocol::Session;
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

/// Life of the session, in seconds: the shortest that STS gives.
const SESSION_SECONDS: i32 = 900;
/// IAM may answer with what stood there before: what was written is kept in mind until it surely is known everywhere.
const IN_MIND: SignedDuration = SignedDuration::from_mins(5);
/// So many policies are kept in mind before old ones go.
const KEPT: usize = 64;

/// Why AWS was not told.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RevokeError {
    /// The role for revocations was not assumed.
    #[error(transparent)]
    Assume(IssueError),
    /// IAM failed or refused a call.
    #[error("AwsIdentity {identity}: {source}")]
    Iam {
        /// The identity.
        identity: String,
        /// What AWS said, and what to do.
        source: IamError,
    },
    /// The policy cannot be edited.
    #[error("policy {policy} on {role_arn} was left alone: {source}")]
    Document {
        /// The policy.
        policy: String,
        /// The role.
        role_arn: String,
        /// Why, and what to do.
        source: DocumentError,
    },
    /// The role's ARN cannot be read.
    #[error(transparent)]
    Role(FieldError),
}

impl RevokeError {
    /// One of `alter_crds::condition::reason`.
    #[must_use]
    pub fn category(&self) -> &'static str {
        match self {
            Self::Assume(error) => error.category(),
            Self::Iam { source, .. } if source.class() == Class::TooLarge => {
                reason::ROLE_POLICY_REFUSED
            }
            Self::Iam { source, .. } => error::reason(source.class()),
            Self::Document { .. } => reason::ROLE_POLICY_REFUSED,
            Self::Role(_) => reason::INVALID_SPEC,
        }
    }

    /// When it is worth asking again.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Assume(error) => error.retry(),
            Self::Iam { source, .. } => Retry::of(source.class()),
            Self::Document { .. } | Self::Role(_) => Retry::of(Class::InvalidInput),
        }
    }
}

/// Of each policy, by the role's ARN and its own name, what was put there a moment ago. Held while one is edited.
#[derive(Default)]
pub(crate) struct Revocations(Mutex<HashMap<(String, String), Arc<Place>>>);

type Place = tokio::sync::Mutex<Vec<Written>>;

struct Written {
    denial: Denial,
    at: Timestamp,
}

impl Written {
    fn is_in_mind(&self, now: Timestamp) -> bool {
        now.duration_since(self.at) < IN_MIND
    }
}

impl Revocations {
    fn place(&self, order: &Order, now: Timestamp) -> Arc<Place> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= KEPT {
            // Those in use are locked, or another has them.
            places.retain(|_, place| {
                let is_used = Arc::strong_count(place) > 1;
                let fresh = |all: &Vec<Written>| all.iter().any(|own| own.is_in_mind(now));
                is_used || place.try_lock().map_or(true, |own| fresh(&own))
            });
        }
        let key = (order.role_arn.clone(), order.policy_name.clone());
        places.entry(key).or_default().clone()
    }
}

impl Inner {
    pub(crate) async fn revoke(&self, target: &Target, order: &Order) -> Result<(), RevokeError> {
        let role = RoleArn::parse(&order.role_arn)
            .map_err(|error| RevokeError::Role(FieldError::new("spec.roleArn", &error)))?;
        let place = self.revocations.place(order, clock::now());
        let mut written = place.lock().await;
        let slot = self.clients.slot(&target.identity);
        // 1. A session that may edit policies of this one role.
        let session = self.revoker(target, &slot, order).await;
        let session = session.map_err(RevokeError::Assume)?;
        let iam = || Ok::<_, RevokeError>(Iam::new(target.iam.clone()));
        let policies = Policies {
            caller: self.clients.caller(target, &slot, REVOCATIONS),
            iam: slot.iam.of(target, iam)?,
            by: &session,
            policy: RolePolicy {
                role,
                name: &order.policy_name,
            },
        };
        // 2. What the policy is to say.
        let document = policies.get().await?;
        let now = clock::now();
        written.retain(|own| own.is_in_mind(now));
        let denials = written.iter().map(|own| own.denial.clone());
        let denials: Vec<_> = denials.chain([order.denial.clone()]).collect();
        let refused = |source| RevokeError::Document {
            policy: order.policy_name.clone(),
            role_arn: order.role_arn.clone(),
            source,
        };
        // 3. Say it.
        match edit(document.as_deref(), &denials, now).map_err(refused)? {
            Edit::Same => {}
            Edit::Put(text) => policies.put(&text).await?,
            Edit::Delete => policies.delete().await?,
        }
        written.push(Written {
            denial: order.denial.clone(),
            at: clock::now(),
        });
        Ok(())
    }

    /// A session of the role for revocations.
    async fn revoker(
        &self,
        target: &Target,
        slot: &Slot,
        order: &Order,
    ) -> Result<Session, IssueError> {
        let connection = self.clients.cached(target, slot).await?;
        let caller = self.clients.caller(target, slot, REVOCATIONS);
        let request = request(order);
        let ask = |connection: Connection| caller.assume(connection.sts, request.clone());
        let assumed = self.call(target, slot, connection, &[], ask).await?;
        Ok(assumed.session)
    }
}

/// Whatever the role for revocations may, the session may do this to the grant's role alone.
fn request(order: &Order) -> RoleRequest {
    let may = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Action": ["iam:GetRolePolicy", "iam:PutRolePolicy", "iam:DeleteRolePolicy"],
            "Resource": order.role_arn,
        }],
    });
    RoleRequest {
        role_arn: order.revocation_role_arn.clone(),
        session_name: REVOCATION_SESSION.to_owned(),
        duration_seconds: SESSION_SECONDS,
        external_id: None,
        source_identity: None,
        tags: BTreeMap::new(),
        policy: SessionPolicy {
            document: Some(may.to_string()),
            arns: Vec::new(),
        },
    }
}

/// One policy of a role, as IAM has it. Each call is one of the identity's budget.
struct Policies<'a> {
    caller: Caller<'a>,
    iam: Iam,
    by: &'a Session,
    policy: RolePolicy<'a>,
}

impl Policies<'_> {
    // The signature of each is of the time after the wait for the budget.

    async fn get(&self) -> Result<Option<String>, RevokeError> {
        let call = async {
            let now = clock::now();
            self.iam.get_role_policy(self.by, self.policy, now).await
        };
        self.once(Operation::GetRolePolicy, call).await
    }

    async fn put(&self, document: &str) -> Result<(), RevokeError> {
        let call = async {
            let now = clock::now();
            let put = self
                .iam
                .put_role_policy(self.by, self.policy, document, now);
            put.await
        };
        self.once(Operation::PutRolePolicy, call).await
    }

    async fn delete(&self) -> Result<(), RevokeError> {
        let call = async {
            let now = clock::now();
            self.iam.delete_role_policy(self.by, self.policy, now).await
        };
        self.once(Operation::DeleteRolePolicy, call).await
    }

    async fn once<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, IamError>>,
    ) -> Result<T, RevokeError> {
        let answer = self.caller.once(operation, call).await;
        answer.map_err(|source| RevokeError::Iam {
            identity: self.caller.identity.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_without_end_are_not_kept_in_mind() {
        let all = Revocations::default();
        let order = |role: usize| Order {
            role_arn: format!("arn:aws:iam::111122223333:role/{role}"),
            revocation_role_arn: String::new(),
            policy_name: "p".to_owned(),
            denial: Denial::new(BTreeMap::new(), Timestamp::UNIX_EPOCH),
        };
        let now = Timestamp::UNIX_EPOCH;
        let in_use = all.place(&order(0), now);
        let written = |place: &Place| {
            let denial = order(0).denial;
            let mut held = place.try_lock().unwrap();
            held.push(Written { denial, at: now });
        };
        written(&all.place(&order(1), now));
        for role in 2..200 {
            all.place(&order(role), now);
            assert!(all.0.lock().unwrap().len() <= KEPT);
        }
        let again = all.place(&order(1), now);
        assert_eq!(again.try_lock().unwrap().len(), 1);
        assert!(Arc::ptr_eq(&in_use, &all.place(&order(0), now)));
    }
}
