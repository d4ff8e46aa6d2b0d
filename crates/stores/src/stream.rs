//! Streams that borrow: a body that sends, run by whoever polls the stream.
//!
//! Hidden here: how an `async` body becomes a [`BoxStream`] without a task of its own, so that dropping the stream drops
//! the body, and with it its connection or cursor.

use std::future::{Future, ready};

use futures::stream::{self, BoxStream, StreamExt};
use reenact_model::Result;
use tokio::sync::mpsc::{Sender, channel};

/// A stream of what `body` sends; an error that it returns is the stream's last item.
pub(crate) fn produce<'a, T, F, Fut>(body: F) -> BoxStream<'a, Result<T>>
where
    T: Send + 'a,
    F: FnOnce(Sender<T>) -> Fut,
    Fut: Future<Output = Result<()>> + Send + 'a,
{
    let (sender, mut receiver) = channel(2);
    let items = stream::poll_fn(move |cx| receiver.poll_recv(cx)).map(Ok);
    let end = stream::once(body(sender)).filter_map(|result| ready(result.err().map(Err)));
    stream::select(items, end).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reenact_model::{Class, Error};

    #[tokio::test]
    async fn items_come_and_then_the_error() {
        let got: Vec<_> = produce(|sender| async move {
            for n in 0..5 {
                let _ = sender.send(n).await;
            }
            Err(Error::new(Class::Limit, "over"))
        })
        .collect()
        .await;
        assert_eq!(got.iter().filter(|item| item.is_ok()).count(), 5);
        assert_eq!(got.iter().filter(|item| item.is_err()).count(), 1);
    }
}
