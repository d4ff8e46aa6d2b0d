//! What is written comes back, and the same rows give the same bytes.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{Float64Type, Int64Type};
use parquet::basic::Encoding;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use reenact_model::{Class, Entity, EntityId, Field, ValueType, Via};

use super::{Fixture, Numbers, contents, entity, masked, named, rows};
use crate::seal::{HEADER, SEALED_SEGMENT};
use crate::unseal::Chunks;
use crate::{Bundle, MemberId, Sealed};

fn read(bundle: &Bundle, entity: &Entity) -> (RecordBatch, Vec<(Via, usize)>) {
    let read: Vec<_> = bundle.rows(&entity.id).unwrap().collect::<Result<_, _>>().unwrap();
    assert!(read.iter().all(|rows| rows.batch().num_rows() <= 65_536 && rows.batch().num_rows() > 0));
    let batches: Vec<RecordBatch> = read.iter().map(|rows| rows.batch().clone()).collect();
    let names: Vec<String> = entity.writable().map(|field| field.name.clone()).collect();
    let batch = concat_batches(&entity.schema_of(&names), &batches).unwrap();
    (batch, read.iter().map(|rows| (rows.via(), rows.batch().num_rows())).collect())
}

fn payload(fixture: &Fixture, id: &MemberId) -> Vec<u8> {
    let unsealed = opener(fixture, id);
    unsealed.read(0, usize::try_from(unsealed.length()).unwrap()).unwrap().to_vec()
}

fn opener(fixture: &Fixture, id: &MemberId) -> crate::unseal::Unsealed {
    fixture.open().unwrap().opener().open(id).unwrap()
}

fn footer(fixture: &Fixture, id: &MemberId) -> ParquetMetaData {
    ParquetMetaDataReader::new().parse_and_finish(&Chunks(Arc::new(opener(fixture, id)))).unwrap()
}

#[test]
fn every_form_of_value_comes_back_over_many_row_groups() {
    let (fixture, entity) = (Fixture::new(), entity("public.everything"));
    let whole = rows(&entity, 200_000, 7);
    let writer = fixture.writer();
    let mut member = writer.member(&entity).unwrap();
    let mut numbers = Numbers(1);
    let (mut at, mut ways) = (0, Vec::new());
    while at < whole.num_rows() {
        let length = (1 + numbers.below(70_000)).min(whole.num_rows() - at);
        let via = Via::edge(numbers.below(5), numbers.below(2) == 0, 3);
        member.write(&masked(&entity, whole.slice(at, length), via)).unwrap();
        ways.extend(std::iter::repeat_n(via, length));
        at += length;
    }
    assert!(member.bytes() > 100_000);
    let reread = member.reread();
    let sealed = member.seal().unwrap();
    assert_eq!(sealed.digest.count, 200_000);

    // The writer reads some columns of it again, before it is part of a bundle.
    let written = reread.open(&sealed).unwrap();
    let last = whole.schema().fields().last().unwrap().name().clone();
    let mut again = Vec::new();
    for group in 0..written.groups() {
        let take = &mut |batch: &RecordBatch| {
            again.push(batch.clone());
            Ok(())
        };
        written.group(group, std::slice::from_ref(&last), take).unwrap();
    }
    assert!(written.groups() > 1 && again.iter().all(|batch| batch.num_columns() == 1));
    let again = concat_batches(&again[0].schema(), &again).unwrap();
    let plain = arrow::compute::cast(again.column(0), &arrow::datatypes::DataType::Utf8).unwrap();
    assert_eq!(&plain, whole.column_by_name(&last).unwrap());
    assert!(reread.open(&Sealed { commitment: "00".repeat(32), ..sealed.clone() }).is_err());
    let described = contents(std::slice::from_ref(&entity), std::slice::from_ref(&sealed));
    let id = writer.finish(vec![sealed], &described, &fixture.signer, None).unwrap();

    let bundle = fixture.open().unwrap();
    assert_eq!(*bundle.id(), id);
    assert_eq!(*bundle.contents(), described);
    assert_eq!(*bundle.signer(), fixture.signer.public());
    let (read, runs) = read(&bundle, &entity);
    assert_eq!(read.num_rows(), whole.num_rows());
    for (field, (a, b)) in read.schema().fields().iter().zip(read.columns().iter().zip(whole.columns())) {
        // NaN has bits, too.
        if let (Some(a), Some(b)) = (a.as_primitive_opt::<Float64Type>(), b.as_primitive_opt::<Float64Type>()) {
            assert!(a.iter().zip(b).all(|(a, b)| a.map(f64::to_bits) == b.map(f64::to_bits)));
        } else if field.data_type() != &arrow::datatypes::DataType::Float32 {
            assert_eq!(a, b, "{field}");
        }
    }
    let read_ways: Vec<Via> = runs.iter().flat_map(|(via, length)| std::iter::repeat_n(*via, *length)).collect();
    assert!(read_ways == ways);
    assert!(footer(&fixture, &fixture.member()).num_row_groups() > 1);

    let verified = bundle.verify().unwrap();
    assert_eq!(verified.members, 1);
    assert_eq!(verified.entities[&entity.id].count, 200_000);
}

#[test]
fn how_batches_were_cut_does_not_enter_the_bytes() {
    let (entity, whole) = (entity("t"), rows(&entity("t"), 30_000, 3));
    let written = |cuts: &[usize]| {
        let fixture = Fixture::new();
        let writer = fixture.writer();
        let mut member = writer.member(&entity).unwrap();
        let mut at = 0;
        for cut in cuts.iter().copied().cycle() {
            let length = cut.min(whole.num_rows() - at);
            member.write(&masked(&entity, whole.slice(at, length), Via::root(0))).unwrap();
            at += length;
            if at == whole.num_rows() {
                break;
            }
        }
        let sealed = member.seal().unwrap();
        let described = contents(std::slice::from_ref(&entity), std::slice::from_ref(&sealed));
        writer.finish(vec![sealed.clone()], &described, &fixture.signer, None).unwrap();
        (payload(&fixture, &sealed.id), fixture.bytes(&sealed.id))
    };
    let (plain, file) = written(&[30_000]);
    for cuts in [&[30_000][..], &[8192], &[1, 4095, 9000], &[777]] {
        let (again, other) = written(cuts);
        assert!(plain == again, "{cuts:?}");
        assert!(file != other, "a fresh key gives other bytes");
    }
}

#[test]
fn wide_rows_are_bounded_by_bytes() {
    let fixture = Fixture::new();
    let entity = named("wide", vec![Field::new("text", ValueType::Text, "text")]);
    let wide =
        |n: usize| Some(if n.is_multiple_of(3) { "same".repeat(1 << 18) } else { format!("{n}").repeat(300_000) });
    let column = Arc::new((0..120).map(wide).collect::<StringArray>()) as ArrayRef;
    let batch = RecordBatch::try_new(entity.schema(), vec![column]).unwrap();
    let writer = fixture.writer();
    let mut member = writer.member(&entity).unwrap();
    member.write(&masked(&entity, batch.clone(), Via::root(2))).unwrap();
    let sealed = member.seal().unwrap();
    let described = contents(std::slice::from_ref(&entity), std::slice::from_ref(&sealed));
    writer.finish(vec![sealed], &described, &fixture.signer, None).unwrap();
    let bundle = fixture.open().unwrap();
    let (back, runs) = read(&bundle, &entity);
    assert!(back == batch);
    assert!(runs.len() > 1 && runs.iter().all(|(via, rows)| *via == Via::root(2) && *rows < 100), "{runs:?}");
}

#[test]
fn an_entity_may_have_no_rows_no_member_or_no_columns() {
    let fixture = Fixture::new();
    let (empty, absent, bare) = (entity("empty"), entity("absent"), named("bare", Vec::new()));
    let writer = fixture.writer();
    let none = writer.member(&empty).unwrap().seal().unwrap();
    let mut member = writer.member(&bare).unwrap();
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(3));
    let batch = RecordBatch::try_new_with_options(bare.schema(), Vec::new(), &options).unwrap();
    member.write(&masked(&bare, batch, Via::root(1))).unwrap();
    let three = member.seal().unwrap();
    let kept = vec![none, three];
    let described = contents(&[empty.clone(), absent.clone(), bare.clone()], &kept);
    writer.finish(kept, &described, &fixture.signer, None).unwrap();
    let bundle = fixture.open().unwrap();
    assert_eq!(bundle.rows(&empty.id).unwrap().count(), 0);
    assert_eq!(bundle.rows(&absent.id).unwrap().count(), 0);
    let counts: Vec<usize> = bundle.rows(&bare.id).unwrap().map(|rows| rows.unwrap().batch().num_rows()).collect();
    assert_eq!(counts, [3]);
    assert_eq!(bundle.rows(&EntityId::new("secretservice", "no")).unwrap_err().class(), Class::Input);
    assert_eq!(bundle.verify().unwrap().entities[&bare.id].count, 3);
}

#[test]
fn members_of_one_entity_are_read_in_the_order_of_the_contents() {
    let fixture = Fixture::new();
    let entity = named("t", vec![Field::new("id", ValueType::Int64, "bigint")]);
    let writer = Arc::new(fixture.writer());
    let threads: Vec<_> = (0..4_i64)
        .map(|n| {
            let (writer, entity) = (Arc::clone(&writer), Arc::clone(&entity));
            std::thread::spawn(move || {
                let ids = Arc::new(Int64Array::from_iter_values(n * 10..n * 10 + 10)) as ArrayRef;
                let batch = RecordBatch::try_new(entity.schema(), vec![ids]).unwrap();
                let mut member = writer.member(&entity).unwrap();
                member.write(&masked(&entity, batch, Via::root(0))).unwrap();
                member.seal().unwrap()
            })
        })
        .collect();
    let sealed: Vec<Sealed> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let described = contents(std::slice::from_ref(&entity), &sealed);
    writer.finish(sealed.into_iter().rev().collect(), &described, &fixture.signer, None).unwrap();
    let (read, _) = read(&fixture.open().unwrap(), &entity);
    assert_eq!(read.column(0).as_primitive::<Int64Type>().values().to_vec(), (0..40).collect::<Vec<i64>>());
}

#[test]
fn a_stranger_sees_padded_sizes_and_no_names() {
    let (fixture, entities) = (Fixture::new(), [entity("public.customers"), entity("public.orders")]);
    fixture.write(&entities, 100);
    let mut everything = fixture.place.manifest().unwrap();
    for member in &fixture.manifest().members {
        assert_eq!((member.size - HEADER as u64) % SEALED_SEGMENT as u64, 0);
        everything.extend(fixture.bytes(&member.id));
    }
    assert_eq!(fixture.manifest().members.len(), 3);
    let seen = |text: &str| everything.windows(text.len()).any(|window| window == text.as_bytes());
    for name in ["customers", "orders", "public", "secretservice", "field_1", "native", "exact", "records", "PAR1"] {
        assert!(!seen(name), "{name}");
    }
    assert!(seen("reenact-bundle") && seen("RNCT1"));
}

#[test]
fn the_file_holds_no_statistics_and_dictionaries_only_where_they_pay() {
    let fixture = Fixture::new();
    let fields = vec![
        Field::new("id", ValueType::Int64, "bigint"),
        Field::new("mail", ValueType::Text, "text"),
        Field::new("state", ValueType::Text, "text"),
    ];
    let entity = named("t", fields);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(0..20_000)),
        Arc::new(StringArray::from_iter_values((0..20_000).map(|n| format!("{n}@example.org")))),
        Arc::new(StringArray::from_iter_values((0..20_000).map(|n| format!("state {}", n % 7)))),
    ];
    let writer = fixture.writer();
    let mut member = writer.member(&entity).unwrap();
    member.write(&masked(&entity, RecordBatch::try_new(entity.schema(), columns).unwrap(), Via::root(0))).unwrap();
    let sealed = member.seal().unwrap();
    let described = contents(std::slice::from_ref(&entity), std::slice::from_ref(&sealed));
    writer.finish(vec![sealed], &described, &fixture.signer, None).unwrap();
    let footer = footer(&fixture, &fixture.member());
    assert!(footer.file_metadata().key_value_metadata().is_none());
    assert_eq!(footer.file_metadata().created_by(), Some("reenact version 1.0.0"));
    let group = footer.row_group(0);
    let dictionary: Vec<bool> = group.columns().iter().map(|c| c.dictionary_page_offset().is_some()).collect();
    assert_eq!(dictionary, [false, false, true, true, true]);
    assert!(group.column(0).encodings().any(|encoding| encoding == Encoding::DELTA_BINARY_PACKED));
    assert!(group.columns().iter().all(|column| column.statistics().is_none()));
    assert!(group.column(3).compressed_size() + group.column(4).compressed_size() < 200, "hidden columns are free");
}
