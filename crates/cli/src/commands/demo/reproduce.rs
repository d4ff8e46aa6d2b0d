//! The reproduction: a small test of the shop that knows nothing but the environment contract.

use futures::TryStreamExt as _;
use reenact_model::catalog::{Scope, Topic};
use reenact_model::payload::{Codec, Format};
use reenact_model::{Class, Dsn, Error, FieldPath, Kind, Path, Result, Via};
use reenact_stores::{Read, Selection};

use crate::render;

/// Checks that the order was billed once; 0 if it was, 1 if not.
pub(super) async fn run() -> Result<u8> {
    let order = variable("REENACT_SEED_ORDER")?;
    let billing = variable("REENACT_BILLING_URL")?;
    let kind = if billing.starts_with("mysql") { Kind::Mysql } else { Kind::Sqlite };
    let invoices = count(kind, &billing, "invoices", FieldPath::column("order_id"), &order).await?;
    let events = variable("REENACT_EVENTS_URL")?;
    let path: Path = "$.orderId".parse().unwrap_or_default();
    let events =
        count(Kind::Kafka, &format!("kafka://{events}"), "orders", FieldPath::inner("value", path), &order).await?;
    if invoices == 1 {
        render::out("  order was billed once");
        return Ok(0);
    }
    render::out(&format!(
        "  FAILED: order {order} was billed {invoices} times; its event was delivered {events} times"
    ));
    Ok(1)
}

fn variable(name: &str) -> Result<String> {
    std::env::var(name).map_err(|_| Error::new(Class::Input, format!("the variable `{name}` is not set")))
}

/// The number of records whose field has a value.
async fn count(kind: Kind, url: &str, entity: &str, field: FieldPath, value: &str) -> Result<usize> {
    let topic = Topic {
        name: entity.to_owned(),
        key: None,
        value: Some(Codec::of(Format::Json)),
        headers: Vec::new(),
        back_ms: None,
        records: None,
    };
    let topics = if kind == Kind::Kafka { vec![topic] } else { Vec::new() };
    let scope = Scope { service: "shop".to_owned(), topics, ..Scope::default() };
    let store = reenact_stores::store(kind)
        .ok_or_else(|| Error::new(Class::Input, format!("this build has no store of kind `{kind}`")))?;
    let source = store.source(&Dsn::new(url), &scope).await?;
    let catalog = source.describe().await?;
    let entity =
        catalog.entity(entity).ok_or_else(|| Error::new(Class::Input, format!("there is no entity `{entity}`")))?;
    let read = Read {
        entity: entity.clone(),
        columns: Vec::new(),
        selection: Selection::Where(vec![(field, value.to_owned())]),
        via: Via::root(0),
        limit: None,
        ordered: false,
    };
    let batches: Vec<_> = source.read(read).try_collect().await?;
    Ok(batches.iter().map(reenact_model::Captured::rows).sum())
}
