//! An STS on loopback that answers as a test says, over HTTP and in STS's own XML. It is an IAM, too, for policies of
//! roles.

use crate::test_iam::Policies;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinHandle};

/// One call, as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// `AssumeRole`, `GetCallerIdentity`, …
    pub action: String,
    /// Every form parameter.
    pub parameters: BTreeMap<String, String>,
    /// Who signed it; empty where nobody did.
    pub access_key_id: String,
    /// The session token that came with it; empty where none did.
    pub session_token: String,
    /// How many calls came before it; not counting those that ask who calls, unless it is one of them.
    pub index: usize,
}

impl Call {
    /// Whether it asks who calls.
    #[must_use]
    pub fn identifies(&self) -> bool {
        self.action == "GetCallerIdentity"
    }

    /// A parameter, or nothing.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }
}

/// How a call is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// As STS answers what it allows: a session named after the call's index, or the caller.
    Success,
    /// [`Answer::Success`] with a session that ends then, in RFC 3339.
    Until(String),
    /// An error in STS's form.
    Error(u16, &'static str, &'static str),
    /// Any status and body.
    Raw(u16, &'static str),
    /// Never.
    Hang,
    /// [`Answer::Success`], once the semaphore has a permit.
    Held(Arc<Semaphore>),
}

/// The server; it ends when dropped.
#[derive(Debug)]
pub struct TestSts {
    address: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
    policies: Policies,
    task: JoinHandle<()>,
}

type Script = Arc<dyn Fn(&Call) -> Answer + Send + Sync>;

#[derive(Clone)]
struct Server {
    calls: Arc<Mutex<Vec<Call>>>,
    policies: Policies,
    script: Script,
}

impl TestSts {
    /// Listens on a free port of loopback.
    pub async fn start(
        script: impl Fn(&Call) -> Answer + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let calls = Arc::<Mutex<Vec<Call>>>::default();
        let policies = Policies::default();
        let server = Server {
            calls: calls.clone(),
            policies: policies.clone(),
            script: Arc::new(script),
        };
        let router = Router::new().fallback(answer).with_state(server);
        let task = tokio::spawn(async move {
            // It ends with its test; a failure shows in the test's calls.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            address,
            calls,
            policies,
            task,
        })
    }

    /// For `endpoints.sts`, and `endpoints.iam`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every call so far.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.calls).clone()
    }

    /// Every call so far but those that ask who calls.
    #[must_use]
    pub fn others(&self) -> Vec<Call> {
        let calls = self.calls().into_iter();
        calls.filter(|call| !call.identifies()).collect()
    }

    /// An inline policy of a role.
    #[must_use]
    pub fn role_policy(&self, role: &str, name: &str) -> Option<String> {
        let key = (role.to_owned(), name.to_owned());
        self.policies.lock().get(&key).cloned()
    }

    /// Puts an inline policy on a role, as somebody else would.
    pub fn put_role_policy(&self, role: &str, name: &str, document: &str) {
        let key = (role.to_owned(), name.to_owned());
        self.policies.lock().insert(key, document.to_owned());
    }

    /// How many calls of an action there were so far.
    #[must_use]
    pub fn count(&self, action: &str) -> usize {
        let calls = lock(&self.calls);
        calls.iter().filter(|call| call.action == action).count()
    }
}

impl Drop for TestSts {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(calls: &Mutex<Vec<Call>>) -> MutexGuard<'_, Vec<Call>> {
    calls.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(State(server): State<Server>, headers: HeaderMap, body: Bytes) -> Response {
    let parameters: BTreeMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
    let (call, signer) = {
        let mut calls = lock(&server.calls);
        let call = Call {
            action: parameters.get("Action").cloned().unwrap_or_default(),
            parameters,
            access_key_id: signer(&headers).unwrap_or_default(),
            session_token: headers
                .get("x-amz-security-token")
                .and_then(|token| token.to_str().ok())
                .map_or(String::new(), ToOwned::to_owned),
            index: 0,
        };
        let index = if call.identifies() {
            calls.len()
        } else {
            calls.iter().filter(|own| !own.identifies()).count()
        };
        let call = Call { index, ..call };
        let signer = caller(&call, &calls);
        calls.push(call.clone());
        (call, signer)
    };
    let success = |until: &str| {
        let of_iam = server.policies.answer(&call);
        let (status, body) = of_iam.unwrap_or_else(|| (200, success(&call, &signer, until)));
        xml(status, body)
    };
    match (server.script)(&call) {
        Answer::Success => success(LATE),
        Answer::Until(until) => success(&until),
        Answer::Error(status, code, message) => xml(
            status,
            format!(
                "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code>\
                 <Message>{message}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
            ),
        ),
        Answer::Raw(status, body) => xml(status, body.to_owned()),
        Answer::Hang => std::future::pending().await,
        Answer::Held(semaphore) => {
            let permit = semaphore.acquire().await;
            drop(permit);
            success(LATE)
        }
    }
}

/// The access key id in `Authorization: AWS4-HMAC-SHA256 Credential=<id>/…`.
fn signer(headers: &HeaderMap) -> Option<String> {
    let authorization = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (_, credential) = authorization.split_once("Credential=")?;
    Some(credential.split('/').next()?.to_owned())
}

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// When sessions end of which nothing else is said.
const LATE: &str = "2099-01-01T00:00:00Z";

/// The ARN of who signed: the user, or the session that an earlier call gave.
fn caller(call: &Call, earlier: &[Call]) -> String {
    let index = call.access_key_id.strip_prefix("ASIATEST");
    let gave = index
        .and_then(|index| index.parse::<usize>().ok())
        .and_then(|index| earlier.iter().filter(|own| !own.identifies()).nth(index));
    gave.map_or_else(
        || "arn:aws:iam::111122223333:user/alter".to_owned(),
        assumed_role,
    )
}

fn assumed_role(call: &Call) -> String {
    let role = call.parameter("RoleArn").unwrap_or_default();
    let role = role.rsplit('/').next().unwrap_or_default();
    let session = call.parameter("RoleSessionName").unwrap_or_default();
    format!("arn:aws:sts::111122223333:assumed-role/{role}/{session}")
}

fn success(call: &Call, caller: &str, until: &str) -> String {
    let (action, index) = (&call.action, call.index);
    let credentials = format!(
        "<Credentials><AccessKeyId>ASIATEST{index}</AccessKeyId>\
         <SecretAccessKey>secret-{index}</SecretAccessKey><SessionToken>token-{index}</SessionToken>\
         <Expiration>{until}</Expiration></Credentials>"
    );
    let session = call.parameter("RoleSessionName").unwrap_or_default();
    let user = format!(
        "<AssumedRoleUser><AssumedRoleId>AROATEST:{session}</AssumedRoleId>\
         <Arn>{}</Arn></AssumedRoleUser>",
        assumed_role(call)
    );
    let result = match action.as_str() {
        "GetCallerIdentity" => {
            format!("<Arn>{caller}</Arn><UserId>AIDATEST</UserId><Account>111122223333</Account>")
        }
        "GetFederationToken" => {
            let name = call.parameter("Name").unwrap_or_default();
            let arn = format!("arn:aws:sts::111122223333:federated-user/{name}");
            let id = format!("111122223333:{name}");
            let user = format!("<FederatedUserId>{id}</FederatedUserId><Arn>{arn}</Arn>");
            format!("{credentials}<FederatedUser>{user}</FederatedUser>")
        }
        "GetSessionToken" => credentials,
        _ => credentials + &user,
    };
    format!(
        "<{action}Response xmlns=\"{NAMESPACE}\"><{action}Result>{result}</{action}Result>\
         <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{action}Response>"
    )
}

fn xml(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "text/xml")], body).into_response()
}
