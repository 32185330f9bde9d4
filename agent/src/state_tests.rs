//! Every row of [`decide`].

use super::*;
use alter_protocol::Revocation;
use zeroize::Zeroizing;

const NOW: &str = "2026-11-22T05:00:00Z";
const LATER: &str = "2026-11-22T06:00:00Z";
const LATEST: &str = "2026-11-22T07:00:00Z";
const BEFORE: &str = "2026-11-22T04:00:00Z";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn pod() -> Pod {
    Pod {
        service_account: "app".to_owned(),
        delivery: Delivery::Process,
    }
}

fn document() -> GrantDocument {
    GrantDocument {
        version: alter_protocol::grant::VERSION,
        namespace: "team-a".to_owned(),
        grant: "bedrock".to_owned(),
        region: "us-east-1".to_owned(),
        role_arn: "arn:aws:iam::111122223333:role/team-a".to_owned(),
        service_accounts: Vec::new(),
        deliveries: vec!["process".to_owned(), "endpoint".to_owned()],
        revoked: None,
    }
}

fn session(key: &str, expiration: &str) -> Session {
    Session {
        access_key_id: key.to_owned(),
        secret_access_key: Zeroizing::new("s3cr3t".to_owned()),
        session_token: Zeroizing::new("tok3n".to_owned()),
        expiration: time(expiration),
    }
}

fn text(content: &str) -> SecretText {
    Zeroizing::new(content.to_owned())
}

fn files(document: &GrantDocument, session: Option<&Session>) -> Files {
    Files {
        grant: Ok(text(&document.to_json())),
        credentials: session.map_or(
            Err(Unread::Missing),
            |session| Ok(session.to_process_json()),
        ),
    }
}

fn serving(session: Session, kept: Option<Wait>) -> State {
    State::Serving {
        session,
        region: "us-east-1".to_owned(),
        kept,
    }
}

fn after(previous: &State, files: &Files) -> State {
    decide("bedrock", &pod(), previous, &files.found(), time(NOW))
}

fn refusal(document: &GrantDocument) -> Refusal {
    // Refused although a valid session is there and another was served.
    let previous = serving(session("ASIA1", LATER), None);
    match after(&previous, &files(document, Some(&session("ASIA2", LATEST)))) {
        State::Refused(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_valid_session_is_served() {
    let new = session("ASIA1", LATER);
    let state = after(&State::START, &files(&document(), Some(&new)));
    assert_eq!(state, serving(new, None));
    assert_eq!(state.explain("bedrock"), "");
}

#[test]
fn the_newest_files_rule_even_over_a_session_that_lives_longer() {
    let previous = serving(session("ASIA1", LATEST), Some(Wait::Missing("grant.json")));
    let new = session("ASIA2", LATER);
    assert_eq!(
        after(&previous, &files(&document(), Some(&new))),
        serving(new, None)
    );
}

#[test]
fn a_session_that_expires_now_is_not_served() {
    let state = after(
        &State::START,
        &files(&document(), Some(&session("ASIA1", NOW))),
    );
    assert_eq!(state, State::over(time(NOW)));
    assert_eq!(
        state.explain("bedrock"),
        "grant bedrock: its session expired at 2026-11-22T05:00:00Z and was not renewed; \
         `kubectl describe awsgrant bedrock` says why"
    );
}

#[test]
fn the_last_good_session_outlives_its_files() {
    let good = session("ASIA1", LATER);
    let failed = || Err(Unread::Failed("I/O error".to_owned()));
    let unreadable = |file| Wait::Unreadable {
        file,
        reason: "I/O error".to_owned(),
    };
    let grant = Ok(text(&document().to_json()));
    let credentials = Ok(good.to_process_json());
    let cases = [
        (
            Err(Unread::Missing),
            Err(Unread::Missing),
            Wait::Missing("grant.json"),
        ),
        (failed(), credentials.clone(), unreadable("grant.json")),
        (
            grant.clone(),
            Err(Unread::Missing),
            Wait::Missing("credentials.json"),
        ),
        (grant.clone(), failed(), unreadable("credentials.json")),
        (
            grant.clone(),
            Ok(text("{}")),
            Wait::Garbled("credentials.json is not a session: data at line 1, column 2".to_owned()),
        ),
        (
            grant,
            Ok(session("ASIA0", BEFORE).to_process_json()),
            Wait::Expired(time(BEFORE)),
        ),
    ];
    for (grant, credentials, why) in cases {
        let files = Files { grant, credentials };
        assert_eq!(
            after(&serving(good.clone(), None), &files),
            serving(good.clone(), Some(why.clone()))
        );
        // Once it has expired, it is gone; and says so.
        let past = serving(session("ASIA1", NOW), None);
        let state = after(&past, &files);
        assert_eq!(
            state,
            State::Waiting {
                why: why.clone(),
                expired: Some(time(NOW)),
            }
        );
        assert!(
            state
                .explain("bedrock")
                .starts_with("grant bedrock: its session expired at 2026-11-22T05:00:00Z, and ")
        );
        // And it goes on saying so.
        assert_eq!(after(&state, &files), state);
        // Where there was none, there is nothing to keep.
        assert_eq!(
            after(&State::START, &files),
            State::Waiting { why, expired: None }
        );
    }
}

#[test]
fn a_session_that_ran_out_in_its_own_file_is_told_once() {
    let past = session("ASIA1", BEFORE);
    let state = after(
        &serving(past.clone(), None),
        &files(&document(), Some(&past)),
    );
    assert_eq!(state, State::over(time(BEFORE)));
}

#[test]
fn a_garbled_grant_is_waited_for_without_quoting_secrets() {
    let files = Files {
        grant: Ok(text("{\"version\": 1")),
        credentials: Ok(session("ASIA1", LATER).to_process_json()),
    };
    let state = after(&State::START, &files);
    let line = state.explain("bedrock");
    assert!(line.contains("what Alter did not write"), "{line}");
    assert!(!line.contains("s3cr3t"), "{line}");
}

/// The region becomes a line of the SDKs' config file: with a line break in it, it would be several.
#[test]
fn a_region_that_is_none_is_not_served() {
    let mut forged = document();
    forged.region = "us-east-1\ncredential_process = sh -c id".to_owned();
    let files = Files {
        grant: Ok(text(&forged.to_json())),
        credentials: Ok(session("ASIA1", LATER).to_process_json()),
    };
    let state = after(&State::START, &files);
    assert!(matches!(state, State::Waiting { .. }), "{state:?}");
    assert!(state.explain("bedrock").contains("is no AWS region"));
}

#[test]
fn a_revoked_grant_is_refused_in_its_own_words_and_one_line() {
    let mut revoked = document();
    revoked.revoked = Some(Revocation {
        reason: "Suspended".to_owned(),
        message: "spec.suspend is true;\nset it to false".to_owned(),
    });
    let refusal = refusal(&revoked);
    assert_eq!(refusal.category(), "revoked");
    assert_eq!(
        State::Refused(refusal).explain("bedrock"),
        "grant bedrock: taken away (Suspended): spec.suspend is true; set it to false"
    );
}

#[test]
fn other_service_accounts_are_refused() {
    let mut narrow = document();
    narrow.service_accounts = vec!["job".to_owned(), "web".to_owned()];
    let refusal = refusal(&narrow);
    assert_eq!(refusal.category(), "service_account");
    assert!(
        refusal
            .to_string()
            .contains("job, web, and this pod runs as app")
    );
    narrow.service_accounts.push("app".to_owned());
    let new = session("ASIA1", LATER);
    assert_eq!(
        after(&State::START, &files(&narrow, Some(&new))),
        serving(new, None)
    );
}

#[test]
fn other_deliveries_are_refused() {
    let mut narrow = document();
    narrow.deliveries = vec!["endpoint".to_owned(), "proxy".to_owned()];
    let refusal = refusal(&narrow);
    assert_eq!(refusal.category(), "delivery");
    assert!(
        refusal
            .to_string()
            .contains("endpoint, proxy, and this pod asks for process")
    );
}

#[test]
fn a_version_that_this_agent_cannot_follow_is_refused() {
    let mut newer = document();
    newer.version += 1;
    let refusal = refusal(&newer);
    assert_eq!(refusal.category(), "version");
    assert!(refusal.to_string().contains("restart the pod"));
}

#[test]
fn the_secret_of_another_grant_is_refused() {
    let mut other = document();
    other.grant = "s3".to_owned();
    assert_eq!(refusal(&other), Refusal::OtherGrant("s3".to_owned()));
    assert_eq!(refusal(&other).category(), "other_grant");
}

#[test]
fn what_was_refused_comes_back_by_a_readable_grant_alone() {
    let refused = State::Refused(Refusal::OtherGrant("s3".to_owned()));
    let new = session("ASIA1", LATER);
    for unread in [Err(Unread::Missing), Ok(text("garbage"))] {
        let files = Files {
            grant: unread,
            credentials: Ok(new.to_process_json()),
        };
        assert_eq!(after(&refused, &files), refused);
    }
    assert_eq!(
        after(&refused, &files(&document(), None)),
        State::Waiting {
            why: Wait::Missing("credentials.json"),
            expired: None
        }
    );
    assert_eq!(
        after(&refused, &files(&document(), Some(&new))),
        serving(new, None)
    );
}
