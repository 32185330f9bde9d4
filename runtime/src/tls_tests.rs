//! Real files, laid out as the kubelet lays them out, and real handshakes.

use super::*;
use rcgen::{CertificateParams, KeyPair};
use rustls::{ClientConfig, RootCertStore};
use std::{
    os::unix::fs::symlink,
    sync::atomic::{AtomicU32, Ordering},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

struct Mount {
    folder: PathBuf,
}

impl Mount {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("alter-tls-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        symlink("..data/tls.crt", folder.join(CERTIFICATE)).unwrap();
        symlink("..data/tls.key", folder.join(KEY)).unwrap();
        Self { folder }
    }

    /// What the kubelet does: a new folder, a new symlink, one rename, and the old folder goes.
    fn swap(&self, version: &str, certificate: &str, key: &str) {
        let old = std::fs::read_link(self.folder.join(CURRENT)).ok();
        let new = self.folder.join(version);
        std::fs::create_dir(&new).unwrap();
        std::fs::write(new.join(CERTIFICATE), certificate).unwrap();
        std::fs::write(new.join(KEY), key).unwrap();
        symlink(version, self.folder.join("..data_tmp")).unwrap();
        std::fs::rename(self.folder.join("..data_tmp"), self.folder.join(CURRENT)).unwrap();
        if let Some(old) = old {
            std::fs::remove_dir_all(self.folder.join(old)).unwrap();
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

struct Issued {
    certificate: String,
    key: String,
    der: CertificateDer<'static>,
}

fn issue(year: i32) -> Issued {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["alter-webhook.alter.svc".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(year, 1, 1);
    let certificate = params.self_signed(&key).unwrap();
    Issued {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
        der: certificate.der().clone(),
    }
}

/// The leaf that a client sees, over a real handshake that trusts `root` alone.
async fn handshake(
    certificate: &ReloadingCertificate,
    root: &Issued,
) -> std::io::Result<CertificateDer<'static>> {
    let mut roots = RootCertStore::empty();
    roots.add(root.der.clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (near, far) = tokio::io::duplex(16 * 1024);
    let acceptor = TlsAcceptor::from(certificate.server_config());
    tokio::spawn(acceptor.accept(far));
    let name = "alter-webhook.alter.svc".try_into().unwrap();
    let stream = TlsConnector::from(Arc::new(client))
        .connect(name, near)
        .await?;
    let leaf = &stream.get_ref().1.peer_certificates().unwrap()[0];
    Ok(leaf.clone().into_owned())
}

async fn open(mount: &Mount) -> ReloadingCertificate {
    ReloadingCertificate::open(&mount.folder).await.unwrap()
}

#[tokio::test]
async fn a_symlink_swap_is_followed() {
    let (mount, first, second) = (Mount::new(), issue(2098), issue(2099));
    mount.swap("..v1", &first.certificate, &first.key);
    let certificate = open(&mount).await;
    assert_eq!(handshake(&certificate, &first).await.unwrap(), first.der);
    assert!(!certificate.reload().await.unwrap());

    let expiration = certificate.metrics.expiration.get();
    mount.swap("..v2", &second.certificate, &second.key);
    assert!(certificate.reload().await.unwrap());
    assert_eq!(handshake(&certificate, &second).await.unwrap(), second.der);
    assert!(handshake(&certificate, &first).await.is_err());
    let year = certificate.metrics.expiration.get() - expiration;
    assert_eq!(year, 365 * 24 * 3600);
    assert_eq!(certificate.metrics.reloads.get(), 1);
}

#[tokio::test]
async fn a_broken_pair_is_kept_out_and_the_next_good_one_taken() {
    let (mount, first, second) = (Mount::new(), issue(2098), issue(2099));
    mount.swap("..v1", &first.certificate, &first.key);
    let certificate = open(&mount).await;
    for (version, broken_certificate, broken_key) in [
        ("..v2", "no PEM", second.key.as_str()),
        ("..v3", second.certificate.as_str(), ""),
        // Of two different pairs.
        ("..v4", second.certificate.as_str(), first.key.as_str()),
    ] {
        mount.swap(version, broken_certificate, broken_key);
        certificate.reload().await.unwrap_err();
        assert_eq!(handshake(&certificate, &first).await.unwrap(), first.der);
    }
    assert_eq!(certificate.metrics.failures.get(), 3);
    mount.swap("..v5", &second.certificate, &second.key);
    assert!(certificate.reload().await.unwrap());
    assert_eq!(handshake(&certificate, &second).await.unwrap(), second.der);
}

/// Waits for what another task brings about.
async fn until(reached: impl Fn() -> bool) {
    let waiting = async {
        while !reached() {
            tokio::task::yield_now().await;
        }
    };
    let limit = Duration::from_secs(30);
    tokio::time::timeout(limit, waiting).await.unwrap();
}

#[tokio::test]
async fn the_watch_takes_the_new_pair_by_itself_and_ends_at_shutdown() {
    let (mount, first, second) = (Mount::new(), issue(2098), issue(2099));
    mount.swap("..v1", &first.certificate, &first.key);
    let certificate = Arc::new(open(&mount).await);
    let shutdown = CancellationToken::new();
    let interval = Duration::from_millis(1);
    let watch = tokio::spawn(certificate.clone().follow(interval, shutdown.clone()));
    mount.swap("..v2", "no PEM", &second.key);
    until(|| certificate.metrics.failures.get() >= 2).await;
    mount.swap("..v3", &second.certificate, &second.key);
    until(|| certificate.metrics.reloads.get() == 1).await;
    assert_eq!(handshake(&certificate, &second).await.unwrap(), second.der);
    shutdown.cancel();
    watch.await.unwrap();
}

#[tokio::test]
async fn both_files_are_of_the_version_that_the_kubelet_names() {
    let (mount, pair) = (Mount::new(), issue(2098));
    mount.swap("..v1", &pair.certificate, &pair.key);
    // What only the names at the top lead to is not looked at.
    for file in [CERTIFICATE, KEY] {
        std::fs::remove_file(mount.folder.join(file)).unwrap();
    }
    assert_eq!(
        handshake(&open(&mount).await, &pair).await.unwrap(),
        pair.der
    );
}

#[tokio::test]
async fn a_plain_folder_will_do() {
    let (mount, pair) = (Mount::new(), issue(2098));
    mount.swap("..v1", &pair.certificate, &pair.key);
    let plain = mount.folder.join("..v1");
    let certificate = ReloadingCertificate::open(&plain).await.unwrap();
    assert_eq!(handshake(&certificate, &pair).await.unwrap(), pair.der);
}

#[tokio::test]
async fn a_folder_without_the_files_is_an_error_that_names_them() {
    let mount = Mount::new();
    let error = ReloadingCertificate::open(&mount.folder).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("tls.crt") && text.contains("mount a Secret"),
        "{text}"
    );
}

#[tokio::test]
async fn errors_never_quote_a_key() {
    let (mount, pair) = (Mount::new(), issue(2098));
    let broken = pair.key.replace("PRIVATE KEY", "PRIVATE");
    mount.swap("..v1", &pair.certificate, &broken);
    let error = ReloadingCertificate::open(&mount.folder).await.unwrap_err();
    let secret = pair.key.lines().nth(1).unwrap();
    assert!(!format!("{error} {error:?}").contains(secret));
}
