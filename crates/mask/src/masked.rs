//! Rows after the plan was applied: the only rows that can be written.
//!
//! Hidden here: how a [`Masked`] comes to be. Its fields are private to this crate, so nothing else can forge one; the
//! bundle makes one again out of a member that it has verified, through [`Masked::reopened`], which a lint keeps from
//! everybody else.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use reenact_model::{Entity, Via};

/// Masked rows of one entity, all of which came the same way.
///
/// What it holds can be seen,
///
/// ```
/// fn see(masked: &reenact_mask::Masked) -> (&std::sync::Arc<reenact_model::Entity>, &arrow::array::RecordBatch) {
///     (masked.entity(), masked.batch())
/// }
/// ```
///
/// and the same parts can't be put together outside this crate:
///
/// ```compile_fail,E0451
/// fn forge(entity: std::sync::Arc<reenact_model::Entity>, batch: arrow::array::RecordBatch) -> reenact_mask::Masked {
///     reenact_mask::Masked { entity, batch, via: reenact_model::Via::root(0) }
/// }
/// ```
#[derive(Clone)]
pub struct Masked {
    entity: Arc<Entity>,
    batch: RecordBatch,
    via: Via,
}

impl Masked {
    /// Made by the masker alone.
    pub(crate) fn new(entity: Arc<Entity>, batch: RecordBatch, via: Via) -> Self {
        Self { entity, batch, via }
    }

    /// Rows of a member whose signature, digest and tags were verified. Only the crate `bundle` may call this.
    pub fn reopened(entity: Arc<Entity>, batch: RecordBatch, via: Via) -> Self {
        Self { entity, batch, via }
    }

    /// The entity whose rows these are.
    pub fn entity(&self) -> &Arc<Entity> {
        &self.entity
    }

    /// The rows: all columns of the entity but generated ones, in the entity's order.
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// How they came into the closure.
    pub fn via(&self) -> Via {
        self.via
    }
}

impl fmt::Debug for Masked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Masked({} rows of {})", self.batch.num_rows(), self.entity.id)
    }
}
