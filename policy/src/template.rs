//! Templates of session names, source identities, external IDs and tags' values: `{namespace}`, `{grant}`,
//! `{serviceAccount}`, `{pod}` and `{cluster}` stand for what they name.

use crate::hex::hex;
use crate::name::{self, NameError};
use crate::tag::{self, TagError};
use sha2::{Digest, Sha256};

/// The session name where an identity sets none. Namespaces and grants hold no dot, so two grants never
/// share it.
pub const DEFAULT_SESSION_NAME: &str = "alter.{namespace}.{grant}";

/// STS's limit for session names.
const SESSION_NAME_LIMIT: usize = 64;
/// And for the names of federated sessions.
const FEDERATED_NAME_LIMIT: usize = 32;

/// What the placeholders stand for.
#[derive(Clone, Copy, Debug)]
pub struct Values<'a> {
    /// The grant's namespace.
    pub namespace: &'a str,
    /// The grant's name.
    pub grant: &'a str,
    /// The cluster's name, as the installation has it; may be empty.
    pub cluster: &'a str,
    /// The service account of the pod that the session is for; none where pods share the session.
    pub service_account: Option<&'a str>,
    /// That pod's name.
    pub pod: Option<&'a str>,
}

/// Why a template cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A placeholder that does not exist.
    #[error(
        "{{{0}}} stands for nothing: write {{namespace}}, {{grant}}, {{serviceAccount}}, {{pod}} or {{cluster}}"
    )]
    Unknown(String),
    /// A `{` without its `}`.
    #[error("{0:?} has a {{ without its }}: write placeholders such as {{namespace}}")]
    Unclosed(String),
    /// `{cluster}` where the installation has no name.
    #[error("{{cluster}} stands for nothing here: set clusterName in the chart's values")]
    NoCluster,
    /// `{serviceAccount}` or `{pod}` in a session that is no pod's own.
    #[error(
        "{{{0}}} stands for nothing in a session that all pods of the grant share: set store: Broker on the grant, or remove it from the template"
    )]
    Shared(&'static str),
    /// Two values that cannot be told apart.
    #[error(
        "{template:?} makes one text of different values of {first} and {second}: write a character between them that neither holds, such as ="
    )]
    Ambiguous {
        /// The template.
        template: String,
        /// A placeholder.
        first: &'static str,
        /// The placeholder that runs into it.
        second: &'static str,
    },
    /// A value that another namespace has too.
    #[error(
        "{template:?} has {placeholder} without {{namespace}}, so that another namespace can make the same text: add {{namespace}}, such as {{namespace}}.{placeholder}"
    )]
    Crossing {
        /// The template.
        template: String,
        /// The placeholder.
        placeholder: &'static str,
    },
    /// The result breaks AWS's rule.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The result breaks AWS's rule for tags.
    #[error(transparent)]
    Tag(#[from] TagError),
}

/// The session name under which an identity enters a role of its own.
#[must_use]
pub fn own_session_name(identity: &str) -> String {
    let own = format!("alter.{identity}");
    if own == name::REVOCATION_SESSION {
        // No name of an identity has the sign.
        return format!("{own}=");
    }
    cut(own, SESSION_NAME_LIMIT)
}

/// A session name, cut to 64 characters.
pub fn session_name(template: &str, values: Values<'_>) -> Result<String, TemplateError> {
    let text = cut(expand(template, values)?, SESSION_NAME_LIMIT);
    name::check_session_name(&text)?;
    Ok(text)
}

/// A source identity of at most 64 characters; never shortened, as trust policies compare it whole.
pub fn source_identity(template: &str, values: Values<'_>) -> Result<String, TemplateError> {
    let text = expand(template, values)?;
    name::check_source_identity(&text)?;
    Ok(text)
}

/// An external ID; never shortened, as trust policies compare it whole.
pub fn external_id(template: &str, values: Values<'_>) -> Result<String, TemplateError> {
    let text = expand(template, values)?;
    name::check_external_id(&text)?;
    Ok(text)
}

/// A session tag's value of at most 256 characters; never shortened, as policies compare it whole.
pub fn tag_value(key: &str, template: &str, values: Values<'_>) -> Result<String, TemplateError> {
    let text = expand(template, values)?;
    tag::check_value(key, &text)?;
    Ok(text)
}

/// The name of a federated session: `namespace.grant`, cut to 32 characters. No two grants share it, as neither a
/// namespace nor a grant holds a dot or `=`.
#[must_use]
pub fn federated_name(namespace: &str, grant: &str) -> String {
    cut(format!("{namespace}.{grant}"), FEDERATED_NAME_LIMIT)
}

/// Refuses a template whose text does not say which values it was made of.
///
/// Namespaces and grants are DNS labels: between two characters that no DNS label holds there may be one of
/// them, as often as the template likes, or neither; then its text is that stretch less what is constant.
/// Service accounts and pods hold dots too: of those, there may be one between two characters that are no
/// dot either; then the number of all dots says how many of them are its own.
pub fn check_distinct(template: &str) -> Result<(), TemplateError> {
    let (mut in_stretch, mut dotted) = (None, None);
    for part in parts(template)? {
        match part {
            Part::Text(text) => {
                if text.bytes().any(|b| !is_label_byte(b)) {
                    in_stretch = None;
                }
                if text.bytes().any(|b| !is_label_byte(b) && b != b'.') {
                    dotted = None;
                }
            }
            // The cluster's name is the same in all of them.
            Part::Cluster => {}
            _ => {
                let before = in_stretch.replace(part);
                let before_dots = part.is_dotted().then(|| dotted.replace(part)).flatten();
                let other = [before, before_dots].into_iter().flatten();
                if let Some(other) = other.into_iter().find(|other| *other != part) {
                    return Err(TemplateError::Ambiguous {
                        template: template.to_owned(),
                        first: other.name(),
                        second: part.name(),
                    });
                }
            }
        }
    }
    Ok(())
}

/// The placeholder by which a text tells apart what is in a namespace, though it does not say which namespace:
/// the same name in another one makes the same text.
#[must_use]
pub fn crosses_namespaces(template: &str) -> Option<&'static str> {
    let parts = parts(template).unwrap_or_default();
    if parts.contains(&Part::Namespace) {
        return None;
    }
    let of_namespace = [Part::Grant, Part::ServiceAccount, Part::Pod];
    let crossing = parts.iter().find(|part| of_namespace.contains(part));
    crossing.map(|part| part.name())
}

/// Refuses a template by which another namespace can make the same text.
pub fn check_own(template: &str) -> Result<(), TemplateError> {
    check_distinct(template)?;
    crosses_namespaces(template).map_or(Ok(()), |placeholder| {
        Err(TemplateError::Crossing {
            template: template.to_owned(),
            placeholder,
        })
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part<'a> {
    Text(&'a str),
    Namespace,
    Grant,
    ServiceAccount,
    Pod,
    Cluster,
}

impl Part<'_> {
    const fn name(self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Namespace => "{namespace}",
            Self::Grant => "{grant}",
            Self::ServiceAccount => "{serviceAccount}",
            Self::Pod => "{pod}",
            Self::Cluster => "{cluster}",
        }
    }

    /// Whether its values are DNS subdomains, which may hold dots.
    const fn is_dotted(self) -> bool {
        matches!(self, Self::ServiceAccount | Self::Pod)
    }
}

fn parts(template: &str) -> Result<Vec<Part<'_>>, TemplateError> {
    let (mut parts, mut rest) = (Vec::new(), template);
    while let Some((before, after)) = rest.split_once('{') {
        let Some((placeholder, behind)) = after.split_once('}') else {
            return Err(TemplateError::Unclosed(template.to_owned()));
        };
        parts.push(Part::Text(before));
        parts.push(match placeholder {
            "namespace" => Part::Namespace,
            "grant" => Part::Grant,
            "serviceAccount" => Part::ServiceAccount,
            "pod" => Part::Pod,
            "cluster" => Part::Cluster,
            other => return Err(TemplateError::Unknown(other.to_owned())),
        });
        rest = behind;
    }
    parts.push(Part::Text(rest));
    Ok(parts)
}

fn expand(template: &str, values: Values<'_>) -> Result<String, TemplateError> {
    let shared = |placeholder| TemplateError::Shared(placeholder);
    let mut text = String::new();
    for part in parts(template)? {
        text.push_str(match part {
            Part::Text(text) => text,
            Part::Namespace => values.namespace,
            Part::Grant => values.grant,
            Part::ServiceAccount => values
                .service_account
                .ok_or_else(|| shared("serviceAccount"))?,
            Part::Pod => values.pod.ok_or_else(|| shared("pod"))?,
            Part::Cluster if values.cluster.is_empty() => return Err(TemplateError::NoCluster),
            Part::Cluster => values.cluster,
        });
    }
    Ok(text)
}

const fn is_label_byte(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'
}

/// Cuts what is too long, and ends it with a digest of the whole, so that two long names stay two. No object's
/// name holds the `=` before it: so by a template without one, nobody can call something by what another's name
/// was cut to.
fn cut(text: String, limit: usize) -> String {
    const DIGEST: usize = 16;
    if text.chars().count() <= limit {
        return text;
    }
    let mut short: String = text.chars().take(limit - DIGEST - 1).collect();
    short.push('=');
    short.push_str(&hex(&Sha256::digest(text.as_bytes())[..DIGEST / 2]));
    short
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
