//! What a compiled policy allows, asked of an IAM that knows nothing of how it was made.

use super::{
    evaluator::{Policy, Question, Reach},
    tests::{GUARDRAIL, OWNER, REGION, bedrock},
    *,
};
use crate::session_policy::LIMIT;
use proptest::prelude::*;
use std::collections::BTreeMap;

const INVOKE: [&str; 2] = [
    "bedrock:InvokeModel",
    "bedrock:InvokeModelWithResponseStream",
];

/// An invocation as a caller asks for it.
#[derive(Clone, Debug)]
struct Call {
    partition: &'static str,
    region: &'static str,
    account: &'static str,
    via: Via,
    model: String,
    guardrail: Option<String>,
}

#[derive(Clone, Debug)]
enum Via {
    Nothing,
    /// A profile of AWS, by what stands before the model in its id, and where it routes to.
    System(&'static str, &'static str),
    /// A profile that somebody made.
    Application(&'static str, &'static str),
}

impl Call {
    fn profile(&self) -> Option<String> {
        let Self {
            partition,
            region,
            account,
            model,
            ..
        } = self;
        let place = format!("arn:{partition}:bedrock:{region}:{account}");
        match self.via {
            Via::Nothing => None,
            Via::System(prefix, _) => Some(format!("{place}:inference-profile/{prefix}.{model}")),
            Via::Application(id, _) => Some(format!("{place}:application-inference-profile/{id}")),
        }
    }

    /// What Bedrock asks IAM: all of it must be allowed. AWS does not say whether the profile's ARN is in the
    /// context of the question about the profile itself.
    fn questions(&self, action: &str, told: bool) -> Vec<Question> {
        let profile = self.profile();
        let question = |resource: String, region: &str, of_profile: bool| {
            let mut context = BTreeMap::from([("aws:RequestedRegion", region.to_owned())]);
            context.extend(
                self.guardrail
                    .clone()
                    .map(|own| ("bedrock:GuardrailIdentifier", own)),
            );
            let own = profile.clone().filter(|_| told || !of_profile);
            context.extend(own.map(|own| ("bedrock:InferenceProfileArn", own)));
            Question {
                action: action.to_owned(),
                resource,
                context,
            }
        };
        let Self {
            partition,
            region,
            model,
            ..
        } = self;
        let foundation =
            |region: &str| format!("arn:{partition}:bedrock:{region}::foundation-model/{model}");
        let mut all: Vec<_> = profile
            .iter()
            .map(|own| question(own.clone(), region, true))
            .collect();
        all.extend(match self.via {
            Via::Nothing => vec![question(foundation(region), region, false)],
            Via::System("global", _) | Via::Application(_, "global") => vec![
                question(foundation(region), region, false),
                question(foundation(""), "unspecified", false),
            ],
            Via::System(_, to) | Via::Application(_, to) => vec![
                question(foundation(region), region, false),
                question(foundation(to), to, false),
            ],
        });
        all
    }

    fn is_allowed(&self, policy: &Policy, action: &str, told: bool, reach: Reach) -> bool {
        let questions = self.questions(action, told);
        questions
            .iter()
            .all(|question| policy.allows(question, reach))
    }

    /// Whether somebody listed it: of the texts alone, without an ARN being made.
    fn is_listed(&self, models: &[String], guardrail: Option<&str>) -> bool {
        let names = |entry: &String, id: &str| match entry.strip_suffix('*') {
            Some(stem) => id.starts_with(stem),
            None => entry == id,
        };
        let here =
            (self.partition, self.region, self.account) == (OWNER.partition, REGION, OWNER.account);
        let id = match self.via {
            Via::Nothing => self.model.clone(),
            Via::System(prefix, _) => format!("{prefix}.{}", self.model),
            Via::Application(..) => self.profile().unwrap(),
        };
        let guarded = guardrail.is_none_or(|own| {
            let used = self.guardrail.as_deref().unwrap_or_default();
            used == own
                || used
                    .strip_prefix(own)
                    .is_some_and(|rest| rest.starts_with(':'))
        });
        // A foundation model has no account: the caller's is that of the session.
        here && guarded && models.iter().any(|entry| names(entry, &id))
    }
}

const MODELS: [&str; 8] = [
    "anthropic.claude-3-haiku-v1:0",
    "anthropic.claude-3-sonnet-v1:0",
    "anthropic.claude-opus-4",
    "anthropic.claude",
    "amazon.nova-pro-v1:0",
    "amazon.nova-pro-v1:0:24k",
    "deepseek.v3.2",
    "deepseek.v3",
];
const PREFIXES: [&str; 5] = ["us", "eu", "apac", "us-gov", "global"];
const PROFILES: [&str; 3] = ["p1", "p12", "q"];

fn entry() -> impl Strategy<Value = String> {
    let model = prop::sample::select(MODELS.to_vec());
    let prefix = prop::option::of(prop::sample::select(PREFIXES.to_vec()));
    let system = (prefix, model, prop::option::of(0_usize..24)).prop_map(|(prefix, model, cut)| {
        let id = prefix.map_or(model.to_owned(), |prefix| format!("{prefix}.{model}"));
        let provider = id.len() - model.len() + model.find('.').unwrap() + 1;
        match cut {
            Some(cut) => format!("{}*", &id[..(provider + cut).min(id.len())]),
            None => id,
        }
    });
    let application = prop::sample::select(PROFILES.to_vec()).prop_map(|id| {
        format!("arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/{id}")
    });
    prop_oneof![4 => system, 1 => application]
}

fn call() -> impl Strategy<Value = Call> {
    let region = prop::sample::select(vec![REGION, REGION, REGION, "us-west-2", "eu-west-1"]);
    let account = prop::sample::select(vec![
        OWNER.account,
        OWNER.account,
        OWNER.account,
        "444455556666",
    ]);
    let partition = prop::sample::select(vec!["aws", "aws", "aws", "aws-cn"]);
    let to = prop::sample::select(vec!["us-east-2", "eu-west-1", "ap-south-1"]);
    let routed = prop::sample::select(vec!["us-east-2", "eu-west-1", "global"]);
    let via = prop_oneof![
        2 => Just(Via::Nothing),
        3 => (prop::sample::select(PREFIXES.to_vec()), to).prop_map(|(prefix, to)| Via::System(prefix, to)),
        1 => (prop::sample::select(PROFILES.to_vec()), routed).prop_map(|(id, to)| Via::Application(id, to)),
    ];
    let guardrail = prop::sample::select(vec![
        None,
        Some(GUARDRAIL.to_owned()),
        Some(format!("{GUARDRAIL}:1")),
        Some(format!("{GUARDRAIL}:12")),
        Some(format!("{GUARDRAIL}7:1")),
    ]);
    (
        partition,
        region,
        account,
        via,
        prop::sample::select(MODELS.to_vec()),
        guardrail,
    )
        .prop_map(|(partition, region, account, via, model, guardrail)| Call {
            partition,
            region,
            account,
            via,
            model: model.to_owned(),
            guardrail,
        })
}

const READINGS: [(bool, Reach); 4] = [
    (true, Reach::Part),
    (false, Reach::Part),
    (true, Reach::Anywhere),
    (false, Reach::Anywhere),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Nothing that is not listed, and all that is.
    #[test]
    fn a_session_may_invoke_what_is_listed_and_nothing_else(
        models in prop::collection::vec(entry(), 1..5),
        guarded in prop::sample::select(vec![None, Some(GUARDRAIL.to_owned()), Some(format!("{GUARDRAIL}:1"))]),
        calls in prop::collection::vec(call(), 12),
    ) {
        let Ok(text) = compile(bedrock(&models, guarded.as_deref()), OWNER) else {
            return Ok(());
        };
        let policy = Policy::read(&text);
        for mut call in calls {
            // A session is of one account: it has no other's foundation models.
            if matches!(call.via, Via::Nothing) {
                call.account = OWNER.account;
            }
            let listed = call.is_listed(&models, guarded.as_deref());
            for action in INVOKE {
                for (told, reach) in READINGS {
                    prop_assert_eq!(call.is_allowed(&policy, action, told, reach), listed, "{:?} {:?} {}", call, models, text);
                }
            }
        }
    }

    /// A model that is called without its profile, through another one, or where its profile does not lead, is
    /// fenced off.
    #[test]
    fn no_model_is_open_beyond_its_fence(
        models in prop::collection::vec(entry(), 1..5),
        model in prop::sample::select(MODELS.to_vec()),
        region in prop::sample::select(vec!["us-west-2", "eu-west-1", ""]),
        profile in prop::sample::select(vec![None, Some("inference-profile/xx."), Some("inference-profile/global."), Some("application-inference-profile/")]),
    ) {
        let Ok(text) = compile(bedrock(&models, None), OWNER) else {
            return Ok(());
        };
        let policy = Policy::read(&text);
        let mut context = BTreeMap::from([("aws:RequestedRegion", region.to_owned())]);
        context.extend(profile.map(|own| ("bedrock:InferenceProfileArn", format!("arn:aws:bedrock:us-east-1:111122223333:{own}{model}"))));
        let question = Question {
            action: INVOKE[0].to_owned(),
            resource: format!("arn:aws:bedrock:{region}::foundation-model/{model}"),
            context,
        };
        prop_assert!(!policy.allows(&question, Reach::Part), "{text}");
        prop_assert!(!policy.allows(&question, Reach::Anywhere), "{text}");
    }

    /// Invoking is all, but for the guardrail.
    #[test]
    fn no_other_action_is_allowed(models in prop::collection::vec(entry(), 1..5), guarded in any::<bool>(), call in call()) {
        let guardrail = guarded.then_some(GUARDRAIL);
        let Ok(text) = compile(bedrock(&models, guardrail), OWNER) else {
            return Ok(());
        };
        let policy = Policy::read(&text);
        for action in [
            "bedrock:InvokeModelWithBidirectionalStream",
            "bedrock:CreateModelInvocationJob",
            "bedrock:ApplyGuardrail",
            "bedrock:ListFoundationModels",
            "bedrock:CallWithBearerToken",
            "sts:AssumeRole",
        ] {
            for (told, reach) in READINGS {
                let call = Call { guardrail: Some(GUARDRAIL.to_owned()), ..call.clone() };
                prop_assert!(!call.is_allowed(&policy, action, told, reach));
            }
        }
        let apply = |resource: &str| policy.allows(&Question {
            action: "bedrock:ApplyGuardrail".to_owned(),
            resource: resource.to_owned(),
            context: BTreeMap::new(),
        }, Reach::Part);
        prop_assert_eq!(apply(GUARDRAIL), guarded);
        let other = format!("{GUARDRAIL}7");
        prop_assert!(!apply(&other));
    }

    #[test]
    fn a_policy_is_never_longer_than_aws_takes(models in prop::collection::vec(entry(), 1..30), guarded in any::<bool>()) {
        match compile(bedrock(&models, guarded.then_some(GUARDRAIL)), OWNER) {
            Ok(policy) => prop_assert!(policy.len() <= LIMIT),
            Err(BedrockError::TooLong { fit, listed, .. }) => prop_assert!(fit < listed),
            Err(error) => prop_assert!(false, "{error}"),
        }
    }

    #[test]
    fn reading_never_panics(text in ".{0,60}", guardrail in ".{0,60}") {
        let _ = compile(bedrock(&[text], Some(&guardrail)), OWNER);
    }
}
