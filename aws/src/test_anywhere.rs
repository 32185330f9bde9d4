//! A Roles Anywhere on loopback, which lets openssl check each signature, and certificates to show it.

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    SerialNumber, SignatureAlgorithm, date_time_ymd,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    fmt::Write,
    net::SocketAddr,
    process::{Command, Output},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{net::TcpListener, task::JoinHandle};

/// Whatever fails in a test's own tooling.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A call whose signature openssl found good.
#[derive(Clone, Debug)]
pub struct Call {
    /// The body.
    pub body: Value,
    /// The algorithm that the header names.
    pub algorithm: String,
    /// The serial number that the header names.
    pub serial: String,
    /// What the key signed, in Signature Version 4's words.
    pub string_to_sign: String,
    /// The leaf, and then the CAs that were sent: DER.
    pub certificates: Vec<Vec<u8>>,
    /// How many calls came before it.
    pub index: usize,
}

/// How a call is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// With a session named after the call's index, which ends then, in RFC 3339.
    Until(String),
    /// An error in AWS's form.
    Error(u16, &'static str, &'static str),
    /// Any status and body.
    Raw(u16, &'static str),
}

/// The server; it ends when dropped.
#[derive(Debug)]
pub struct TestAnywhere {
    address: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
    task: JoinHandle<()>,
}

type Script = Arc<dyn Fn(&Call) -> Answer + Send + Sync>;

#[derive(Clone)]
struct Server {
    calls: Arc<Mutex<Vec<Call>>>,
    script: Script,
}

impl TestAnywhere {
    /// Listens on a free port of loopback.
    pub async fn start(
        script: impl Fn(&Call) -> Answer + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let calls = Arc::<Mutex<Vec<Call>>>::default();
        let server = Server {
            calls: calls.clone(),
            script: Arc::new(script),
        };
        let router = Router::new().fallback(answer).with_state(server);
        let task = tokio::spawn(async move {
            // It ends with the task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            address,
            calls,
            task,
        })
    }

    /// For `endpoints.rolesanywhere`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every call so far.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.calls).clone()
    }
}

impl Drop for TestAnywhere {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(calls: &Mutex<Vec<Call>>) -> MutexGuard<'_, Vec<Call>> {
    calls.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(
    State(server): State<Server>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let call = match verified(uri.path(), &headers, &body) {
        Ok(mut call) => {
            let mut calls = lock(&server.calls);
            call.index = calls.len();
            calls.push(call.clone());
            call
        }
        Err(error) => return refused(403, "AccessDeniedException", &error.to_string()),
    };
    match (server.script)(&call) {
        Answer::Until(until) => created(&call, &until),
        Answer::Error(status, code, message) => refused(status, code, message),
        Answer::Raw(status, body) => (code(status), body).into_response(),
    }
}

fn created(call: &Call, until: &str) -> Response {
    let index = call.index;
    let role = call.body["roleArn"].as_str().unwrap_or_default();
    let role = role.rsplit('/').next().unwrap_or_default();
    let body = json!({"credentialSet": [{
        "assumedRoleUser": {
            "arn": format!("arn:aws:sts::111122223333:assumed-role/{role}/{}", call.serial),
            "assumedRoleId": "AROATEST",
        },
        "credentials": {
            "accessKeyId": format!("ASIAANYWHERE{index}"),
            "secretAccessKey": format!("secret-{index}"),
            "sessionToken": format!("token-{index}"),
            "expiration": until,
        },
        "packedPolicySize": 0,
        "sourceIdentity": "CN",
    }]});
    (code(201), body.to_string()).into_response()
}

fn refused(status: u16, error: &str, message: &str) -> Response {
    let headers = [("x-amzn-errortype", format!("{error}:http://internal/"))];
    let body = json!({"message": message}).to_string();
    (code(status), headers, body).into_response()
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Takes a request apart as Signature Version 4 says, from its own bytes, and asks openssl.
fn verified(path: &str, headers: &HeaderMap, body: &[u8]) -> Result<Call, Failure> {
    let header = |name: &str| -> Result<&str, Failure> {
        let value = headers.get(name).ok_or_else(|| format!("no {name}"))?;
        Ok(value.to_str()?)
    };
    let authorization = header(header::AUTHORIZATION.as_str())?;
    let (algorithm, rest) = authorization.split_once(' ').ok_or("no algorithm")?;
    let part = |name: &str| -> Result<&str, Failure> {
        let parts = rest.split(", ").filter_map(|part| part.split_once('='));
        let mut found = parts
            .filter(|(own, _)| *own == name)
            .map(|(_, value)| value);
        Ok(found.next().ok_or_else(|| format!("no {name}"))?)
    };
    let (serial, scope) = part("Credential")?.split_once('/').ok_or("no scope")?;
    let names = part("SignedHeaders")?;
    for needed in ["content-type", "host", "x-amz-date", "x-amz-x509"] {
        if !names.split(';').any(|name| name == needed) {
            return Err(format!("{needed} is not signed").into());
        }
    }
    let mut request = format!("POST\n{path}\n\n");
    for name in names.split(';') {
        writeln!(request, "{name}:{}", header(name)?)?;
    }
    write!(request, "\n{names}\n{}", sha256(body)?)?;
    let text = format!(
        "{algorithm}\n{}\n{scope}\n{}",
        header("x-amz-date")?,
        sha256(request.as_bytes())?
    );
    let mut certificates = vec![BASE64_STANDARD.decode(header("x-amz-x509")?)?];
    if headers.contains_key("x-amz-x509-chain") {
        for der in header("x-amz-x509-chain")?.split(',') {
            certificates.push(BASE64_STANDARD.decode(der)?);
        }
    }
    openssl_verifies(&certificates[0], &text, &unhex(part("Signature")?)?)?;
    Ok(Call {
        body: serde_json::from_slice(body)?,
        algorithm: algorithm.to_owned(),
        serial: serial.to_owned(),
        string_to_sign: text,
        certificates,
        index: 0,
    })
}

fn sha256(bytes: &[u8]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}")?;
    }
    Ok(text)
}

fn unhex(text: &str) -> Result<Vec<u8>, Failure> {
    let pairs = (0..text.len()).step_by(2);
    pairs
        .map(|at| {
            let pair = text.get(at..at + 2).ok_or("half a byte")?;
            Ok(u8::from_str_radix(pair, 16)?)
        })
        .collect()
}

fn openssl_verifies(leaf: &[u8], text: &str, signature: &[u8]) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("leaf.der"), leaf)?;
    std::fs::write(file("text"), text)?;
    std::fs::write(file("signature"), signature)?;
    let key = openssl(
        &[
            "x509", "-inform", "DER", "-in", "leaf.der", "-pubkey", "-noout",
        ],
        folder.path(),
    )?;
    std::fs::write(file("key.pem"), key.stdout)?;
    let arguments = [
        "dgst",
        "-sha256",
        "-verify",
        "key.pem",
        "-signature",
        "signature",
        "text",
    ];
    openssl(&arguments, folder.path()).map(|_| ())
}

fn openssl(arguments: &[&str], folder: &std::path::Path) -> Result<Output, Failure> {
    let command = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .output();
    let output = command.map_err(|error| format!("openssl: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("openssl {}: {said}", arguments.join(" ")).into())
}

/// A certificate with its CAs and its key, in PEM.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The leaf, its CA, and the root.
    pub certificates: String,
    /// PKCS#8.
    pub key: String,
}

impl Pair {
    /// A certificate that is valid from the first day of one year to that of another.
    pub fn issue(
        algorithm: &'static SignatureAlgorithm,
        serial: &[u8],
        (from, until): (i32, i32),
    ) -> Result<Self, Failure> {
        let root = authority("root", None)?;
        let ca = authority("between", Some(&root))?;
        let key = KeyPair::generate_for(algorithm)?;
        let mut leaf = named("alter.example.com")?;
        leaf.serial_number = Some(SerialNumber::from_slice(serial));
        leaf.not_before = date_time_ymd(from, 1, 1);
        leaf.not_after = date_time_ymd(until, 1, 1);
        let leaf = leaf.signed_by(&key, &ca.issuer)?;
        Ok(Self {
            certificates: leaf.pem() + &ca.pem + &root.pem,
            key: key.serialize_pem(),
        })
    }

    /// The key in the form that openssl had before PKCS#8: PKCS#1 or SEC1.
    pub fn traditional_key(&self) -> Result<String, Failure> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("key.pem"), &self.key)?;
        let arguments = ["pkey", "-in", "key.pem", "-traditional"];
        let output = openssl(&arguments, folder.path())?;
        Ok(String::from_utf8(output.stdout)?)
    }
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

fn authority(name: &str, by: Option<&Authority>) -> Result<Authority, Failure> {
    let mut params = named(name)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate()?;
    let certificate = match by {
        Some(by) => params.signed_by(&key, &by.issuer)?,
        None => params.self_signed(&key)?,
    };
    Ok(Authority {
        pem: certificate.pem(),
        issuer: Issuer::new(params, key),
    })
}

fn named(name: &str) -> Result<CertificateParams, Failure> {
    let mut params = CertificateParams::new(Vec::new())?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    Ok(params)
}
