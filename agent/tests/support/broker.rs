//! A broker that does as the test says.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use alter_protocol::Session;
use alter_protocol::broker::{Answer, Issued, News, Told};
use serde_json::Value;

use super::{HANG, document};

/// A broker on loopback: the test sees each question, and gives its answer.
pub struct Broker {
    pub port: u16,
    questions: Receiver<(String, Value)>,
    answers: Sender<(u16, String)>,
}

impl Broker {
    /// Listens at `port`, or at a free one, with a certificate that is put into `folder` for the agent to trust, beside
    /// a token.
    pub fn start(folder: &Path, port: u16) -> Self {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("ca.crt"), own.cert.pem()).unwrap();
        fs::write(folder.join("token"), "token-1").unwrap();
        let key = own.signing_key.serialize_der().try_into().unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, questions) = channel();
        let (answers, given) = channel();
        std::thread::spawn(move || {
            // One agent at a time, which may come again.
            for stream in listener.incoming().map_while(Result::ok) {
                let tls = rustls::ServerConnection::new(Arc::new(config.clone())).unwrap();
                let stream = rustls::StreamOwned::new(tls, stream);
                if converse_as_broker(stream, &asked, &given).is_none() {
                    return;
                }
            }
        });
        Self {
            port,
            questions,
            answers,
        }
    }

    /// The next question's token, and what is known of each grant.
    pub fn asked(&self) -> (String, Value) {
        self.questions.recv_timeout(HANG).unwrap()
    }

    pub fn answer(&self, status: u16, body: &str) {
        self.answers.send((status, body.to_owned())).unwrap();
    }

    /// What is new of one grant.
    pub fn tell(&self, grant: &str, tag: &str, news: News) {
        let grant = grant.to_owned();
        let tag = tag.to_owned();
        let answer = Answer {
            grants: vec![Told { grant, tag, news }],
        };
        self.answer(200, &answer.to_json());
    }
}

/// None where the test has ended.
fn converse_as_broker(
    stream: rustls::StreamOwned<rustls::ServerConnection, TcpStream>,
    asked: &Sender<(String, Value)>,
    given: &Receiver<(u16, String)>,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut token, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).is_err() || line.is_empty() {
                return Some(());
            }
            let line = line.trim();
            if line.is_empty() {
                break;
            }
            match line.split_once(": ") {
                Some(("authorization", value)) => value.clone_into(&mut token),
                Some(("content-length", value)) => length = value.parse().unwrap(),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        asked
            .send((token, serde_json::from_slice(&body).unwrap()))
            .ok()?;
        let (status, body) = given.recv().ok()?;
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let answer = [head, body].concat();
        if stream.get_mut().write_all(answer.as_bytes()).is_err() {
            return Some(());
        }
    }
}

/// A session as the broker tells it.
pub fn issued(grant: &str, session: Session) -> News {
    let document = document(grant);
    News::Session(Box::new(Issued { document, session }))
}
