//! When a reference holds.
//!
//! Hidden here: two rules and where they meet. A reference that a pipeline declares holds if both ends have one canonical text
//! under their domain's form: exactly then they have one pseudonym. A foreign key holds by its server's own rule, which may take
//! more texts for equal (a collation); where masks would then part what the server holds together, the capture is refused.

use reenact_mask::Plan;
use reenact_model::equality::Canonical;
use reenact_model::{
    Class, Entity, EntityId, Error, FieldId, FieldPath, Key, KeySet, Kind, Relationship, Result, ServiceCatalog, Site,
    ValueType,
};

/// The rules of one relationship.
#[derive(Debug)]
pub(super) struct Equality {
    forms: Vec<Canonical>,
    /// The server's own rule, where it may take different canonical texts for equal.
    server: Option<ServerRule>,
}

#[derive(Debug)]
struct ServerRule {
    collation: String,
    /// Where a mask was chosen for the field, if one was.
    masked: Option<Site>,
    edge: String,
}

impl Equality {
    /// The rules of a relationship between catalogs.
    ///
    /// # Errors
    /// [`Class::Input`] if it is a foreign key by a rule that can't be followed.
    pub(super) fn of(plan: &Plan, edge: &Relationship, catalogs: &[ServiceCatalog]) -> Result<Self> {
        let entity = |id: &EntityId| catalogs.iter().flat_map(|c| &c.entities).find(|e| e.id == *id).map(|e| &**e);
        let (child, parent) = (entity(&edge.child.entity), entity(&edge.parent.entity));
        let masked = |id: &FieldId| plan.guarantees(id).is_some();
        let mut equality = Self { forms: Vec::new(), server: None };
        for (from, to) in edge.child.fields.iter().zip(&edge.parent.fields) {
            let from_id = FieldId::new(&edge.child.entity, from);
            let to_id = FieldId::new(&edge.parent.entity, to);
            let decided = if masked(&from_id) { &from_id } else { &to_id };
            equality.forms.push(plan.canonical(decided));
            let field = |entity: Option<&Entity>, name: &str| entity.and_then(|e| e.field(name)).cloned();
            let (Some(from), Some(to)) = (field(child, &from.column), field(parent, &to.column)) else { continue };
            let Some(collation) = to.collation.clone().filter(|_| edge.declared) else { continue };
            let kind = catalogs.iter().find(|c| c.service == edge.child.entity.service).map(|c| c.kind);
            let followed = matches!(to.value, ValueType::Text | ValueType::Tagged)
                && (to.collation == from.collation || kind == Some(Kind::Sqlite));
            if !followed {
                let message = format!("the foreign key {edge} holds by `{collation}`, a rule that can't be followed");
                return Err(Error::new(Class::Input, message)
                    .at(Site::field(&from_id))
                    .help("leave one of the two entities out with `exclude`, or give both columns a type whose equal values are spelt alike"));
            }
            equality.server.get_or_insert_with(|| ServerRule {
                collation,
                masked: masked(decided).then(|| plan.site(decided)),
                edge: edge.to_string(),
            });
        }
        Ok(equality)
    }

    /// When the fields of a root's filter equal what is asked for.
    pub(super) fn of_root(plan: &Plan, entity: &EntityId, fields: &[FieldPath]) -> Self {
        let forms = fields.iter().map(|field| plan.canonical(&FieldId::new(entity, field))).collect();
        Self { forms, server: None }
    }

    /// The key that stands for all that are equal under the domains' forms.
    pub(super) fn key(&self, key: &Key) -> Key {
        Canonical::key(&self.forms, key)
    }

    /// The keys that stand for all that are equal to one of these.
    pub(super) fn keys(&self, keys: &KeySet) -> KeySet {
        Canonical::keys(&self.forms, keys)
    }

    /// What to ask a store for, so that it finds what is equal to a key: the key as it stands, and in its form.
    pub(super) fn asked(&self, key: Key) -> impl Iterator<Item = Key> + use<> {
        let canonical = self.forms.iter().any(|form| *form != Canonical::Text).then(|| self.key(&key));
        let canonical = canonical.filter(|canonical| *canonical != key);
        std::iter::once(key).chain(canonical)
    }

    /// Whether the server may hold more references than canonical texts tell.
    pub(super) fn is_the_servers(&self) -> bool {
        self.server.is_some()
    }

    /// What it means that the server holds a reference whose ends have different canonical texts; `asked` says whether a
    /// condition is asked along it.
    ///
    /// # Errors
    /// [`Class::Policy`] if the ends are masked, for they would get different pseudonyms; or if a condition is asked along the
    /// reference, for its answer is known by the other text.
    pub(super) fn held(&self, asked: bool) -> Result<()> {
        let Some(ServerRule { collation, masked, edge }) = &self.server else { return Ok(()) };
        let holds = format!(
            "a reference of {edge} holds only because the server's `{collation}` takes two different texts for equal"
        );
        let (message, help) = match masked {
            Some(_) if self.forms.contains(&Canonical::Folded) => (
                format!("{holds}: masked, they would have different pseudonyms, and the reference would be lost"),
                "they differ in more than case, accents and spaces at the end: keep both fields, or correct the record",
            ),
            Some(_) => (
                format!("{holds}: masked, they would have different pseudonyms, and the reference would be lost"),
                "give their domain `canonical: folded`, under which case, accents and spaces at the end are no difference",
            ),
            None if asked => (
                format!("{holds}: the answer to a condition that is asked along it can't be told"),
                "ask the condition of the record itself, or correct the record",
            ),
            None => return Ok(()),
        };
        Err(Error::new(Class::Policy, message).at(masked.clone().unwrap_or_default()).help(help))
    }
}
