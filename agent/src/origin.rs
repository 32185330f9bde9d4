//! Who may speak to a listener on loopback: whoever names it by its address, and was not forwarded.
//!
//! Any process of the pod can connect, and any web page that a browser in the pod shows: a page's requests carry
//! a name of its own in `Host`, and a proxy says for whom it asks.

use std::net::SocketAddr;

use hyper::Uri;
use hyper::header::{HOST, HeaderMap};

/// The names that callers may use.
pub(crate) struct Origin {
    hosts: [String; 2],
}

/// Why a request is refused; for people.
pub(crate) struct Foreign(pub(crate) String);

impl Origin {
    /// `address` is where the listener is.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            hosts: [address.to_string(), format!("localhost:{}", address.port())],
        }
    }

    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Foreign> {
        if headers.contains_key("x-forwarded-for") || headers.contains_key("forwarded") {
            return Err(Foreign(
                "forwarded requests are refused: ask from inside the pod".to_owned(),
            ));
        }
        let ours = |name: &[u8]| self.hosts.iter().any(|host| host.as_bytes() == name);
        let mut names = headers.get_all(HOST).iter();
        let one = names.next().is_some_and(|name| ours(name.as_bytes())) && names.next().is_none();
        // A request in absolute form is one to a proxy.
        if !one || uri.authority().is_some() {
            let [address, _] = &self.hosts;
            return Err(Foreign(format!(
                "the Host header must name this endpoint: {address}"
            )));
        }
        Ok(())
    }
}
