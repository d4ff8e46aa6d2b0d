//! `gender`: a trait of few values, which counting would tell back if one always became the same other.
//!
//! So what it gives does not depend on the value at all: it is drawn for the record's subject, and where the rule names none it is one
//! value for the whole domain.

use std::sync::Arc;

use crate::kernels::draw::Draw;
use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, TakesSubject,
    Unfit,
};

/// `gender`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "gender",
    group: Group::Person,
    doc: "draws one of the field's values, or of a list, for the record's subject, whatever its value is; without a subject all records get the same",
    args: &[ArgSpec {
        name: "values",
        kind: ArgKind::Text,
        doc: "the values, separated by commas; default: those of the field's enumeration, else `F,M,X`",
    }],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps::FORMAT,
        leaks: "whether a value was empty or NULL",
    },
    build: |args: &Args, shapes: &[Shape]| {
        let listed = args.text("values").map(|list| list.split(',').map(|value| value.trim().to_owned()).collect());
        let enumerated = || shapes.iter().find_map(|shape| shape.values.clone());
        let mut values: Vec<String> =
            listed.or_else(enumerated).unwrap_or_else(|| ["F", "M", "X"].map(str::to_owned).to_vec());
        values.sort();
        values.dedup();
        Ok(Arc::new(Gender { values }))
    },
    sample: |n| format!("value {n}"),
    vectors: &[(&[], "female", Some("M")), (&[("values", "female,male,other")], "male", Some("male"))],
};

#[derive(Debug)]
struct Gender {
    values: Vec<String>,
}

impl Mask for Gender {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        match &shape.values {
            Some(allowed) if self.values.iter().any(|value| !allowed.contains(value)) => {
                Err("a value is none of the field's enumeration".to_owned())
            }
            Some(_) => Ok(()),
            None => shape.takes_words(self.values.iter().map(String::as_str)),
        }
    }

    fn subject(&self) -> TakesSubject {
        TakesSubject::May
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        let takes_empty = cell.shape.values.as_ref().is_none_or(|values| values.iter().any(String::is_empty));
        if !text.is_empty() || !takes_empty {
            let mut draw = Draw::new(cell.key, &format!("gender|{}", cell.subject.unwrap_or_default()));
            let list: Vec<&str> = self.values.iter().map(String::as_str).collect();
            out.push_str(draw.of(&list));
        }
        Ok(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use crate::kernels::testing::{build, key};
    use crate::kernels::{Cell, Shape};

    #[test]
    fn the_value_does_not_enter() {
        let mask = build("gender", &[], &[Shape::leaf()]).expect("builds");
        let (key, shape) = (key("d"), Shape::leaf());
        let of = |subject: Option<&str>, text: &str| {
            let mut out = String::new();
            mask.apply(&Cell { key: &key, shape: &shape, subject }, text, &mut out).expect("fits");
            out
        };
        assert_eq!(of(Some("ann"), "F"), of(Some("ann"), "M"));
        assert_eq!(of(None, "F"), of(None, "M"));
        let drawn: std::collections::HashSet<_> = (0..40).map(|n| of(Some(&n.to_string()), "F")).collect();
        assert_eq!(drawn.len(), 3);
    }
}
