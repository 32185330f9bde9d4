//! Pods before and after: each folder of `tests/cases` holds
//!
//! - `pod.yaml`: the pod as the API server sends it,
//! - `grants.yaml`: the grants of its namespace (may be absent),
//! - `settings.yaml`: what of the installation differs from the plain one (may be absent),
//! - `expected.yaml`: the pod after, or `denied.txt`: what its author reads,
//! - `warnings.txt`: the warnings that its author reads (absent where there are none).
//!
//! `ALTER_REWRITE_CASES=1 cargo test -p alter-webhook --test cases` writes the last three anew; read the
//! difference before it is committed.

// The lint's exception for tests does not reach the functions around them.
#![allow(clippy::unwrap_used, clippy::panic)]

mod admit;

use admit::{admit, plain_settings};
use alter_crds::AwsGrant;
use alter_webhook::pod::{Settings, resources::Resources};
use serde::Deserialize;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Installation {
    #[serde(default)]
    pull_secrets: Vec<String>,
    #[serde(default)]
    metrics_port: u16,
    resources: Option<Resources>,
    broker: Option<String>,
}

impl Installation {
    fn settings(self) -> Settings {
        let plain = plain_settings();
        Settings {
            pull_secrets: self.pull_secrets,
            resources: self.resources.unwrap_or(plain.resources),
            metrics_port: self.metrics_port,
            broker: self.broker.map(|url| url.parse().unwrap()),
            ..plain
        }
    }
}

fn yaml<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    let text = fs::read_to_string(path).ok()?;
    Some(
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
    )
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn write(path: &Path, content: Option<String>) {
    match content {
        Some(content) => fs::write(path, content).unwrap(),
        None if path.exists() => fs::remove_file(path).unwrap(),
        None => {}
    }
}

fn check(case: &Path, rewrite: bool) {
    let name = case.display();
    let pod: Value = yaml(&case.join("pod.yaml")).expect("pod.yaml");
    let grants: Vec<AwsGrant> = yaml(&case.join("grants.yaml")).unwrap_or_default();
    let settings = yaml::<Installation>(&case.join("settings.yaml"))
        .unwrap_or_default()
        .settings();
    let outcome = admit(&pod, &grants, &settings);
    if rewrite {
        let (after, denied, warnings) = match &outcome {
            Ok((after, warnings)) => (
                Some(serde_saphyr::to_string(after).unwrap()),
                None,
                &warnings[..],
            ),
            Err(denied) => (None, Some(format!("{denied}\n")), &[][..]),
        };
        let warnings = (!warnings.is_empty()).then(|| warnings.join("\n") + "\n");
        write(&case.join("expected.yaml"), after);
        write(&case.join("denied.txt"), denied);
        write(&case.join("warnings.txt"), warnings);
        return;
    }
    match outcome {
        Ok((after, warnings)) => {
            let expected: Value = yaml(&case.join("expected.yaml")).expect("admitted, not denied");
            assert_eq!(after, expected, "{name}");
            assert_eq!(warnings, lines(&case.join("warnings.txt")), "{name}");
            for warning in &warnings {
                assert!(warning.len() <= 256, "kubectl cuts it: {warning}");
            }
            let (again, _) = admit(&after, &grants, &settings).expect("its own output is admitted");
            assert_eq!(again, after, "{name}: a second pass changes it");
        }
        Err(denied) => assert_eq!(
            [denied].as_slice(),
            lines(&case.join("denied.txt")),
            "{name}"
        ),
    }
}

#[test]
fn pods_are_injected_or_denied_as_the_cases_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let rewrite = std::env::var_os("ALTER_REWRITE_CASES").is_some();
    let mut cases: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    assert!(cases.len() > 40, "{}", cases.len());
    for case in cases {
        check(&case, rewrite);
    }
}
