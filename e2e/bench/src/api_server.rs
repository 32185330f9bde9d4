//! A Kubernetes API without nodes: etcd and kube-apiserver on loopback, with both kinds installed.

use crate::{
    Failure,
    program::Program,
    run::Setup,
    tls::{Authority, CERTIFICATE, KEY},
};
use k8s_openapi::{
    api::core::v1::{Namespace, Secret},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, Config, Resource,
    api::PostParams,
    config::{KubeConfigOptions, Kubeconfig},
    runtime::{conditions::is_crd_established, wait::await_condition},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use std::{
    fmt::Debug,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tempfile::TempDir;
use tokio::net::TcpStream;

/// Where the programs under measurement believe to be installed.
pub(crate) const SYSTEM_NAMESPACE: &str = "alter-system";
const TOKEN: &str = "bench";
/// How long a kind may take until it can be asked for.
const DEADLINE: Duration = Duration::from_mins(1);

/// A running API server.
pub(crate) struct ApiServer {
    /// Its process.
    pub(crate) program: Program,
    /// Its store's process.
    pub(crate) etcd: Program,
    /// As cluster admin.
    pub(crate) client: Client,
    /// For programs that are to be cluster admin.
    pub(crate) kubeconfig: PathBuf,
    folder: TempDir,
}

impl ApiServer {
    /// Starts both programs, and installs the kinds.
    pub(crate) async fn start(setup: &Setup) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let authority = Authority::new()?;
        authority.issue(folder.path())?;
        fs::write(folder.path().join("ca.crt"), authority.pem())?;
        let (etcd, store) = start_etcd(folder.path()).await?;
        let (program, url) = start_api_server(folder.path(), &store).await?;
        let kubeconfig = write_kubeconfig(folder.path(), &url)?;
        let config = Config::from_custom_kubeconfig(
            Kubeconfig::read_from(&kubeconfig)?,
            &KubeConfigOptions::default(),
        )
        .await?;
        let mut server = Self {
            program,
            etcd,
            client: Client::try_from(config)?,
            kubeconfig,
            folder,
        };
        server.settle().await?;
        server.install_kinds(&setup.crds).await?;
        Ok(server)
    }

    /// A folder that lives as long as the API server.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Creates an object, which must be valid JSON of its kind.
    pub(crate) async fn create<K>(
        &self,
        api: &Api<K>,
        object: serde_json::Value,
    ) -> Result<(), Failure>
    where
        K: Resource + Clone + Debug + DeserializeOwned + Serialize,
    {
        let object = serde_json::from_value(object)?;
        api.create(&PostParams::default(), &object).await?;
        Ok(())
    }

    /// A namespace.
    pub(crate) async fn create_namespace(&self, name: &str) -> Result<(), Failure> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        self.create(&api, json!({"metadata": {"name": name}})).await
    }

    /// A Secret of [`SYSTEM_NAMESPACE`].
    pub(crate) async fn create_secret(
        &self,
        name: &str,
        data: serde_json::Value,
    ) -> Result<(), Failure> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), SYSTEM_NAMESPACE);
        let secret = json!({"metadata": {"name": name}, "stringData": data});
        self.create(&api, secret).await
    }

    async fn settle(&mut self) -> Result<(), Failure> {
        let client = self.client.clone();
        let ready = async || {
            let request = http::Request::get("/readyz").body(Vec::new());
            match request {
                Ok(request) => client.request_text(request).await.is_ok(),
                Err(_) => false,
            }
        };
        self.program.ready(ready).await
    }

    async fn install_kinds(&self, folder: &Path) -> Result<(), Failure> {
        let api: Api<CustomResourceDefinition> = Api::all(self.client.clone());
        for entry in fs::read_dir(folder)? {
            let text = fs::read_to_string(entry?.path())?;
            let kind: CustomResourceDefinition = serde_saphyr::from_str(&text)?;
            let created = api.create(&PostParams::default(), &kind).await?;
            let name = created.metadata.name.unwrap_or_default();
            let established = await_condition(api.clone(), &name, is_crd_established());
            tokio::time::timeout(DEADLINE, established).await??;
        }
        self.create_namespace(SYSTEM_NAMESPACE).await
    }
}

async fn start_etcd(folder: &Path) -> Result<(Program, String), Failure> {
    let address = crate::loopback::free_address()?;
    let (clients, peers) = (
        format!("http://{address}"),
        format!("http://{}", crate::loopback::free_address()?),
    );
    let mut command = Command::new("etcd");
    command
        .arg("--data-dir")
        .arg(folder.join("etcd"))
        .args([
            "--listen-client-urls",
            &clients,
            "--advertise-client-urls",
            &clients,
        ])
        .args([
            "--listen-peer-urls",
            &peers,
            "--initial-advertise-peer-urls",
            &peers,
        ])
        .args(["--initial-cluster", &format!("default={peers}")])
        // What a disk costs is no matter of these measurements.
        .arg("--unsafe-no-fsync");
    let mut program = Program::start("etcd", &mut command, folder)?;
    program
        .ready(async || TcpStream::connect(address).await.is_ok())
        .await?;
    Ok((program, clients))
}

async fn start_api_server(folder: &Path, store: &str) -> Result<(Program, String), Failure> {
    let address = crate::loopback::free_address()?;
    let tokens = folder.join("tokens.csv");
    fs::write(&tokens, format!("{TOKEN},bench,bench,system:masters\n"))?;
    let (certificate, key) = (folder.join(CERTIFICATE), folder.join(KEY));
    let mut command = Command::new("kube-apiserver");
    command
        .args(["--etcd-servers", store])
        .args([
            "--bind-address",
            "127.0.0.1",
            "--secure-port",
            &address.port().to_string(),
        ])
        .arg("--cert-dir")
        .arg(folder.join("kube-apiserver"))
        .arg("--tls-cert-file")
        .arg(&certificate)
        .arg("--tls-private-key-file")
        .arg(&key)
        .arg("--service-account-key-file")
        .arg(&certificate)
        .arg("--service-account-signing-key-file")
        .arg(&key)
        .args(["--service-account-issuer", "https://kubernetes.default.svc"])
        .arg("--token-auth-file")
        .arg(&tokens)
        .args([
            "--authorization-mode",
            "RBAC",
            "--disable-admission-plugins",
            "ServiceAccount",
        ]);
    let mut program = Program::start("kube-apiserver", &mut command, folder)?;
    program
        .ready(async || TcpStream::connect(address).await.is_ok())
        .await?;
    Ok((program, format!("https://{address}")))
}

fn write_kubeconfig(folder: &Path, url: &str) -> Result<PathBuf, Failure> {
    let path = folder.join("kubeconfig");
    let cluster = json!({"server": url, "certificate-authority": folder.join("ca.crt")});
    // JSON is YAML.
    let kubeconfig = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "bench", "cluster": cluster}],
        "users": [{"name": "bench", "user": {"token": TOKEN}}],
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
        "current-context": "bench",
    });
    fs::write(&path, kubeconfig.to_string())?;
    Ok(path)
}
