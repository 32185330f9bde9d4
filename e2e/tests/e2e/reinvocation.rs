//! Another webhook, called after ours, adds a container: ours is called again and equips it too.

use alter_e2e::{
    Failure, TestNamespace,
    app::WHO,
    fixture::{AWS_ENDPOINT, IDLE, python_image, python_pod},
    kubectl, wait, with_temp_namespace,
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::json;

/// A webhook in a few lines: adds the container `late` to pods that lack it.
const SERVER: &str = r"
import base64, http.server, json, os, ssl
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers['Content-Length'])))['request']
        response = {'uid': request['uid'], 'allowed': True}
        if all(c['name'] != 'late' for c in request['object']['spec']['containers']):
            patch = [{'op': 'add', 'path': '/spec/containers/-', 'value': json.loads(os.environ['LATE'])}]
            response.update(patchType='JSONPatch', patch=base64.b64encode(json.dumps(patch).encode()).decode())
        body = json.dumps({'apiVersion': 'admission.k8s.io/v1', 'kind': 'AdmissionReview', 'response': response}).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.HTTPServer(('', 8443), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('/tls/tls.crt', '/tls/tls.key')
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
";

async fn start_other_webhook(here: &TestNamespace) -> Result<(), Failure> {
    let name = &here.name;
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec![format!("late.{name}.svc")])?;
    let late = json!({
        "name": "late",
        "image": python_image(),
        "imagePullPolicy": "Never",
        "command": ["python3", "-c", IDLE],
        "env": [{"name": "AWS_ENDPOINT_URL", "value": AWS_ENDPOINT}],
    });
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "late"}, "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": cert.pem(), "tls.key": signing_key.serialize_pem()},
    });
    let server = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "late", "labels": {"app": "late"}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{
                "name": "late", "image": python_image(), "imagePullPolicy": "Never",
                "command": ["python3", "-c", SERVER],
                "env": [{"name": "LATE", "value": late.to_string()}],
                "readinessProbe": {"tcpSocket": {"port": 8443}, "periodSeconds": 1},
                "volumeMounts": [{"name": "tls", "mountPath": "/tls"}],
            }],
            "volumes": [{"name": "tls", "secret": {"secretName": "late"}}],
        },
    });
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "late"},
        "spec": {"selector": {"app": "late"}, "ports": [{"port": 443, "targetPort": 8443}]},
    });
    // By name after `alter-webhook`: called after it.
    let configuration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": configuration_name(here)},
        "webhooks": [{
            "name": "late.example.com",
            "clientConfig": {
                "service": {"name": "late", "namespace": name},
                "caBundle": k8s_openapi::ByteString(cert.pem().into_bytes()),
            },
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
            "objectSelector": {"matchLabels": {"add-late": "true"}},
            "sideEffects": "None", "admissionReviewVersions": ["v1"],
        }],
    });
    for object in [secret, service] {
        here.apply(&object.to_string()).await?;
    }
    here.ready_pod("late", &server.to_string()).await?;
    here.apply(&configuration.to_string()).await.map(|_| ())
}

fn configuration_name(here: &TestNamespace) -> String {
    format!("zz-late-{}", here.name)
}

#[tokio::test]
async fn a_container_that_another_webhook_adds_has_credentials_too() -> Result<(), Failure> {
    with_temp_namespace("reinvocation", &[], async |here| {
        here.identity().await?;
        here.ready_grant("bedrock", "").await?;
        start_other_webhook(&here).await?;
        let pod = python_pod("app", "alter.dev/grant: bedrock", IDLE).replace(
            "  annotations:",
            "  labels: {add-late: \"true\"}\n  annotations:",
        );
        // The other webhook takes a moment to reach the node's service rules.
        let created = wait::until_found("both webhooks answer", async || {
            Ok(kubectl::apply(&here.name, &pod)
                .await?
                .success
                .then_some(()))
        })
        .await;
        let name = configuration_name(&here);
        kubectl::run(&["delete", "mutatingwebhookconfiguration", &name]).await?;
        created?;
        wait::pod_ready(&here.client, &here.name, "app").await?;
        for container in ["app", "late"] {
            let output =
                kubectl::exec(&here.name, "app", container, &["python3", "-c", WHO]).await?;
            assert!(
                output.stdout.contains("assumed-role/team-a-app/"),
                "{container}: {output:?}"
            );
        }
        Ok(())
    })
    .await
}
