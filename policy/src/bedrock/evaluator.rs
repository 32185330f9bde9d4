//! A small IAM: what a policy allows, as AWS documents it. It knows nothing of how policies are made.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use serde_json::Value;
use std::collections::BTreeMap;

/// How far a `*` in a resource reaches: AWS says within a part of the ARN. What is never allowed must not be
/// with the other reading either, and what is always allowed must be with both.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reach {
    Part,
    Anywhere,
}

/// One question that a service asks IAM.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) action: String,
    pub(super) resource: String,
    pub(super) context: BTreeMap<&'static str, String>,
}

/// A policy that is read once.
#[derive(Debug)]
pub(super) struct Policy {
    statements: Vec<Statement>,
}

#[derive(Debug)]
struct Statement {
    actions: Vec<String>,
    resources: Vec<String>,
    condition: Value,
}

impl Policy {
    pub(super) fn read(text: &str) -> Self {
        let policy: Value = serde_json::from_str(text).unwrap();
        assert_eq!(policy["Version"], "2012-10-17");
        let statements = policy["Statement"].as_array().unwrap().iter();
        let statements = statements.map(|statement| {
            assert_eq!(statement["Effect"], "Allow");
            let known = ["Effect", "Action", "Resource", "Condition"];
            let mut keys = statement.as_object().unwrap().keys();
            assert!(keys.all(|key| known.contains(&key.as_str())), "{statement}");
            Statement {
                actions: texts(&statement["Action"]),
                resources: texts(&statement["Resource"]),
                condition: statement["Condition"].clone(),
            }
        });
        Self {
            statements: statements.collect(),
        }
    }

    /// Whether a statement allows it. Nothing here denies.
    pub(super) fn allows(&self, question: &Question, reach: Reach) -> bool {
        let action = |own: &String| glob(&own.to_lowercase(), &question.action.to_lowercase());
        let resource = |own: &String| resource_matches(own, &question.resource, reach);
        self.statements.iter().any(|statement| {
            statement.actions.iter().any(action)
                && statement.resources.iter().any(resource)
                && conditions_hold(&statement.condition, question)
        })
    }
}

/// Every operator and every key must hold; of one key's values, any.
fn conditions_hold(condition: &Value, question: &Question) -> bool {
    let operators = condition.as_object().into_iter().flatten();
    operators.into_iter().all(|(operator, keys)| {
        keys.as_object().unwrap().iter().all(|(key, values)| {
            let Some(found) = question.context.get(key.as_str()) else {
                return false;
            };
            texts(values).iter().any(|value| match operator.as_str() {
                "StringLike" => glob(value, found),
                "StringEquals" => value == found,
                other => panic!("unknown operator {other}"),
            })
        })
    })
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        other => serde_json::from_value(other.clone()).unwrap(),
    }
}

fn resource_matches(pattern: &str, resource: &str, reach: Reach) -> bool {
    match reach {
        Reach::Anywhere => glob(pattern, resource),
        Reach::Part => {
            let mut pairs = pattern.splitn(6, ':').zip(resource.splitn(6, ':'));
            pattern.matches(':').count().min(5) == resource.matches(':').count().min(5)
                && pairs.all(|(own, other)| glob(own, other))
        }
    }
}

/// `*` stands for any characters, `?` for one.
fn glob(pattern: &str, text: &str) -> bool {
    fn of(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|skip| of(rest, &text[skip..])),
            ([own, more @ ..], [other, rest @ ..]) if *own == b'?' || own == other => {
                of(more, rest)
            }
            _ => false,
        }
    }
    of(pattern.as_bytes(), text.as_bytes())
}

#[test]
fn it_reads_policies_as_iam_does() {
    let policy = Policy::read(
        r#"{"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "s3:Get*", "Resource": ["arn:aws:s3:*::b/*", "arn:aws:s3:::c"],
        "Condition": {"StringLike": {"k": ["a*", "b"], "l": "x"}}
    }]}"#,
    );
    let ask = |action: &str, resource: &str, context: &[(&'static str, &str)], reach| {
        let context = context.iter().map(|(k, v)| (*k, (*v).to_owned())).collect();
        let question = Question {
            action: action.to_owned(),
            resource: resource.to_owned(),
            context,
        };
        policy.allows(&question, reach)
    };
    let good = [("k", "aa"), ("l", "x")];
    for reach in [Reach::Part, Reach::Anywhere] {
        assert!(ask("S3:getObject", "arn:aws:s3:::b/c:d", &good, reach));
        assert!(ask("s3:GetObject", "arn:aws:s3:::c", &good, reach));
        assert!(!ask("s3:PutObject", "arn:aws:s3:::c", &good, reach));
        assert!(!ask("s3:GetObject", "arn:aws:s3:::d", &good, reach));
        assert!(!ask("s3:GetObject", "arn:aws:s3:::c", &good[..1], reach));
        let other = [("k", "c"), ("l", "x")];
        assert!(!ask("s3:GetObject", "arn:aws:s3:::c", &other, reach));
    }
    let far = "arn:aws:s3:us-east-1:1::b/c";
    assert!(!ask("s3:GetObject", far, &good, Reach::Part));
    assert!(ask("s3:GetObject", far, &good, Reach::Anywhere));
}
