//! An STS between Alter and the emulator: it passes calls on, answers some roles with AWS's errors, and can
//! shorten sessions below what AWS gives.

use crate::{
    Failure, TestNamespace,
    fixture::{AWS_ENDPOINT, python_image},
    wait,
};
use serde_json::{Map, Value, json};

/// Passes calls on as they are, the signed Host header too.
const RELAY: &str = r"
import collections, datetime, http.client, http.server, json, os, re, urllib.parse
FAULTS, LIFE, AWS = json.loads(os.environ['FAULTS']), os.environ['LIFE'], os.environ['AWS']
answered = collections.Counter()
class Relay(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def answer(self, status, body):
        self.send_response(status)
        self.send_header('Content-Type', 'text/xml')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer(200, b'up')
    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        asked = dict(urllib.parse.parse_qsl(body.decode()))
        role = asked.get('RoleArn', '').rpartition('/')[2]
        fault = FAULTS.get(role)
        if fault and answered[role] < fault['times']:
            answered[role] += 1
            return self.answer(fault['status'], fault['body'].encode())
        aws = http.client.HTTPConnection(AWS, timeout=30)
        aws.request('POST', self.path, body, dict(self.headers))
        answer = aws.getresponse()
        text = answer.read()
        if LIFE:
            until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=int(LIFE))
            text = re.sub(b'(?<=<Expiration>)[^<]*', until.strftime('%Y-%m-%dT%H:%M:%SZ').encode(), text)
        self.answer(answer.status, text)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(('', 4566), Relay).serve_forever()
";

/// How a role is answered.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Name of the role.
    pub role: &'static str,
    /// HTTP status.
    pub status: u16,
    /// The whole body.
    pub body: String,
    /// So often, and from then on as AWS does.
    pub times: u32,
}

impl Fault {
    /// An error of STS, as AWS writes it, for ever.
    #[must_use]
    pub fn error(role: &'static str, status: u16, code: &str, message: &str) -> Self {
        let body = format!(
            r#"<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>e2e</RequestId></ErrorResponse>"#
        );
        Self {
            role,
            status,
            body,
            times: u32::MAX,
        }
    }
}

/// The endpoint of a namespace's relay.
#[must_use]
pub fn endpoint(here: &TestNamespace) -> String {
    format!("http://sts.{}.svc:4566", here.name)
}

/// Starts the relay of a namespace. With `life`, sessions expire after so many seconds.
pub async fn start(
    here: &TestNamespace,
    faults: &[Fault],
    life: Option<u32>,
) -> Result<(), Failure> {
    let faults: Map<String, Value> = faults
        .iter()
        .map(|own| {
            let fault = json!({"status": own.status, "body": own.body, "times": own.times});
            (own.role.to_owned(), fault)
        })
        .collect();
    let life = life.map_or_else(String::new, |life| life.to_string());
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "sts"},
        "spec": {"selector": {"app": "sts"}, "ports": [{"port": 4566}]},
    });
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "sts", "labels": {"app": "sts"}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            // A Service's variables would be of no use to it.
            "enableServiceLinks": false,
            "containers": [{
                "name": "app", "image": python_image(), "imagePullPolicy": "Never",
                "command": ["python3", "-c", RELAY],
                "env": [
                    {"name": "FAULTS", "value": Value::from(faults).to_string()},
                    {"name": "LIFE", "value": life},
                    {"name": "AWS", "value": AWS_ENDPOINT.trim_start_matches("http://")},
                ],
                "readinessProbe": {"tcpSocket": {"port": 4566}, "periodSeconds": 1},
            }],
        },
    });
    here.apply(&service.to_string()).await?;
    here.ready_pod("sts", &pod.to_string()).await?;
    // A Service takes a moment to reach the node, and an identity that asks too early is told so.
    wait::answers("the relay answers", &endpoint(here)).await
}
