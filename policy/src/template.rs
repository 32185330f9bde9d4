//! Templates of session names, source identities and external IDs: `{namespace}`, `{grant}` and
//! `{cluster}` stand for what they name.

use crate::name::{self, NameError};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// The session name where an identity sets none. Namespaces and grants hold no dot, so two grants never
/// share it.
pub const DEFAULT_SESSION_NAME: &str = "alter.{namespace}.{grant}";

/// STS's limit for session names and source identities.
const SESSION_NAME_LIMIT: usize = 64;

/// What the placeholders stand for.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// The grant's namespace.
    pub namespace: &'a str,
    /// The grant's name.
    pub grant: &'a str,
    /// The cluster's name, as the installation has it; may be empty.
    pub cluster: &'a str,
}

/// Why a template cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A placeholder that does not exist.
    #[error("{{{0}}} stands for nothing: write {{namespace}}, {{grant}} or {{cluster}}")]
    Unknown(String),
    /// A `{` without its `}`.
    #[error("{0:?} has a {{ without its }}: write {{namespace}}, {{grant}} or {{cluster}}")]
    Unclosed(String),
    /// `{cluster}` where the installation has no name.
    #[error("{{cluster}} stands for nothing here: set clusterName in the chart's values")]
    NoCluster,
    /// The result breaks AWS's rule.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// A session name of at most 64 characters.
pub fn session_name(template: &str, values: Values<'_>) -> Result<String, TemplateError> {
    let text = shorten(expand(template, values)?);
    name::check_session_name(&text)?;
    Ok(text)
}

/// A source identity of at most 64 characters.
pub fn source_identity(template: &str, values: Values<'_>) -> Result<String, TemplateError> {
    let text = shorten(expand(template, values)?);
    name::check_source_identity(&text)?;
    Ok(text)
}

/// An external ID; never shortened, as trust policies compare it whole.
pub fn external_id(template: &str, values: Values<'_>) -> Result<String, TemplateError> {
    let text = expand(template, values)?;
    name::check_external_id(&text)?;
    Ok(text)
}

fn expand(template: &str, values: Values<'_>) -> Result<String, TemplateError> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((placeholder, behind)) = after.split_once('}') else {
            return Err(TemplateError::Unclosed(template.to_owned()));
        };
        text.push_str(before);
        text.push_str(match placeholder {
            "namespace" => values.namespace,
            "grant" => values.grant,
            "cluster" if values.cluster.is_empty() => return Err(TemplateError::NoCluster),
            "cluster" => values.cluster,
            other => return Err(TemplateError::Unknown(other.to_owned())),
        });
        rest = behind;
    }
    text.push_str(rest);
    Ok(text)
}

/// Cuts what is too long, and ends it with a digest of the whole, so that two long names stay two.
fn shorten(text: String) -> String {
    const DIGEST: usize = 12;
    if text.chars().count() <= SESSION_NAME_LIMIT {
        return text;
    }
    let mut short: String = text.chars().take(SESSION_NAME_LIMIT - DIGEST - 1).collect();
    short.push('-');
    for byte in &Sha256::digest(text.as_bytes())[..DIGEST / 2] {
        // Writing to a String has no way to fail.
        let _ = write!(short, "{byte:02x}");
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const VALUES: Values<'_> = Values {
        namespace: "team-a",
        grant: "bedrock",
        cluster: "prod",
    };

    #[test]
    fn placeholders_stand_for_what_they_name() {
        assert_eq!(
            session_name(DEFAULT_SESSION_NAME, VALUES).unwrap(),
            "alter.team-a.bedrock"
        );
        assert_eq!(
            external_id("{cluster}/{namespace}:{grant}", VALUES).unwrap(),
            "prod/team-a:bedrock"
        );
        assert_eq!(source_identity("{namespace}", VALUES).unwrap(), "team-a");
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(
            session_name("{pod}", VALUES),
            Err(TemplateError::Unknown("pod".to_owned()))
        );
        assert!(matches!(
            session_name("{grant", VALUES),
            Err(TemplateError::Unclosed(_))
        ));
        assert!(matches!(
            session_name("a b", VALUES),
            Err(TemplateError::Name(_))
        ));
        assert_eq!(
            session_name(
                "{cluster}",
                Values {
                    cluster: "",
                    ..VALUES
                }
            ),
            Err(TemplateError::NoCluster)
        );
        assert_eq!(
            TemplateError::Unknown("pod".to_owned()).to_string(),
            "{pod} stands for nothing: write {namespace}, {grant} or {cluster}"
        );
    }

    proptest! {
        #[test]
        fn session_names_are_always_valid_and_never_shared(
            a in ("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?"),
            b in ("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?"),
        ) {
            let name = |(namespace, grant): &(String, String)| {
                session_name(DEFAULT_SESSION_NAME, Values { namespace, grant, cluster: "" }).unwrap()
            };
            prop_assert!(name(&a).len() <= 64);
            prop_assert_eq!(name(&a) == name(&b), a == b);
        }

        #[test]
        fn expanding_never_panics(template in ".{0,80}") {
            let _ = session_name(&template, VALUES);
        }
    }
}
