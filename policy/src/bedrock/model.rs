//! An entry of a grant's list of models.

use crate::arn::Owner;

/// The longest entry that is no ARN, in characters.
const LIMIT: usize = 256;

/// Why an entry names no model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// Nothing before a dot, as in `*`.
    #[error(
        "{0:?} names no provider: write it out, as in anthropic.claude-3*, or us.anthropic.claude-3* for an inference profile"
    )]
    Provider(String),
    /// A `*` before the end.
    #[error("{0:?} has a * before its end: write one at the end alone, as in anthropic.claude-3*")]
    Wildcard(String),
    /// Not what AWS calls models.
    #[error(
        "{0:?} is no model: write an id such as anthropic.claude-3-haiku-20240307-v1:0, the id of an inference profile such as us.anthropic.claude-3-haiku-20240307-v1:0, or the ARN of an application inference profile"
    )]
    Id(String),
    /// An ARN of something else.
    #[error(
        "{0:?} is no ARN of an application inference profile: write one, or the id of a model; for other kinds of models write spec.policy in place of spec.bedrock"
    )]
    Arn(String),
    /// A profile of another region than the grant's.
    #[error("{arn:?} is not in {region}, which spec.region names: write a profile of that region")]
    Region {
        /// The entry.
        arn: String,
        /// The grant's region.
        region: String,
    },
    /// A profile of another account or partition than the role's.
    #[error(
        "{arn:?} is not of account {account} in partition {partition}, to which the session belongs: write a profile of that account"
    )]
    Owner {
        /// The entry.
        arn: String,
        /// The session's.
        partition: String,
        /// The session's.
        account: String,
    },
}

/// What an entry names. A `*` can stand at the end of each but the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Model<'a> {
    /// A foundation model, called in the grant's region.
    Direct(&'a str),
    /// A profile of AWS that routes to the regions of one geography.
    Geographic {
        /// Its id: `us.` and the model's.
        profile: &'a str,
        /// The model that it routes to.
        model: &'a str,
    },
    /// A profile of AWS that routes to every region.
    Global {
        /// Its id: `global.` and the model's.
        profile: &'a str,
        /// The model that it routes to.
        model: &'a str,
    },
    /// A profile that somebody made, by its ARN; nobody else knows its model.
    Application(&'a str),
}

impl<'a> Model<'a> {
    /// Reads an entry. Where nobody knows whose the session is, a profile may be anybody's.
    pub(super) fn parse(
        text: &'a str,
        region: &str,
        owner: Option<Owner<'_>>,
    ) -> Result<Self, ModelError> {
        if text.starts_with("arn:") {
            return application(text, region, owner);
        }
        let stem = text.strip_suffix('*').unwrap_or(text);
        if stem.contains('*') {
            return Err(ModelError::Wildcard(text.to_owned()));
        }
        let no_provider = || ModelError::Provider(text.to_owned());
        let (first, rest) = text.split_once('.').ok_or_else(no_provider)?;
        let routed = is_geography(first) || first == "global";
        let (provider, name) = if routed {
            rest.split_once('.').ok_or_else(no_provider)?
        } else {
            (first, rest)
        };
        if provider.is_empty() || provider.contains('*') {
            return Err(no_provider());
        }
        // Neither what is a wildcard nor what is a variable in a policy.
        let valid = provider.bytes().all(is_provider_byte)
            && !name.is_empty()
            && name.trim_end_matches('*').bytes().all(is_name_byte)
            && text.len() <= LIMIT;
        if !valid {
            return Err(ModelError::Id(text.to_owned()));
        }
        Ok(match first {
            "global" => Self::Global {
                profile: text,
                model: rest,
            },
            _ if routed => Self::Geographic {
                profile: text,
                model: rest,
            },
            _ => Self::Direct(text),
        })
    }

    /// What entries share that a `*` could stand for: the text up to the model's name.
    pub(super) fn kin(self) -> &'a str {
        let (text, model) = match self {
            Self::Direct(model) => (model, model),
            Self::Geographic { profile, model } | Self::Global { profile, model } => {
                (profile, model)
            }
            Self::Application(_) => return "",
        };
        let name = model.split_once('.').map_or("", |(_, name)| name);
        &text[..text.len() - name.len()]
    }
}

/// Two letters, as `us`, `eu`, `jp` and `au` are, and no provider is; and the two that AWS has beside them.
fn is_geography(text: &str) -> bool {
    matches!(text, "apac" | "us-gov")
        || (text.len() == 2 && text.bytes().all(|b| b.is_ascii_lowercase()))
}

const fn is_provider_byte(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'
}

const fn is_name_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':')
}

fn application<'a>(
    text: &'a str,
    region: &str,
    owner: Option<Owner<'_>>,
) -> Result<Model<'a>, ModelError> {
    let wrong = || ModelError::Arn(text.to_owned());
    let own = Owner::of(text).ok_or_else(wrong)?;
    let parts: Vec<_> = text.splitn(6, ':').collect();
    let id = parts
        .get(5)
        .and_then(|resource| resource.strip_prefix("application-inference-profile/"))
        .ok_or_else(wrong)?;
    let valid = (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if parts.get(2) != Some(&"bedrock") || !valid {
        return Err(wrong());
    }
    if parts.get(3) != Some(&region) {
        return Err(ModelError::Region {
            arn: text.to_owned(),
            region: region.to_owned(),
        });
    }
    if let Some(owner) = owner.filter(|owner| *owner != own) {
        return Err(ModelError::Owner {
            arn: text.to_owned(),
            partition: owner.partition.to_owned(),
            account: owner.account.to_owned(),
        });
    }
    Ok(Model::Application(text))
}
