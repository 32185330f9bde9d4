//! Sessions of the user who asks, without a role. STS gives them by a user's own key alone.

use crate::{
    failure::{Failure, StsError},
    mend::Wanted,
    request::FederationRequest,
    sts::{Assumed, Sts, policy_arns, session, tags},
};

impl Sts {
    /// `sts:GetFederationToken`: may do what the user may and the session policy says.
    pub async fn federation_token(&self, request: &FederationRequest) -> Result<Assumed, StsError> {
        let asked = self.asked(Some(Wanted::Federated(request)));
        let fail = |failure| StsError::GetFederationToken {
            failure: Box::new(failure),
        };
        let call = self
            .client
            .get_federation_token()
            .name(&request.name)
            .duration_seconds(request.duration_seconds)
            .set_tags(tags(&request.tags))
            .set_policy(request.policy.document.clone())
            .set_policy_arns(policy_arns(&request.policy.arns));
        let answer = call.send().await;
        let output = answer.map_err(|error| fail(Failure::of(&error, &asked)))?;
        let arn = output.federated_user.map(|user| user.arn);
        session(output.credentials, arn.ok_or("FederatedUser"))
            .map_err(|field| fail(Failure::incomplete(field, &asked)))
    }

    /// `sts:GetSessionToken`: may do what the user may, but call IAM, and STS for more than `AssumeRole` and
    /// `GetCallerIdentity`. `arn` is that of the user, which the answer does not say.
    pub async fn session_token(
        &self,
        arn: &str,
        duration_seconds: i32,
    ) -> Result<Assumed, StsError> {
        let asked = self.asked(Some(Wanted::Full));
        let fail = |failure| StsError::GetSessionToken {
            failure: Box::new(failure),
        };
        let call = self
            .client
            .get_session_token()
            .duration_seconds(duration_seconds);
        let answer = call.send().await;
        let output = answer.map_err(|error| fail(Failure::of(&error, &asked)))?;
        session(output.credentials, Ok(arn.to_owned()))
            .map_err(|field| fail(Failure::incomplete(field, &asked)))
    }
}
