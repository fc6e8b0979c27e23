//! The network's promises, on both wires.

use super::rules::{CallRule, Effect};
use super::*;
use crate::fault::Never;
use crate::recorder::Keep;
use axum::extract::State as Shared;
use axum::routing::post;
use std::sync::atomic::{AtomicU64, Ordering};

const WIRES: [WireKind; 2] = [WireKind::Direct, WireKind::Http1];

struct Lab {
    net: Switchboard,
    client: Ctx,
    server: Ctx,
    effects: Arc<AtomicU64>,
}

/// A server that takes 50 ms to answer and counts what it did.
fn lab(wire: WireKind) -> Lab {
    let net = Switchboard::new(
        Clock::default(),
        Env::new(7),
        wire,
        Recorder::new(Keep::Nothing, Arc::default()),
        Arc::new(Never),
    );
    let effects = Arc::new(AtomicU64::new(0));
    let router = Router::new()
        .route(
            "/do",
            post(|Shared(effects): Shared<Arc<AtomicU64>>, body: Bytes| async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                effects.fetch_add(1, Ordering::Relaxed);
                body
            }),
        )
        .with_state(effects.clone());
    let server = net.start_node(&NodeName::from("server"));
    net.bind("10.0.0.1", server.fence.clone(), router);
    let client = net.start_node(&NodeName::from("client"));
    Lab { net, client, server, effects }
}

impl Lab {
    async fn call(&self, timeout_ms: u64) -> Reply {
        let request = Request::post("http://10.0.0.1/do").body(Bytes::from(vec![b'x'; 100_000]));
        let timeout = Duration::from_millis(timeout_ms);
        self.client.http.send(Call { operation: "do", timeout, request: request.expect("a request") }).await
    }
    fn break_with(&self, effect: Effect) {
        let (from, to) = (Some(NodeName::from("client")), NodeName::from("server"));
        self.net.rules(|r| r.add(CallRule::new("f".into(), from, to, Some("do".into()), effect)));
    }
    fn effects(&self) -> u64 {
        self.effects.load(Ordering::Relaxed)
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_arrives_and_costs_whole_milliseconds() {
    let mut times = Vec::new();
    for wire in WIRES {
        let lab = lab(wire);
        let reply = lab.call(60_000).await.expect("a reply");
        assert_eq!((reply.status(), reply.body().len()), (StatusCode::OK, 100_000));
        assert_eq!(lab.effects(), 1);
        times.push(lab.client.now());
    }
    assert_eq!(times[0], times[1], "both wires take the same virtual time");
    assert!((52..=58).contains(&times[0].0), "{}", times[0]);
}

#[tokio::test(start_paused = true)]
async fn what_one_node_asks_in_one_millisecond_arrives_in_one_order_whichever_task_asked_first() {
    for (wire, first, second) in WIRES.into_iter().flat_map(|wire| [(wire, "a", "b"), (wire, "b", "a")]) {
        let lab = lab(wire);
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = |Shared(heard): Shared<Arc<Mutex<Vec<Bytes>>>>, body: Bytes| async move {
            heard.lock().unwrap().push(body);
        };
        let router = Router::new().route("/do", post(hears)).with_state(heard.clone());
        lab.net.bind("10.0.0.1", lab.server.fence.clone(), router);
        let ask = |body: &'static str| {
            let request = Request::post("http://10.0.0.1/do").body(Bytes::from(body)).expect("a request");
            lab.client.http.send(Call { operation: "do", timeout: Duration::from_secs(1), request })
        };
        let (one, other) = tokio::join!(ask(first), ask(second));
        assert!(one.is_ok() && other.is_ok());
        assert_eq!(*heard.lock().unwrap(), ["b", "a"], "{wire:?}, {first} asked first");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_gives_up_does_not_undo_the_work() {
    for wire in WIRES {
        let lab = lab(wire);
        assert!(matches!(lab.call(20).await, Err(HttpError::TimedOut { .. })));
        assert_eq!(lab.effects(), 0);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(lab.effects(), 1, "the handler runs to its end on {wire:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_effect_gives_the_same_typed_error_on_both_wires() {
    let host = "10.0.0.1".to_owned();
    let after = Duration::from_secs(10);
    let cases = [
        (Effect::Refuse, Err(HttpError::Unreachable { host: host.clone() }), 0),
        (Effect::LoseRequest, Err(HttpError::TimedOut { host: host.clone(), after }), 0),
        (Effect::LoseReply, Err(HttpError::TimedOut { host: host.clone(), after }), 1),
        (Effect::Truncate(40), Err(HttpError::Closed { host: host.clone() }), 1),
        (Effect::Truncate(5000), Err(HttpError::Closed { host: host.clone() }), 1),
        (Effect::Garble, Err(HttpError::Garbled { host, detail: "not HTTP".into() }), 1),
        (Effect::Status(503), Ok(StatusCode::SERVICE_UNAVAILABLE), 0),
        (Effect::Duplicate, Ok(StatusCode::OK), 2),
        (Effect::Delay(Duration::from_secs(5)), Ok(StatusCode::OK), 1),
    ];
    for wire in WIRES {
        for (effect, expected, effects) in cases.clone() {
            let lab = lab(wire);
            lab.break_with(effect);
            let got = lab.call(10_000).await.map(|r| r.status());
            assert_eq!(got, expected, "{effect:?} on {wire:?}");
            assert_eq!(lab.effects(), effects, "{effect:?} on {wire:?}");
            assert!(lab.call(10_000).await.is_ok(), "the next call is left alone");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_garbled_request_differs_in_one_byte() {
    for wire in WIRES {
        let lab = lab(wire);
        lab.break_with(Effect::GarbleRequest);
        let echo = lab.call(10_000).await.expect("a reply").into_body();
        let wrong: Vec<usize> = (0..echo.len()).filter(|at| echo[*at] != b'x').collect();
        assert_eq!(wrong, [50_000], "{wire:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_epoch_answers_nobody_and_a_new_one_does() {
    for wire in WIRES {
        let lab = lab(wire);
        lab.net.crash(lab.server.node());
        assert!(matches!(lab.call(1000).await, Err(HttpError::Unreachable { .. })), "{wire:?}");
        assert_eq!(lab.effects(), 0);
        let again = lab.net.start_node(lab.server.node());
        assert_eq!(again.fence.epoch(), 2);
        lab.net.bind("10.0.0.1", again.fence, Router::new().route("/do", post(|| async { "back" })));
        assert!(lab.call(1000).await.is_ok());
        // The caller dies too: nothing leaves it.
        lab.net.crash(lab.client.node());
        assert_eq!(lab.call(1000).await.err(), Some(HttpError::Dead));
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_vpn_swallows_only_what_crosses_it() {
    let lab = lab(WireKind::Direct);
    lab.net.place(lab.server.node(), Zone::OnPremises);
    lab.net.rules(|r| r.set_vpn(Some("vpn")));
    assert!(lab.call(1000).await.is_ok(), "the cloud reaches the site over the internet");
    lab.net.place(lab.client.node(), Zone::AzureNetwork);
    assert!(matches!(lab.call(1000).await, Err(HttpError::TimedOut { .. })));
    let fired = || lab.net.rules(|r| r.fired().iter().cloned().collect::<Vec<_>>());
    assert_eq!(fired(), ["vpn"]);
    // A cut that nobody runs into has not fired, whatever others have.
    lab.net.rules(|r| r.set_vpn(None));
    lab.net.rules(|r| r.set_cut(lab.server.node().clone(), "nobody".into(), Some("cut")));
    assert!(lab.call(1000).await.is_ok());
    assert_eq!(fired(), ["vpn"]);
}
