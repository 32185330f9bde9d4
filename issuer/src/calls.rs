//! Calls of AWS: each waits for the identity's budget, and is counted.

use crate::{
    bucket::Bucket,
    metrics::{Metrics, Operation},
};
use alter_aws::{Assumed, Class, EntryError, IamError, RoleRequest, Sts, StsError};
use tokio::time::Instant;

/// A failure whose class the metrics tell.
pub(crate) trait Classed {
    fn class(&self) -> Class;
}

impl Classed for StsError {
    fn class(&self) -> Class {
        Self::class(self)
    }
}

impl Classed for EntryError {
    fn class(&self) -> Class {
        Self::class(self)
    }
}

impl Classed for IamError {
    fn class(&self) -> Class {
        Self::class(self)
    }
}

/// Who calls, on whose budget.
#[derive(Clone, Copy)]
pub(crate) struct Caller<'a> {
    pub(crate) identity: &'a str,
    pub(crate) bucket: &'a Bucket,
    /// Whose turn it takes: a namespace's, or the identity's own.
    pub(crate) lane: &'a str,
    pub(crate) metrics: &'a Metrics,
}

impl Caller<'_> {
    /// Waits for the budget, makes one call, and counts it.
    pub(crate) async fn once<T, E: Classed>(
        self,
        operation: Operation,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let asked = Instant::now();
        self.bucket.take(self.lane).await;
        let begun = Instant::now();
        self.metrics.waited(self.identity, begun - asked);
        let answer = call.await;
        let class = answer.as_ref().err().map(Classed::class);
        self.metrics
            .called(self.identity, operation, class, begun.elapsed());
        answer
    }

    /// `sts:AssumeRole`, as [`Caller::once`].
    pub(crate) async fn assume(self, sts: Sts, request: RoleRequest) -> Result<Assumed, StsError> {
        let operation = Operation::AssumeRole;
        self.once(operation, sts.assume_role(&request)).await
    }
}
