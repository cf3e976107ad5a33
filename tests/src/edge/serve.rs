//! What the edge is measured with: the gRPC service behind it, and a bare handler to compare with.

use axum::{Json, Router, routing::post};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header::CONTENT_TYPE};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use tokio::net::TcpListener;

const WINDOW: u32 = 1 << 20;

/// Answers every gRPC call with the message it was sent, as it was sent: the service costs as little as one can.
pub async fn grpc(listener: TcpListener) -> anyhow::Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let connection = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW * 4)
            .serve_connection(TokioIo::new(socket), service_fn(echo));
        tokio::spawn(connection);
    }
}

async fn echo(
    request: Request<Incoming>,
) -> Result<Response<impl http_body::Body<Data = Bytes, Error = Infallible>>, hyper::Error> {
    let message = request.into_body().collect().await?.to_bytes();
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let frames = [Ok(Frame::data(message)), Ok(Frame::trailers(trailers))];
    let mut response = Response::new(StreamBody::new(futures::stream::iter(frames)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    Ok(response)
}

/// Reads JSON and writes it again, with nothing else around it.
pub async fn json(listener: TcpListener) -> anyhow::Result<()> {
    let echo = async |Json(value): Json<serde_json::Value>| Json(value);
    Ok(axum::serve(listener, Router::new().route("/v1/{payload}", post(echo))).await?)
}
