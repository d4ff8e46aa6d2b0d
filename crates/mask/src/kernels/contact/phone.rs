//! `phone`: a telephone number that nobody has.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::kernels::{Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit};

/// `phone`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "phone",
    group: Group::Contact,
    doc: "gives a number of the range 555-0100 to 555-0199, which is reserved for fiction; not for unique fields",
    args: &[],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps::FORMAT,
        leaks: "which numbers are equal, up to collisions",
    },
    build: |_: &Args, shapes: &[Shape]| {
        let room = shapes.iter().filter_map(|s| s.max_chars).min().unwrap_or(12);
        Ok(Arc::new(Phone { international: room >= 12 }))
    },
    sample: |n| format!("+1{n:010}"),
    vectors: &[(&[], "+12025550123", Some("+19745550168"))],
};

#[derive(Debug)]
struct Phone {
    international: bool,
}

impl Mask for Phone {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        shape.takes_text(if self.international { 12 } else { 8 })
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.is_empty() {
            return Ok(Some(()));
        }
        let number = cell.key.number(text.as_bytes());
        // Area codes are 2xx to 9xx and never end in 11.
        let area = 200 + number / 100 % 800;
        let area = if area % 100 == 11 { area + 1 } else { area };
        let line = number % 100;
        let _ = if self.international { write!(out, "+1{area}55501{line:02}") } else { write!(out, "555-01{line:02}") };
        Ok(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{apply, build};

    #[test]
    fn numbers_are_reserved_and_fit() {
        let mask = build("phone", &[], &[Shape::leaf()]).expect("builds");
        for n in 0..500 {
            let image = apply(&*mask, "d", &n.to_string()).expect("some");
            assert!(image.len() == 12 && image.starts_with("+1") && image[5..].starts_with("55501"), "{image}");
        }
        let short = Shape { max_chars: Some(10), ..Shape::leaf() };
        assert!(build("phone", &[], std::slice::from_ref(&short)).expect("builds").fits(&short).is_ok());
    }
}
