//! The `http1` wire: hyper at both ends of an in-memory pipe, so that truncated, stalled and garbage replies
//! reach a real HTTP client at exact virtual times.

use super::rules::{Effect, on_the_wire};
use super::{Crossing, Inner, Reply};
use bytes::Bytes;
use failback_wire::http::{HttpError, MAX_BODY, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// Bytes the pipe holds each way before the writer waits.
const PIPE: usize = 256 << 10;

impl Inner {
    pub(super) async fn http1(self: Arc<Self>, crossing: Crossing, request: Request<Bytes>) -> Reply {
        let (host, effect) = (crossing.host.clone(), crossing.effect);
        let (client_end, server_end) = tokio::io::duplex(PIPE);
        // A refusal to connect has no bytes: it is told to the caller beside the pipe.
        let no_bytes: Arc<Mutex<Option<HttpError>>> = Arc::default();
        let server_end = match effect {
            Some(Effect::Truncate(_) | Effect::Garble) => broken(server_end, effect),
            _ => server_end,
        };
        spawn(self.clone().serve_connection(crossing, server_end, no_bytes.clone()));
        let sent = exchange(client_end, on_the_wire(request, host.as_str()), host.as_str()).await;
        match no_bytes.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(error),
            None => sent,
        }
    }

    async fn serve_connection(
        self: Arc<Self>,
        crossing: Crossing,
        pipe: DuplexStream,
        no_bytes: Arc<Mutex<Option<HttpError>>>,
    ) {
        let crossing = Mutex::new(Some(crossing));
        let service = service_fn(|request: Request<hyper::body::Incoming>| {
            let crossing = crossing.lock().unwrap_or_else(PoisonError::into_inner).take();
            let (inner, no_bytes) = (self.clone(), no_bytes.clone());
            async move {
                let Some(crossing) = crossing else { return Err(Gone) };
                let (parts, body) = request.into_parts();
                let bytes = Limited::new(body, MAX_BODY).collect().await.map_err(|_| Gone)?.to_bytes();
                // Spawned inside the service: hyper drops a handler when its peer goes away, we do not.
                let reply = inner.serve(crossing, Request::from_parts(parts, bytes)).await;
                match reply {
                    Ok(Ok(reply)) => Ok(reply.map(Full::new)),
                    Ok(Err(error)) => {
                        *no_bytes.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                        Err(Gone)
                    }
                    Err(_) => Err(Gone),
                }
            }
        });
        let mut http = hyper::server::conn::http1::Builder::new();
        http.auto_date_header(false).keep_alive(false);
        // The connection's own errors are what the client sees at its end.
        let _ = http.serve_connection(TokioIo::new(pipe), service).await;
    }
}

/// The handler has nothing to say: the connection closes.
#[derive(Debug, thiserror::Error)]
#[error("the connection closes")]
struct Gone;

#[expect(clippy::disallowed_methods, reason = "connections belong to the network, which outlives every node")]
fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(future);
}

async fn exchange(pipe: DuplexStream, request: Request<Bytes>, host: &str) -> Reply {
    let failed = |e: &hyper::Error| {
        if e.is_parse() {
            HttpError::Garbled { host: host.to_owned(), detail: "not HTTP".into() }
        } else {
            HttpError::Closed { host: host.to_owned() }
        }
    };
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(pipe)).await.map_err(|e| failed(&e))?;
    spawn(async move {
        let _ = connection.await;
    });
    let reply = sender.send_request(request.map(Full::new)).await.map_err(|e| failed(&e))?;
    let (parts, body) = reply.into_parts();
    let bytes = Limited::new(body, MAX_BODY).collect().await;
    let bytes = bytes.map_err(|_| HttpError::Closed { host: host.to_owned() })?.to_bytes();
    Ok(Response::from_parts(parts, bytes))
}

/// The server's end of the client's pipe, behind something that breaks what comes back.
fn broken(to_client: DuplexStream, effect: Option<Effect>) -> DuplexStream {
    let (server_end, middle) = tokio::io::duplex(PIPE);
    spawn(async move {
        let (mut from_server, mut to_server) = tokio::io::split(middle);
        let (mut from_client, mut to_client) = tokio::io::split(to_client);
        let requests = async {
            let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
        };
        let replies = async {
            let mut reply = Vec::new();
            let _ = from_server.read_to_end(&mut reply).await;
            match effect {
                Some(Effect::Truncate(n)) => reply.truncate(n),
                _ => reply = b"\x16\x03\x01 not http at all\r\n\r\n".to_vec(),
            }
            let _ = to_client.write_all(&reply).await;
            let _ = to_client.shutdown().await;
        };
        tokio::join!(biased; requests, replies);
    });
    server_end
}
