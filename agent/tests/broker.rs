//! Grants whose sessions come from the broker: the real agent, and a broker on loopback that does as the test says.

mod support;

use std::fs;

use alter_protocol::Revocation;
use alter_protocol::broker::News;
use serde_json::json;
use support::*;

fn suspended() -> Revocation {
    Revocation {
        reason: "Suspended".to_owned(),
        message: "spec.suspend is true; set it to false".to_owned(),
    }
}

#[test]
fn a_session_comes_from_the_broker_and_is_followed() {
    let pod = Pod::new();
    let broker = Broker::start(&pod.broker_folder(), 0);
    let agent = pod.agent_of(&broker, "bedrock", "bedrock");
    let (token, question) = broker.asked();
    assert_eq!(token, "Bearer token-1");
    assert_eq!(question, json!({"grants": [{"grant": "bedrock"}]}));
    let line = text(&pod.ready().stderr);
    assert!(line.contains("the broker has not answered yet"), "{line}");

    broker.tell("bedrock", "s-1", issued("bedrock", session("ASIA1", LONG)));
    agent.saw("ASIA1");
    assert_session(&pod.helper(&["bedrock"]), "ASIA1");
    assert_eq!(pod.ready().status.code(), Some(0));

    // It asks again with what it knows, and with the token that the kubelet has renewed meanwhile.
    let (_, question) = broker.asked();
    assert_eq!(
        question,
        json!({"grants": [{"grant": "bedrock", "known": "s-1"}]})
    );
    fs::write(pod.broker_folder().join("token"), "token-2\n").unwrap();
    broker.answer(200, r#"{"grants":[]}"#);
    assert_eq!(broker.asked().0, "Bearer token-2");
    broker.tell("bedrock", "s-2", issued("bedrock", session("ASIA2", LONG)));
    agent.saw("ASIA2");
    assert_session(&pod.helper(&["bedrock"]), "ASIA2");
}

#[test]
fn a_refusal_drops_the_session_and_says_why() {
    let pod = Pod::new();
    let broker = Broker::start(&pod.broker_folder(), 0);
    let agent = pod.agent_of(&broker, "bedrock", "bedrock");
    broker.tell("bedrock", "s-1", issued("bedrock", session("ASIA1", LONG)));
    agent.saw("ASIA1");
    broker.tell("bedrock", "r-1", News::Refused(suspended()));
    agent.saw("\"refused\"");
    assert_eq!(
        assert_refused(&pod.helper(&["bedrock"])),
        "alter-credential-process: grant bedrock: taken away (Suspended): spec.suspend is true; set it to false\n"
    );
    broker.tell("bedrock", "s-2", issued("bedrock", session("ASIA2", LONG)));
    agent.saw("ASIA2");
    assert_session(&pod.helper(&["bedrock"]), "ASIA2");
}

#[test]
fn whatever_else_the_broker_answers_takes_nothing_away() {
    let pod = Pod::new();
    let broker = Broker::start(&pod.broker_folder(), 0);
    let agent = pod.agent_of(&broker, "bedrock", "bedrock");
    broker.tell("bedrock", "s-1", issued("bedrock", session("ASIA1", LONG)));
    agent.saw("ASIA1");
    for (status, body, why) in [
        (500, "", "said 500"),
        (
            401,
            r#"{"message":"the token expired"}"#,
            "the token expired",
        ),
        (404, r#"{"grants":[]}"#, "said 404"),
        (200, "<html>", "no message of the broker's protocol"),
        (
            200,
            r#"{"grants":[{"grant":"bedrock","tag":"x","news":{"burnt":{}}}]}"#,
            "no message",
        ),
    ] {
        broker.answer(status, body);
        agent.saw(why);
        assert_session(&pod.helper(&["bedrock"]), "ASIA1");
        broker.tell("bedrock", "s-1", issued("bedrock", session("ASIA1", LONG)));
    }
    broker.tell("bedrock", "w-1", News::Waiting(suspended()));
    agent.saw("the broker has no new session (Suspended)");
    assert_session(&pod.helper(&["bedrock"]), "ASIA1");
}

#[test]
fn an_outage_of_the_broker_and_another_certificate_are_survived() {
    let pod = Pod::new();
    let broker = Broker::start(&pod.broker_folder(), 0);
    let port = broker.port;
    let agent = pod.agent_of(&broker, "bedrock", "bedrock");
    broker.tell("bedrock", "s-1", issued("bedrock", session("ASIA1", LONG)));
    agent.saw("ASIA1");
    // It ends with the next question, and its port is closed.
    drop(broker);
    agent.saw("cannot connect to localhost");
    assert_session(&pod.helper(&["bedrock"]), "ASIA1");
    // Its successor has another key, and the agent trusts it as soon as the file says so.
    let broker = Broker::start(&pod.broker_folder(), port);
    let (_, question) = broker.asked();
    assert_eq!(question["grants"][0]["known"], "s-1");
    broker.tell("bedrock", "s-2", issued("bedrock", session("ASIA2", LONG)));
    agent.saw("ASIA2");
}

#[test]
fn a_broker_that_another_ca_signed_is_told_nothing() {
    let pod = Pod::new();
    let broker = Broker::start(&pod.broker_folder(), 0);
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(pod.broker_folder().join("ca.crt"), other.cert.pem()).unwrap();
    let agent = pod.agent_of(&broker, "bedrock", "bedrock");
    agent.saw("invalid peer certificate");
}

#[test]
fn grants_of_both_stores_live_side_by_side() {
    let pod = Pod::new();
    pod.write("s3", &document("s3"), Some(&session("ASIA3", LONG)));
    let broker = Broker::start(&pod.broker_folder(), 0);
    let agent = pod.agent_of(&broker, "s3,bedrock", "bedrock");
    let (_, question) = broker.asked();
    assert_eq!(question, json!({"grants": [{"grant": "bedrock"}]}));
    broker.tell("bedrock", "s-1", issued("bedrock", session("ASIA1", LONG)));
    agent.saw("ASIA1");
    assert_session(&pod.helper(&["bedrock"]), "ASIA1");
    assert_session(&pod.helper(&["s3"]), "ASIA3");
}

#[test]
fn a_grant_that_comes_after_its_pod_is_served_from_where_it_keeps_its_sessions() {
    let pod = Pod::new();
    // As the kubelet mounts a Secret that is optional and not there.
    fs::create_dir_all(pod.grants().join("bedrock")).unwrap();
    let broker = Broker::start(&pod.broker_folder(), 0);
    let agent = pod.agent_of(&broker, "bedrock", "bedrock");
    broker.tell("bedrock", "r-1", News::Refused(suspended()));
    agent.saw("\"refused\"");
    pod.write(
        "bedrock",
        &document("bedrock"),
        Some(&session("ASIA1", LONG)),
    );
    agent.saw("ASIA1");
    assert_session(&pod.helper(&["bedrock"]), "ASIA1");
}
