//! What of IAM the STS on loopback knows: inline policies of roles.

use crate::test_sts::Call;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

/// The policies, by names of role and policy. A clone is the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policies(Arc<Mutex<BTreeMap<(String, String), String>>>);

impl Policies {
    pub(crate) fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, String), String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Status and body, where the call is one of IAM.
    pub(crate) fn answer(&self, call: &Call) -> Option<(u16, String)> {
        let own = |name| call.parameter(name).unwrap_or_default().to_owned();
        let key = (own("RoleName"), own("PolicyName"));
        let mut all = self.lock();
        let result = match call.action.as_str() {
            "GetRolePolicy" => {
                let Some(document) = all.get(&key) else {
                    return Some(absent());
                };
                let document = utf8_percent_encode(document, NON_ALPHANUMERIC);
                format!(
                    "<GetRolePolicyResult><RoleName>{}</RoleName><PolicyName>{}</PolicyName>\
                     <PolicyDocument>{document}</PolicyDocument></GetRolePolicyResult>",
                    key.0, key.1
                )
            }
            "PutRolePolicy" => {
                all.insert(key, own("PolicyDocument"));
                String::new()
            }
            "DeleteRolePolicy" if all.remove(&key).is_none() => return Some(absent()),
            "DeleteRolePolicy" => String::new(),
            _ => return None,
        };
        let action = &call.action;
        let body = format!(
            "<{action}Response xmlns=\"{NAMESPACE}\">{result}<ResponseMetadata><RequestId>r</RequestId>\
             </ResponseMetadata></{action}Response>"
        );
        Some((200, body))
    }
}

fn absent() -> (u16, String) {
    let body = format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>NoSuchEntity</Code>\
         <Message>The role policy cannot be found.</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    );
    (404, body)
}
