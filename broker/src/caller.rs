//! Who a token stands for: what it says about itself, and what the API server says about it. Pure.

use alter_crds::names::broker::{SERVICE_ACCOUNT_PREFIX, TOKEN_POD_NAME, TOKEN_POD_UID};
use alter_protocol::broker::AUDIENCE;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::TokenReviewStatus;
use serde::Deserialize;

/// The pod that a token is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The pod's namespace.
    pub namespace: String,
    /// The service account that it runs as.
    pub service_account: String,
    /// Its name.
    pub pod: String,
    /// Its UID: another pod of its name is another one.
    pub uid: String,
}

/// Why a token is not accepted. Carries nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unaccepted {
    /// Not a token of the form that Kubernetes gives pods.
    #[error(
        "the token is none of a service account: mount a projected one with the audience {AUDIENCE}"
    )]
    Form,
    /// For someone else.
    #[error(
        "the token is for another audience: mount a projected one with the audience {AUDIENCE}"
    )]
    Audience,
    /// Too old.
    #[error(
        "the token expired at {0}: the kubelet renews it; check the clock of the node, and that the agent reads the file anew"
    )]
    Expired(Timestamp),
    /// The API server does not know it.
    #[error("the API server does not accept the token: the pod or its service account is gone")]
    Rejected,
    /// Of a service account, and of no pod.
    #[error("the token is not of a pod: use the one that is projected into the agent")]
    NoPod,
}

impl Unaccepted {
    /// The metrics' `reason`.
    #[must_use]
    pub const fn category(&self) -> &'static str {
        match self {
            Self::Form => "Form",
            Self::Audience => "Audience",
            Self::Expired(_) => "Expired",
            Self::Rejected => "Rejected",
            Self::NoPod => "NoPod",
        }
    }
}

#[derive(Deserialize)]
struct Claims {
    aud: Audiences,
    exp: i64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audiences {
    One(String),
    Several(Vec<String>),
}

/// When a token ends that says it is for the broker. It proves nothing: but what says otherwise of itself need not
/// be shown to the API server.
pub(crate) fn ends(token: &str, now: Timestamp) -> Result<Timestamp, Unaccepted> {
    let mut parts = token.split('.');
    let (Some(_), Some(claims), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Unaccepted::Form);
    };
    let claims = URL_SAFE_NO_PAD.decode(claims).ok();
    let claims: Option<Claims> = claims.and_then(|text| serde_json::from_slice(&text).ok());
    let claims = claims.ok_or(Unaccepted::Form)?;
    let is_ours = match &claims.aud {
        Audiences::One(own) => own == AUDIENCE,
        Audiences::Several(all) => all.iter().any(|own| own == AUDIENCE),
    };
    if !is_ours {
        return Err(Unaccepted::Audience);
    }
    let end = Timestamp::from_second(claims.exp).map_err(|_| Unaccepted::Form)?;
    if end <= now {
        return Err(Unaccepted::Expired(end));
    }
    Ok(end)
}

/// Who the API server says a token stands for.
pub(crate) fn reviewed(status: Option<TokenReviewStatus>) -> Result<Caller, Unaccepted> {
    let status = status.unwrap_or_default();
    if status.authenticated != Some(true) {
        return Err(Unaccepted::Rejected);
    }
    // An API server whose authenticators know no audiences accepts the token and says none.
    let audiences = status.audiences.unwrap_or_default();
    if !audiences.iter().any(|own| own == AUDIENCE) {
        return Err(Unaccepted::Audience);
    }
    let user = status.user.unwrap_or_default();
    let name = user.username.unwrap_or_default();
    let account = name
        .strip_prefix(SERVICE_ACCOUNT_PREFIX)
        .and_then(|account| account.split_once(':'));
    let (namespace, service_account) = account.ok_or(Unaccepted::NoPod)?;
    let mut extra = user.extra.unwrap_or_default();
    let mut only = |key| match extra.remove(key).as_deref() {
        Some([value]) if !value.is_empty() => Ok(value.clone()),
        _ => Err(Unaccepted::NoPod),
    };
    Ok(Caller {
        namespace: namespace.to_owned(),
        service_account: service_account.to_owned(),
        pod: only(TOKEN_POD_NAME)?,
        uid: only(TOKEN_POD_UID)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    fn token(claims: &Value) -> String {
        format!("h.{}.s", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[test]
    fn a_token_says_for_whom_and_until_when_it_is() {
        let later = Timestamp::from_second(1_800_000_600).unwrap();
        for aud in [
            json!("alter.dev"),
            json!(["sts.amazonaws.com", "alter.dev"]),
        ] {
            let own = token(&json!({"aud": aud, "exp": 1_800_000_600, "sub": "x"}));
            assert_eq!(ends(&own, now()), Ok(later));
        }
        for (claims, why) in [
            (
                json!({"aud": ["https://kubernetes.default.svc"], "exp": 1_800_000_600}),
                Unaccepted::Audience,
            ),
            (
                json!({"aud": "alter.dev", "exp": 1_800_000_000}),
                Unaccepted::Expired(now()),
            ),
            (json!({"aud": "alter.dev"}), Unaccepted::Form),
            (
                json!({"aud": "alter.dev", "exp": i64::MAX}),
                Unaccepted::Form,
            ),
        ] {
            assert_eq!(ends(&token(&claims), now()), Err(why), "{claims}");
        }
        for text in ["", "a", "a.b", "a.b.c", "a.b.c.d", "..", "a.!.c"] {
            assert_eq!(ends(text, now()), Err(Unaccepted::Form), "{text}");
        }
    }

    fn review(change: impl FnOnce(&mut Value)) -> Result<Caller, Unaccepted> {
        let mut status = json!({
            "authenticated": true,
            "audiences": ["alter.dev"],
            "user": {
                "username": "system:serviceaccount:team-a:app",
                "extra": {
                    "authentication.kubernetes.io/pod-name": ["app-1"],
                    "authentication.kubernetes.io/pod-uid": ["u-1"],
                },
            },
        });
        change(&mut status);
        reviewed(serde_json::from_value(status).ok())
    }

    #[test]
    fn the_api_server_says_which_pod_it_is() {
        let caller = review(|_| {}).unwrap();
        assert_eq!(
            (caller.namespace.as_str(), caller.pod.as_str()),
            ("team-a", "app-1")
        );
        assert_eq!(
            (caller.service_account.as_str(), caller.uid.as_str()),
            ("app", "u-1")
        );
    }

    #[test]
    fn what_is_no_pods_token_for_the_broker_is_not_accepted() {
        assert_eq!(reviewed(None), Err(Unaccepted::Rejected));
        let rejected = review(|status| status["authenticated"] = json!(false));
        assert_eq!(rejected, Err(Unaccepted::Rejected));
        for audiences in [json!(["other"]), json!([]), Value::Null] {
            let found = review(|status| status["audiences"] = audiences);
            assert_eq!(found, Err(Unaccepted::Audience));
        }
        for name in ["admin", "system:node:a", "system:serviceaccount:team-a", ""] {
            let found = review(|status| status["user"]["username"] = json!(name));
            assert_eq!(found, Err(Unaccepted::NoPod), "{name}");
        }
        for key in [TOKEN_POD_NAME, TOKEN_POD_UID] {
            for value in [json!([]), json!([""]), json!(["a", "b"])] {
                let found = review(|status| status["user"]["extra"][key] = value);
                assert_eq!(found, Err(Unaccepted::NoPod), "{key}");
            }
        }
    }
}
