//! `geo_point`: coordinates to a coarse grid.
//!
//! Six places after the point are somebody's front door; one is a town.

use std::sync::Arc;

use reenact_model::ValueType;

use crate::kernels::number::{self, Number};
use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit,
};

/// `geo_point`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "geo_point",
    group: Group::Place,
    doc: "rounds a latitude, a longitude, or both in one text (`52.5,13.4`, `(13.4,52.5)`, `POINT(13.4 52.5)`)",
    args: &[ArgSpec {
        name: "places",
        kind: ArgKind::Integer(0, 3),
        doc: "places after the point: 0 is about 111 km, 1 (default) 11 km, 2 1.1 km, 3 110 m",
    }],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps::FORMAT,
        leaks: "the place to the grid's cell, in which very few may live",
    },
    build: |args: &Args, _: &[Shape]| {
        Ok(Arc::new(GeoPoint { places: u32::try_from(args.integer("places").unwrap_or(1)).unwrap_or(1) }))
    },
    sample: |n| format!("{}.{:06},{}.{:06}", n % 90, n * 7 % 1_000_000, n % 180, n * 11 % 1_000_000),
    vectors: &[
        (&[], "52.520008", Some("52.5")),
        (&[], "(13.404954,-52.520008)", Some("(13.4,-52.5)")),
        (&[("places", "0")], "SRID=4326;POINT(13.404954 52.520008)", Some("SRID=4326;POINT(13 53)")),
    ],
};

#[derive(Debug)]
struct GeoPoint {
    places: u32,
}

impl Mask for GeoPoint {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        match shape.value {
            ValueType::Float32 | ValueType::Float64 | ValueType::Decimal => Ok(()),
            ValueType::Text | ValueType::Tagged if shape.values.is_none() => Ok(()),
            ValueType::Other if shape.native == "point" => Ok(()),
            _ => Err(format!("the field's type is `{}`, which holds no coordinates", shape.native)),
        }
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if number::takes(cell.shape).is_ok() && !cell.shape.value.is_text() {
            let rounded = Number::parse(text)?.at(self.places);
            rounded.write_into(cell, self.places, out)?;
            return Ok(Some(()));
        }
        // The words stay, so nothing but a point's may stand there.
        let mut left = text;
        if let Some(rest) = left.strip_prefix("SRID=") {
            let (srid, rest) = rest.split_once(';').ok_or(Unfit("a value is no point"))?;
            if srid.len() > 6 || !srid.bytes().all(|b| b.is_ascii_digit()) {
                return Err(Unfit("a value is no point"));
            }
            out.extend(["SRID=", srid, ";"]);
            left = rest;
        }
        if let Some(rest) = left.strip_prefix("POINT") {
            out.push_str("POINT");
            left = rest;
        }
        let mut numbers = 0;
        while let Some(first) = left.chars().next() {
            if matches!(first, '(' | ')' | ' ' | ',') {
                out.push(first);
                left = &left[1..];
                continue;
            }
            let end = left.find(['(', ')', ' ', ',']).unwrap_or(left.len());
            let rounded = Number::parse(&left[..end]).map_err(|_| Unfit("a value is no point"))?.at(self.places);
            rounded.write(out);
            numbers += 1;
            left = &left[end..];
        }
        match numbers {
            0 if text.is_empty() => {}
            1..=3 => {}
            _ => return Err(Unfit("a value is no point")),
        }
        match cell.shape.room() {
            Some(room) if out.chars().count() > room => Err(Unfit("a result is longer than the field")),
            _ => Ok(Some(())),
        }
    }
}
