//! Bounds how many connections a listener serves at once, and waits for them at the end.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Each costs some kilobytes; a connection that says nothing loses its place after seconds.
const LIMIT: u32 = 256;
/// How long connections may take to end once the agent shall end: the kubelet waits for it.
const GRACE: Duration = Duration::from_secs(2);

/// Counts a listener's connections.
#[derive(Clone)]
pub(crate) struct Connections {
    places: Arc<Semaphore>,
}

/// Becomes true once the agent shall end.
pub(crate) type Shutdown = watch::Receiver<bool>;

impl Connections {
    pub(crate) fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(LIMIT as usize)),
        }
    }

    /// Takes connections from `accept` while there are places, until `shutdown`; then waits for those
    /// under way, within bounds. `serve` must start a task that holds its place until it is done.
    pub(crate) async fn serve<C>(
        &self,
        mut shutdown: Shutdown,
        mut accept: impl AsyncFnMut() -> io::Result<C>,
        mut serve: impl FnMut(C, OwnedSemaphorePermit),
    ) {
        let serving = async {
            // The semaphore is never closed.
            while let Ok(place) = Arc::clone(&self.places).acquire_owned().await {
                match accept().await {
                    Ok(connection) => serve(connection, place),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        // Out of file descriptors, most likely: give others the time to end.
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        };
        tokio::select! {
            () = serving => {}
            _ = shutdown.wait_for(|down| *down) => {}
        }
        // Ignored: those that take longer are cut.
        let _ = tokio::time::timeout(GRACE, self.places.acquire_many(LIMIT)).await;
    }
}
