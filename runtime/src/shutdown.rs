//! Ending in order: the kubelet sends SIGTERM, a person at a terminal SIGINT.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that SIGTERM or SIGINT cancels. Needs a Tokio runtime.
#[must_use]
pub fn on_signal() -> CancellationToken {
    let token = CancellationToken::new();
    // Listened for from here on, before the task first runs.
    let terminate = listen(SignalKind::terminate());
    let interrupt = listen(SignalKind::interrupt());
    let cancelled = token.clone();
    tokio::spawn(async move {
        let name = tokio::select! {
            () = received(terminate) => "SIGTERM",
            () = received(interrupt) => "SIGINT",
        };
        tracing::info!(signal = name, "shutting down");
        cancelled.cancel();
    });
    token
}

fn listen(kind: SignalKind) -> Option<Signal> {
    signal(kind)
        .inspect_err(|error| {
            tracing::error!(%error, ?kind, "cannot listen for the signal: the kubelet will have to kill this process");
        })
        .ok()
}

async fn received(signal: Option<Signal>) {
    if let Some(mut signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[tokio::test]
    async fn sigterm_cancels_the_token() {
        let token = on_signal();
        assert!(!token.is_cancelled());
        let sent = Command::new("kill")
            .args(["-TERM", &std::process::id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
        let limit = std::time::Duration::from_secs(30);
        tokio::time::timeout(limit, token.cancelled())
            .await
            .unwrap();
    }
}
