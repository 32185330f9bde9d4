//! What the reader of a failure does next. Pure.

use crate::{
    classify::{Class, Dispatch, is_clock},
    request::{FederationRequest, RoleRequest},
};
use alter_policy::session_policy::SessionPolicy;
use std::collections::BTreeMap;

/// What was asked, and of whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// The endpoint, as people name it.
    pub(crate) place: &'a str,
    /// The session that was asked for; absent for `GetCallerIdentity`.
    pub(crate) request: Option<Wanted<'a>>,
    /// What the caller shows.
    pub(crate) by: By,
}

/// A session that was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted<'a> {
    /// Of a role.
    Role(&'a RoleRequest),
    /// Of the user who asks, confined.
    Federated(&'a FederationRequest),
    /// Of the user who asks.
    Full,
}

/// What the caller shows to AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// Credentials of the component's own default chain.
    Ambient,
    /// An access key out of a Secret.
    AccessKey,
    /// A session of the identity's own role.
    Session,
    /// A token of a service account, to enter that role.
    Token,
    /// A certificate, to enter that role.
    Certificate,
    /// A session of the role for revocations, to IAM.
    Revoker,
}

impl By {
    /// Who answers, and the field with its URL.
    pub(crate) const fn service(self) -> (&'static str, &'static str) {
        match self {
            Self::Certificate => ("Roles Anywhere", "endpoints.rolesanywhere"),
            Self::Revoker => ("IAM", "endpoints.iam"),
            _ => ("STS", "endpoints.sts"),
        }
    }
}

pub(crate) fn answered(class: Class, code: &str, message: &str, asked: &Asked<'_>) -> String {
    if asked.by == By::Revoker {
        return revoking(class, code, message).to_owned();
    }
    match class {
        Class::Throttled => {
            "Alter asks again by itself; if this stays, lower --sts-rate, or ask for longer sessions"
                .to_owned()
        }
        Class::Transient => "Alter asks again by itself".to_owned(),
        Class::Denied => match asked.by {
            By::Token => TOKEN_DENIED.to_owned(),
            By::Certificate => CERTIFICATE_DENIED.to_owned(),
            By::Ambient | By::AccessKey | By::Session | By::Revoker => denied(message, asked),
        },
        Class::SourceRejected => rejected(code, message, asked).to_owned(),
        Class::TooLarge => too_large(message, asked.request),
        Class::InvalidInput => invalid(code, message, asked.by).to_owned(),
    }
}

const TOKEN_DENIED: &str = "allow sts:AssumeRoleWithWebIdentity in the role's trust policy for the \
                            cluster's issuer and the subject and audience of the service account's token";
const TOKEN_REJECTED: &str = "make the cluster's issuer an OIDC provider of the role's account in IAM, with \
                              the token's audience, and see that AWS reaches the issuer's keys";
const CERTIFICATE_DENIED: &str = "check that the trust anchor trusts the certificate's CA, that anchor and \
                                  profile are enabled and the profile names the role, and that the role's \
                                  trust policy allows rolesanywhere.amazonaws.com sts:AssumeRole, \
                                  sts:TagSession and sts:SetSourceIdentity";

/// Of IAM's calls.
fn revoking(class: Class, code: &str, message: &str) -> &'static str {
    match class {
        Class::Throttled | Class::Transient => "Alter asks again by itself",
        Class::Denied => {
            "allow iam:GetRolePolicy, iam:PutRolePolicy and iam:DeleteRolePolicy on the grant's role in the policy of \
             spec.revocation.roleArn, and in its permissions boundary where it has one"
        }
        Class::SourceRejected if is_clock(code, message) => {
            "set the clock of the operator's node: it differs from AWS's"
        }
        Class::SourceRejected => {
            "Alter assumes spec.revocation.roleArn anew by itself; if this stays, see that the role is still there"
        }
        Class::TooLarge => {
            "remove or shorten inline policies of the role, or make them managed ones: AWS takes 10,240 characters of \
             inline policies together"
        }
        Class::InvalidInput if code == "NoSuchEntity" => "see that the role exists",
        Class::InvalidInput => {
            "see that the role is one whose policies can be changed, or put the deny on it by hand"
        }
    }
}

fn denied(message: &str, asked: &Asked<'_>) -> String {
    let request = match asked.request {
        Some(Wanted::Role(request)) => request,
        Some(Wanted::Federated(request)) => return federation_denied(message, request),
        Some(Wanted::Full) => return NO_SESSION.to_owned(),
        None => return "give the identity credentials that may call STS".to_owned(),
    };
    let extras = [
        ("sts:TagSession", "session tags", !request.tags.is_empty()),
        (
            "sts:SetSourceIdentity",
            "a source identity",
            request.source_identity.is_some(),
        ),
    ];
    // AWS names the action that lacks, where it looks at that one first.
    if let Some((action, what, _)) = extras.iter().find(|(action, ..)| message.contains(action)) {
        return format!("allow {action} in the role's trust policy, since the session has {what}");
    }
    let mut text =
        "check that the role exists, and allow sts:AssumeRole for this principal in its trust policy, and in the \
                    principal's own policy where the role is of another account"
            .to_owned();
    for (action, what, _) in extras.iter().filter(|(.., set)| *set) {
        text.extend([
            "; the session has ",
            what,
            ", so the trust policy must allow ",
            action,
            " too",
        ]);
    }
    text.push_str(match &request.external_id {
        Some(_) => "; its condition on sts:ExternalId must match",
        None => "; where it asks for an sts:ExternalId, the identity or grant must set one",
    });
    text
}

/// `GetSessionToken` needs no permission.
const NO_SESSION: &str = "find the policy that denies sts:GetSessionToken to the identity's user, and see that \
                          its key is a user's own";

fn federation_denied(message: &str, request: &FederationRequest) -> String {
    let tagged = "sts:TagSession";
    if message.contains(tagged) {
        return format!(
            "allow {tagged} in the policy of the identity's user, since the session has session tags"
        );
    }
    let too = if request.tags.is_empty() {
        String::new()
    } else {
        format!(" and {tagged}")
    };
    format!(
        "allow sts:GetFederationToken{too} in the policy of the identity's user, and use a user's own key"
    )
}

/// Names the parts that AWS packs, the largest first.
fn too_large(message: &str, wanted: Option<Wanted<'_>>) -> String {
    let (policy, tags) = match wanted {
        Some(Wanted::Role(request)) => (&request.policy, &request.tags),
        Some(Wanted::Federated(request)) => (&request.policy, &request.tags),
        Some(Wanted::Full) | None => return "use a smaller session policy".to_owned(),
    };
    let mut parts = parts_by_size(policy, tags);
    let said = percentage(message).map_or(String::new(), |percent| {
        format!("packed they are {percent}% of what AWS takes: ")
    });
    if parts.is_empty() {
        return format!("{said}use EKS Pod Identity or a token with fewer session tags");
    }
    let (first, length) = parts.remove(0);
    let rest = parts
        .iter()
        .map(|(part, length)| format!("; {part} has {length}"));
    let rest: String = rest.collect();
    format!("{said}shorten {first} first, which has {length} characters{rest}")
}

fn parts_by_size(
    policy: &SessionPolicy,
    tags: &BTreeMap<String, String>,
) -> Vec<(&'static str, usize)> {
    let characters = |text: &String| text.chars().count();
    let of_tags = tags
        .iter()
        .map(|(key, value)| characters(key) + characters(value));
    let mut parts = vec![
        (
            "the session policy (spec.bedrock or spec.policy)",
            policy.document_length(),
        ),
        ("the list of spec.policyArns", policy.arns_length()),
        (
            "the set of session tags (spec.tags, and the identity's)",
            of_tags.sum(),
        ),
    ];
    parts.retain(|(_, length)| *length > 0);
    parts.sort_by_key(|(_, length)| std::cmp::Reverse(*length));
    parts
}

/// The number before the `%`, as in "Packed policy consumes 137% of allotted space".
fn percentage(message: &str) -> Option<&str> {
    let (before, _) = message.split_once('%')?;
    let start = before
        .rfind(|c: char| !c.is_ascii_digit())
        .map_or(0, |at| at + 1);
    Some(&before[start..]).filter(|digits| !digits.is_empty())
}

fn rejected(code: &str, message: &str, asked: &Asked<'_>) -> &'static str {
    if is_clock(code, message) {
        return "set the clock of the operator's node: it differs from AWS's";
    }
    match (code, asked.by) {
        ("OptInRequired" | "OptInRequiredException", _) => {
            "enable the region for the account, or set another region on the AwsIdentity"
        }
        (
            "SignatureDoesNotMatch" | "InvalidSignatureException" | "IncompleteSignature",
            By::AccessKey,
        ) => "write the access key id and the secret of one and the same key into the Secret",
        (_, By::AccessKey) => "write an access key that is active into the identity's Secret",
        (_, By::Ambient) => {
            "check what gives the operator its credentials: its service account's role, its \
             EKS Pod Identity association, or its instance profile"
        }
        (_, By::Session) => {
            "Alter enters the identity's role anew by itself; if this stays, see that the role is still there"
        }
        (_, By::Token) => TOKEN_REJECTED,
        (_, By::Certificate) => CERTIFICATE_DENIED,
        (_, By::Revoker) => revoking(Class::SourceRejected, code, message),
    }
}

fn invalid(code: &str, message: &str, by: By) -> &'static str {
    if by == By::Certificate {
        "correct trustAnchorArn, profileArn or roleArn of the AwsIdentity, and see that the profile names the role"
    } else if message.contains("role chaining") {
        "set durationSeconds to at most 3600: the caller is itself a role's session"
    } else if message.contains("transitive") {
        "remove the session tag that AWS names: the identity's own session carries it on already"
    } else if message.contains("MaxSessionDuration") {
        "lower durationSeconds, or raise the role's maximum session duration"
    } else if code.starts_with("MalformedPolicyDocument") {
        "correct spec.policy of the AwsGrant: it must be what IAM takes as a session policy, without Principal"
    } else if code.starts_with("RegionDisabled") {
        "activate STS for the region in the account's IAM settings, or set another region on the \
         AwsIdentity"
    } else {
        "correct the field that AWS names"
    }
}

pub(crate) fn foreign(by: By) -> String {
    let (service, field) = by.service();
    format!(
        "check that {field} of the AwsIdentity is {service}, and that no proxy answers in its place"
    )
}

pub(crate) fn unanswered(dispatch: Dispatch, asked: &Asked<'_>) -> String {
    match dispatch {
        Dispatch::Timeout | Dispatch::Io => {
            let place = asked.place;
            format!(
                "check that the operator's pods reach {place}: DNS, network policies, firewalls"
            )
        }
        Dispatch::Unreadable => foreign(asked.by),
        Dispatch::Request => {
            let (_, field) = asked.by.service();
            format!("correct region or {field} of the AwsIdentity")
        }
    }
}

pub(crate) fn source(class: Class, code: Option<&str>, asked: &Asked<'_>) -> String {
    match (class, code) {
        (Class::Transient | Class::Throttled, _) => "Alter asks again by itself".to_owned(),
        (_, Some(code)) if code.contains("Identity") || code == "IDPRejectedClaim" => {
            "compare the issuer, audience and subject of the operator's service account token with \
             IAM's OIDC provider and the trust policy of the operator's role"
                .to_owned()
        }
        (_, Some("AccessDenied")) => {
            "allow sts:AssumeRoleWithWebIdentity for the operator's service account in the trust \
             policy of the operator's role"
                .to_owned()
        }
        (_, Some(code)) => rejected(code, "", asked).to_owned(),
        (_, None) => {
            "give the operator's service account a role (IRSA or EKS Pod Identity), or use \
                      another source of credentials on the AwsIdentity"
                .to_owned()
        }
    }
}

#[cfg(test)]
#[path = "mend_tests.rs"]
mod tests;
