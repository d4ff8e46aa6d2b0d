//! `random_code`: a code that is derived from nothing.
//!
//! A keyed hash of an identifier is still derived from it, which some rules exclude (HIPAA's Safe Harbor, 45 CFR 164.514(c)). Here
//! codes are drawn fresh, and which value has which is only in this process's memory, under a keyed fingerprint.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit, base32,
};

/// `random_code`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "random_code",
    group: Group::Identifier,
    doc: "gives each distinct value a code drawn at random, another one in every capture; for fields of one service that nothing refers to, and for no key",
    args: &[ArgSpec {
        name: "length",
        kind: ArgKind::Integer(6, 48),
        doc: "how many base-32 digits, 6 to 48; default 12, or what the shortest of the fields holds",
    }],
    facts: Facts {
        deterministic: false,
        injective: Injective::Always,
        keeps: Keeps::NOTHING,
        leaks: "which values are equal",
    },
    build: |args: &Args, shapes: &[Shape]| {
        let room = Shape::least_room(shapes).unwrap_or(12);
        let length = args.integer("length").map_or(room.min(12), |n| usize::try_from(n).unwrap_or(12));
        if length < 6 {
            return Err("the fields hold no code of 6 digits".to_owned());
        }
        Ok(Arc::new(RandomCode { length, drawn: Mutex::default() }))
    },
    sample: |n| format!("value {n}"),
    vectors: &[],
};

struct RandomCode {
    length: usize,
    drawn: Mutex<Drawn>,
}

#[derive(Default)]
struct Drawn {
    codes: HashMap<[u8; 32], Box<str>>,
    used: HashSet<Box<str>>,
}

impl fmt::Debug for RandomCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RandomCode({})", self.length)
    }
}

impl Mask for RandomCode {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        shape.takes_text(self.length)
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees { deterministic: false, injective: true }
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.is_empty() {
            return Ok(Some(()));
        }
        let print = cell.key.hash(text.as_bytes());
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(code) = drawn.codes.get(&print) {
            out.push_str(code);
            return Ok(Some(()));
        }
        // Six digits are 2^30 codes: they run out after many draws in vain.
        for _ in 0..64 {
            let mut random = [0; 32];
            getrandom::fill(&mut random).map_err(|_| Unfit("the operating system gives no randomness"))?;
            out.clear();
            base32(&random, self.length, out);
            if drawn.used.insert(out.as_str().into()) {
                drawn.codes.insert(print, out.as_str().into());
                return Ok(Some(()));
            }
        }
        Err(Unfit("there are more values than codes of this length"))
    }
}

#[cfg(test)]
mod tests {
    use crate::kernels::Shape;
    use crate::kernels::testing::{apply, build};

    #[test]
    fn a_value_keeps_its_code_within_one_capture_only() {
        let first = build("random_code", &[], &[Shape::leaf()]).expect("builds");
        let second = build("random_code", &[], &[Shape::leaf()]).expect("builds");
        let code = apply(&*first, "d", "ann").expect("some");
        assert_eq!(code.len(), 12);
        assert_eq!(apply(&*first, "d", "ann").as_deref(), Some(code.as_str()));
        assert_ne!(apply(&*first, "d", "bob").as_deref(), Some(code.as_str()));
        assert_ne!(apply(&*second, "d", "ann").as_deref(), Some(code.as_str()));
        assert!(!first.guarantees().deterministic);
        assert!(!format!("{first:?}").contains(&code));
    }
}
