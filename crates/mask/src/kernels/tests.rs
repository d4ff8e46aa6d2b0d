//! The property suite: whatever stands in [`MASKS`] is held to what it declares.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reenact_model::ValueType;
use reenact_model::canonical::{self, Reader, Writer};

use super::testing::{apply, build, key, try_apply};
use super::*;
use crate::domain::DomainKey;

/// How many values of each mask are tried: optimised, a million.
const COUNT: u64 = if cfg!(debug_assertions) { 100_000 } else { 1_000_000 };
/// After so long, a mask that is slow when it is not optimised has been tried enough.
const PATIENCE: Duration = Duration::from_secs(if cfg!(debug_assertions) { 1 } else { 3_600 });

/// The arguments of a mask's first known answer, which are those that it requires.
fn required(spec: &MaskSpec) -> Vec<(&'static str, &'static str)> {
    spec.vectors.first().map_or_else(Vec::new, |(args, ..)| args.to_vec())
}

fn mask_of(spec: &MaskSpec) -> Arc<dyn Mask> {
    build(spec.name, &required(spec), &[Shape::leaf()]).expect("builds")
}

/// A mask under one key on one field: many values are faster that way.
struct Bench<'a> {
    mask: &'a dyn Mask,
    key: DomainKey,
    shape: Shape,
}

impl<'a> Bench<'a> {
    fn new(mask: &'a dyn Mask) -> Self {
        Self { mask, key: key("d"), shape: Shape::leaf() }
    }

    fn of(&self, text: &str) -> Result<Option<String>, Unfit> {
        let mut out = String::new();
        let cell = Cell { key: &self.key, shape: &self.shape, subject: Some("subject") };
        Ok(self.mask.apply(&cell, text, &mut out)?.map(|()| out))
    }
}

/// Runs a check for every mask, on all processors.
fn for_all(check: impl Fn(&'static MaskSpec) + Sync) {
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(spec) = MASKS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    check(spec);
                }
            });
        }
    });
}

#[test]
fn there_are_masks_for_every_group_and_names_are_unique() {
    let names: BTreeSet<&str> = MASKS.iter().map(|spec| spec.name).collect();
    assert_eq!(names.len(), MASKS.len());
    assert!(names.len() >= 48, "{}", names.len());
    let groups: BTreeSet<Group> = MASKS.iter().map(|spec| spec.group).collect();
    assert_eq!(groups.len(), 12);
    for spec in MASKS {
        assert!(!spec.doc.ends_with('.') && !spec.facts.leaks.is_empty(), "{}", spec.name);
        assert!(spec.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{}", spec.name);
        for (args, ..) in spec.vectors {
            for (name, value) in *args {
                let arg = spec.args.iter().find(|arg| arg.name == *name).expect("a known argument");
                assert_eq!(arg.kind.check(value), Ok(()), "{}: {name}", spec.name);
            }
        }
    }
}

#[test]
fn every_mask_gives_its_known_answers() {
    let mut wrong = String::new();
    for spec in MASKS {
        for (args, input, expected) in spec.vectors {
            let mask = build(spec.name, args, &[Shape::leaf()]).expect("builds");
            let found = apply(&*mask, "vectors", input);
            if found.as_deref() != *expected {
                let _ = writeln!(wrong, "{}: ({args:?}, {input:?}, {found:?}),", spec.name);
            }
        }
        if spec.vectors.len() < 2 && spec.facts.deterministic {
            let _ = writeln!(wrong, "{} has too few", spec.name);
        }
    }
    assert!(wrong.is_empty(), "known answers have changed:\n{wrong}");
}

/// Which of two results is the greater, whatever they are.
fn order(a: &str, b: &str) -> std::cmp::Ordering {
    if let (Ok(a), Ok(b)) = (a.parse::<IpAddr>(), b.parse::<IpAddr>()) {
        return a.cmp(&b);
    }
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => a.total_cmp(&b),
        _ => a.cmp(b),
    }
}

/// A text as collations see it that ignore case and spaces at the end.
fn folded(text: &str) -> String {
    text.trim_end().to_lowercase()
}

#[test]
fn every_mask_holds_what_it_declares() {
    for_all(|spec| {
        let mask = mask_of(spec);
        let guarantees = mask.guarantees();
        let bench = Bench::new(&*mask);
        let mut seen: HashMap<String, u64> = HashMap::new();
        let mut before: Option<(String, String)> = None;
        let start = Instant::now();
        for n in (0..COUNT).take_while(|_| start.elapsed() < PATIENCE) {
            let input = (spec.sample)(n);
            let Some(output) = bench.of(&input).unwrap_or_else(|why| panic!("{}: {why:?}: {input}", spec.name)) else {
                continue;
            };
            if spec.facts.keeps.length {
                assert_eq!(output.chars().count(), input.chars().count(), "{}: keeps length", spec.name);
            }
            if spec.facts.keeps.order {
                if let Some((less, image)) = &before {
                    let (inputs, outputs) = (order(less, &input), order(image, &output));
                    assert!(outputs.is_eq() || inputs == outputs, "{}: keeps order: {less} {input}", spec.name);
                }
                before = Some((input.clone(), output.clone()));
            }
            // A unique field may take upper and lower case for one, and spaces at the end for none: values that it tells apart
            // must have results that it tells apart.
            if guarantees.injective
                && let Some(other) = seen.insert(folded(&output), n)
            {
                assert_eq!(folded(&(spec.sample)(other)), folded(&input), "{}: injective", spec.name);
            }
        }
        match spec.facts.injective {
            Injective::Always => assert!(guarantees.injective, "{}", spec.name),
            Injective::Never => assert!(!guarantees.injective, "{}", spec.name),
            Injective::If(_) => {}
        }
        assert_eq!(guarantees.deterministic, spec.facts.deterministic, "{}", spec.name);
    });
}

#[test]
fn injective_by_argument_is_injective() {
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("card_number", &[("bin", "keep")]),
        ("card_number", &[("bin", "permute")]),
        ("card_number", &[("bin", "keep"), ("valid", "true")]),
        ("us_ssn", &[("valid", "true")]),
        ("phone", &[("country", "none")]),
        ("username", &[("digits", "16")]),
        ("template", &[("form", "####-####-####-####-####")]),
        ("alnum", &[]),
    ];
    for (name, args) in cases {
        let mask = build(name, args, &[Shape::leaf()]).expect("builds");
        assert!(mask.guarantees().injective, "{name}");
        let (bench, sample) = (Bench::new(&*mask), find(name).expect("a mask").sample);
        let mut seen: HashMap<String, u64> = HashMap::new();
        for n in 0..COUNT / 50 {
            if let Some(other) = seen.insert(bench.of(&sample(n)).expect("fits").expect("some"), n) {
                assert_eq!(sample(other), sample(n), "{name}");
            }
        }
    }
}

#[test]
fn equal_inputs_are_equal_for_fresh_masks_in_any_order() {
    for_all(|spec| {
        let (one, other) = (mask_of(spec), mask_of(spec));
        if !one.guarantees().deterministic {
            return;
        }
        let (one, other) = (Bench::new(&*one), Bench::new(&*other));
        let start = Instant::now();
        let some = (0..COUNT / 20).take_while(|_| start.elapsed() < PATIENCE / 4);
        let forward: Vec<_> = some.map(|n| one.of(&(spec.sample)(n))).collect();
        for (n, image) in forward.iter().enumerate().rev() {
            assert_eq!(*image, other.of(&(spec.sample)(n as u64)), "{}", spec.name);
        }
    });
}

#[test]
fn domains_are_unrelated() {
    // Of a handful of values, some meet by chance.
    let large = |spec: &MaskSpec| (spec.sample)(0) != (spec.sample)(4);
    for spec in MASKS.iter().filter(|spec| spec.facts.injective != Injective::Never && large(spec)) {
        let mask = mask_of(spec);
        let same = (0..200).map(spec.sample).filter(|text| apply(&*mask, "a", text) == apply(&*mask, "b", text));
        assert!(same.count() <= 3, "{}", spec.name);
    }
}

#[test]
fn empty_stays_empty_where_nothing_else_is_said() {
    for spec in MASKS {
        let mask = mask_of(spec);
        match spec.name {
            "null" | "constant" | "redact" | "integer" | "shuffle" => {}
            name => assert_eq!(apply(&*mask, "a", ""), Some(String::new()), "{name}"),
        }
    }
}

#[test]
fn what_is_unfit_is_no_value_and_is_never_copied() {
    let canary = "CANARY";
    let strange = [
        "CANARY",
        "2026-11-23 CANARY",
        "42 CANARY",
        "CANARY\u{e9}",
        "\u{0}CANARY\u{0}",
        "https://CANARY@h/CANARY",
        "8.8.8.8/CANARY",
        "POINT(1 2)CANARY",
        "SRID=CANARY;POINT(1 2)",
        "DE89CANARY",
        "+1CANARY",
        "\\xCANARY",
        "9223372036854775808",
        "-9223372036854775808",
        "1e400",
        "NaN",
        "-",
        "+",
        ".",
        "/",
        "\u{661}\u{662}\u{663}",
        "\u{202e}4111",
    ];
    // What these keep of a text is in their fact sheets.
    let keep = ["truncate", "keep_ends", "spans", "postcode"];
    for spec in MASKS.iter().filter(|spec| !keep.contains(&spec.name)) {
        let mask = mask_of(spec);
        for text in strange.iter().map(|text| (*text).to_owned()).chain(["9".repeat(5_000), "\u{e4}x".repeat(3_000)]) {
            if let Ok(Some(image)) = try_apply(&*mask, "d", &text) {
                assert!(!image.to_uppercase().contains(canary), "{}: {text}", spec.name);
                assert!(image.len() < 4 * text.len() + 300, "{}", spec.name);
            }
        }
    }
}

/// Fields of many kinds.
fn shapes() -> Vec<Shape> {
    let of = |value, native: &str| Shape { value, native: native.to_owned(), ..Shape::leaf() };
    let ranged = |value, native, range| Shape { range: Some(range), ..of(value, native) };
    let mut all = vec![
        Shape::leaf(),
        of(ValueType::Bool, "boolean"),
        ranged(ValueType::Int16, "tinyint", (-128, 127)),
        ranged(ValueType::Int16, "smallint", (-32_768, 32_767)),
        ranged(ValueType::Int32, "integer", (i32::MIN.into(), i32::MAX.into())),
        ranged(ValueType::Int64, "bigint", (i64::MIN, i64::MAX)),
        ranged(ValueType::UInt64, "bigint unsigned", (0, i64::MAX)),
        ranged(ValueType::Int32, "integer", (1, 5)),
        ranged(ValueType::Int64, "bigint", (18, 120)),
        ranged(ValueType::Int16, "smallint", (-9, 9)),
        ranged(ValueType::Int32, "integer", (-7, -3)),
        of(ValueType::Float32, "real"),
        of(ValueType::Float64, "double precision"),
        of(ValueType::Decimal, "numeric"),
        of(ValueType::Decimal, "numeric(6,2)"),
        of(ValueType::Decimal, "numeric(3,0)"),
        of(ValueType::Decimal, "numeric(19,0)"),
        of(ValueType::Json, "jsonb"),
        of(ValueType::Uuid, "uuid"),
        of(ValueType::Bytes, "bytea"),
        of(ValueType::Bytes, "varbinary(8)"),
        of(ValueType::Bytes, "binary(40)"),
        of(ValueType::Bytes, "tinyblob"),
        of(ValueType::Text, "tinytext"),
        of(ValueType::Date, "date"),
        of(ValueType::Time, "time without time zone"),
        of(ValueType::Timestamp, "timestamp without time zone"),
        of(ValueType::TimestampUtc, "timestamp with time zone"),
        of(ValueType::Tagged, ""),
        Shape { max_chars: Some(6), ..of(ValueType::Tagged, "") },
        Shape { values: Some(["yes", "no"].map(str::to_owned).to_vec()), ..of(ValueType::Tagged, "") },
        Shape {
            values: Some(["new", "paid", "sent", "back"].map(str::to_owned).to_vec()),
            ..of(ValueType::Text, "state")
        },
    ];
    all.extend(
        ["inet", "cidr", "macaddr", "point", "date", "datetime", "interval", "tsvector", "integer[]"]
            .map(|native| of(ValueType::Other, native)),
    );
    all.extend(
        [1, 2, 3, 5, 8, 10, 12, 15, 20, 40, 255]
            .map(|max| Shape { max_chars: Some(max), ..of(ValueType::Text, "varchar") }),
    );
    all.extend(
        [of(ValueType::Text, "text"), of(ValueType::Int64, "bigint"), of(ValueType::Other, "tsvector")]
            .map(|shape| Shape { nullable: false, ..shape }),
    );
    all
}

/// What is wrong with a result in a field.
fn wrong(shape: &Shape, result: Option<&str>) -> Option<&'static str> {
    let Some(text) = result else { return (!shape.nullable).then_some("NULL") };
    let Some(column) = written(shape, text) else { return Some("no form in the type") };
    if shape.values.as_ref().is_some_and(|values| !values.iter().any(|value| value == text)) {
        return Some("not in the enumeration");
    }
    if shape.max_chars.is_some_and(|max| text.chars().count() > max as usize) {
        return Some("too many characters");
    }
    if shape.native == "tinytext" && text.len() > 255 {
        return Some("too many bytes");
    }
    if shape.value == ValueType::Bytes
        && shape.room().is_some_and(|room| canonical::bytes_of(text).map_or(0, |b| b.len()) > room)
    {
        return Some("too many bytes");
    }
    if let Some((least, most)) = shape.range
        && !column.parse::<i64>().is_ok_and(|n| (least..=most).contains(&n))
    {
        return Some("out of range");
    }
    if let Some((digits, scale)) = shape.decimals() {
        let (whole, places) =
            text.trim_start_matches('-').split_once('.').unwrap_or((text.trim_start_matches('-'), ""));
        if places.len() != scale as usize || whole.trim_start_matches('0').len() > (digits - scale) as usize {
            return Some("not what the server would tell");
        }
    }
    let fits = match (shape.value, shape.native.as_str()) {
        (ValueType::Other, "inet") => text.split('/').next().is_some_and(|ip| ip.parse::<IpAddr>().is_ok()),
        (ValueType::Other, "cidr") => text.contains('/') || text.parse::<IpAddr>().is_ok(),
        (ValueType::Other, "macaddr") => text.len() == 17 && text.split(':').count() == 6,
        (ValueType::Other, "point") => text.starts_with('(') && text.ends_with(')') && text.split(',').count() == 2,
        (ValueType::Other, "date" | "datetime") => canonical::parse_timestamp(text).is_some(),
        (ValueType::Json, _) => serde_json::from_str::<serde_json::Value>(text).is_ok(),
        (ValueType::Uuid, _) => text.len() == 36 && text.split('-').count() == 5,
        _ => true,
    };
    (!fits).then_some("not of the type")
}

/// A text as a column of a shape gives it back.
fn written(shape: &Shape, text: &str) -> Option<String> {
    let mut writer = Writer::new(shape.value, 1);
    writer.push(text, b't').ok()?;
    Reader::new(&writer.finish(), shape.value).get(0).map(std::borrow::Cow::into_owned)
}

#[test]
fn results_are_valid_in_every_field_that_a_mask_says_it_fits() {
    let shapes = shapes();
    for_all(|spec| {
        let (mut fitted, mut given) = (0, 0);
        for shape in &shapes {
            let Ok(mask) = build(spec.name, &required(spec), std::slice::from_ref(shape)) else { continue };
            if mask.fits(shape).is_err() {
                continue;
            }
            fitted += 1;
            let bench = Bench { mask: &*mask, key: key("d"), shape: shape.clone() };
            // What such a field may hold: values of the mask's own kind, and of others.
            let own = (0..20).map(spec.sample);
            let others = MASKS.iter().map(|other| (other.sample)(7));
            for input in own.chain(others).chain(["0", "-1", "(13.404954,52.520008)"].map(str::to_owned)) {
                if wrong(shape, Some(&input)).is_some() && shape.values.is_none() {
                    continue;
                }
                let Ok(result) = bench.of(&input) else { continue };
                given += 1;
                let why = wrong(shape, result.as_deref());
                // A constant of a type that travels as text is for the server to judge.
                if spec.name == "constant" && shape.value == ValueType::Other {
                    continue;
                }
                assert_eq!(why, None, "{}: {input:?} gives {result:?} in {shape:?}", spec.name);
            }
        }
        assert!(fitted > 0 && given > 0, "{} fits no field", spec.name);
    });
}

/// A mask, its arguments, the fields that share it, and spellings of one value.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [Shape], &'a [&'a str]);

#[test]
fn equal_values_have_one_pseudonym_whatever_their_type() {
    let number = |value, native: &str| Shape { value, native: native.to_owned(), ..Shape::leaf() };
    let numbers = [
        number(ValueType::Int32, "integer"),
        number(ValueType::Int64, "bigint"),
        number(ValueType::Decimal, "numeric(12,2)"),
        Shape::leaf(),
    ];
    let dates = [number(ValueType::Date, "date"), number(ValueType::Other, "date"), Shape::leaf()];
    let uuids = [number(ValueType::Uuid, "uuid"), Shape::leaf()];
    let cases: &[Case<'_>] = &[
        ("integer", &[], &numbers, &["42", "42.00", "0042"]),
        ("bucket", &[("width", "10")], &numbers, &["42", "42.00", "0042"]),
        ("noise", &[("most", "9")], &numbers, &["42", "042"]),
        ("top_code", &[("most", "9")], &numbers, &["42", "42.00"]),
        ("age", &[], &numbers, &["42", "42.00"]),
        ("date_shift", &[], &dates, &["2026-11-23"]),
        ("subject_shift", &[], &dates, &["2026-11-23"]),
        ("date_truncate", &[], &dates, &["2026-11-23"]),
        ("birth_date", &[], &dates, &["1984-11-23"]),
        ("uuid", &[], &uuids, &["ab13dfae-6276-45da-a05f-11193ceaaf30", "AB13DFAE-6276-45DA-A05F-11193CEAAF30"]),
        ("uuidv7", &[], &uuids, &["017f22e2-79b0-7cc3-98c4-dc0c0c07398f"]),
    ];
    for (name, args, shapes, spellings) in cases {
        let mask = build(name, args, shapes).expect("builds");
        let mut images = BTreeSet::new();
        for shape in *shapes {
            assert_eq!(mask.fits(shape), Ok(()), "{name}: {shape:?}");
            let bench = Bench { mask: &*mask, key: key("d"), shape: shape.clone() };
            for text in *spellings {
                let image = bench.of(text).expect("fits").expect("some");
                images.insert(canonical::number(&written(shape, &image).expect("fits")).into_owned());
            }
        }
        assert_eq!(images.len(), 1, "{name}: {images:?}");
    }
}
