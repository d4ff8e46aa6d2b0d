//! An agent behind a byte pipe: the same calls as length-prefixed CBOR frames.

use async_trait::async_trait;
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use reenact_model::{Class, Error, Part, Result};
use reenact_stores::Pinned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use super::agent::{Agent, Collected, Described, Estimated, Scouted, Searched, Setup, Step};
use super::sealed::SealedBox;

/// The largest message, in bytes.
const MAX_FRAME: usize = 256 << 20;

#[derive(Serialize, Deserialize)]
enum Request {
    Describe,
    Prepare(Box<Setup>),
    Estimate,
    Scout(Vec<Step>),
    Pin(Part),
    Verdicts,
    Heed(SealedBox),
    Collect,
    Needles(usize),
    Learn(SealedBox),
    Search(Vec<String>),
}

#[derive(Serialize, Deserialize)]
enum Response {
    Described(Box<Described>),
    Prepared,
    Estimated(Vec<Estimated>),
    Scouted(Scouted),
    Pinned(Pinned),
    Verdicts(Vec<(String, SealedBox)>),
    Heeded,
    Collected(Collected),
    Needles(Vec<(String, SealedBox)>),
    Learned,
    Searched(Searched),
    Failed(Error),
}

fn codec() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().max_frame_length(MAX_FRAME).new_codec()
}

fn broken() -> Error {
    Error::new(Class::Unexpected, "the connection to an agent broke")
}

fn write(message: &impl Serialize) -> Result<Bytes> {
    let mut out = Vec::new();
    ciborium::into_writer(message, &mut out).map_err(|_| broken())?;
    Ok(out.into())
}

/// The coordinator's end of a pipe to an agent.
#[derive(Debug)]
pub struct PipeAgent<T>(Framed<T, LengthDelimitedCodec>);

impl<T: AsyncRead + AsyncWrite + Unpin + Send> PipeAgent<T> {
    /// Speaks to the agent at the other end.
    pub fn new(pipe: T) -> Self {
        Self(Framed::new(pipe, codec()))
    }

    async fn call(&mut self, request: Request) -> Result<Response> {
        self.0.send(write(&request)?).await.map_err(|_| broken())?;
        let frame = self.0.next().await.and_then(std::result::Result::ok).ok_or_else(broken)?;
        match ciborium::from_reader(&frame[..]).map_err(|_| broken())? {
            Response::Failed(error) => Err(error),
            response => Ok(response),
        }
    }
}

#[async_trait]
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Agent for PipeAgent<T> {
    async fn describe(&mut self) -> Result<Described> {
        let Response::Described(described) = self.call(Request::Describe).await? else { return Err(broken()) };
        Ok(*described)
    }

    async fn prepare(&mut self, setup: Setup) -> Result<()> {
        let Response::Prepared = self.call(Request::Prepare(Box::new(setup))).await? else { return Err(broken()) };
        Ok(())
    }

    async fn estimate(&mut self) -> Result<Vec<Estimated>> {
        let Response::Estimated(estimated) = self.call(Request::Estimate).await? else { return Err(broken()) };
        Ok(estimated)
    }

    async fn scout(&mut self, steps: Vec<Step>) -> Result<Scouted> {
        let Response::Scouted(scouted) = self.call(Request::Scout(steps)).await? else { return Err(broken()) };
        Ok(scouted)
    }

    async fn pin(&mut self, part: Part) -> Result<Pinned> {
        let Response::Pinned(pinned) = self.call(Request::Pin(part)).await? else { return Err(broken()) };
        Ok(pinned)
    }

    async fn verdicts(&mut self) -> Result<Vec<(String, SealedBox)>> {
        let Response::Verdicts(verdicts) = self.call(Request::Verdicts).await? else { return Err(broken()) };
        Ok(verdicts)
    }

    async fn heed(&mut self, verdicts: SealedBox) -> Result<()> {
        let Response::Heeded = self.call(Request::Heed(verdicts)).await? else { return Err(broken()) };
        Ok(())
    }

    async fn collect(&mut self) -> Result<Collected> {
        let Response::Collected(collected) = self.call(Request::Collect).await? else { return Err(broken()) };
        Ok(collected)
    }

    async fn needles(&mut self, piece: usize) -> Result<Vec<(String, SealedBox)>> {
        let Response::Needles(needles) = self.call(Request::Needles(piece)).await? else { return Err(broken()) };
        Ok(needles)
    }

    async fn learn(&mut self, needles: SealedBox) -> Result<()> {
        let Response::Learned = self.call(Request::Learn(needles)).await? else { return Err(broken()) };
        Ok(())
    }

    async fn search(&mut self, texts: Vec<String>) -> Result<Searched> {
        let Response::Searched(searched) = self.call(Request::Search(texts)).await? else { return Err(broken()) };
        Ok(searched)
    }
}

/// Serves an agent at its end of a pipe, until the other end closes.
///
/// # Errors
/// If the pipe breaks in the middle of a message.
pub async fn serve(mut agent: Box<dyn Agent>, pipe: impl AsyncRead + AsyncWrite + Unpin + Send) -> Result<()> {
    let mut framed = Framed::new(pipe, codec());
    while let Some(frame) = framed.next().await {
        let frame = frame.map_err(|_| broken())?;
        let response = match ciborium::from_reader(&frame[..]).map_err(|_| broken())? {
            Request::Describe => agent.describe().await.map(|d| Response::Described(Box::new(d))),
            Request::Prepare(setup) => agent.prepare(*setup).await.map(|()| Response::Prepared),
            Request::Estimate => agent.estimate().await.map(Response::Estimated),
            Request::Scout(steps) => agent.scout(steps).await.map(Response::Scouted),
            Request::Pin(part) => agent.pin(part).await.map(Response::Pinned),
            Request::Verdicts => agent.verdicts().await.map(Response::Verdicts),
            Request::Heed(verdicts) => agent.heed(verdicts).await.map(|()| Response::Heeded),
            Request::Collect => agent.collect().await.map(Response::Collected),
            Request::Needles(piece) => agent.needles(piece).await.map(Response::Needles),
            Request::Learn(needles) => agent.learn(needles).await.map(|()| Response::Learned),
            Request::Search(texts) => agent.search(texts).await.map(Response::Searched),
        };
        framed.send(write(&response.unwrap_or_else(Response::Failed))?).await.map_err(|_| broken())?;
    }
    Ok(())
}
