//! `grant.json`: what the agent must know of a grant beside its session. Holds no secrets.

use serde::{Deserialize, Serialize};

/// The version that this program writes.
pub const VERSION: u32 = 1;

/// How a pod gets a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    /// The SDK runs the helper as its `credential_process`.
    Process,
    /// The SDK asks the agent's container credentials endpoint on loopback.
    Endpoint,
    /// The SDK asks the agent for instance metadata on loopback.
    Imds,
}

impl Delivery {
    /// All of them, the default first.
    pub const ALL: [Self; 3] = [Self::Process, Self::Endpoint, Self::Imds];

    /// As in annotations and specs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Endpoint => "endpoint",
            Self::Imds => "imds",
        }
    }
}

impl std::fmt::Display for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A delivery that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown delivery {0:?}: write one of process, endpoint, imds")]
pub struct UnknownDelivery(pub String);

impl std::str::FromStr for Delivery {
    type Err = UnknownDelivery;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|delivery| delivery.as_str() == text)
            .ok_or_else(|| UnknownDelivery(text.to_owned()))
    }
}

/// The content of `grant.json`.
///
/// Fields may be added within a version: a reader ignores those it does not know. The version rises
/// when an old reader would do wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GrantDocument {
    /// [`VERSION`].
    pub version: u32,
    /// The grant's namespace.
    pub namespace: String,
    /// The grant's name, which is also its profile's name.
    pub grant: String,
    /// The AWS region that the SDKs are to use.
    pub region: String,
    /// The role that the session is of.
    pub role_arn: String,
    /// Which service accounts of the namespace may use it; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_accounts: Vec<String>,
    /// Deliveries that the grant allows, by name: a reader may be older than a delivery.
    pub deliveries: Vec<String>,
    /// Set once the session was taken away: nothing may be served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Revocation>,
}

/// Why a session was taken away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// A condition's reason, such as `Suspended`.
    pub reason: String,
    /// For people: what happened, and what to do next.
    pub message: String,
}

/// Why a `grant.json` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GrantDocumentError {
    /// Not the JSON that Alter writes.
    #[error("grant.json cannot be read: {0}")]
    Decode(#[from] serde_json::Error),
    /// Written by a newer operator in a way that this agent cannot follow.
    #[error(
        "grant.json has version {0}, this agent reads {VERSION}: restart the pod to get the current agent"
    )]
    Version(u32),
}

impl GrantDocument {
    /// Reads a `grant.json`.
    pub fn from_json(text: &[u8]) -> Result<Self, GrantDocumentError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } = serde_json::from_slice(text)?;
        if version != VERSION {
            return Err(GrantDocumentError::Version(version));
        }
        Ok(serde_json::from_slice(text)?)
    }

    /// Writes a `grant.json`.
    #[must_use]
    pub fn to_json(&self) -> String {
        // A struct of strings: serialising it has no way to fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> GrantDocument {
        GrantDocument {
            version: VERSION,
            namespace: "team-a".to_owned(),
            grant: "bedrock".to_owned(),
            region: "us-east-1".to_owned(),
            role_arn: "arn:aws:iam::111122223333:role/team-a".to_owned(),
            service_accounts: vec!["app".to_owned()],
            deliveries: vec!["process".to_owned()],
            revoked: Some(Revocation {
                reason: "Suspended".to_owned(),
                message: "spec.suspend is true".to_owned(),
            }),
        }
    }

    #[test]
    fn is_read_back() {
        assert_eq!(
            GrantDocument::from_json(document().to_json().as_bytes()).unwrap(),
            document()
        );
    }

    #[test]
    fn fields_and_deliveries_of_newer_operators_are_ignored() {
        let mut json: serde_json::Value = serde_json::from_str(&document().to_json()).unwrap();
        json["requests"] = serde_json::json!({"allow": []});
        json["deliveries"] = serde_json::json!(["process", "carrier-pigeon"]);
        let read = GrantDocument::from_json(json.to_string().as_bytes()).unwrap();
        assert_eq!(read.deliveries, ["process", "carrier-pigeon"]);
    }

    #[test]
    fn a_newer_version_is_refused_with_the_mend() {
        let error = GrantDocument::from_json(br#"{"version":2,"shape":"other"}"#).unwrap_err();
        assert!(error.to_string().contains("restart the pod"), "{error}");
    }

    #[test]
    fn deliveries_have_the_names_of_the_annotation() {
        for delivery in Delivery::ALL {
            assert_eq!(delivery.as_str().parse(), Ok(delivery));
            assert_eq!(serde_json::to_value(delivery).unwrap(), delivery.as_str());
        }
        assert_eq!(
            "Proxy".parse::<Delivery>().unwrap_err().to_string(),
            "unknown delivery \"Proxy\": write one of process, endpoint, imds"
        );
    }
}
