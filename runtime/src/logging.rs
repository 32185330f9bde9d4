//! Logging: `tracing` to stderr, one line an event.

use std::io::IsTerminal;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::{EnvFilter, Layer, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// The form of a log line.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line, for log collectors.
    #[default]
    Json,
    /// For people.
    Text,
}

/// Starts logging for the whole process. A second call changes nothing.
pub fn init(filter: &str, format: LogFormat) {
    let filter = EnvFilter::new(filter);
    let colours = std::io::stderr().is_terminal();
    // Ignored: it fails only where a subscriber is set already.
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(layer(format, colours, std::io::stderr))
        .try_init();
}

/// Checks the text of a filter, so that a mistake in it is seen at the start.
pub(crate) fn check_filter(text: &str) -> Result<String, String> {
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!(
            "{error}: write a level (error, warn, info, debug, trace) or pairs such as info,alter_operator=debug"
        )),
    }
}

fn layer<S, W>(format: LogFormat, colours: bool, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    W: for<'a> fmt::MakeWriter<'a> + Send + Sync + 'static,
{
    let plain = fmt::layer().with_writer(writer);
    let own = tracing_subscriber::filter::filter_fn(is_shown);
    match format {
        LogFormat::Json => plain.json().flatten_event(true).with_filter(own).boxed(),
        LogFormat::Text => plain.with_ansi(colours).with_filter(own).boxed(),
    }
}

/// Prints the whole answer of an API server that cannot be read, as a warning: a Secret, a token. The error says
/// what cannot be read.
const PRINTS_ANSWERS: &str = "kube_client::client";

/// At trace, libraries print the requests and headers that they handle: other people's keys. No filter
/// that someone sets while looking for a fault brings those out.
fn is_shown(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    target.starts_with("alter") || (*metadata.level() <= Level::DEBUG && target != PRINTS_ANSWERS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex, PoisonError};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        fn of(format: LogFormat, log: impl FnOnce()) -> String {
            let lines = Self::default();
            let writer = lines.clone();
            let subscriber = tracing_subscriber::registry()
                .with(EnvFilter::new("trace"))
                .with(layer(format, false, move || writer.clone()));
            tracing::subscriber::with_default(subscriber, log);
            String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
        }
    }

    #[test]
    fn json_lines_hold_the_fields_at_the_top() {
        let text = Lines::of(LogFormat::Json, || {
            tracing::info!(grant = "team-a/bedrock", "issued");
        });
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["message"], "issued");
        assert_eq!(line["grant"], "team-a/bedrock");
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn text_lines_hold_no_escape_codes_outside_a_terminal() {
        let text = Lines::of(LogFormat::Text, || tracing::info!(grant = "a/b", "issued"));
        assert!(text.contains("issued grant=\"a/b\""), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }

    #[tokio::test]
    async fn an_answer_that_cannot_be_read_is_not_printed() {
        let lines = Lines::default();
        let writer = lines.clone();
        let own = layer(LogFormat::Text, false, move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(own);
        let _logs = tracing::subscriber::set_default(subscriber);
        let service = tower::service_fn(|_: hyper::Request<kube::client::Body>| async {
            let body = kube::client::Body::from(br#"{"hunter2": "#.to_vec());
            Ok::<_, std::convert::Infallible>(hyper::Response::new(body))
        });
        let client = kube::Client::new(service, "default");
        let request = hyper::Request::get("/api").body(Vec::new()).unwrap();
        let answer = client.request::<serde_json::Value>(request).await;
        assert!(matches!(answer, Err(kube::Error::SerdeError(_))));
        tracing::warn!("own");
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains("own") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn what_libraries_print_at_trace_never_comes_out() {
        let text = Lines::of(LogFormat::Text, || {
            tracing::trace!(target: "aws_sigv4::http_request::sign", "header hunter2");
            tracing::debug!(target: "aws_sigv4::http_request::sign", "quiet");
            tracing::trace!(target: "alter_issuer", "own");
        });
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("quiet") && text.contains("own"), "{text}");
    }
}
