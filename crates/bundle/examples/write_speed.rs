//! How fast members are written and read back: 2 million rows of 8 columns, in memory, on one thread.
//!
//! `cargo run --release -p reenact-bundle --example write_speed`

#![expect(clippy::print_stdout, reason = "an example prints its result")]
#![expect(clippy::cast_precision_loss, reason = "rates are rounded")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use reenact_bundle::{
    Bundle, BundleWriter, Contents, FORMAT_VERSION, Identity, Keyring, MemberInfo, Memory, SigningKey,
};
use reenact_mask::Masked;
use reenact_model::catalog::Identity as ServerIdentity;
use reenact_model::{Entity, EntityId, Field, Kind, Result, ServiceCatalog, ValueType, Via};

const ROWS: usize = 2_000_000;
const BATCH: usize = 65_536;

fn main() -> Result<()> {
    let entity = entity();
    let batches: Vec<Masked> =
        (0..ROWS.div_ceil(BATCH)).map(|n| masked(&entity, n * BATCH, BATCH.min(ROWS - n * BATCH))).collect();
    let arrow: usize = batches.iter().map(|rows| rows.batch().get_array_memory_size()).sum();
    println!("{ROWS} rows, {} B/row in Arrow", arrow / ROWS);
    let (signer, identity) = (SigningKey::generate(), Identity::generate());
    for _ in 0..3 {
        let place = Arc::new(Memory::new());
        let writer = BundleWriter::create(place.clone(), &[identity.recipient()])?;
        let start = Instant::now();
        let mut member = writer.member(&entity)?;
        for rows in &batches {
            member.write(rows)?;
        }
        let sealed = member.seal()?;
        let took = start.elapsed().as_secs_f64();
        let rate = ROWS as f64 / took / 1e6;
        println!("write  {took:.3} s  {rate:.2} M rows/s  {} B/row sealed", sealed.size / ROWS as u64);
        let contents = contents(&entity, MemberInfo::from(&sealed));
        writer.finish(vec![sealed], &contents, &signer, None)?;

        let keyring =
            Keyring { trusted: vec![signer.public()], identities: vec![identity.clone()], allow_expired: false };
        let start = Instant::now();
        let bundle = Bundle::open(place, &keyring)?;
        let opened = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let mut read = 0;
        for rows in bundle.rows(&entity.id)? {
            read += rows?.batch().num_rows();
        }
        let took = start.elapsed().as_secs_f64();
        println!("open   {opened:.3} s, read {took:.3} s  {:.2} M rows/s", read as f64 / took / 1e6);
    }
    Ok(())
}

fn entity() -> Arc<Entity> {
    let field = |name: &str, value| Field::new(name, value, "type");
    Arc::new(Entity {
        id: EntityId::new("orders", "public.orders"),
        fields: vec![
            field("id", ValueType::Int64),
            field("customer_id", ValueType::Int64),
            field("amount", ValueType::Int64),
            field("created_at", ValueType::TimestampUtc),
            field("name", ValueType::Text),
            field("email", ValueType::Text),
            field("phone", ValueType::Text),
            field("status", ValueType::Text),
        ],
        key: vec!["id".to_owned()],
        uniques: Vec::new(),
        estimate: None,
        properties: BTreeMap::new(),
    })
}

#[expect(clippy::disallowed_methods, reason = "a benchmark has no other way to masked rows")]
fn masked(entity: &Arc<Entity>, start: usize, count: usize) -> Masked {
    let ids = start as u64..(start + count) as u64;
    let mix = |n: u64| {
        let z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)) >> 20
    };
    let number = |f: &dyn Fn(u64) -> u64| Int64Array::from_iter_values(ids.clone().map(|n| f(n).cast_signed()));
    let text = |f: &dyn Fn(u64) -> String| StringArray::from_iter_values(ids.clone().map(f));
    let time = TimestampMicrosecondArray::from_iter_values(
        ids.clone().map(|n| 1_700_000_000_000_000 + (n * 1_000_000 + mix(n) % 1_000_000).cast_signed()),
    );
    let columns: Vec<ArrayRef> = vec![
        Arc::new(number(&|n| n)),
        Arc::new(number(&|n| mix(n) % 200_000)),
        Arc::new(number(&|n| mix(n) % 1_000_000)),
        Arc::new(time.with_timezone("UTC")),
        Arc::new(text(&|n| format!("Person {:06}", mix(n) % 50_000))),
        Arc::new(text(&|n| format!("u{:011x}@example.org", mix(n)))),
        Arc::new(text(&|n| format!("+49 30 {:09}", mix(n) % 1_000_000_000))),
        Arc::new(text(&|n| ["new", "paid", "shipped", "returned"][(mix(n) % 4) as usize].to_owned())),
    ];
    let batch = RecordBatch::try_new(entity.schema(), columns).expect("the columns are the entity's");
    Masked::reopened(Arc::clone(entity), batch, Via::root(0))
}

fn contents(entity: &Arc<Entity>, member: MemberInfo) -> Contents {
    Contents {
        format_version: FORMAT_VERSION,
        tool: "write_speed".to_owned(),
        captured_ms: 0,
        services: vec![ServiceCatalog {
            service: "orders".to_owned(),
            kind: Kind::Memory,
            version: String::new(),
            identity: ServerIdentity(String::new()),
            entities: vec![Arc::clone(entity)],
            relationships: Vec::new(),
            ddl: Vec::new(),
            parts: Vec::new(),
        }],
        relationships: Vec::new(),
        members: vec![member],
        record: serde_json::Value::Null,
    }
}
