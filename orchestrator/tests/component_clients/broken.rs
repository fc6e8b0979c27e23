//! Broken, slow and truncated replies, on both clients.

use crate::support::{Behaviour, SHORT, broken_server, impatient, nobody, sockets, truncated};
use failback_orchestrator::clients::agent::{AgentClient, AgentError};
use failback_orchestrator::clients::cs::{CsClient, CsError};
use failback_wire::http::{HttpError, StatusCode};
use failback_wire::ids::MachineName;
use serde_json::json;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

const STATUS: &str = r#"{"version":"9.62","registered_address":"a","address":"a","generation":1,"instance":"i","clones":[],"certificate_expires":9,"adapters":1,"registered_adapters":1}"#;

async fn cs(host: &str) -> CsError {
    CsClient::new(sockets(), host, "secret").status().await.unwrap_err()
}

async fn agent(host: &str) -> AgentError {
    AgentClient::new(sockets(), "secret").status(host).await.unwrap_err()
}

async fn answering(reply: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(reply).mount(&server).await;
    server
}

#[tokio::test]
async fn nobody_there_means_nothing_happened() {
    let host = nobody().await;
    let error = cs(&host).await;
    assert_eq!(error, CsError::Unavailable(HttpError::Unreachable { host: host.clone() }));
    assert_eq!(agent(&host).await, error);
    assert!(!error.is_ambiguous());
}

#[tokio::test]
async fn a_slow_reply_may_have_taken_effect() {
    let server = answering(ResponseTemplate::new(200).set_delay(SHORT * 100)).await;
    let host = server.address().to_string();
    let error = CsClient::new(impatient(), &host, "secret").status().await.unwrap_err();
    assert_eq!(error, CsError::Ambiguous(HttpError::TimedOut { host, after: SHORT }));
    assert!(error.is_ambiguous());
}

#[tokio::test]
async fn a_reply_that_stalls_halfway_times_out() {
    let host = broken_server(Behaviour::SendAndHang(truncated(STATUS, 20))).await;
    let error = AgentClient::new(impatient(), "secret").status(&host).await.unwrap_err();
    assert!(matches!(error, AgentError::Ambiguous(HttpError::TimedOut { .. })), "{error:?}");
}

#[tokio::test]
async fn a_truncated_reply_is_never_taken_for_a_whole_one() {
    for sent in [0, 1, 20, STATUS.len() - 1] {
        let host = broken_server(Behaviour::Send(truncated(STATUS, sent))).await;
        let error = cs(&host).await;
        assert_eq!(error, CsError::Ambiguous(HttpError::Closed { host }), "{sent} bytes");
    }
    let host = broken_server(Behaviour::Send(truncated(STATUS, STATUS.len()))).await;
    CsClient::new(sockets(), host, "secret").status().await.unwrap();
}

#[tokio::test]
async fn a_connection_that_closes_without_a_word_may_have_taken_effect() {
    let host = broken_server(Behaviour::Send(Vec::new())).await;
    assert_eq!(agent(&host).await, AgentError::Ambiguous(HttpError::Closed { host }));
}

#[tokio::test]
async fn what_is_not_http_is_garbled() {
    let host = broken_server(Behaviour::Send(b"220 mail.example ESMTP\r\n\r\n".to_vec())).await;
    let error = cs(&host).await;
    assert!(matches!(&error, CsError::Garbled { host: at, .. } if *at == host), "{error:?}");
    assert!(error.is_ambiguous());
}

#[tokio::test]
async fn what_is_not_the_promised_document_is_garbled() {
    for body in ["", "null", "<html>login</html>", r#"{"version":"9.62"}"#, "[1,2", "\u{0}"] {
        let server = answering(ResponseTemplate::new(200).set_body_string(body)).await;
        let error = cs(&server.address().to_string()).await;
        assert!(matches!(error, CsError::Garbled { .. }), "{body:?}: {error:?}");
        let client = CsClient::new(sockets(), server.address().to_string(), "secret");
        let deleted = client.delete_machine(&MachineName::from("web01")).await;
        let fine = body.starts_with('{');
        assert!(deleted.is_ok() == fine, "{body:?}: {deleted:?}");
    }
}

#[tokio::test]
async fn a_refusal_keeps_status_word_and_text() {
    let no = json!({"code": "database-lost", "message": "restore it"});
    let server = answering(ResponseTemplate::new(503).set_body_json(no)).await;
    let client = CsClient::new(sockets(), server.address().to_string(), "secret");
    let error = client.machine(&MachineName::from("web01")).await.unwrap_err();
    let wanted = CsError::Refused {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "database-lost".to_owned(),
        message: "restore it".to_owned(),
    };
    assert_eq!(error, wanted);
    assert!(error.is_refusal("database-lost") && !error.is_ambiguous());
}

#[tokio::test]
async fn a_refusal_of_something_else_on_the_way_is_one_too_and_short() {
    let server = answering(ResponseTemplate::new(502).set_body_string("x".repeat(10_000))).await;
    let CsError::Refused { status, message, .. } = cs(&server.address().to_string()).await else {
        panic!("a 502 is a refusal");
    };
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(message.len() <= 200);
}
