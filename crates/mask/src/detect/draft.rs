//! A policy's draft out of what was found.
//!
//! Hidden here: which rule each field gets, and that the draft holds: it is resolved against the same schemas, and whatever does not is left to a
//! person. Fields that refer to each other share a domain or are all kept. What is not told by type, name or values is left undecided, as a
//! comment, and a capture is refused until a rule names it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use reenact_model::catalog::{Field, Schemas};
use reenact_model::error::Severity;
use reenact_model::names::Step;
use reenact_model::{Entity, EntityId, FieldId, FieldPath, ValueType};

use super::class::Class;
use super::relate::Place;
use super::{Detection, Form, names, sampler, values};
use crate::kernels::{self, Args, Guarantees, Injective, Shape};
use crate::plan::Plan;
use crate::policy::Policy;

/// What a draft proposes for a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proposal {
    /// Masked.
    Mask(String),
    /// Masked in a domain with all that refers to it.
    Domain {
        /// The domain's name.
        name: String,
        /// Its canonical form, if it is not text.
        canonical: &'static str,
        /// Its mask.
        mask: String,
    },
    /// Kept, for this reason.
    Keep(String),
    /// Left to a person, for this reason.
    Undecided(String),
}

impl Proposal {
    /// The proposal in few words.
    pub fn words(&self) -> String {
        match self {
            Self::Mask(mask) => format!("mask: {mask}"),
            Self::Domain { name, .. } => format!("domain: {name}"),
            Self::Keep(_) => "keep".to_owned(),
            Self::Undecided(_) => "undecided".to_owned(),
        }
    }
}

/// A draft.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The policy's text.
    pub text: String,
    /// What is proposed for each place, in their order.
    pub proposals: Vec<Proposal>,
}

/// The most attempts to make a draft hold; each leaves what did not hold to a person.
const ROUNDS: usize = 12;

/// Writes a draft for the places of some schemas.
pub fn draft(schemas: &Schemas, places: &[Place], found: &[Option<Detection>]) -> Draft {
    let entities: BTreeMap<&EntityId, &Entity> =
        schemas.catalogs.iter().flat_map(|c| &c.entities).map(|entity| (&entity.id, &**entity)).collect();
    let groups = groups(schemas, places);
    let mut proposals: Vec<Proposal> = places
        .iter()
        .zip(found)
        .map(|(place, found)| {
            let entity = entities.get(&place.field.entity).copied();
            alone(place, found.as_ref(), entity)
        })
        .collect();
    let mut taken = BTreeSet::new();
    for group in &groups {
        let proposal = together(group, places, found, &entities, &mut taken);
        for n in group {
            proposals[*n] = proposal.clone();
        }
    }
    for round in 0..ROUNDS {
        let text = write(places, found, &proposals);
        let broken = broken(&text, schemas);
        let mut moved = false;
        for (n, place) in places.iter().enumerate() {
            let name = place.field.to_string();
            if broken.contains(&name) && !matches!(proposals[n], Proposal::Undecided(_)) {
                let group =
                    groups.iter().find(|group| group.contains(&n)).cloned().unwrap_or_else(|| BTreeSet::from([n]));
                for n in group {
                    let why = format!("{} does not hold here", proposals[n].words());
                    proposals[n] = Proposal::Undecided(why);
                }
                moved = true;
            }
        }
        if !moved || round + 1 == ROUNDS {
            return Draft { text, proposals };
        }
    }
    Draft { text: write(places, found, &proposals), proposals }
}

/// The fields at which a draft does not hold, other than for want of a decision.
fn broken(text: &str, schemas: &Schemas) -> BTreeSet<String> {
    let Ok(policy) = Policy::parse("draft", text) else { return BTreeSet::new() };
    let findings = match Plan::resolve(&policy, &schemas.catalogs, &schemas.relationships, &schemas.reached) {
        Ok(_) => return BTreeSet::new(),
        Err(error) => error.findings().to_vec(),
    };
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error && finding.code != "POL-001");
    let named = |site: &reenact_model::Site| {
        Some(format!("{}/{}.{}", site.service.as_ref()?, site.entity.as_ref()?, site.field.as_ref()?))
    };
    errors.filter_map(|finding| named(&finding.site)).collect()
}

/// Fields that refer to each other, each group by the numbers of its places.
fn groups(schemas: &Schemas, places: &[Place]) -> Vec<BTreeSet<usize>> {
    let at: BTreeMap<String, usize> =
        places.iter().enumerate().map(|(n, place)| (place.field.to_string(), n)).collect();
    let index = |entity: &EntityId, field: &FieldPath| at.get(&FieldId::new(entity, field).to_string()).copied();
    let mut groups: Vec<BTreeSet<usize>> = Vec::new();
    for edge in &schemas.relationships {
        for (child, parent) in edge.child.fields.iter().zip(&edge.parent.fields) {
            let ends = [index(&edge.child.entity, child), index(&edge.parent.entity, parent)];
            let mut merged: BTreeSet<usize> = ends.into_iter().flatten().collect();
            if merged.len() < 2 {
                continue;
            }
            groups.retain(|group| {
                let touches = !group.is_disjoint(&merged);
                if touches {
                    merged.extend(group);
                }
                !touches
            });
            groups.push(merged);
        }
    }
    groups
}

fn column<'a>(place: &Place, entity: Option<&'a Entity>) -> Option<&'a Field> {
    entity.filter(|_| place.field.field.path.is_none()).and_then(|entity| entity.field(&place.field.field.column))
}

/// The rule of a field that nothing refers to.
fn alone(place: &Place, found: Option<&Detection>, entity: Option<&Entity>) -> Proposal {
    let steps = place.field.field.path.iter().flat_map(|path| &path.0);
    if steps.into_iter().any(|step| matches!(step, Step::Key(name) if name == sampler::MEMBER)) {
        return Proposal::Undecided(
            "names of members are data here: `.*` selects what they hold, `.*~` the names".to_owned(),
        );
    }
    let field = column(place, entity);
    let shape = field.map_or_else(Shape::leaf, Shape::of);
    let name = &place.field.field.column;
    let unique = entity.is_some_and(|e| e.key.contains(name) || e.uniques.iter().any(|u| u.contains(name)));
    let Some(found) = found else { return unfound(place, &shape, unique) };
    if unique && place.key {
        // A key that nothing refers to in the catalog may be referred to elsewhere.
        return key_mask(found.class, std::slice::from_ref(&shape)).map_or_else(
            || Proposal::Undecided(format!("no mask of a `{}` fits this key", found.class)),
            |(mask, _)| Proposal::Mask(mask),
        );
    }
    let masks: Vec<String> = if unique {
        key_mask(found.class, std::slice::from_ref(&shape)).into_iter().map(|(mask, _)| mask).collect()
    } else {
        [found.class.mask(), instead(found.class, place.form), "redact", "null"]
            .into_iter()
            .map(str::to_owned)
            .collect()
    };
    masks
        .into_iter()
        .find(|mask| fits(mask, std::slice::from_ref(&shape)).is_some())
        .map_or_else(|| Proposal::Undecided(format!("no mask of a `{}` fits this field", found.class)), Proposal::Mask)
}

/// The mask for a class where its usual one does not fit the type.
fn instead(class: Class, form: Form) -> &'static str {
    match (class, form) {
        (Class::DateOfBirth, _) => "birth_date",
        (_, Form::Number) => "integer",
        (_, Form::Bytes) => "empty",
        (_, Form::Day | Form::Moment) => "date_truncate",
        _ => "token",
    }
}

/// Whether a mask, without arguments, fits all of some fields, and what it holds to.
fn fits(name: &str, shapes: &[Shape]) -> Option<Guarantees> {
    let spec = kernels::find(name)?;
    let mask = (spec.build)(&Args::default(), shapes).ok()?;
    shapes.iter().all(|shape| mask.fits(shape).is_ok()).then(|| mask.guarantees())
}

/// An injective mask for fields that share their values, with its canonical form.
fn key_mask(class: Class, shapes: &[Shape]) -> Option<(String, &'static str)> {
    let uuid = shapes.iter().all(|shape| shape.value == ValueType::Uuid || shape.native.eq_ignore_ascii_case("uuid"));
    let integer = shapes.iter().all(|shape| {
        shape.value.is_integer()
            || (shape.value == ValueType::Tagged && shape.native.to_ascii_lowercase().contains("int"))
    });
    let candidates: &[(&str, &str)] = match class {
        _ if uuid => &[("uuid", "uuid")],
        _ if integer => &[("integer", "integer")],
        Class::Email => &[("email", "email"), ("token", "text")],
        Class::Iban => &[("iban", "text"), ("alnum", "text")],
        Class::Url => &[("url", "text")],
        _ => &[("alnum", "text"), ("token", "text")],
    };
    candidates
        .iter()
        .find(|(mask, _)| {
            let never = kernels::find(mask).is_none_or(|spec| matches!(spec.facts.injective, Injective::Never));
            !never && fits(mask, shapes).is_some_and(|guarantees| guarantees == Guarantees::PSEUDONYM)
        })
        .map(|(mask, canonical)| ((*mask).to_owned(), *canonical))
}

/// The rule of a field in which nothing was found: kept only if type, or name and values together, say what it is.
fn unfound(place: &Place, shape: &Shape, unique: bool) -> Proposal {
    let kept = |why: &str| Proposal::Keep(format!("draft: {why}; confirm it"));
    let said = names::said(&place.field.field.column).or_else(|| {
        let path = place.field.field.path.as_ref()?;
        path.0.iter().rev().find_map(|step| match step {
            Step::Key(key) => names::said(key),
            Step::Each => None,
        })
    });
    let look = place.sample.as_ref().map(values::look);
    let hinted = look.as_ref().is_some_and(|look| look.guesses.iter().any(|guess| guess.score >= 0.35));
    let plain = look.as_ref().and_then(|look| look.plain);
    match place.form {
        Form::Truth => kept("a truth value"),
        Form::Number if !hinted => kept("a number in which nothing was found"),
        Form::Moment => kept("a moment of the system"),
        Form::Day if !hinted => kept("a day in which nothing was found"),
        _ if shape.values.is_some() => kept("a choice of the schema"),
        Form::Text if !hinted => match (plain, said) {
            (
                Some(
                    "truth values"
                    | "small numbers"
                    | "decimal numbers"
                    | "article numbers (GTIN, ISBN)"
                    | "words of a choice"
                    | "moments",
                ),
                _,
            ) => kept(&format!("its values are {}", plain.unwrap_or_default())),
            (_, Some(said)) if said.class.is_none() && look.is_some() => {
                kept(&format!("its name says `{}`, and nothing was found in its values", said.phrase))
            }
            _ if unique => Proposal::Undecided("a key of which nothing is known".to_owned()),
            _ => Proposal::Undecided("nothing was found, and nothing says that it is harmless".to_owned()),
        },
        Form::Bytes => Proposal::Undecided("bytes".to_owned()),
        _ => Proposal::Undecided("its values may be personal".to_owned()),
    }
}

/// One rule for fields that refer to each other.
fn together(
    group: &BTreeSet<usize>,
    places: &[Place],
    found: &[Option<Detection>],
    entities: &BTreeMap<&EntityId, &Entity>,
    taken: &mut BTreeSet<String>,
) -> Proposal {
    let best = group.iter().filter_map(|n| found[*n].as_ref()).max_by(|a, b| a.score.total_cmp(&b.score));
    let shapes: Vec<Shape> = group
        .iter()
        .map(|n| {
            column(&places[*n], entities.get(&places[*n].field.entity).copied()).map_or_else(Shape::leaf, Shape::of)
        })
        .collect();
    let Some(best) = best else {
        let text = group.iter().any(|n| places[*n].form == Form::Text && places[*n].sample.is_none());
        return if text && shapes.iter().any(|shape| shape.value == ValueType::Text) {
            Proposal::Undecided("a key of text, without a sample".to_owned())
        } else {
            Proposal::Keep("draft: a key of things, in which nothing was found; confirm it".to_owned())
        };
    };
    let Some((mask, canonical)) = key_mask(best.class, &shapes) else {
        return Proposal::Undecided(format!("no mask for keys fits all fields that share this `{}`", best.class));
    };
    // The domain is called after what the keys belong to: the shortest entity.
    let owner =
        group.iter().filter(|n| places[**n].key).map(|n| &places[*n].field.entity).min_by_key(|id| id.name.len());
    let owner = owner.or_else(|| group.iter().next().map(|n| &places[*n].field.entity));
    let base = owner.and_then(|id| id.parts().last().cloned()).unwrap_or_default();
    let plain: String =
        base.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    let mut name = plain.clone();
    let mut n = 2;
    while !taken.insert(name.clone()) {
        name = format!("{plain}_{n}");
        n += 1;
    }
    Proposal::Domain { name, canonical, mask }
}

/// A text as a YAML scalar in double quotes.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " "))
}

/// The policy's text.
fn write(places: &[Place], found: &[Option<Detection>], proposals: &[Proposal]) -> String {
    let mut out = String::from(
        "# A draft: what was found by names, types and samples of values. It is no decision: read every line.\n\
         # A field that no rule names is refused by a capture; such fields are listed at the end.\n\
         version: 1\nundecided: refuse\n",
    );
    let mut domains: BTreeMap<&str, (&str, &str, Vec<usize>)> = BTreeMap::new();
    let mut masks: BTreeMap<(String, &str), Vec<usize>> = BTreeMap::new();
    let mut keeps: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut open: Vec<(usize, &str)> = Vec::new();
    for (n, proposal) in proposals.iter().enumerate() {
        match proposal {
            Proposal::Domain { name, canonical, mask } => {
                domains.entry(name).or_insert((canonical, mask, Vec::new())).2.push(n);
            }
            Proposal::Mask(mask) => {
                let class = found[n].as_ref().map_or("field", |found| found.class.name());
                masks.entry((class.to_owned(), mask)).or_default().push(n);
            }
            Proposal::Keep(why) => keeps.entry(why).or_default().push(n),
            Proposal::Undecided(why) => open.push((n, why)),
        }
    }
    if !domains.is_empty() {
        out.push_str("domains:\n");
        for (name, (canonical, mask, _)) in &domains {
            let _ = writeln!(out, "  {}: {{ canonical: {canonical}, mask: {mask} }}", quoted(name));
        }
    }
    if !(domains.is_empty() && masks.is_empty() && keeps.is_empty()) {
        out.push_str("rules:\n");
    }
    let on = |out: &mut String, fields: &[usize]| {
        for n in fields {
            let evidence = found[*n].as_ref().map_or(String::new(), |found| {
                format!("  # {} {:.2}: {}", found.class, found.score, found.evidence.join("; ").replace('\n', " "))
            });
            let _ = writeln!(out, "      - {}{evidence}", quoted(&places[*n].field.to_string()));
        }
    };
    for (name, (_, _, fields)) in &domains {
        let _ =
            writeln!(out, "  - name: {}\n    domain: {}\n    on:", quoted(&format!("{name} (domain)")), quoted(name));
        on(&mut out, fields);
    }
    for ((class, mask), fields) in &masks {
        let _ = writeln!(out, "  - name: {}\n    mask: {mask}\n    on:", quoted(&format!("{class}, by {mask}")));
        on(&mut out, fields);
    }
    for (why, fields) in &keeps {
        let name = why.trim_start_matches("draft: ").trim_end_matches("; confirm it");
        let _ = writeln!(out, "  - name: {}\n    keep: {{ reason: {} }}\n    on:", quoted(name), quoted(why));
        on(&mut out, fields);
    }
    if !open.is_empty() {
        out.push_str("# undecided: write a rule for each of these\n");
        for (n, why) in &open {
            let told = found[*n].as_ref().map_or(String::new(), |found| {
                format!(" ({} {:.2}: {})", found.class, found.score, found.evidence.join("; "))
            });
            let _ = writeln!(out, "#   {}: {why}{told}", places[*n].field);
        }
    }
    out
}
