//! The astronomy shop: a cart, an event and rows, and the orders that accounting lost or saw a hundred times.

mod production;
mod target;

use std::collections::BTreeMap;
use std::path::Path;

use reenact_engine::pipeline::Pipeline;
use reenact_engine::record::Grade;
use reenact_environment::Endpoint;
use reenact_model::Kind;
use reenact_model::payload::Node;

use crate::incident::{Incident, pipeline};
use crate::servers::Servers;
use crate::{Failures, datasets};
use production::{Event, Facts};
use target::{Seen, Target};

const SERVICES: [(&str, Kind); 3] = [("cart", Kind::Redis), ("events", Kind::Kafka), ("shop", Kind::Postgres)];

/// What a lost order's reference to accounting is called.
const ORDER: &str = "events/orders.value:$.order_id";
const TRACKING: &str = "events/orders.value:$.shipping_tracking_id";

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_captured_from_cart_event_and_rows() {
    let Some(folder) = datasets() else { return };
    let folder = folder.join("scenario-otel");
    let facts = Facts::read(&folder);
    Servers::with(&SERVICES, async |production| {
        let events = production::load(&folder, production).await;
        let mut failures = Failures::default();
        for order in &facts.in_kafka_not_in_sql {
            let body = one_order(&folder, production, &events, order, true);
            failures.case(&format!("lost order {}", &order[..8]), body).await;
        }
        let twice = &facts.duplicated_order;
        let body = one_order(&folder, production, &events, twice, false);
        failures.case("order seen again and again", body).await;
        failures.case("whole", whole(&folder, production, &facts)).await;
        failures.tell();
    })
    .await;
}

/// Loads the shop into its stores; `folder` holds all sets.
pub(crate) async fn load(folder: &Path, production: &Servers) {
    let _ = production::load(&folder.join("scenario-otel"), production).await;
}

/// The pipeline of the whole shop; `folder` holds all sets.
pub(crate) fn whole_pipeline(folder: &Path, production: &Servers) -> Pipeline {
    shop(&folder.join("scenario-otel"), production, "otel/whole.yaml")
}

fn shop(folder: &Path, production: &Servers, file: &str) -> Pipeline {
    let proto = folder.join("demo.proto");
    let proto = proto.to_str().expect("a path of text");
    let place = production.dsn("events").place();
    let variables = [
        ("CART_URL", production.dsn("cart").expose()),
        ("EVENTS", place.as_str()),
        ("SHOP_URL", production.dsn("shop").expose()),
        ("OTEL_PROTO", proto),
    ];
    pipeline(file, &variables)
}

async fn captured(folder: &Path, production: &Servers, file: &str, seed: Option<&str>) -> Incident {
    Incident::capture(shop(folder, production, file), seed).await
}

/// Replays into servers of its own, and looks at them.
async fn replayed(incident: &Incident, look: impl AsyncFnOnce(&Target)) {
    Servers::with(&SERVICES, async |servers| {
        let endpoints: BTreeMap<String, Endpoint> =
            SERVICES.iter().map(|(name, _)| ((*name).to_owned(), servers.endpoint(name))).collect();
        incident.replay(&endpoints).await;
        look(&Target::new(servers, &incident.pipeline)).await;
    })
    .await;
}

fn counts(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
    of.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
}

async fn one_order(folder: &Path, production: &Servers, events: &[Event], order: &str, lost: bool) {
    let incident = captured(folder, production, "otel/pipeline.yaml", Some(order)).await;
    if lost {
        assert_eq!(incident.counts(), counts(&[("cart", 1), ("catalog.products", 3), ("orders", 1)]));
        assert_eq!(incident.dangling(), BTreeMap::from([(ORDER.to_owned(), 1), (TRACKING.to_owned(), 1)]));
    } else {
        let expected = [
            ("accounting.order", 1),
            ("accounting.orderitem", 1),
            ("accounting.shipping", 1),
            ("cart", 1),
            ("catalog.products", 2),
            ("orders", 100),
        ];
        assert_eq!(incident.counts(), counts(&expected));
        assert_eq!(incident.dangling(), BTreeMap::new());
    }
    assert_eq!(incident.captured.record.grade, Grade::Causal);
    let pseudonym = incident.captured.record.seeds["order"].first().cloned().expect("the root's pseudonym");
    assert_ne!(pseudonym, order);
    replayed(&incident, async |target| {
        let seen = target.look().await;
        let kept: Vec<&Event> = events.iter().filter(|event| event.order == order).collect();
        assert_eq!(seen.events.len(), kept.len());
        for (event, original) in seen.events.iter().zip(&kept) {
            assert_eq!(event.order(), pseudonym);
            assert_eq!(event.timestamp, original.timestamp, "an event's own time stays");
            assert_eq!(event.header("traceparent"), original.traceparent, "a kept header stays");
        }
        for (group, committed) in production::GROUPS {
            let before = kept.iter().filter(|event| event.offset < committed).count();
            assert_eq!(target.committed(group), i64::try_from(before).ok(), "group {group}");
        }
        sessions_agree(&seen, &kept[0].session);
        addresses_agree(&seen, lost);
        let orders: Vec<String> = seen.shipping.iter().map(|row| row.order.clone()).collect();
        assert_eq!(orders, if lost { Vec::new() } else { vec![pseudonym] });
    })
    .await;
}

/// One session has one pseudonym in the key, the header and the cart.
fn sessions_agree(seen: &Seen, original: &str) {
    let [(key, cart)] = seen.carts.as_slice() else { panic!("{} carts", seen.carts.len()) };
    assert_ne!(key, original);
    for event in &seen.events {
        assert_eq!(event.baggage("session.id"), *key, "the header's session is the key");
    }
    // An emptied cart holds nothing, not even whose it was.
    if let Some(user) = target::text(cart, "user_id") {
        assert_eq!(user, *key, "the cart's user is the key");
    } else {
        assert_eq!(*cart, Node::Map(Vec::new()));
    }
}

/// One address has one pseudonym in the event and the row.
fn addresses_agree(seen: &Seen, lost: bool) {
    assert_eq!(seen.shipping.len(), usize::from(!lost));
    for row in &seen.shipping {
        for event in &seen.events {
            assert_eq!(event.address(), row.address);
            assert_eq!(event.text("shipping_tracking_id"), row.tracking);
        }
    }
    for event in &seen.events {
        assert!(event.address()[0].as_deref().is_some_and(|street| street.starts_with("street ")), "a masked street");
    }
}

async fn whole(folder: &Path, production: &Servers, facts: &Facts) {
    let incident = captured(folder, production, "otel/whole.yaml", None).await;
    assert_eq!(incident.captured.record.grade, Grade::Causal, "carts are those of their pin");
    let taken = incident.counts();
    assert_eq!(taken["orders"], facts.kafka_records);
    assert_eq!(taken["cart"], facts.redis_keys);
    assert_eq!(taken["accounting.order"], facts.accounting_orders);
    let lost = facts.in_kafka_not_in_sql.len();
    assert_eq!(incident.dangling(), BTreeMap::from([(ORDER.to_owned(), lost), (TRACKING.to_owned(), lost)]));
    incident.assert_masked().await;
    replayed(&incident, async |target| {
        let seen = target.look().await;
        let mut times: BTreeMap<String, usize> = BTreeMap::new();
        for event in &seen.events {
            *times.entry(event.order()).or_default() += 1;
        }
        assert_eq!(times.len(), facts.distinct_orders);
        assert_eq!(
            times.values().filter(|n| **n == facts.duplicated_records).count(),
            1,
            "one order came again and again"
        );
        let booked: Vec<&str> = seen.shipping.iter().map(|row| row.order.as_str()).collect();
        assert_eq!(times.keys().filter(|order| !booked.contains(&order.as_str())).count(), lost, "orders without rows");
        for row in &seen.shipping {
            let event =
                seen.events.iter().find(|event| event.order() == row.order).expect("an event of the row's order");
            assert_eq!(event.address(), row.address);
        }
    })
    .await;
}
