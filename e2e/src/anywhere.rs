//! A Roles Anywhere, which the emulator has not: it verifies what a certificate's key signed, and answers with a
//! session of the emulator.

use crate::{Failure, TestNamespace, fixture, fixture::AWS_ENDPOINT, wait};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_RSA_SHA256,
    SerialNumber, date_time_ymd,
};
use serde_json::json;

/// Signature Version 4 from the request's own bytes, and RSA by another library than Alter's. The session is that
/// of a token which the emulator takes unverified: the role trusts the issuer of this name alone.
const SERVER: &str = r#"
import base64, calendar, hashlib, http.server, json, os, time, urllib.parse, urllib.request, xml.etree.ElementTree
import rsa
AWS, ISSUER = os.environ["AWS"], os.environ["ISSUER"]
def parts(der):
    found, at = [], 0
    while at < len(der):
        size, start = der[at + 1], at + 2
        if size & 128:
            count = size & 127
            size, start = int.from_bytes(der[start:start + count], "big"), start + count
        found.append((der[at], der[start:start + size]))
        at = start + size
    return found
def serial_and_key(der):
    fields = parts(parts(parts(der)[0][1])[0][1])
    if fields[0][0] == 0xA0:
        fields.pop(0)
    point = parts(fields[5][1])[1][1]
    return int.from_bytes(fields[0][1], "big"), rsa.PublicKey.load_pkcs1(point[1:], "DER")
def verify(path, headers, body):
    algorithm, rest = headers["authorization"].split(" ", 1)
    shown = dict(part.split("=", 1) for part in rest.split(", "))
    serial, scope = shown["Credential"].split("/", 1)
    names = shown["SignedHeaders"]
    assert {"content-type", "host", "x-amz-date", "x-amz-x509", "x-amz-x509-chain"} <= set(names.split(";"))
    lines = "".join(f"{name}:{headers[name]}\n" for name in names.split(";"))
    request = f"POST\n{path}\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    date = headers["x-amz-date"]
    text = f"{algorithm}\n{date}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    own, key = serial_and_key(base64.b64decode(headers["x-amz-x509"]))
    assert algorithm == "AWS4-X509-RSA-SHA256" and serial == str(own)
    assert scope == f"{date[:8]}/us-east-1/rolesanywhere/aws4_request"
    assert abs(time.time() - calendar.timegm(time.strptime(date, "%Y%m%dT%H%M%SZ"))) < 300
    assert rsa.verify(text.encode(), bytes.fromhex(shown["Signature"]), key) == "SHA-256"
    return serial
def enter(asked, serial):
    claims = json.dumps({"iss": "https://" + ISSUER, "sub": serial, "aud": "e2e"}).encode()
    token = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b'{"alg":"none"}', claims, b"-"))
    form = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": asked["roleArn"],
            "RoleSessionName": serial, "WebIdentityToken": token, "DurationSeconds": asked.get("durationSeconds", 3600)}
    answer = urllib.request.urlopen(AWS, urllib.parse.urlencode(form).encode()).read()
    found = {own.tag.split("}")[1]: own.text for own in xml.etree.ElementTree.fromstring(answer).iter()}
    keys = {"accessKeyId": found["AccessKeyId"], "secretAccessKey": found["SecretAccessKey"],
            "sessionToken": found["SessionToken"], "expiration": found["Expiration"]}
    user = {"arn": found["Arn"], "assumedRoleId": found["AssumedRoleId"]}
    return {"credentialSet": [{"assumedRoleUser": user, "credentials": keys, "sourceIdentity": "alter.e2e"}]}
class Anywhere(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self, status, body, error=None):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if error:
            self.send_header("x-amzn-errortype", error)
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer(200, "up")
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            serial = verify(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        except Exception as error:
            return self.answer(403, {"message": f"Untrusted certificate: {error!r}"}, "AccessDeniedException")
        self.answer(201, enter(json.loads(body), serial))
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("", 4567), Anywhere).serve_forever()
"#;

/// The endpoint of a namespace's Roles Anywhere.
#[must_use]
pub fn endpoint(here: &TestNamespace) -> String {
    format!("http://anywhere.{}.svc:4567", here.name)
}

/// The issuer that roles trust which are entered through it.
#[must_use]
pub fn issuer(here: &TestNamespace) -> String {
    format!("anywhere.{}", here.name)
}

/// Starts the Roles Anywhere of a namespace.
pub async fn start(here: &TestNamespace) -> Result<(), Failure> {
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "anywhere"},
        "spec": {"selector": {"app": "anywhere"}, "ports": [{"port": 4567}]},
    });
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "anywhere", "labels": {"app": "anywhere"}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "enableServiceLinks": false,
            "containers": [{
                "name": "app", "image": fixture::python_image(), "imagePullPolicy": "Never",
                "command": ["python3", "-c", SERVER],
                "env": [
                    {"name": "AWS", "value": AWS_ENDPOINT},
                    {"name": "ISSUER", "value": issuer(here)},
                ],
                "readinessProbe": {"tcpSocket": {"port": 4567}, "periodSeconds": 1},
            }],
        },
    });
    here.apply(&service.to_string()).await?;
    here.ready_pod("anywhere", &pod.to_string()).await?;
    // A Service takes a moment to reach the node.
    wait::answers("the Roles Anywhere answers", &endpoint(here)).await
}

/// A Secret of the type `kubernetes.io/tls`, as cert-manager writes it, whose certificate is valid until the first
/// day of that year.
pub fn certificate(name: &str, serial: u64, until: i32) -> Result<String, Failure> {
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = Issuer::new(root, KeyPair::generate()?);
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "between");
    let ca_key = KeyPair::generate()?;
    let ca_certificate = ca.signed_by(&ca_key, &root)?;
    let ca = Issuer::new(ca, ca_key);
    let mut leaf = CertificateParams::default();
    leaf.distinguished_name
        .push(DnType::CommonName, "alter.e2e");
    leaf.serial_number = Some(SerialNumber::from(serial));
    leaf.not_before = date_time_ymd(2020, 1, 1);
    leaf.not_after = date_time_ymd(until, 1, 1);
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
    let leaf = leaf.signed_by(&key, &ca)?;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"name": name},
        "stringData": {"tls.crt": leaf.pem() + &ca_certificate.pem(), "tls.key": key.serialize_pem()},
    });
    Ok(secret.to_string())
}
