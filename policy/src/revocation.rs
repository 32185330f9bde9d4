//! The policy on a role that denies sessions from before a time: what is out can be taken back in no other way.
//!
//! One inline policy a role, which holds a statement for each grant. What is in it and is not Alter's own stays as it
//! is.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html>

use crate::{hex::hex, name};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// AWS takes so many characters of all inline policies of a role together, white space not counted.
///
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
pub const LIMIT: usize = 10_240;

/// No session of a role lives longer…
const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(12);
/// … and so much more is waited for, since clocks differ.
const MARGIN: SignedDuration = SignedDuration::from_hours(1);

/// Of the policy.
const NAME: &str = "alter-revocations";
/// IAM takes a policy's name of so many characters.
const LONGEST_NAME: usize = 128;
/// What ids of Alter's statements begin with: letters and digits alone, as IAM wants them.
const OWN: &str = "AlterRevocation";

const ISSUED: &str = "aws:TokenIssueTime";
const TAG: &str = "aws:PrincipalTag/";

/// Sessions that are to be denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The tags that they carry; every session of the role where there are none.
    pub tags: BTreeMap<String, String>,
    /// Those from before this, in whole seconds, by which AWS tells them apart.
    pub before: Timestamp,
}

/// What is to be done about a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Nothing: it says already what it shall.
    Same,
    /// This is put in its place.
    Put(String),
    /// Nothing is left in it: it is removed.
    Delete,
}

/// Why a policy cannot be edited. Nothing is written over what Alter does not understand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Not JSON.
    #[error("it is no JSON ({0}): remove it, and Alter writes it anew")]
    Json(String),
    /// JSON, but no policy.
    #[error("it is no IAM policy: remove it, and Alter writes it anew")]
    Shape,
    /// A statement under the id that this one is to have.
    #[error(
        "somebody has changed its statement {0}: remove that statement, and Alter writes it anew"
    )]
    Changed(String),
    /// Longer than AWS takes.
    #[error(
        "with this statement it would have {length} characters, and AWS takes {LIMIT} of all inline policies of a role together: remove what in it is not Alter's, or put the deny for every session of the role there yourself, in place of Alter's {statements} statements"
    )]
    TooLong {
        /// What it would have.
        length: usize,
        /// How many statements of Alter's that would be.
        statements: usize,
    },
}

impl Denial {
    /// The sessions with those tags from before `cut`.
    #[must_use]
    pub fn new(tags: BTreeMap<String, String>, cut: Timestamp) -> Self {
        let before = second(cut);
        Self { tags, before }
    }

    /// The id of its statement: always the same for the same sessions.
    #[must_use]
    pub fn id(&self) -> String {
        let mut hash = Sha256::new();
        for text in self.tags.iter().flat_map(|(key, value)| [key, value]) {
            hash.update(text);
            hash.update([0]);
        }
        format!("{OWN}{}", hex(&hash.finalize()[..12]))
    }

    fn statement(&self, before: Timestamp) -> Value {
        let mut condition = json!({"DateLessThan": {ISSUED: before.to_string()}});
        if !self.tags.is_empty() {
            let tags = self.tags.iter();
            let tags: Map<_, _> = tags
                .map(|(key, value)| (format!("{TAG}{key}"), json!(value)))
                .collect();
            condition["StringEquals"] = tags.into();
        }
        json!({
            "Sid": self.id(),
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": condition,
        })
    }
}

/// The time as AWS is told it. Whatever is left of its second is in it: AWS tells no parts of seconds apart.
#[must_use]
pub fn second(cut: Timestamp) -> Timestamp {
    let whole = Timestamp::from_second(cut.as_second()).unwrap_or(cut);
    // Before 1970 the rest is cut off towards later times.
    if whole < cut {
        let next = whole.checked_add(SignedDuration::from_secs(1));
        next.unwrap_or(cut)
    } else {
        whole
    }
}

/// Whether a session from before `cut` may still be of use to somebody.
#[must_use]
pub fn is_alive(cut: Timestamp, now: Timestamp) -> bool {
    now.duration_since(cut) < LONGEST_LIFE + MARGIN
}

/// What the policy is called: each cluster has its own on a role that several share.
#[must_use]
pub fn policy_name(cluster: &str) -> String {
    if cluster.is_empty() {
        return NAME.to_owned();
    }
    let own = format!("{NAME}-{cluster}");
    if own.len() <= LONGEST_NAME && own.chars().all(name::is_session_char) {
        return own;
    }
    format!("{NAME}-{}", hex(&Sha256::digest(cluster)[..12]))
}

/// What becomes of a policy that is to hold these denials; `document` is the policy as it is, if there is one.
///
/// Where one denies the same sessions already, the later time holds. Alter's own that are too old to deny anybody go.
pub fn edit(
    document: Option<&str>,
    denials: &[Denial],
    now: Timestamp,
) -> Result<Edit, DocumentError> {
    let mut policy = match document {
        None => Map::from_iter([("Version".to_owned(), json!("2012-10-17"))]),
        Some(text) => read(text)?,
    };
    let before = match policy.remove("Statement") {
        None if document.is_none() => Vec::new(),
        Some(Value::Array(all)) => all,
        // IAM takes a lone statement without a list around it.
        Some(lone @ Value::Object(_)) => vec![lone],
        _ => return Err(DocumentError::Shape),
    };
    let mut statements = before.clone();
    for denial in denials {
        put(&mut statements, denial)?;
    }
    statements.retain(|own| cut_of(own).is_none_or(|cut| is_alive(cut, now)));
    if statements == before {
        return Ok(Edit::Same);
    }
    if statements.is_empty() {
        return Ok(Edit::Delete);
    }
    let own = statements.iter().filter(|own| cut_of(own).is_some());
    let own = own.count();
    policy.insert("Statement".to_owned(), statements.into());
    let text = Value::from(policy).to_string();
    let length = text.chars().filter(|c| !c.is_whitespace()).count();
    if length > LIMIT {
        return Err(DocumentError::TooLong {
            length,
            statements: own,
        });
    }
    Ok(Edit::Put(text))
}

fn read(text: &str) -> Result<Map<String, Value>, DocumentError> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| DocumentError::Json(error.to_string()))?;
    match value {
        Value::Object(policy) => Ok(policy),
        _ => Err(DocumentError::Shape),
    }
}

/// In the place of the statement for the same sessions, or after all others.
fn put(statements: &mut Vec<Value>, denial: &Denial) -> Result<(), DocumentError> {
    let id = denial.id();
    let Some(at) = statements.iter().position(|own| own["Sid"] == id) else {
        statements.push(denial.statement(denial.before));
        return Ok(());
    };
    let Some(cut) = cut_of(&statements[at]) else {
        return Err(DocumentError::Changed(id));
    };
    // One that is as late stays to the letter.
    if cut < denial.before {
        statements[at] = denial.statement(denial.before);
    }
    Ok(())
}

/// The time of a statement of Alter's own; none of one that is not, or is not as Alter writes it.
fn cut_of(statement: &Value) -> Option<Timestamp> {
    let id = statement["Sid"].as_str()?.strip_prefix(OWN)?;
    let condition = statement["Condition"].as_object()?;
    let cut: Timestamp = condition.get("DateLessThan")?[ISSUED]
        .as_str()?
        .parse()
        .ok()?;
    let tags = match condition.get("StringEquals") {
        None => BTreeMap::new(),
        Some(all) => {
            let all = all.as_object()?.iter();
            all.map(|(key, value)| {
                let key = key.strip_prefix(TAG)?.to_owned();
                Some((key, value.as_str()?.to_owned()))
            })
            .collect::<Option<_>>()?
        }
    };
    let written = Denial { tags, before: cut };
    let is_own = written.id().strip_prefix(OWN) == Some(id) && *statement == written.statement(cut);
    is_own.then_some(cut)
}

#[cfg(test)]
#[path = "revocation_tests.rs"]
mod tests;
