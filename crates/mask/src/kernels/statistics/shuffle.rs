//! `shuffle`: the values of a short list, each replaced by another.

use std::sync::{Arc, Mutex, PoisonError};

use reenact_model::ValueType;

use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit,
};

/// `shuffle`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "shuffle",
    group: Group::Statistics,
    doc: "replaces each value of an enumeration, or of a list, by another one under the domain's key, and no two by the same; any other value is refused",
    args: &[ArgSpec {
        name: "values",
        kind: ArgKind::Text,
        doc: "the values, separated by commas; default: those of the field's enumeration",
    }],
    facts: Facts {
        deterministic: true,
        injective: Injective::Always,
        keeps: Keeps::FORMAT,
        leaks: "how often each value occurs, which often tells which is which, and of two values everything",
    },
    build: |args: &Args, shapes: &[Shape]| {
        let mut values: Vec<String> = if let Some(list) = args.text("values") {
            list.split(',').map(|value| value.trim().to_owned()).collect()
        } else {
            let enumerations = || shapes.iter().filter_map(|shape| shape.values.as_ref());
            let first =
                enumerations().next().ok_or("the field is no enumeration, so it needs the argument `values`")?;
            if enumerations().any(|other| other != first) {
                return Err("the fields have different enumerations; give `values`".to_owned());
            }
            first.clone()
        };
        // The order of a list must not decide what becomes of a value.
        values.sort();
        values.dedup();
        if values.len() < 2 || values.len() > 10_000 {
            return Err("it needs from 2 to 10000 values".to_owned());
        }
        Ok(Arc::new(Shuffle { values, order: Mutex::default() }))
    },
    sample: |n| ["new", "paid", "sent", "back"][usize::try_from(n % 4).unwrap_or(0)].to_owned(),
    vectors: &[
        (&[("values", "new, paid, sent, back")], "paid", Some("sent")),
        (&[("values", "new, paid, sent, back")], "new", Some("back")),
    ],
};

#[derive(Debug)]
struct Shuffle {
    values: Vec<String>,
    /// The values of the key that was used last, in the order of their keyed hashes.
    order: Mutex<Option<(u64, Vec<String>)>>,
}

impl Mask for Shuffle {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        if let Some(allowed) = &shape.values {
            let stranger = self.values.iter().any(|value| !allowed.contains(value));
            return if stranger { Err("a value is none of the field's enumeration".to_owned()) } else { Ok(()) };
        }
        match shape.value {
            ValueType::Text | ValueType::Tagged => shape.takes_words(self.values.iter().map(String::as_str)),
            ValueType::Bool if self.values == ["false", "true"] => Ok(()),
            _ => Err(format!("the field's type is `{}`, and the list is text", shape.native)),
        }
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::PSEUDONYM
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        let id = cell.key.number(b"self");
        let mut order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(&*order, Some((known, _)) if *known == id) {
            let mut values = self.values.clone();
            values.sort_by_cached_key(|value| cell.key.hash(value.as_bytes()));
            *order = Some((id, values));
        }
        let values = order.as_ref().map_or(&[][..], |(_, values)| values);
        // One cycle through all of them: no value stays what it was.
        let at = values.iter().position(|value| value == text).ok_or(Unfit("a value is none of the list"))?;
        out.push_str(&values[(at + 1) % values.len()]);
        Ok(Some(()))
    }
}
