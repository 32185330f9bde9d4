//! Entering an identity's own role. What is shown for it is asked for anew each time: a token is never kept,
//! and a renewed certificate is picked up.

use crate::{
    RequestError,
    calls::Caller,
    clients::Clients,
    clock,
    error::IssueError,
    metrics::Operation,
    slot::Slot,
    target::{OwnRole, Target},
};
use alter_aws::{Anchor, Assumed, Entry, EntryError, RolesAnywhere, WebIdentity};
use alter_crds::{field::FieldError, identity};

impl Clients {
    /// Enters the role, for `caller`. `failed` says whose fault a refusal of AWS is.
    pub(crate) async fn enter(
        &self,
        target: &Target,
        slot: &Slot,
        caller: Caller<'_>,
        own: OwnRole<'_>,
        entry: &Entry,
        failed: fn(String, EntryError) -> IssueError,
    ) -> Result<Assumed, IssueError> {
        let entered = match own {
            OwnRole::ByToken(own) => self.by_token(target, slot, caller, (own, entry)).await?,
            OwnRole::ByCertificate(own) => {
                self.by_certificate(target, slot, caller, (own, entry))
                    .await?
            }
        };
        entered.map_err(|error| failed(target.identity.clone(), error))
    }

    async fn by_token(
        &self,
        target: &Target,
        slot: &Slot,
        caller: Caller<'_>,
        (own, entry): (&identity::WebIdentity, &Entry),
    ) -> Result<Result<Assumed, EntryError>, IssueError> {
        let token = self.tokens.request(&target.identity, own).await?;
        let client = slot.web_identity.of(target, || {
            let (region, endpoint) = (target.region.clone(), target.endpoint.clone());
            Ok::<_, IssueError>(WebIdentity::new(region, endpoint))
        })?;
        let operation = Operation::AssumeRoleWithWebIdentity;
        Ok(caller.once(operation, client.enter(&token, entry)).await)
    }

    async fn by_certificate(
        &self,
        target: &Target,
        slot: &Slot,
        caller: Caller<'_>,
        (own, entry): (&identity::RolesAnywhere, &Entry),
    ) -> Result<Result<Assumed, EntryError>, IssueError> {
        let (identity, secret) = (&target.identity, &own.certificate_secret_ref.name);
        let certificate = self.secrets.certificate(identity, secret).await?;
        let client = slot.roles_anywhere.of(target, || {
            let anchor = Anchor {
                trust_anchor_arn: own.trust_anchor_arn.clone(),
                profile_arn: own.profile_arn.clone(),
                endpoint: target.rolesanywhere.clone(),
            };
            RolesAnywhere::new(anchor).map_err(|error| {
                let field = format!(
                    "AwsIdentity {identity}, spec.credentials.rolesAnywhere.trustAnchorArn"
                );
                IssueError::Plan(RequestError::Field(FieldError::new(field, &error)))
            })
        })?;
        let call = async {
            // After the wait for the budget: the signature is of that time.
            client.enter(&certificate, entry, clock::now()).await
        };
        // AWS would only say that it does not trust it.
        certificate
            .check(clock::now())
            .map_err(|source| self.secrets.unusable(identity, secret, source))?;
        Ok(caller.once(Operation::CreateSession, call).await)
    }
}
