//! An STS on loopback that answers at once, believes every signature, and counts.
//!
//! The answers have the form of the AWS Security Token Service API Reference, version 2011-06-15.

use crate::Failure;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, StatusCode, body::Incoming, header::CONTENT_TYPE, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{
    net::TcpListener,
    task::{AbortHandle, JoinSet},
};

const ACCOUNT: &str = "111122223333";

/// A running STS. Ends when dropped.
pub(crate) struct Sts {
    /// Where it listens, over plain HTTP.
    pub(crate) address: SocketAddr,
    calls: Arc<Calls>,
    task: AbortHandle,
}

#[derive(Default)]
struct Calls {
    sessions: AtomicU64,
    identities: AtomicU64,
    refused: AtomicU64,
}

/// Calls so far, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// That issue a session: `AssumeRole`.
    pub(crate) sessions: u64,
    /// `GetCallerIdentity`.
    pub(crate) identities: u64,
    /// Anything else, which is refused.
    pub(crate) refused: u64,
}

impl Sts {
    /// Starts answering.
    pub(crate) async fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let calls = Arc::<Calls>::default();
        let task = tokio::spawn(serve(listener, calls.clone())).abort_handle();
        Ok(Self {
            address,
            calls,
            task,
        })
    }

    /// Calls since the last time they were taken.
    pub(crate) fn take_counts(&self) -> Counts {
        let take = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
        Counts {
            sessions: take(&self.calls.sessions),
            identities: take(&self.calls.identities),
            refused: take(&self.calls.refused),
        }
    }
}

impl Drop for Sts {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, calls: Arc<Calls>) {
    // Connections end with it.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        // Only slower without.
        let _ = stream.set_nodelay(true);
        let calls = calls.clone();
        let service = service_fn(move |request| {
            let calls = calls.clone();
            async move { respond(request, &calls).await }
        });
        connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn respond(
    request: Request<Incoming>,
    calls: &Calls,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let form: HashMap<_, _> = form_urlencoded::parse(&body).collect();
    let field = |name: &str| form.get(name).map_or("", |value| value);
    let (status, answer) = match field("Action") {
        "AssumeRole" => {
            let number = calls.sessions.fetch_add(1, Ordering::Relaxed);
            let seconds = field("DurationSeconds").parse().unwrap_or(3_600);
            let expiration = crate::now() + SignedDuration::from_secs(seconds);
            let role = field("RoleArn").rsplit('/').next().unwrap_or_default();
            let answer = session(number, role, field("RoleSessionName"), expiration);
            (StatusCode::OK, answer)
        }
        "GetCallerIdentity" => {
            calls.identities.fetch_add(1, Ordering::Relaxed);
            (StatusCode::OK, caller())
        }
        action => {
            calls.refused.fetch_add(1, Ordering::Relaxed);
            (StatusCode::BAD_REQUEST, refusal(action))
        }
    };
    let mut response = Response::new(Full::from(answer));
    *response.status_mut() = status;
    let xml = http::HeaderValue::from_static("text/xml");
    response.headers_mut().insert(CONTENT_TYPE, xml);
    Ok(response)
}

fn session(number: u64, role: &str, name: &str, expiration: Timestamp) -> String {
    let expiration = alter_protocol::session::rfc3339(expiration);
    let (secret, token) = ("k".repeat(40), "t".repeat(900));
    answer(
        "AssumeRole",
        &format!(
            "<AssumedRoleUser><AssumedRoleId>AROABENCHBENCHBENCH1:{name}</AssumedRoleId>\
             <Arn>arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}</Arn></AssumedRoleUser>\
             <Credentials><AccessKeyId>ASIABENCH{number:011}</AccessKeyId>\
             <SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken>\
             <Expiration>{expiration}</Expiration></Credentials>"
        ),
    )
}

fn caller() -> String {
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/alter");
    let user = "AIDABENCHBENCHBENCH1";
    answer(
        "GetCallerIdentity",
        &format!("<Arn>{arn}</Arn><UserId>{user}</UserId><Account>{ACCOUNT}</Account>"),
    )
}

fn answer(action: &str, result: &str) -> String {
    format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>{result}\
         </{action}Result><ResponseMetadata><RequestId>00000000-0000-0000-0000-000000000000</RequestId>\
         </ResponseMetadata></{action}Response>"
    )
}

fn refusal(action: &str) -> String {
    format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidAction</Code><Message>{action}</Message></Error>\
         <RequestId>00000000-0000-0000-0000-000000000000</RequestId></ErrorResponse>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{self, Connection};
    use tokio::net::TcpStream;

    async fn ask(sts: &Sts, body: &str) -> (u16, String) {
        let request = http::request("POST", "/", &["Host: sts"], body.as_bytes());
        let mut connection = Connection::new(TcpStream::connect(sts.address).await.unwrap());
        let answer = connection.exchange(&request).await.unwrap();
        (
            answer.status,
            String::from_utf8(answer.body.to_vec()).unwrap(),
        )
    }

    #[tokio::test]
    async fn every_session_has_a_key_of_its_own_and_is_counted() {
        let sts = Sts::start().await.unwrap();
        let body = "Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fpath%2Fname&RoleSessionName=s";
        let (status, first) = ask(&sts, body).await;
        assert_eq!(status, 200);
        assert!(first.contains("assumed-role/name/s</Arn>"), "{first}");
        assert_ne!(first, ask(&sts, body).await.1);
        assert_eq!(ask(&sts, "Action=GetCallerIdentity").await.0, 200);
        assert_eq!(ask(&sts, "Action=DecodeAuthorizationMessage").await.0, 400);
        let counts = Counts {
            sessions: 2,
            identities: 1,
            refused: 1,
        };
        assert_eq!(sts.take_counts(), counts);
        assert_eq!(sts.take_counts().sessions, 0);
    }
}
