use super::*;
use futures::future::join_all;
use serde_json::json;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::Semaphore;

/// STS: a session of so long each time it is asked, or none.
struct Script {
    asked: Arc<AtomicU32>,
    lives: SignedDuration,
    gate: Arc<Semaphore>,
}

impl Source for Script {
    async fn issue(&self, _: &AwsIdentity, _: &AwsGrant, _: Pod<'_>) -> Result<Issued, IssueError> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        let _open = self.gate.acquire().await;
        if self.lives.is_zero() {
            return Err(IssueError::NoSource {
                identity: "default".to_owned(),
            });
        }
        Ok(Issued {
            session: Session {
                access_key_id: format!("ASIA{number}"),
                secret_access_key: "s3cr3t".to_owned().into(),
                session_token: "tok3n".to_owned().into(),
                expiration: clock::now() + self.lives,
            },
            assumed_role_arn: "arn".to_owned(),
            source_identity: None,
        })
    }
}

struct Bench {
    sessions: Arc<Sessions<Script>>,
    asked: Arc<AtomicU32>,
    gate: Arc<Semaphore>,
}

fn bench(lives: SignedDuration, min_interval: SignedDuration) -> Bench {
    let (asked, gate) = (Arc::<AtomicU32>::default(), Arc::new(Semaphore::new(100)));
    let script = Script {
        asked: asked.clone(),
        lives,
        gate: gate.clone(),
    };
    Bench {
        sessions: Arc::new(Sessions::new(script, min_interval, Gauge::default())),
        asked,
        gate,
    }
}

fn wanted(digest: &str) -> Wanted {
    let spec = json!({"roleArn": "arn:aws:iam::111122223333:role/a", "region": "us-east-1"});
    let mut grant = AwsGrant::new("bedrock", serde_json::from_value(spec).unwrap());
    grant.metadata.uid = Some("g-1".to_owned());
    let spec = json!({"region": "us-east-1", "credentials": {"ambient": {}}});
    Wanted {
        identity: Arc::new(AwsIdentity::new(
            "default",
            serde_json::from_value(spec).unwrap(),
        )),
        grant: Arc::new(grant),
        pod: "app-1".to_owned(),
        service_account: "app".to_owned(),
        cluster: String::new(),
        digest: digest.to_owned(),
        cut: None,
    }
}

fn key(held: Held) -> String {
    match held {
        Held::Session { session, .. } => session.access_key_id,
        Held::Nothing(failure) => panic!("{failure:?}"),
    }
}

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

#[tokio::test]
async fn whoever_asks_for_the_same_shares_one_call_and_others_do_not() {
    let bench = bench(HOUR, MINUTE);
    let all = (0..1_000).map(|_| async { key(bench.sessions.get(&wanted("d")).await) });
    let keys = join_all(all).await;
    assert!(keys.iter().all(|own| own == "ASIA0"));
    assert_eq!(key(bench.sessions.get(&wanted("other")).await), "ASIA1");
    assert_eq!(bench.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_session_that_is_due_is_renewed() {
    // Due at once: the minimal interval is all that keeps it.
    let bench = bench(SignedDuration::from_secs(600), SignedDuration::ZERO);
    assert_eq!(key(bench.sessions.get(&wanted("d")).await), "ASIA0");
    assert_eq!(key(bench.sessions.get(&wanted("d")).await), "ASIA1");
}

#[tokio::test]
async fn a_failure_is_not_repeated_before_its_time() {
    let bench = bench(SignedDuration::ZERO, MINUTE);
    for _ in 0..3 {
        let Held::Nothing(failure) = bench.sessions.get(&wanted("d")).await else {
            panic!("a session");
        };
        assert_eq!(
            (failure.attempts, failure.reason),
            (1, reason::INVALID_SPEC)
        );
    }
    assert_eq!(bench.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_session_from_before_the_cut_is_dropped_and_the_next_kept() {
    let bench = bench(HOUR, MINUTE);
    assert_eq!(key(bench.sessions.get(&wanted("d")).await), "ASIA0");
    let cutting = Wanted {
        cut: Some(clock::now()),
        ..wanted("d")
    };
    for _ in 0..2 {
        assert_eq!(key(bench.sessions.get(&cutting).await), "ASIA1");
    }
}

/// The `number`th that is wanted of a grant that is changed each time.
fn changed(session: serde_json::Value, pod: usize, number: usize) -> Wanted {
    let mut identity = AwsIdentity::clone(&wanted("d").identity);
    identity.spec.session = serde_json::from_value(session).unwrap();
    Wanted {
        identity: Arc::new(identity),
        pod: format!("app-{pod}"),
        ..wanted(&format!("{pod}-{number}"))
    }
}

#[tokio::test]
async fn a_grant_that_keeps_changing_has_ten_sessions_at_once_and_its_pods_share_them() {
    let bench = bench(HOUR, MINUTE);
    let mut refused = Vec::new();
    for number in 0..40 {
        let wanted = changed(json!({}), number % 4, number);
        if let Held::Nothing(failure) = bench.sessions.get(&wanted).await {
            refused.push(failure.reason);
        }
    }
    assert_eq!(refused, [reason::TOO_MANY_ISSUES; 30]);
    assert_eq!(bench.asked.load(Ordering::SeqCst), 10);
}

#[tokio::test]
async fn where_pods_are_named_each_has_an_allowance_so_that_a_thousand_start_at_once() {
    let bench = bench(HOUR, MINUTE);
    let named = || json!({"name": "{namespace}.{pod}"});
    for pod in 0..1_000 {
        key(bench.sessions.get(&changed(named(), pod, 0)).await);
    }
    for number in 1..20 {
        let held = bench.sessions.get(&changed(named(), 7, number)).await;
        assert_eq!(matches!(held, Held::Session { .. }), number < 10);
    }
    assert_eq!(bench.asked.load(Ordering::SeqCst), 1_009);
}

#[tokio::test]
async fn cuts_that_follow_each_other_use_the_allowance_up() {
    let bench = bench(HOUR, MINUTE);
    for _ in 0..9 {
        key(bench.sessions.get(&wanted("d")).await);
        let place = bench.sessions.place(("g-1".to_owned(), "d".to_owned()));
        // As a cut does a second later.
        place.lock().await.current = None;
    }
    let (cut, mut last) = (Some(clock::now()), wanted("d"));
    key(bench.sessions.get(&last).await);
    last.cut = cut;
    let Held::Nothing(failure) = bench.sessions.get(&last).await else {
        panic!("a session");
    };
    assert_eq!(failure.reason, reason::TOO_MANY_ISSUES);
    let message = failure.message;
    assert!(message.contains("alter.dev/revoke-before"), "{message}");
}

#[tokio::test]
async fn what_sts_was_asked_is_not_lost_where_nobody_waits() {
    let bench = bench(HOUR, MINUTE);
    let held = bench.gate.clone().acquire_many_owned(100).await.unwrap();
    let sessions = bench.sessions.clone();
    let asking = tokio::spawn(async move { sessions.get(&wanted("d")).await });
    while bench.asked.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    asking.abort();
    assert!(asking.await.is_err());
    drop(held);
    assert_eq!(key(bench.sessions.get(&wanted("d")).await), "ASIA0");
}

#[test]
fn a_session_is_served_until_it_expires_where_a_new_one_is_not_to_be_had() {
    let now: Timestamp = "2026-11-22T04:00:00Z".parse().unwrap();
    let current = Current {
        session: Session {
            access_key_id: "ASIA".to_owned(),
            secret_access_key: String::new().into(),
            session_token: String::new().into(),
            expiration: now + HOUR,
        },
        issued_at: now,
        refresh_at: now + MINUTE * 30,
    };
    let mut place = Place {
        current: Some(current),
        failure: None,
        used: now,
    };
    let again = |place: &Place, after: SignedDuration| match place.held(now + after)? {
        Held::Session { again, .. } => Some(again.duration_since(now)),
        Held::Nothing(_) => Some(SignedDuration::ZERO),
    };
    assert_eq!(again(&place, MINUTE), Some(MINUTE * 30));
    assert_eq!(again(&place, MINUTE * 30), None, "STS is asked");
    place.failure = Some(Failure {
        attempts: 1,
        reason: reason::THROTTLED,
        message: String::new(),
        retry_at: now + MINUTE * 40,
    });
    assert_eq!(again(&place, MINUTE * 31), Some(MINUTE * 40));
    assert_eq!(again(&place, MINUTE * 40), None, "STS is asked again");
    place.failure.as_mut().unwrap().retry_at = now + MINUTE * 70;
    assert_eq!(again(&place, MINUTE * 60), Some(SignedDuration::ZERO));
    // Without the allowance for another it is served on too.
    let at = now + MINUTE * 32;
    place.used = now + MINUTE * 31;
    assert!(matches!(place.refused(String::new(), at), Held::Session { again, .. } if again == at));
}
