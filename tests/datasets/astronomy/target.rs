//! What a tester sees in the replayed shop, through plain clients.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use redis::AsyncCommands as _;
use reenact_engine::Pipeline;
use reenact_model::payload::{Codec, Decoder, Node};
use reenact_model::{Dsn, Path};
use sqlx::{Connection as _, Row as _};

use crate::servers::Servers;

const PATIENCE: Duration = Duration::from_secs(30);
const ADDRESS: [&str; 5] = ["street_address", "city", "state", "country", "zip_code"];

/// An address, in the order of its columns.
pub(super) type Address = Vec<Option<String>>;

/// The three replayed stores.
pub(super) struct Target {
    cart: Dsn,
    events: String,
    shop: Dsn,
    order: Codec,
    basket: Codec,
}

/// All that is in them.
pub(super) struct Seen {
    pub(super) carts: Vec<(String, Node)>,
    pub(super) events: Vec<SeenEvent>,
    pub(super) shipping: Vec<Shipping>,
}

/// An event as a consumer gets it.
pub(super) struct SeenEvent {
    pub(super) timestamp: i64,
    headers: Vec<(String, String)>,
    value: Node,
}

/// A row of accounting.
pub(super) struct Shipping {
    pub(super) order: String,
    pub(super) tracking: String,
    pub(super) address: Address,
}

/// The text at a path of one step; `None` if it is not there.
pub(super) fn text(node: &Node, name: &str) -> Option<String> {
    node.find(&Path::key(name)).first().and_then(|node| node.canonical()).map(std::borrow::Cow::into_owned)
}

impl SeenEvent {
    pub(super) fn text(&self, name: &str) -> String {
        text(&self.value, name).unwrap_or_default()
    }

    pub(super) fn order(&self) -> String {
        self.text("order_id")
    }

    pub(super) fn address(&self) -> Address {
        let address = self.value.find(&Path::key("shipping_address")).first().copied().cloned().expect("an address");
        ADDRESS.iter().map(|name| text(&address, name)).collect()
    }

    pub(super) fn header(&self, name: &str) -> String {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap_or_default()
    }

    pub(super) fn baggage(&self, name: &str) -> String {
        let baggage = self.header("baggage");
        let member = baggage.split(',').find_map(|member| member.strip_prefix(name)?.strip_prefix('='));
        member.unwrap_or_default().to_owned()
    }
}

impl Target {
    pub(super) fn new(servers: &Servers, pipeline: &Pipeline) -> Self {
        let scope = |name: &str| &pipeline.services.iter().find(|s| s.name == name).expect("a service").scope;
        Self {
            cart: servers.dsn("cart").clone(),
            events: servers.dsn("events").place(),
            shop: servers.dsn("shop").clone(),
            order: scope("events").topics[0].value.clone().expect("a codec"),
            basket: scope("cart").keys[0].values[0].1.clone(),
        }
    }

    /// Reads all that is there.
    pub(super) async fn look(&self) -> Seen {
        Seen { carts: self.carts().await, events: self.events(), shipping: self.shipping().await }
    }

    async fn carts(&self) -> Vec<(String, Node)> {
        let client = redis::Client::open(self.cart.expose()).expect("a client");
        let mut connection = client.get_multiplexed_async_connection().await.expect("connects");
        let decoder = Decoder::new(&self.basket).expect("a decoder");
        let keys: Vec<String> = connection.keys("*").await.expect("keys");
        let mut carts = Vec::new();
        for key in keys.into_iter().filter(|key| key != "reenact:target") {
            let cart: Vec<u8> = connection.hget(&key, "cart").await.expect("a cart");
            let left: i64 = connection.pttl(&key).await.expect("a time to live");
            assert!((1..=3_600_000).contains(&left), "a cart lives for an hour at most");
            carts.push((key, decoder.decode(&cart).expect("a cart's message")));
        }
        carts
    }

    fn events(&self) -> Vec<SeenEvent> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.events).set("group.id", "tester").set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let (_, end) = consumer.fetch_watermarks("orders", 0, PATIENCE).expect("watermarks");
        let mut from = TopicPartitionList::new();
        from.add_partition_offset("orders", 0, Offset::Beginning).expect("an offset");
        consumer.assign(&from).expect("assigned");
        let decoder = Decoder::new(&self.order).expect("a decoder");
        let mut events = Vec::new();
        loop {
            let position = consumer.position().expect("positions");
            let at = position.find_partition("orders", 0).map(|p| p.offset());
            if at.is_some_and(|at| matches!(at, Offset::Offset(n) if n >= end)) || end == 0 {
                return events;
            }
            // Behind the last event there may be a marker of a transaction: then nothing comes, and all was seen.
            let Some(message) = consumer.poll(Duration::from_secs(5)) else { return events };
            let message = message.expect("a message");
            let headers = message.headers().into_iter().flat_map(|headers| {
                let text = |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
                headers.iter().map(move |h| (h.key.to_owned(), text(h.value))).collect::<Vec<_>>()
            });
            events.push(SeenEvent {
                timestamp: message.timestamp().to_millis().expect("a time"),
                headers: headers.collect(),
                value: decoder.decode(message.payload().expect("a value")).expect("an order's message"),
            });
        }
    }

    /// The offset of the next event that a group would consume.
    pub(super) fn committed(&self, group: &str) -> Option<i64> {
        let mut config = ClientConfig::new();
        let consumer: BaseConsumer =
            config.set("bootstrap.servers", &self.events).set("group.id", group).create().expect("a consumer");
        let mut wanted = TopicPartitionList::new();
        wanted.add_partition("orders", 0);
        let found = consumer.committed_offsets(wanted, PATIENCE).expect("offsets");
        match found.find_partition("orders", 0)?.offset() {
            Offset::Offset(n) => Some(n),
            _ => None,
        }
    }

    async fn shipping(&self) -> Vec<Shipping> {
        let mut connection = sqlx::PgConnection::connect(self.shop.expose()).await.expect("connects");
        let there: bool = sqlx::query_scalar("select to_regclass('accounting.shipping') is not null")
            .fetch_one(&mut connection)
            .await
            .expect("an answer");
        assert!(there, "tables without rows are there too");
        let sql = "select order_id, shipping_tracking_id, street_address, city, state, country, zip_code \
                   from accounting.shipping order by order_id";
        let rows = sqlx::query(sql).fetch_all(&mut connection).await.expect("rows");
        rows.iter()
            .map(|row| Shipping {
                order: row.get("order_id"),
                tracking: row.get("shipping_tracking_id"),
                address: ADDRESS.iter().map(|name| row.get(*name)).collect(),
            })
            .collect()
    }
}
