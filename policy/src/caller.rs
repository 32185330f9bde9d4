//! Who calls STS, and what STS therefore gives.

/// STS gives a caller that is itself a session no session that lives longer, in seconds.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining>
pub const CHAINED_SECONDS: i32 = 3_600;

/// Whether the caller of this ARN is itself a session, as `sts:GetCallerIdentity` names it:
/// `arn:aws:sts::111122223333:assumed-role/role/session`.
///
/// IRSA, Pod Identity, instance metadata, web identity and Roles Anywhere make sessions; access keys of
/// users do not.
fn is_session(arn: &str) -> bool {
    let (service, resource) = parts(arn);
    service == "sts" && resource.starts_with("assumed-role/")
}

/// Whether the caller of this ARN is an account's root user, `arn:aws:iam::111122223333:root`: may do all
/// that the account can, and is bounded by no policy of its own.
#[must_use]
fn is_root(arn: &str) -> bool {
    parts(arn) == ("iam", "root")
}

/// Why nothing is issued through the caller of this ARN, and the mend; nothing where it is no root user.
#[must_use]
pub fn refuse_root(arn: &str) -> Option<String> {
    is_root(arn).then(|| {
        format!(
            "AWS knows its credentials as {arn}, an account's root user, through which Alter issues nothing: make an \
             IAM user or role for it, and delete the root user's access key"
        )
    })
}

/// The caller without what differs from session to session: of an assumed role, its ARN less the session's
/// name.
#[must_use]
pub fn principal(arn: &str) -> &str {
    match arn.rsplit_once('/') {
        Some((role, _)) if is_session(arn) => role,
        _ => arn,
    }
}

/// Service and resource. By an ARN's parts: the path of a user may hold any of the words.
fn parts(arn: &str) -> (&str, &str) {
    let mut parts = arn.splitn(6, ':');
    let service = parts.nth(2).unwrap_or_default();
    (service, parts.nth(2).unwrap_or_default())
}

/// Whether STS gives the caller of this ARN no role's session of so many seconds; `chained` where roles stand
/// between.
#[must_use]
pub fn is_capped_below(arn: &str, chained: bool, seconds: i32) -> bool {
    seconds > CHAINED_SECONDS && (chained || is_session(arn))
}

/// Whether the caller of this ARN is a user, by a key of whom alone STS gives sessions without a role.
#[must_use]
pub fn is_user(arn: &str) -> bool {
    let (service, resource) = parts(arn);
    service == "iam" && resource.starts_with("user/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assumed_role_is_a_session_in_every_partition() {
        for arn in [
            "arn:aws:sts::111122223333:assumed-role/alter/operator",
            "arn:aws-cn:sts::111122223333:assumed-role/alter/i-0abc",
            "arn:aws-us-gov:sts::111122223333:assumed-role/alter/a:b",
        ] {
            assert!(is_session(arn), "{arn}");
        }
    }

    #[test]
    fn users_and_roots_are_not_whatever_they_are_called() {
        for arn in [
            "arn:aws:iam::111122223333:user/alter",
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::111122223333:role/assumed-role/alter",
            "arn:aws:iam::111122223333:user/sts:assumed-role/alter",
            "arn:aws:sts::111122223333:federated-user/assumed-role/a",
            "",
        ] {
            assert!(!is_session(arn), "{arn}");
        }
    }

    #[test]
    fn the_root_user_is_told_from_users_of_that_name() {
        assert!(is_root("arn:aws:iam::111122223333:root"));
        assert!(is_root("arn:aws-cn:iam::111122223333:root"));
        for arn in [
            "arn:aws:iam::111122223333:user/root",
            "arn:aws:sts::111122223333:assumed-role/root/root",
            "arn:aws:sts::111122223333:root",
            "",
        ] {
            assert!(!is_root(arn), "{arn}");
        }
    }

    #[test]
    fn sessions_of_one_role_are_one_principal() {
        assert_eq!(
            principal("arn:aws:sts::111122223333:assumed-role/alter/web-identity-token-1"),
            "arn:aws:sts::111122223333:assumed-role/alter"
        );
        for arn in [
            "arn:aws:iam::111122223333:user/path/alter",
            "arn:aws:iam::111122223333:root",
            "arn:aws:sts::111122223333:federated-user/a",
        ] {
            assert_eq!(principal(arn), arn);
        }
    }

    #[test]
    fn a_session_gives_an_hour_and_a_user_more() {
        let session = "arn:aws:sts::111122223333:assumed-role/alter/operator";
        let user = "arn:aws:iam::111122223333:user/alter";
        for chained in [false, true] {
            assert!(is_capped_below(session, chained, 3_601));
            assert!(!is_capped_below(session, chained, 3_600));
        }
        assert!(!is_capped_below(user, false, 43_200));
        assert!(is_capped_below(user, true, 3_601) && !is_capped_below(user, true, 3_600));
    }

    #[test]
    fn a_user_is_told_from_roots_and_sessions() {
        assert!(is_user("arn:aws:iam::111122223333:user/path/root"));
        for arn in [
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::111122223333:role/user/a",
            "arn:aws:sts::111122223333:federated-user/user/a",
            "",
        ] {
            assert!(!is_user(arn), "{arn}");
        }
    }
}
