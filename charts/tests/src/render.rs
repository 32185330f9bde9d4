//! `helm template` over the chart's configurations.

use crate::{CHART, Failure, command::run};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where the tests install.
pub const NAMESPACE: &str = "alter-system";
/// The release's name.
pub const RELEASE: &str = "alter";

/// Values files of the configurations that the chart is made for.
pub fn configurations() -> Result<Vec<PathBuf>, Failure> {
    let mut files = fs::read_dir(format!("{CHART}/ci"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>, Failure>>()?;
    files.sort();
    Ok(files)
}

/// One of them by its name, such as `default`.
#[must_use]
pub fn configuration(name: &str) -> PathBuf {
    format!("{CHART}/ci/{name}-values.yaml").into()
}

/// The objects of the chart with a configuration, and `arguments` such as `--set`.
pub fn render(values: &Path, arguments: &[&str]) -> Result<Vec<Value>, Failure> {
    let values = values.to_string_lossy();
    let mut command = vec!["template", RELEASE, CHART, "--namespace", NAMESPACE];
    command.extend(["--values", &values]);
    command.extend(arguments);
    let yaml = run("helm", &command, "")?;
    serde_saphyr::from_multiple(&yaml).map_err(|error| format!("{values}: {error}").into())
}
