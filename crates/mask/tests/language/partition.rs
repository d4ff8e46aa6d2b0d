//! `partition:`, pseudonyms that stay where Kafka put their originals.

use crate::support::World;

const POLICY: &str = r#"version: 1
domains:
  order: { canonical: integer, mask: { integer: { max: 99999999 } }, partition: { by: crc32, topics: [ events/orders, events/bills ] } }
rules:
  - { name: orders, on: [ "events/**.key", shop/orders.id ], domain: order }
"#;

fn world() -> World {
    World::default()
        .entity("shop/orders", &["id int"])
        .entity("events/orders", &["key text"])
        .entity("events/bills", &["key text"])
        .partitions("events/orders", 6)
        .partitions("events/bills", 4)
}

/// CRC-32 as librdkafka's `consistent` partitioner takes it, told again so that this test does not ask what it tests.
fn crc32(text: &str) -> u32 {
    let mut crc = u32::MAX;
    for byte in text.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

#[test]
fn pseudonyms_stay_in_their_partitions_of_all_topics() {
    let world = world();
    let mut bench = world.masker(POLICY);
    for key in ["1", "42", "1057", "99999", "123456"] {
        let topic = world.mask(&mut bench, "events/orders", &[&[key]]).expect("masks");
        let table = world.mask(&mut bench, "shop/orders", &[&[key]]).expect("masks");
        assert_eq!(topic[0][0], table[0][0], "one pseudonym everywhere");
        for count in [4, 6, 12] {
            assert_eq!(crc32(&topic[0][0]) % count, crc32(key) % count, "{count}");
        }
    }
}

#[test]
fn what_can_keep_no_partition_is_refused() {
    let refused = |from: &str, to: &str| world().refused(&POLICY.replace(from, to));
    assert!(refused("{ integer: { max: 99999999 } }", "email").contains("POL-027 p.yaml:3:"));
    assert!(refused("crc32", "random").contains("there is no partitioner `random`"));
    assert!(refused("events/bills", "events/ghosts").contains("POL-027 events/ghosts, p.yaml:3:"));
    assert!(refused("events/bills", "bills").contains("a topic is `service/topic`"));
    assert!(
        refused("max: 99999999", "max: 99999999, partition_by: crc32, partitions: 6")
            .contains("`partition_by` already")
    );
    let many = world().partitions("events/bills", 997);
    assert!(many.refused(POLICY).contains("more than 1000 partitions"));
}
