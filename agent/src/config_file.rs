//! The SDKs' shared config file: one profile a grant.
//!
//! AWS SDKs and Tools Reference Guide, "Shared config and credentials files" and "Process credential
//! provider".

use std::fmt::Write as _;
use std::path::Path;

/// What a profile says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile<'a> {
    /// The profile's name.
    pub grant: &'a str,
    /// The AWS region, once known.
    pub region: Option<&'a str>,
}

/// The file's text: a profile for each grant, and `default`, which is the first one's unless a grant has
/// that name. `helper` makes each profile's `credential_process`; without it a profile gives the region
/// alone.
#[must_use]
pub fn render(profiles: &[Profile<'_>], helper: Option<&Path>) -> String {
    let mut file = String::new();
    if let Some(first) = profiles.first()
        && !profiles.iter().any(|profile| profile.grant == DEFAULT)
    {
        section(&mut file, "[default]", first, helper);
    }
    for profile in profiles {
        if profile.grant == DEFAULT {
            section(&mut file, "[default]", profile, helper);
        } else {
            section(
                &mut file,
                &format!("[profile {}]", profile.grant),
                profile,
                helper,
            );
        }
    }
    file
}

const DEFAULT: &str = "default";

fn section(file: &mut String, header: &str, profile: &Profile<'_>, helper: Option<&Path>) {
    // Ignored: writing to a String has no way to fail.
    let _ = writeln!(file, "{header}");
    if let Some(region) = profile.region {
        let _ = writeln!(file, "region = {region}");
    }
    if let Some(helper) = helper {
        let _ = writeln!(
            file,
            "credential_process = {} {}",
            helper.display(),
            profile.grant
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELPER: &str = "/var/run/alter/bin/credential-process";

    fn profile<'a>(grant: &'a str, region: Option<&'a str>) -> Profile<'a> {
        Profile { grant, region }
    }

    #[test]
    fn each_grant_is_a_profile_and_the_first_the_default() {
        let file = render(
            &[profile("bedrock", Some("us-east-1")), profile("s3", None)],
            Some(Path::new(HELPER)),
        );
        assert_eq!(
            file,
            "[default]\nregion = us-east-1\ncredential_process = /var/run/alter/bin/credential-process bedrock\n\
             [profile bedrock]\nregion = us-east-1\ncredential_process = /var/run/alter/bin/credential-process bedrock\n\
             [profile s3]\ncredential_process = /var/run/alter/bin/credential-process s3\n"
        );
    }

    #[test]
    fn a_grant_of_the_name_default_is_the_default() {
        let file = render(
            &[
                profile("s3", Some("a-b-1")),
                profile("default", Some("c-d-1")),
            ],
            None,
        );
        assert_eq!(
            file,
            "[profile s3]\nregion = a-b-1\n[default]\nregion = c-d-1\n"
        );
    }
}
