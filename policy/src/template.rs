//! Templates of session names, source identities and external IDs: `{namespace}`, `{grant}` and
//! `{cluster}` stand for what they name.

use crate::hex::hex;
use crate::name::{self, NameError};
use sha2::{Digest, Sha256};

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
    /// Two grants whose values cannot be told apart.
    #[error(
        "{0:?} makes one text of namespace a-b with grant c and of namespace a with grant b-c: write a character between {{namespace}} and {{grant}} that neither holds, such as . or ="
    )]
    Ambiguous(String),
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

/// Refuses a template whose text does not say which namespace and which grant it was made of.
///
/// Both are DNS labels. Between two characters that no DNS label holds there may therefore be one of them,
/// as often as the template likes, or neither: then its text is that stretch less what is constant.
pub fn check_distinct(template: &str) -> Result<(), TemplateError> {
    let mut in_stretch = None;
    for part in parts(template)? {
        match part {
            Part::Text(text) if !text.bytes().all(is_label_byte) => in_stretch = None,
            // The cluster's name is the same in all of them.
            Part::Text(_) | Part::Cluster => {}
            Part::Namespace | Part::Grant => {
                if in_stretch.is_some_and(|other| other != part) {
                    return Err(TemplateError::Ambiguous(template.to_owned()));
                }
                in_stretch = Some(part);
            }
        }
    }
    Ok(())
}

/// Whether grants of one name in two namespaces get the same text, though it tells grants apart.
#[must_use]
pub fn crosses_namespaces(template: &str) -> bool {
    let parts = parts(template).unwrap_or_default();
    parts.contains(&Part::Grant) && !parts.contains(&Part::Namespace)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part<'a> {
    Text(&'a str),
    Namespace,
    Grant,
    Cluster,
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
            "cluster" => Part::Cluster,
            other => return Err(TemplateError::Unknown(other.to_owned())),
        });
        rest = behind;
    }
    parts.push(Part::Text(rest));
    Ok(parts)
}

fn expand(template: &str, values: Values<'_>) -> Result<String, TemplateError> {
    let mut text = String::new();
    for part in parts(template)? {
        text.push_str(match part {
            Part::Text(text) => text,
            Part::Namespace => values.namespace,
            Part::Grant => values.grant,
            Part::Cluster if values.cluster.is_empty() => return Err(TemplateError::NoCluster),
            Part::Cluster => values.cluster,
        });
    }
    Ok(text)
}

const fn is_label_byte(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'
}

/// Cuts what is too long, and ends it with a digest of the whole, so that two long names stay two.
fn shorten(text: String) -> String {
    const DIGEST: usize = 12;
    if text.chars().count() <= SESSION_NAME_LIMIT {
        return text;
    }
    let mut short: String = text.chars().take(SESSION_NAME_LIMIT - DIGEST - 1).collect();
    short.push('-');
    short.push_str(&hex(&Sha256::digest(text.as_bytes())[..DIGEST / 2]));
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

    #[test]
    fn what_separates_namespace_and_grant() {
        for good in [
            DEFAULT_SESSION_NAME,
            "org-1",
            "{grant}",
            "{namespace}-{cluster}",
            "{namespace}{namespace}",
            "{cluster}-{namespace}-a/b-{grant}-x",
            "{namespace}:{grant}",
            "{grant}X{namespace}",
            "{namespace}.{grant}.{namespace}",
        ] {
            assert_eq!(check_distinct(good), Ok(()), "{good}");
        }
        for bad in [
            "{namespace}{grant}",
            "{namespace}-{grant}",
            "a.{namespace}-{cluster}-{grant}.b",
            "{grant}0{namespace}",
            "{namespace}.{grant}-{namespace}",
        ] {
            let expected = Err(TemplateError::Ambiguous(bad.to_owned()));
            assert_eq!(check_distinct(bad), expected, "{bad}");
        }
        assert!(matches!(
            check_distinct("{pod}"),
            Err(TemplateError::Unknown(_))
        ));
    }

    #[test]
    fn a_grant_without_its_namespace_crosses_namespaces() {
        assert!(crosses_namespaces("{cluster}/{grant}"));
        for own in ["{namespace}.{grant}", "{namespace}", "org-1", "{grant"] {
            assert!(!crosses_namespaces(own), "{own}");
        }
    }

    /// Pieces of templates, those with and those without a separator.
    fn piece() -> impl Strategy<Value = &'static str> {
        let text =
            prop::sample::select(vec!["{cluster}", "-", "a", "0", "a-", ".", "/", "X", "_a"]);
        prop_oneof![2 => Just("{namespace}"), 2 => Just("{grant}"), 3 => text]
    }

    /// Short and of few characters, so that texts meet.
    fn label() -> impl Strategy<Value = String> {
        prop_oneof!["[ab0]{1,2}", "[ab0][ab0-]{0,3}[ab0]"]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn an_accepted_template_says_what_it_was_made_of(
            pieces in prop::collection::vec(piece(), 1..7),
            a in (label(), label()),
            b in (label(), label()),
            cluster in "[ab0.-]{1,3}",
        ) {
            let template = pieces.concat();
            if check_distinct(&template).is_err() {
                return Ok(());
            }
            let text = |(namespace, grant): &(String, String)| {
                expand(&template, Values { namespace, grant, cluster: &cluster }).unwrap()
            };
            let mentioned = |(namespace, grant): &(String, String)| {
                let of = |placeholder, own: &String| pieces.contains(&placeholder).then(|| own.clone());
                (of("{namespace}", namespace), of("{grant}", grant))
            };
            prop_assert_eq!(text(&a) == text(&b), mentioned(&a) == mentioned(&b), "{}", template);
        }

        /// Cut at another place, the same characters are two other names.
        #[test]
        fn no_cut_through_one_text_gives_the_same_value(
            pieces in prop::collection::vec(piece(), 1..7),
            joined in "[ab][ab-]{2,8}[ab]",
        ) {
            let template = pieces.concat();
            let both = pieces.contains(&"{namespace}") && pieces.contains(&"{grant}");
            if !both || check_distinct(&template).is_err() {
                return Ok(());
            }
            let cuts = joined.match_indices('-').map(|(at, _)| (&joined[..at], &joined[at + 1..]));
            let texts: Vec<_> = cuts
                .map(|(namespace, grant)| expand(&template, Values { namespace, grant, cluster: "c" }).unwrap())
                .collect();
            let mut distinct = texts.clone();
            distinct.sort();
            distinct.dedup();
            prop_assert_eq!(distinct.len(), texts.len(), "{}: {:?}", template, texts);
        }
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
