//! Grants whose sessions come from the broker.

use crate::{
    Failure, TestNamespace,
    fixture::{IDLE, grant, identity, python_pod},
    kubectl, with_temp_namespace,
};

/// Asks the broker with a token for a grant, and prints what it says: who AWS takes the session for, or why there
/// is none.
const ASK: &str = r"
import boto3, json, ssl, sys, urllib.error, urllib.request
token, grant, ca = sys.argv[1:]
ask = urllib.request.Request('https://alter-broker.alter-system.svc:9914/v1/sessions',
    json.dumps({'grants': [{'grant': grant}]}).encode(), {'Authorization': 'Bearer ' + token})
try:
    answer = urllib.request.urlopen(ask, context=ssl.create_default_context(cadata=ca))
except urllib.error.HTTPError as error:
    print(error.code, json.load(error)['message'])
    sys.exit()
kind, news = next(iter(json.load(answer)['grants'][0]['news'].items()))
if kind == 'session':
    key = news['session']
    sts = boto3.client('sts', aws_access_key_id=key['AccessKeyId'],
        aws_secret_access_key=key['SecretAccessKey'], aws_session_token=key['SessionToken'])
    print(kind, sts.get_caller_identity()['Arn'])
else:
    print(kind, news['reason'], news['message'])
";

/// A token as the kubelet would have it for a pod.
pub async fn token(
    here: &TestNamespace,
    pod: Option<&str>,
    audience: &str,
) -> Result<String, Failure> {
    let audience = format!("--audience={audience}");
    let mut command = vec!["create", "token", "default", "-n", &here.name, &audience];
    if let Some(pod) = pod {
        command.extend(["--bound-object-kind=Pod", "--bound-object-name", pod]);
    }
    Ok(kubectl::run(&command).await?.trim().to_owned())
}

/// What the broker says to a token, whoever it is of, when it is asked out of a pod.
pub async fn ask(
    here: &TestNamespace,
    pod: &str,
    token: &str,
    grant: &str,
) -> Result<String, Failure> {
    let path = r".data.ca\.crt";
    let ca = kubectl::field(&here.name, "configmap", "alter-broker-ca", path).await?;
    let command = ["python3", "-c", ASK, token, grant, &ca];
    let output = kubectl::exec(&here.name, pod, "app", &command).await?;
    if output.success {
        Ok(output.stdout)
    } else {
        Err(format!("asking the broker: {output:?}").into())
    }
}

/// What such a grant says.
pub const STORE: &str = "  store: Broker";

/// The namespace's identity, which allows the broker and names sessions by the template.
#[must_use]
pub fn broker_identity(namespace: &str, session_name: &str) -> String {
    let session = format!("  session: {{name: \"{session_name}\"}}\n  allow:");
    let identity = identity(namespace).replace("  allow:", &session);
    format!("{}\n    stores: [Broker]\n", identity.trim_end())
}

/// Each pod's session is called after it.
pub const NAMED: &str = "{namespace}.{serviceAccount}.{pod}";
/// All pods of a grant share its session.
pub const SHARED: &str = "{namespace}.{grant}";

/// A pod that has a grant and waits to be asked.
#[must_use]
pub fn idle_pod(name: &str, grant: &str) -> String {
    python_pod(name, &format!("alter.dev/grant: {grant}"), IDLE)
}

/// Runs a test in a namespace with the grant `bedrock` of the broker's, and the pod `app`, which has a session of
/// its own.
pub async fn with_brokered_app(
    test: &str,
    body: impl AsyncFnOnce(&TestNamespace) -> Result<(), Failure>,
) -> Result<(), Failure> {
    with_temp_namespace(test, &[], async |here| {
        here.apply(&broker_identity(&here.name, NAMED)).await?;
        here.identity_is(true, "").await?;
        here.apply(&grant(&here.name, "bedrock", STORE)).await?;
        here.grant_is("bedrock", true, "Brokered").await?;
        here.ready_pod("app", &idle_pod("app", "bedrock")).await?;
        body(&here).await
    })
    .await
}
