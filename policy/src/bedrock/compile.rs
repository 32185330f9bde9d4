//! The least policy for a list of models.

use super::{Bedrock, BedrockError, guardrail::Guardrail, model::Model};
use crate::{arn::Owner, session_policy::LIMIT};
use serde::Serialize;
use std::collections::BTreeMap;

/// Converse and `ConverseStream` are authorized as these two.
const INVOKE: [&str; 2] = [
    "bedrock:InvokeModel",
    "bedrock:InvokeModelWithResponseStream",
];
const APPLY_GUARDRAIL: &str = "bedrock:ApplyGuardrail";

const PROFILE_KEY: &str = "bedrock:InferenceProfileArn";
const GUARDRAIL_KEY: &str = "bedrock:GuardrailIdentifier";
const REGION_KEY: &str = "aws:RequestedRegion";
/// What [`REGION_KEY`] is where a profile routes to every region.
const EVERY_REGION: &str = "unspecified";

/// Checks each entry by itself; what they come to together shows once the owner is known.
pub fn check(bedrock: Bedrock<'_>, owner: Option<Owner<'_>>) -> Result<(), BedrockError> {
    parse(bedrock, owner).map(|_| ())
}

/// The policy as minified JSON of at most [`LIMIT`] characters.
///
/// A session with it may invoke what is listed, in the grant's region and as a session of `owner`, and
/// nothing else.
pub fn compile(bedrock: Bedrock<'_>, owner: Owner<'_>) -> Result<String, BedrockError> {
    let (models, guardrail) = parse(bedrock, Some(owner))?;
    let place = Place {
        region: bedrock.region,
        owner,
    };
    let text = |count: usize| write(&models[..count], guardrail, place);
    let whole = text(models.len());
    if whole.len() <= LIMIT {
        return Ok(whole);
    }
    // Not by halves: an entry that covers those before it makes the policy shorter.
    let fit = (0..models.len()).rev();
    Err(BedrockError::TooLong {
        listed: models.len(),
        length: whole.len(),
        fit: fit
            .into_iter()
            .find(|count| text(*count).len() <= LIMIT)
            .unwrap_or(0),
        family: family(bedrock.models, &models),
    })
}

type Parsed<'a> = (Vec<Model<'a>>, Option<Guardrail<'a>>);

fn parse<'a>(bedrock: Bedrock<'a>, owner: Option<Owner<'_>>) -> Result<Parsed<'a>, BedrockError> {
    let Bedrock { region, .. } = bedrock;
    let models = bedrock.models.iter().enumerate().map(|(index, text)| {
        Model::parse(text, region, owner).map_err(|source| BedrockError::Model { index, source })
    });
    let models = models.collect::<Result<Vec<_>, _>>()?;
    if models.is_empty() {
        return Err(BedrockError::Empty);
    }
    let guardrail = bedrock.guardrail;
    let guardrail = guardrail.map(|text| Guardrail::parse(text, region, owner));
    Ok((models, guardrail.transpose()?))
}

/// Where invocations begin, and whose they are.
#[derive(Clone, Copy)]
struct Place<'a> {
    region: &'a str,
    owner: Owner<'a>,
}

impl Place<'_> {
    /// The foundation model in a region.
    fn model(self, region: &str, id: &str) -> String {
        let partition = self.owner.partition;
        format!("arn:{partition}:bedrock:{region}::foundation-model/{id}")
    }

    /// AWS's own profile of that id.
    fn profile(self, id: &str) -> String {
        let Self {
            region,
            owner: Owner { partition, account },
        } = self;
        format!("arn:{partition}:bedrock:{region}:{account}:inference-profile/{id}")
    }
}

/// Texts of which none is named by another; a `*` at the end stands for any characters.
#[derive(Default)]
struct Names(Vec<String>);

impl Names {
    fn add(&mut self, name: String) {
        if self.0.iter().any(|own| covers(own, &name)) {
            return;
        }
        self.0.retain(|own| !covers(&name, own));
        self.0.push(name);
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn covers(pattern: &str, name: &str) -> bool {
    pattern == name
        || pattern
            .strip_suffix('*')
            .is_some_and(|stem| name.starts_with(stem))
}

/// Models that may be invoked through profiles alone.
#[derive(Default)]
struct Fenced {
    models: Names,
    profiles: Names,
}

impl Fenced {
    fn add(&mut self, model: String, profile: String) {
        self.models.add(model);
        self.profiles.add(profile);
    }
}

/// One statement for each condition that differs.
///
/// Models of several profiles share a statement, as AWS's own examples have it: a profile of AWS routes to
/// the model in its name and to no other, so the pairs of one's model with another's profile are none that
/// can be asked for. What has another region is kept apart, since the same model can be in both.
fn write(models: &[Model<'_>], guardrail: Option<Guardrail<'_>>, place: Place<'_>) -> String {
    let mut open = Names::default();
    let [mut geographic, mut source, mut everywhere, mut own] = [(); 4].map(|()| Fenced::default());
    for model in models {
        match *model {
            Model::Direct(id) => open.add(place.model(place.region, id)),
            Model::Geographic { profile, model } => {
                let profile = place.profile(profile);
                open.add(profile.clone());
                geographic.add(place.model("*", model), profile);
            }
            Model::Global { profile, model } => {
                let profile = place.profile(profile);
                open.add(profile.clone());
                source.add(place.model(place.region, model), profile.clone());
                everywhere.add(place.model("", model), profile);
            }
            Model::Application(arn) => {
                open.add(arn.to_owned());
                own.add(place.model("*", "*"), arn.to_owned());
            }
        }
    }
    let guards = guardrail.map(Guardrail::identifiers);
    let invoke = |resource: Names, profiles: Names, region: Option<&'static str>| {
        let conditions = [
            (GUARDRAIL_KEY, guards.clone().unwrap_or_default()),
            (PROFILE_KEY, profiles.0),
            (REGION_KEY, region.map(str::to_owned).into_iter().collect()),
        ];
        let conditions = conditions
            .into_iter()
            .filter(|(_, values)| !values.is_empty());
        Statement::of(INVOKE.map(str::to_owned).to_vec(), resource.0, conditions)
    };
    let mut statements = vec![invoke(open, Names::default(), None)];
    for (fenced, region) in [
        (geographic, None),
        (source, None),
        (everywhere, Some(EVERY_REGION)),
        (own, None),
    ] {
        if !fenced.models.is_empty() {
            statements.push(invoke(fenced.models, fenced.profiles, region));
        }
    }
    let applied = guardrail.map(|own| (vec![APPLY_GUARDRAIL.to_owned()], vec![own.arn.to_owned()]));
    statements.extend(applied.map(|(action, resource)| Statement::of(action, resource, [])));
    // Structs of strings: serialising them has no way to fail.
    serde_json::to_string(&Document {
        version: "2012-10-17",
        statement: statements,
    })
    .unwrap_or_default()
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    version: &'static str,
    statement: Vec<Statement>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    effect: &'static str,
    action: Texts,
    resource: Texts,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Condition>,
}

/// `StringLike` is `StringEquals` where there is no wildcard, and one operator is shorter than two.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Condition {
    string_like: BTreeMap<&'static str, Texts>,
}

/// One text, or a list of them.
#[derive(Serialize)]
#[serde(untagged)]
enum Texts {
    One(String),
    Many(Vec<String>),
}

impl From<Vec<String>> for Texts {
    fn from(mut texts: Vec<String>) -> Self {
        match texts.len() {
            1 => Self::One(texts.swap_remove(0)),
            _ => Self::Many(texts),
        }
    }
}

impl Statement {
    fn of(
        action: Vec<String>,
        resource: Vec<String>,
        conditions: impl IntoIterator<Item = (&'static str, Vec<String>)>,
    ) -> Self {
        let conditions: BTreeMap<_, Texts> = conditions
            .into_iter()
            .map(|(key, values)| (key, values.into()))
            .collect();
        Self {
            effect: "Allow",
            action: action.into(),
            resource: resource.into(),
            condition: (!conditions.is_empty()).then_some(Condition {
                string_like: conditions,
            }),
        }
    }
}

/// What the most entries have in common, as a pattern.
fn family(texts: &[String], models: &[Model<'_>]) -> Option<String> {
    let mut kin: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (text, model) in texts.iter().zip(models) {
        kin.entry(model.kin()).or_default().push(text);
    }
    kin.remove("");
    let most = kin.into_values().max_by_key(Vec::len)?;
    let shared = most.iter().copied().reduce(common)?;
    (most.len() > 1).then(|| format!("{}*", shared.trim_end_matches('*')))
}

fn common<'a>(a: &'a str, b: &str) -> &'a str {
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    // Of ASCII alone, as parsed: each byte is a character.
    &a[..same]
}
