//! Words out of short lists: names, towns, streets.
//!
//! Hidden here: how lists are cut to what fields hold. A keyed hash chooses, so one value always gives one invention, and many values
//! share one.

use std::fmt;
use std::sync::Arc;

use reenact_model::ValueType;

use super::draw::Draw;
use super::{Cell, Guarantees, Mask, Shape, Unfit};

/// The fewest words that a list may be cut to.
const FEWEST: usize = 8;

/// Puts chosen words together.
pub(super) type Glue = fn(&mut Draw<'_>, &[&str], &mut String);

/// A word out of each list, glued.
pub(super) struct Invented {
    lists: Vec<Vec<&'static str>>,
    glue: Glue,
    /// The longest result, in characters and in bytes.
    longest: (usize, usize),
}

impl fmt::Debug for Invented {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Invented")
    }
}

/// The first word, alone.
pub(super) fn alone(_: &mut Draw<'_>, words: &[&str], out: &mut String) {
    out.push_str(words[0]);
}

impl Invented {
    /// Takes what fits all fields; `extra` is the most characters that the glue adds.
    pub(super) fn build(
        lists: &[&'static [&'static str]],
        extra: usize,
        glue: Glue,
        shapes: &[Shape],
    ) -> Result<Arc<dyn Mask>, String> {
        let bytes = shapes.iter().any(|shape| shape.value == ValueType::Bytes);
        let length = |word: &str| if bytes { word.len() } else { word.chars().count() };
        let longest = |lists: &[Vec<&'static str>], length: &dyn Fn(&str) -> usize| -> usize {
            extra + lists.iter().map(|list| list.iter().map(|word| length(word)).max().unwrap_or(0)).sum::<usize>()
        };
        let room = Shape::least_room(shapes).unwrap_or(usize::MAX);
        let mut taken: Vec<Vec<&'static str>> = lists.iter().map(|list| list.to_vec()).collect();
        if longest(&taken, &length) > room {
            let share = room.saturating_sub(extra) / lists.len().max(1);
            for list in &mut taken {
                list.retain(|word| length(word) <= share);
                if list.len() < FEWEST {
                    return Err(format!("the shortest of the fields holds {room} characters, too few for its words"));
                }
            }
        }
        let longest = (longest(&taken, &|word| word.chars().count()), longest(&taken, &|word| word.len()));
        Ok(Arc::new(Self { lists: taken, glue, longest }))
    }
}

impl Mask for Invented {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        shape.takes_text(if shape.value == ValueType::Bytes { self.longest.1 } else { self.longest.0 })
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if !text.is_empty() {
            let mut draw = Draw::new(cell.key, text);
            let words: Vec<&str> = self.lists.iter().map(|list| draw.of(list)).collect();
            (self.glue)(&mut draw, &words, out);
        }
        Ok(Some(()))
    }
}

#[cfg(test)]
mod tests {
    use crate::kernels::Shape;
    use crate::kernels::testing::{apply, build};
    use reenact_model::ValueType;

    #[test]
    fn words_are_cut_to_what_the_field_holds() {
        let short = Shape { max_chars: Some(10), ..Shape::leaf() };
        let mask = build("city", &[("locale", "nl_NL")], std::slice::from_ref(&short)).expect("builds");
        assert_eq!(mask.fits(&short), Ok(()));
        assert!((0..300).all(|n| apply(&*mask, "d", &n.to_string()).expect("some").chars().count() <= 10));
        let shorter = Shape { max_chars: Some(3), ..Shape::leaf() };
        assert!(build("city", &[], &[shorter]).is_err());
        let bytes = Shape { value: ValueType::Bytes, native: "varbinary(10)".into(), ..Shape::leaf() };
        let mask = build("last_name", &[("locale", "ja_JP")], std::slice::from_ref(&bytes)).expect("builds");
        assert!((0..300).all(|n| apply(&*mask, "d", &n.to_string()).expect("some").len() <= 10));
    }
}
