//! `email`: an address in reserved space for each address.

use std::sync::Arc;

use crate::kernels::{
    ArgKind, ArgSpec, Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit, base32,
};

/// `email`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "email",
    group: Group::Contact,
    doc: "gives an address whose local part is a keyed hash, in a domain that can't exist (RFC 2606)",
    args: &[ArgSpec {
        name: "at",
        kind: ArgKind::Text,
        doc: "the domain, which must end in `.example`, `.test` or `.invalid`; default `mail.example`",
    }],
    facts: Facts {
        deterministic: true,
        injective: Injective::If("the fields hold 16 characters before the `@`"),
        keeps: Keeps::FORMAT,
        leaks: "which addresses are equal",
    },
    build: |args: &Args, shapes: &[Shape]| {
        let at = args.text("at").unwrap_or("mail.example").to_owned();
        let reserved = [".example", ".test", ".invalid"].iter().any(|end| at.ends_with(end));
        if !reserved && !matches!(at.as_str(), "example.com" | "example.net" | "example.org") {
            return Err(
                "`at` must end in `.example`, `.test` or `.invalid`, so that no mail reaches a person".to_owned()
            );
        }
        let room = Shape::least_room(shapes).unwrap_or(usize::MAX);
        let local = room.saturating_sub(at.len() + 1).clamp(1, 16);
        Ok(Arc::new(Email { at, local }))
    },
    sample: |n| format!("person{n}@corp.com"),
    vectors: &[
        (&[], "ann@corp.com", Some("hw3a3fa23wqbp3zc@mail.example")),
        (&[("at", "shop.test")], "ann@corp.com", Some("hw3a3fa23wqbp3zc@shop.test")),
    ],
};

#[derive(Debug)]
struct Email {
    at: String,
    local: usize,
}

impl Mask for Email {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        shape.takes_text(self.local + 1 + self.at.len())
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees { deterministic: true, injective: self.local >= 16 }
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if !text.is_empty() {
            base32(&cell.key.hash(text.as_bytes()), self.local, out);
            out.push('@');
            out.push_str(&self.at);
        }
        Ok(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{apply, build};

    #[test]
    fn addresses_are_reserved_and_fit() {
        let short = Shape { max_chars: Some(20), ..Shape::leaf() };
        let mask = build("email", &[], std::slice::from_ref(&short)).expect("builds");
        let image = apply(&*mask, "d", "ann@corp.com").expect("some");
        assert!(image.ends_with("@mail.example") && image.len() <= 20, "{image}");
        assert!(!mask.guarantees().injective && mask.fits(&short).is_ok());
        assert!(build("email", &[("at", "gmail.com")], &[]).is_err());
    }
}
