//! The shop itself: it opens, sells, and breaks.

use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;
use reenact_environment::Lease;
use reenact_model::payload::{Blob, RedisValue};
use reenact_model::{Class, Error, Kind, Result};
use reenact_stores::memory::Dataset;
use std::time::Duration;

/// How many customers the shop has.
pub(super) const CUSTOMERS: i64 = 40;
/// How many orders it took.
pub(super) const ORDERS: i64 = 120;

/// The incident, as the engineer on call would name it.
pub(super) struct Incident {
    /// The order that was billed twice.
    pub(super) order: String,
}

const FIRST: [&str; 8] = ["Grace", "Alan", "Edsger", "Barbara", "Donald", "Radia", "Ken", "Frances"];
const LAST: [&str; 8] = ["Hopper", "Turing", "Dijkstra", "Liskov", "Knuth", "Perlman", "Thompson", "Allen"];

fn name(customer: i64) -> (&'static str, &'static str) {
    let n = usize::try_from(customer).unwrap_or(0);
    (FIRST[n % 8], LAST[n / 8 % 8])
}

fn email(customer: i64) -> String {
    let (first, last) = name(customer);
    format!("{}.{}{customer}@corp.test", first.to_lowercase(), last.to_lowercase())
}

/// The customer of an order.
fn customer(order: i64) -> i64 {
    order * 7 % CUSTOMERS + 1
}

fn failed(what: &str) -> impl Fn(&dyn std::fmt::Display) -> Error {
    let what = what.to_owned();
    move |error| Error::new(Class::Unexpected, format!("the demo's {what} failed: {error}"))
}

/// Opens the shop, sells, and lets one event be delivered twice.
pub(super) async fn open_and_break(lease: &Lease) -> Result<Incident> {
    let first = 1_000;
    let broken = first + 57;
    let mut customers = vec![
        "create table customers (id integer not null primary key, name varchar(80) not null, email varchar(80) not null, phone varchar(20))"
            .to_owned(),
    ];
    for id in 1..=CUSTOMERS {
        let (given, family) = name(id);
        customers.push(format!(
            "insert into customers values ({id}, '{given} {family}', '{}', '+49 30 {:07}')",
            email(id),
            id * 31_337 % 10_000_000
        ));
    }
    let mut orders = vec![
        "create table orders (id integer not null primary key, customer_id integer not null, status varchar(20) not null, total decimal(10,2) not null, note varchar(200))".to_owned(),
        "create table order_lines (order_id integer not null references orders (id), line integer not null, sku varchar(20) not null, quantity integer not null, primary key (order_id, line))".to_owned(),
    ];
    let mut billing = vec![
        "create table invoices (id integer not null primary key, order_id integer not null, customer_email varchar(80) not null, amount decimal(10,2) not null)".to_owned(),
    ];
    for id in first..first + ORDERS {
        let who = customer(id);
        let total = format!("{}.{:02}", 10 + id % 90, id % 100);
        let note = if id % 5 == 0 { format!("'please call {} first'", name(who).0) } else { "null".to_owned() };
        orders.push(format!("insert into orders values ({id}, {who}, 'paid', {total}, {note})"));
        for line in 1..=id % 3 + 1 {
            orders.push(format!("insert into order_lines values ({id}, {line}, 'sku-{}', {})", id * line % 50, line));
        }
        let mut bill = |invoice: i64| {
            billing.push(format!("insert into invoices values ({invoice}, {id}, '{}', {total})", email(who)));
        };
        bill(id * 10);
        if id == broken {
            bill(id * 10 + 1);
        }
    }
    for (service, statements) in [("customers", customers), ("orders", orders), ("billing", billing)] {
        execute(lease, service, &statements).await?;
    }
    publish(lease, first, broken).await?;
    fill_carts(lease).await?;
    Ok(Incident { order: broken.to_string() })
}

/// Runs statements in one transaction of a SQL service.
async fn execute(lease: &Lease, service: &str, statements: &[String]) -> Result<()> {
    use sqlx::{Connection as _, Executor as _};
    let wrong = failed(service);
    let url = lease.dsn(service)?.expose();
    macro_rules! run {
        ($connection:ty) => {{
            let mut connection = <$connection>::connect(url).await.map_err(|e| wrong(&e))?;
            let mut transaction = connection.begin().await.map_err(|e| wrong(&e))?;
            for statement in statements {
                let statement = sqlx::AssertSqlSafe(statement.as_str());
                transaction.execute(sqlx::raw_sql(statement)).await.map_err(|e| wrong(&e))?;
            }
            transaction.commit().await.map_err(|e| wrong(&e))?;
            connection.close().await.map_err(|e| wrong(&e))?;
        }};
    }
    match lease.endpoints.get(service).map(|e| e.kind) {
        Some(Kind::Postgres) => run!(sqlx::PgConnection),
        Some(Kind::Mysql) => run!(sqlx::MySqlConnection),
        _ => {
            let file = url.trim_start_matches("sqlite://");
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file).create_if_missing(true);
            let mut connection = sqlx::SqliteConnection::connect_with(&options).await.map_err(|e| wrong(&e))?;
            let mut transaction = connection.begin().await.map_err(|e| wrong(&e))?;
            for statement in statements {
                let statement = sqlx::AssertSqlSafe(statement.as_str());
                transaction.execute(sqlx::raw_sql(statement)).await.map_err(|e| wrong(&e))?;
            }
            transaction.commit().await.map_err(|e| wrong(&e))?;
            connection.close().await.map_err(|e| wrong(&e))?;
        }
    }
    Ok(())
}

/// One event for each order, and one more for the broken one; the consumer has read them all.
async fn publish(lease: &Lease, first: i64, broken: i64) -> Result<()> {
    let wrong = failed("events");
    let bootstrap = lease.dsn("events")?.expose().replace("kafka://", "");
    create_topic(&bootstrap).await?;
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", &bootstrap)
        .set("message.timeout.ms", "10000")
        .create()
        .map_err(|e| wrong(&e))?;
    let mut ends = [0_i64; 3];
    let ids = (first..first + ORDERS).flat_map(|id| std::iter::repeat_n(id, if id == broken { 2 } else { 1 }));
    for id in ids {
        let partition = i32::try_from(id % 3).unwrap_or(0);
        let (key, who) = (id.to_string(), customer(id));
        let value = format!(
            r#"{{"orderId":{id},"customerId":{who},"email":"{}","total":{}.{:02}}}"#,
            email(who),
            10 + id % 90,
            id % 100
        );
        let record = FutureRecord::to("orders").partition(partition).key(&key).payload(&value);
        producer.send(record, Timeout::After(Duration::from_secs(10))).await.map_err(|(e, _)| wrong(&e))?;
        ends[usize::try_from(partition).unwrap_or(0)] += 1;
    }
    commit(&bootstrap, ends).map_err(|e| wrong(&e))
}

/// Real clusters create topics on demand of an administrator; the embedded one has it already.
async fn create_topic(bootstrap: &str) -> Result<()> {
    use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
    use rdkafka::consumer::{BaseConsumer, Consumer as _};
    let wrong = failed("events");
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("allow.auto.create.topics", "false");
    let probe: BaseConsumer = config.create().map_err(|e| wrong(&e))?;
    let metadata = tokio::task::spawn_blocking(move || probe.fetch_metadata(Some("orders"), Duration::from_secs(10)))
        .await
        .map_err(|e| wrong(&e))?
        .map_err(|e| wrong(&e))?;
    if metadata.topics().iter().any(|t| t.name() == "orders" && t.partitions().len() == 3) {
        return Ok(());
    }
    let admin: AdminClient<_> = config.create().map_err(|e| wrong(&e))?;
    let topic = NewTopic::new("orders", 3, TopicReplication::Fixed(1));
    admin.create_topics(&[topic], &AdminOptions::new()).await.map_err(|e| wrong(&e))?;
    Ok(())
}

/// Commits the billing group's offsets, one record short of the end in partition 0: it was still at work.
fn commit(bootstrap: &str, ends: [i64; 3]) -> std::result::Result<(), rdkafka::error::KafkaError> {
    use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
    use rdkafka::{Offset, TopicPartitionList};
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", bootstrap).set("group.id", "billing").create()?;
    let mut list = TopicPartitionList::new();
    for (partition, end) in (0_i32..).zip(ends) {
        let offset = if partition == 0 { end - 1 } else { end };
        list.add_partition_offset("orders", partition, Offset::Offset(offset))?;
    }
    consumer.commit(&list, CommitMode::Sync)
}

/// A cart for every other customer, with an hour to live.
async fn fill_carts(lease: &Lease) -> Result<()> {
    let wrong = failed("cart");
    let url = lease.dsn("cart")?.expose().to_owned();
    let carts = (1..=CUSTOMERS).map(|id| {
        let value = format!(r#"{{"email":"{}","items":[{{"sku":"sku-{}","quantity":1}}]}}"#, email(id), id % 50);
        (format!("cart:{id}"), value)
    });
    if lease.endpoints.get("cart").is_some_and(|e| e.kind == Kind::Memory) {
        let memory = Dataset::named(url.trim_start_matches("memory:"));
        for (key, value) in carts {
            memory.put(key, RedisValue::String(Blob(value.into_bytes())), Some(3_600_000));
        }
        return Ok(());
    }
    let client = redis::Client::open(url).map_err(|e| wrong(&e))?;
    let mut connection = client.get_multiplexed_async_connection().await.map_err(|e| wrong(&e))?;
    for (key, value) in carts {
        let mut command = redis::cmd("SET");
        command.arg(key).arg(value).arg("PX").arg(3_600_000);
        command.query_async::<()>(&mut connection).await.map_err(|e| wrong(&e))?;
    }
    Ok(())
}
