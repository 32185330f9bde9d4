//! Whatever times a Secret's annotations, failures and clocks say, a plan comes of them that serves nothing
//! past its end.

use super::plan::{Existing, Input, Left, Plan, plan};
use crate::{
    failures::Failure,
    fixtures::{any_time, grant, secret_metadata},
    session_secret::{Facts, facts::LONGEST_LIFE},
};
use alter_crds::names::secret;
use alter_issuer::lookup::Lookup;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

fn maybe_time() -> impl Strategy<Value = Option<Timestamp>> {
    prop::option::of(any_time())
}

/// What is read of a Secret with these annotations.
fn forged(issued: Timestamp, expiration: Timestamp, revoked: Option<Timestamp>) -> Facts {
    let mut metadata = secret_metadata("g-1");
    let annotations = metadata.annotations.get_or_insert_default();
    let mut set = |key: &str, at: Timestamp| annotations.insert(key.to_owned(), at.to_string());
    set(secret::ISSUED_AT, issued);
    set(secret::EXPIRATION, expiration);
    revoked.map(|at| set(secret::REVOKED_AT, at));
    Facts::read(&metadata).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn any_times_make_a_plan_that_serves_nothing_past_its_end(
        (issued, expiration, now) in (any_time(), any_time(), any_time()),
        (revoked, retry_at, issue_at, turn_at) in (maybe_time(), maybe_time(), maybe_time(), maybe_time()),
        interval in 1_i64..=i64::MAX,
        ready in any::<bool>(),
        refresh_before in prop::option::of("[0-9]{1,18}(s|m|h)"),
    ) {
        let mut spec = grant().spec;
        spec.refresh_before = refresh_before;
        let failure = retry_at.map(|retry_at| Failure {
            tried: String::new(),
            attempts: 1,
            retry_at,
            reason: "Throttled",
            message: String::new(),
        });
        let plan = plan(&Input {
            spec: &spec,
            uid: "g-1",
            deleting: false,
            identity: &if ready {
                Lookup::Ready { rule: 0, digest: "d1".to_owned() }
            } else {
                Lookup::Missing
            },
            secret: &Existing::Own(forged(issued, expiration, revoked)),
            failure: failure.as_ref(),
            issue_at,
            turn_at,
            revoke_before: None,
            paused_since: None,
            reported_until: None,
            min_interval: SignedDuration::from_secs(interval),
            has_broker: false,
            now,
        });
        match plan {
            Plan::Wait { until } => {
                prop_assert!(now < until && until <= expiration);
                prop_assert!(until.duration_since(now) <= LONGEST_LIFE);
            }
            Plan::Hold { left: Left::Until(end), .. } => {
                prop_assert!(now < end && end == expiration);
                prop_assert!(end.duration_since(now) <= LONGEST_LIFE);
            }
            Plan::Hold { left: Left::Stale(end), .. } => prop_assert!(end <= now),
            _ => {}
        }
    }
}
