//! Whose record it is: the subject of each row of a batch, as a text.
//!
//! Hidden here: how a subject is told so that all services tell it alike. Each part is the canonical text of its field under the
//! canonical form of the field's own domain, beside that domain's name: the customer 42 of a bigint, of a key and of a
//! message is one subject, and the supplier 42 is another.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::RecordBatch;
use reenact_model::captured::Extractor;
use reenact_model::{Class, Entity, Error, Result, Site};

use super::conditions::Fulfilled;
use crate::plan::Subject;

/// The rows of a batch before any mask, for what looks beyond its own column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<'a> {
    pub(super) entity: &'a Entity,
    pub(super) batch: &'a RecordBatch,
    /// Which of them fulfil the conditions of rules.
    pub(super) fulfilled: &'a Fulfilled,
}

/// Reads the subjects of a batch; compiled at the first one.
#[derive(Debug)]
pub(super) struct SubjectReader {
    subject: Arc<Subject>,
    extractor: Option<Extractor>,
}

impl SubjectReader {
    pub(super) fn new(subject: Arc<Subject>) -> Self {
        Self { subject, extractor: None }
    }

    /// The subject of each row; `None` where a field of it is NULL.
    pub(super) fn read(&mut self, rows: Rows<'_>) -> Result<Vec<Option<Box<str>>>> {
        let extractor = match &mut self.extractor {
            Some(extractor) => extractor,
            none => none.insert(Extractor::new(rows.entity, &self.subject.fields, None)?),
        };
        let one = |keys: Vec<reenact_model::Key>| match keys.as_slice() {
            [] => Ok(None),
            [key] => {
                let mut text = String::new();
                for (part, (domain, canonical)) in key.parts().iter().zip(&self.subject.parts) {
                    let part = canonical.of(part);
                    // With its length, so that no two lists of parts make one text.
                    let _ = write!(text, "{domain}|{}|{part}|", part.len());
                }
                Ok(Some(text.into_boxed_str()))
            }
            _ => Err(Error::new(Class::Policy, "a record has several subjects, and a rule needs one")
                .help("name a field that holds one value, not a path through a list")
                .at(Site::entity(&rows.entity.id))),
        };
        extractor.keys(rows.batch)?.into_iter().map(one).collect()
    }
}
