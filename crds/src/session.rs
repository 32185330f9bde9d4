//! Which session a grant is for, what confines it, and what AWS does not let it be.

use crate::{
    field::{FieldError, at},
    grant::{AwsGrantSpec, Bedrock},
    identity::AwsIdentity,
};
use alter_policy::{
    arn::{Owner, RoleArn},
    bedrock::{self, BedrockError},
    caller::{self, CHAINED_SECONDS},
    session_policy::{self, SessionPolicy},
};

/// Which session a grant is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionKind {
    /// Of its role, by `sts:AssumeRole`.
    Role,
    /// Of the identity's own user, by `sts:GetFederationToken`: confined by the grant's policy.
    Federated,
    /// Of the identity's own user, by `sts:GetSessionToken`: nothing confines it.
    Full,
}

const POLICY: &str = "spec.policy";
const POLICY_ARNS: &str = "spec.policyArns";
const BEDROCK: &str = "spec.bedrock";
const TAGS: &str = "spec.tags";

impl AwsGrantSpec {
    /// Which session it is for; whether the identity's rules give it is another question.
    #[must_use]
    pub fn session_kind(&self) -> SessionKind {
        match (&self.role_arn, self.is_confined()) {
            (Some(_), _) => SessionKind::Role,
            (None, true) => SessionKind::Federated,
            (None, false) => SessionKind::Full,
        }
    }

    /// Whether a session policy confines the session.
    #[must_use]
    pub fn is_confined(&self) -> bool {
        self.policy.is_some() || !self.policy_arns.is_empty() || self.bedrock.is_some()
    }

    /// The role, as people read of it.
    #[must_use]
    pub fn role_name(&self) -> &str {
        let without = "its AwsIdentity's own user";
        self.role_arn.as_deref().unwrap_or(without)
    }

    /// Whose the session is: the role's account, or where there is no role that of the caller, by the ARN that
    /// AWS said.
    #[must_use]
    pub fn owner<'a>(&'a self, caller: Option<&'a str>) -> Option<Owner<'a>> {
        match &self.role_arn {
            Some(role) => RoleArn::parse(role).ok().map(|role| role.owner()),
            None => Owner::of(caller?),
        }
    }

    /// What confines the session, as AWS is told it.
    pub fn session_policy(&self, owner: Owner<'_>) -> Result<SessionPolicy, FieldError> {
        self.check_managed(Some(owner))?;
        if let Some(own) = &self.bedrock {
            self.check_bedrock_alone()?;
            let asked = self.asked(own);
            let document = bedrock::compile(asked, owner).map_err(|error| of_bedrock(&error))?;
            return Ok(SessionPolicy {
                document: Some(document),
                arns: Vec::new(),
            });
        }
        self.inline()
    }

    /// Checks what confines the session; of an unknown owner, each part by itself.
    pub(crate) fn check_session_policy(&self, owner: Option<Owner<'_>>) -> Result<(), FieldError> {
        if let Some(owner) = owner {
            return self.session_policy(owner).map(drop);
        }
        self.check_managed(None)?;
        match &self.bedrock {
            Some(own) => {
                self.check_bedrock_alone()?;
                bedrock::check(self.asked(own), None).map_err(|error| of_bedrock(&error))
            }
            None => self.inline().map(drop),
        }
    }

    fn asked<'a>(&'a self, own: &'a Bedrock) -> bedrock::Bedrock<'a> {
        bedrock::Bedrock {
            models: &own.models,
            guardrail: own.guardrail.as_deref(),
            region: &self.region,
        }
    }

    fn inline(&self) -> Result<SessionPolicy, FieldError> {
        let arns = &self.policy_arns;
        match &self.policy {
            Some(text) => session_policy::inline(text, arns).map_err(at(POLICY)),
            None => Ok(SessionPolicy {
                document: None,
                arns: arns.clone(),
            }),
        }
    }

    fn check_managed(&self, owner: Option<Owner<'_>>) -> Result<(), FieldError> {
        let most = session_policy::ARNS_LIMIT;
        if self.policy_arns.len() > most {
            let problem = format!("AWS takes {most} managed policies: remove some");
            return Err(FieldError::new(POLICY_ARNS, &problem));
        }
        for (index, arn) in self.policy_arns.iter().enumerate() {
            let field = format!("{POLICY_ARNS}[{index}]");
            session_policy::check_managed(arn, owner).map_err(at(&field))?;
        }
        Ok(())
    }

    /// AWS adds the policies of a session together: what one leaves out another would let in.
    fn check_bedrock_alone(&self) -> Result<(), FieldError> {
        if self.policy.is_none() && self.policy_arns.is_empty() {
            return Ok(());
        }
        let problem = "beside spec.policy or spec.policyArns it would confine nothing, as AWS adds them \
                       together: remove one or the other";
        Err(FieldError::new(BEDROCK, &problem))
    }

    /// Checks the parts of a session that go with a role alone, or with none.
    pub(crate) fn check_kind(&self) -> Result<(), FieldError> {
        if self.role_arn.is_none() {
            let of_role = [
                ("spec.roleChain", !self.role_chain.is_empty()),
                ("spec.externalId", self.external_id.is_some()),
                ("spec.sessionName", self.session_name.is_some()),
            ];
            if let Some((field, _)) = of_role.iter().find(|(_, is_set)| *is_set) {
                let problem = "it is of a role: write spec.roleArn too, or remove it";
                return Err(FieldError::new(*field, &problem));
            }
        }
        if self.session_kind() == SessionKind::Full && !self.tags.is_empty() {
            let problem = "a session without role and policy carries no tags: remove them, or write \
                           spec.bedrock, spec.policy or spec.policyArns";
            return Err(FieldError::new(TAGS, &problem));
        }
        if !self.role_chain.is_empty() {
            self.check_cap("", true)?;
        }
        Ok(())
    }

    /// The one rule of AWS's cap on sessions that are obtained by sessions.
    fn check_cap(&self, caller: &str, chained: bool) -> Result<(), FieldError> {
        let seconds = self.duration_seconds;
        if !caller::is_capped_below(caller, chained, seconds) {
            return Ok(());
        }
        let (why, otherwise) = if chained {
            ("with spec.roleChain".to_owned(), "remove spec.roleChain")
        } else {
            (
                format!("where the caller is itself a session ({caller})"),
                "use an AwsIdentity with an access key",
            )
        };
        let problem = format!(
            "{seconds} is more than the {CHAINED_SECONDS} that AWS allows {why}: write \
             {CHAINED_SECONDS} or less, or {otherwise}"
        );
        Err(FieldError::new("spec.durationSeconds", &problem))
    }
}

fn of_bedrock(error: &BedrockError) -> FieldError {
    let field = match error {
        BedrockError::Model { index, .. } => format!("{BEDROCK}.models[{index}]"),
        BedrockError::Guardrail(_) => format!("{BEDROCK}.guardrail"),
        BedrockError::Empty | BedrockError::TooLong { .. } => format!("{BEDROCK}.models"),
    };
    FieldError::new(field, error)
}

/// Checks whether AWS gives the grant so long a session, by what it said of the identity.
pub fn check_cap(identity: &AwsIdentity, grant: &AwsGrantSpec) -> Result<(), FieldError> {
    let caller = caller_of(identity).unwrap_or_default();
    match grant.session_kind() {
        SessionKind::Role if identity.spec.enters_directly(grant) => Ok(()),
        SessionKind::Role => grant.check_cap(caller, !grant.role_chain.is_empty()),
        SessionKind::Federated | SessionKind::Full => Ok(()),
    }
}

/// Checks what hangs on both: the tags, whose the session is, and the user of a session without a role.
pub fn check(identity: &AwsIdentity, grant: &AwsGrantSpec) -> Result<(), FieldError> {
    let session = identity.spec.session.as_ref();
    let laid_down = session
        .and_then(|own| own.tags.as_ref())
        .map(|own| &own.values);
    for key in laid_down.into_iter().flat_map(|own| own.keys()) {
        // STS takes keys that differ in case alone for the same.
        let same = |own: &&String| own.to_lowercase() == key.to_lowercase();
        if let Some(taken) = grant.tags.keys().find(same) {
            let problem = format!(
                "{taken:?} is set by AwsIdentity {}: remove it",
                grant.identity
            );
            return Err(FieldError::new(TAGS, &problem));
        }
    }
    let caller = caller_of(identity);
    if grant.role_arn.is_none() {
        check_user(identity, caller)?;
    }
    grant.check_session_policy(grant.owner(caller))
}

/// STS gives sessions without a role to users alone, by their long-lived keys.
fn check_user(identity: &AwsIdentity, caller: Option<&str>) -> Result<(), FieldError> {
    const FIELD: &str = "spec.roleArn";
    if identity.spec.credentials.access_key.is_none() {
        let problem = "it is missing, and only an AwsIdentity with an access key gives sessions without a \
                       role: write one, or use such an identity";
        return Err(FieldError::new(FIELD, &problem));
    }
    match caller.filter(|arn| !caller::is_user(arn)) {
        None => Ok(()),
        Some(arn) => {
            let problem = format!(
                "it is missing, and AWS gives sessions without a role by a user's own key alone, not to \
                 {arn}: write one, or use an AwsIdentity with the key of an IAM user"
            );
            Err(FieldError::new(FIELD, &problem))
        }
    }
}

/// Who AWS says the identity is.
fn caller_of(identity: &AwsIdentity) -> Option<&str> {
    identity.status.as_ref()?.arn.as_deref()
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
