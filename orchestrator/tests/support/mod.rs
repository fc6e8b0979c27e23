//! Real sockets for tests of clients: a transport over hyper, and servers that break HTTP on purpose.
//! Everything here runs on the wall clock: under a paused one sockets time out at once.

#![expect(clippy::disallowed_types, reason = "only a socket breaks the way these servers do")]

use bytes::Bytes;
use failback_wire::http::{BoxFuture, Call, DEFAULT_TIMEOUT, Http, HttpError, MAX_BODY, Response, Transport};
use failback_wire::ids::NodeName;
use failback_wire::node::Fence;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Duration, timeout};

/// The deadline of [`impatient`] calls.
pub(crate) const SHORT: Duration = Duration::from_millis(300);

/// Calls over a TCP connection each; the call's own deadline counts when it is shorter.
struct Sockets {
    patience: Duration,
}

impl Transport for Sockets {
    fn call(&self, _from: &Fence, call: Call) -> BoxFuture<'static, Result<Response<Bytes>, HttpError>> {
        let after = call.timeout.min(self.patience);
        Box::pin(async move {
            let host = call.request.uri().authority().map(ToString::to_string).unwrap_or_default();
            match timeout(after, exchange(&host, call)).await {
                Ok(done) => done,
                Err(_) => Err(HttpError::TimedOut { host, after }),
            }
        })
    }
}

/// The way out of a tester.
pub(crate) fn sockets() -> Http {
    tester(DEFAULT_TIMEOUT)
}

/// The same for replies that never come: waits for [`SHORT`].
pub(crate) fn impatient() -> Http {
    tester(SHORT)
}

fn tester(patience: Duration) -> Http {
    Http::new(Fence::new(NodeName::from("tester"), 1), Arc::new(Sockets { patience }))
}

async fn exchange(host: &str, call: Call) -> Result<Response<Bytes>, HttpError> {
    let unreachable = |_| HttpError::Unreachable { host: host.to_owned() };
    let stream = TcpStream::connect(host).await.map_err(unreachable)?;
    let broken = |e: hyper::Error| failure(host, &e);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    spawn(async move {
        connection.await.ok();
    });
    let (mut head, body) = call.request.into_parts();
    head.headers.insert("host", host.parse().unwrap());
    head.uri = head.uri.path_and_query().unwrap().as_str().parse().unwrap();
    let request = http::Request::from_parts(head, Full::new(body));
    let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
    let body = Limited::new(body, MAX_BODY).collect().await.map_err(|e| body_failure(host, &*e))?;
    Ok(Response::from_parts(head, body.to_bytes()))
}

fn failure(host: &str, e: &hyper::Error) -> HttpError {
    let host = host.to_owned();
    if e.is_parse() { HttpError::Garbled { host, detail: e.to_string() } } else { HttpError::Closed { host } }
}

fn body_failure(host: &str, e: &(dyn Error + 'static)) -> HttpError {
    if e.is::<LengthLimitError>() {
        return HttpError::Garbled { host: host.to_owned(), detail: e.to_string() };
    }
    e.downcast_ref::<hyper::Error>()
        .map_or_else(|| HttpError::Closed { host: host.to_owned() }, |e| failure(host, e))
}

/// What a broken server does with a connection, once the request's head has arrived.
pub(crate) enum Behaviour {
    /// Sends these bytes and closes.
    Send(Vec<u8>),
    /// Sends these bytes and never another one.
    SendAndHang(Vec<u8>),
}

/// A server that breaks HTTP; answers its `127.0.0.1:port`.
pub(crate) async fn broken_server(behaviour: Behaviour) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 65_536];
            assert!(stream.read(&mut buffer).await.is_ok_and(|bytes| bytes > 0), "no request came");
            let (Behaviour::Send(bytes) | Behaviour::SendAndHang(bytes)) = &behaviour;
            stream.write_all(bytes).await.ok();
            if matches!(behaviour, Behaviour::SendAndHang(_)) {
                held.push(stream);
            }
        }
    });
    host
}

/// An address where nothing listens.
pub(crate) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

/// `200 OK` with a body of which only the first `sent` bytes come.
pub(crate) fn truncated(body: &str, sent: usize) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    format!("{head}content-length: {}\r\n\r\n{}", body.len(), &body[..sent]).into_bytes()
}

#[expect(clippy::disallowed_methods, reason = "a test on the wall clock, of no node")]
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}
