//! What the reader of a failure does next. Pure.

use crate::{
    classify::{Class, Dispatch, is_clock},
    request::RoleRequest,
};

/// What was asked, and of whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// The endpoint, as people name it.
    pub(crate) place: &'a str,
    /// The role session that was asked for; absent for `GetCallerIdentity`.
    pub(crate) request: Option<&'a RoleRequest>,
    /// What the caller shows.
    pub(crate) by: By,
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
}

impl By {
    /// Who answers, and the field with its URL.
    pub(crate) const fn service(self) -> (&'static str, &'static str) {
        match self {
            Self::Certificate => ("Roles Anywhere", "endpoints.rolesanywhere"),
            _ => ("STS", "endpoints.sts"),
        }
    }
}

pub(crate) fn answered(class: Class, code: &str, message: &str, asked: &Asked<'_>) -> String {
    match class {
        Class::Throttled => {
            "Alter asks again by itself; if this stays, lower --sts-rate, or ask for longer sessions"
                .to_owned()
        }
        Class::Transient => "Alter asks again by itself".to_owned(),
        Class::Denied => match asked.by {
            By::Token => TOKEN_DENIED.to_owned(),
            By::Certificate => CERTIFICATE_DENIED.to_owned(),
            By::Ambient | By::AccessKey | By::Session => denied(message, asked),
        },
        Class::SourceRejected => rejected(code, message, asked).to_owned(),
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

fn denied(message: &str, asked: &Asked<'_>) -> String {
    let Some(request) = asked.request else {
        return "give the identity credentials that may call STS".to_owned();
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
        "allow sts:AssumeRole for this principal in the role's trust policy, and in the \
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
    }
}

fn invalid(code: &str, message: &str, by: By) -> &'static str {
    if by == By::Certificate {
        "correct trustAnchorArn, profileArn or roleArn of the AwsIdentity, and see that the profile names the role"
    } else if message.contains("role chaining") {
        "set durationSeconds to at most 3600: the identity itself is a role's session"
    } else if message.contains("MaxSessionDuration") {
        "lower durationSeconds, or raise the role's maximum session duration"
    } else if code.starts_with("PackedPolicyTooLarge") {
        "use fewer or shorter session tags"
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
mod tests {
    use super::*;

    fn request() -> RoleRequest {
        RoleRequest {
            role_arn: "arn:aws:iam::111122223333:role/team-a".to_owned(),
            session_name: "alter.team-a.bedrock".to_owned(),
            duration_seconds: 3600,
            external_id: None,
            source_identity: None,
            tags: [].into(),
        }
    }

    fn asked(request: &RoleRequest) -> Asked<'_> {
        Asked {
            place: "STS in us-east-1",
            request: Some(request),
            by: By::AccessKey,
        }
    }

    const ASSUME: &str = "User: arn:aws:iam::111122223333:user/alter is not authorized to perform: \
                          sts:AssumeRole on resource: arn:aws:iam::111122223333:role/team-a";

    #[test]
    fn a_denial_names_what_the_trust_policy_may_lack() {
        let plain = denied(ASSUME, &asked(&request()));
        assert!(plain.contains("sts:AssumeRole"), "{plain}");
        assert!(
            !plain.contains("TagSession") && !plain.contains("SetSource"),
            "{plain}"
        );

        let tagged = RoleRequest {
            tags: [("team".to_owned(), "a".to_owned())].into(),
            ..request()
        };
        let text = denied(ASSUME, &asked(&tagged));
        assert!(text.contains("must allow sts:TagSession too"), "{text}");
        assert!(!text.contains("SetSource"), "{text}");

        let named = RoleRequest {
            source_identity: Some("team-a".to_owned()),
            external_id: Some("org".to_owned()),
            ..request()
        };
        let text = denied(ASSUME, &asked(&named));
        assert!(
            text.contains("must allow sts:SetSourceIdentity too"),
            "{text}"
        );
        assert!(text.contains("sts:ExternalId must match"), "{text}");
    }

    #[test]
    fn a_denial_of_the_extra_action_itself_names_it_alone() {
        let message = ASSUME.replace("sts:AssumeRole", "sts:TagSession");
        assert_eq!(
            denied(&message, &asked(&request())),
            "allow sts:TagSession in the role's trust policy, since the session has session tags"
        );
    }

    #[test]
    fn each_refusal_has_its_own_mend() {
        let request = request();
        let mend = |class, code, message| answered(class, code, message, &asked(&request));
        for (class, code, message, word) in [
            (Class::SourceRejected, "RequestExpired", "", "clock"),
            (
                Class::SourceRejected,
                "SignatureDoesNotMatch",
                "Signature expired: x",
                "clock",
            ),
            (
                Class::SourceRejected,
                "SignatureDoesNotMatch",
                "",
                "one and the same key",
            ),
            (Class::SourceRejected, "InvalidClientTokenId", "", "active"),
            (
                Class::SourceRejected,
                "OptInRequired",
                "",
                "enable the region",
            ),
            (
                Class::InvalidInput,
                "ValidationError",
                "exceeds the MaxSessionDuration set for this role",
                "durationSeconds",
            ),
            (
                Class::InvalidInput,
                "ValidationError",
                "exceeds the 1 hour session limit for roles assumed by role chaining",
                "3600",
            ),
            (Class::InvalidInput, "PackedPolicyTooLarge", "", "tags"),
            (
                Class::InvalidInput,
                "RegionDisabledException",
                "",
                "activate STS",
            ),
            (
                Class::Throttled,
                "Throttling",
                "Rate exceeded",
                "--sts-rate",
            ),
        ] {
            let text = mend(class, code, message);
            assert!(text.contains(word), "{code}: {text}");
        }
    }

    #[test]
    fn each_way_in_has_its_own_mend() {
        for (by, class, word) in [
            (By::Token, Class::Denied, "sts:AssumeRoleWithWebIdentity"),
            (By::Token, Class::SourceRejected, "OIDC provider"),
            (By::Certificate, Class::Denied, "trust anchor"),
            (By::Certificate, Class::SourceRejected, "trust anchor"),
            (By::Certificate, Class::InvalidInput, "profileArn"),
            (By::Session, Class::SourceRejected, "by itself"),
        ] {
            let asked = Asked {
                place: "STS in us-east-1",
                request: None,
                by,
            };
            let text = answered(class, "Code", "", &asked);
            assert!(text.contains(word), "{by:?} {class:?}: {text}");
        }
        assert!(foreign(By::Certificate).contains("endpoints.rolesanywhere"));
        assert!(foreign(By::Session).contains("endpoints.sts"));
    }
}
