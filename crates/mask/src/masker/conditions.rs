//! Which records fulfil the conditions of rules.
//!
//! Hidden here: where the answer comes from. A condition on the record itself is evaluated on the batch at hand, once for all
//! columns. A condition on the record that it refers to was answered by the agent that read that record: a truth value for each
//! key, under which it is found again. Where there is no answer, nobody guesses one.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use reenact_model::captured::Extractor;
use reenact_model::equality::Canonical;
use reenact_model::{Class, Entity, EntityId, Error, Finding, Key, Result, Site};
use serde::{Deserialize, Serialize};

use crate::condition::Decider;
use crate::domain::ScopeKeys;
use crate::plan::{Asked, Carried};

/// Which records of a batch fulfil the condition of each rule.
pub(super) type Fulfilled = BTreeMap<String, Vec<bool>>;

/// Answers of an agent to conditions on its records, for the agent of the records that refer to them, to which they are sealed.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Verdicts {
    answers: Vec<(EntityId, String, Keyed)>,
    /// Under a key that agents have and whoever carries it between them has not.
    tag: [u8; 32],
}

/// What is known, by key.
type Keyed = Vec<(Key, Verdict)>;

impl Verdicts {
    /// Whether nothing was asked.
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    fn tag_of(answers: &[(EntityId, String, Keyed)], keys: &ScopeKeys) -> [u8; 32] {
        // Names, texts and words always have a JSON form.
        keys.domain("verdicts").hash(&serde_json::to_vec(answers).unwrap_or_default())
    }
}

/// Its keys are values of records, so it tells how many there are.
impl fmt::Debug for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verdicts({})", self.answers.iter().map(|(_, _, keys)| keys.len()).sum::<usize>())
    }
}

/// What is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Verdict {
    Fulfilled,
    NotFulfilled,
    /// Several records have this key and differ.
    Both,
}

/// A rule at the records of an entity.
type Slot = (EntityId, String);

/// The conditions of a plan, with what was answered so far.
pub(super) struct Conditions {
    asked: BTreeMap<EntityId, BTreeMap<String, Asked>>,
    carried: Vec<Arc<Carried>>,
    deciders: HashMap<Slot, Decider>,
    references: HashMap<Slot, Extractor>,
    verdicts: HashMap<Slot, HashMap<Key, Verdict>>,
    /// What is taken to hold, and whether that is also of conditions on the record itself.
    assumed: Option<(bool, bool)>,
}

/// It remembers keys, so it tells how many conditions there are.
impl fmt::Debug for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Conditions({})", self.asked.values().map(BTreeMap::len).sum::<usize>())
    }
}

impl Conditions {
    pub(super) fn new(asked: BTreeMap<EntityId, BTreeMap<String, Asked>>, carried: Vec<Arc<Carried>>) -> Self {
        Self {
            asked,
            carried,
            deciders: HashMap::new(),
            references: HashMap::new(),
            verdicts: HashMap::new(),
            assumed: None,
        }
    }

    /// Decides all conditions on the records of a batch.
    pub(super) fn decide(&mut self, entity: &Entity, batch: &RecordBatch) -> Result<Fulfilled> {
        let mut out = Fulfilled::new();
        let Some(asked) = self.asked.get(&entity.id) else { return Ok(out) };
        for (rule, asked) in asked {
            let slot = (entity.id.clone(), rule.clone());
            let decided = match (asked, self.assumed) {
                (Asked::Own(_), Some((fulfilled, true))) | (Asked::Carried(_), Some((fulfilled, _))) => {
                    vec![fulfilled; batch.num_rows()]
                }
                (Asked::Own(condition), _) => {
                    let decider = self.deciders.entry(slot).or_insert_with(|| Decider::new(Arc::clone(condition)));
                    decider.decide(entity, batch)?
                }
                (Asked::Carried(carried), None) => {
                    if !self.references.contains_key(&slot) {
                        let extractor = Extractor::new(entity, &carried.child_fields, carried.only.as_ref())?;
                        self.references.insert(slot.clone(), extractor);
                    }
                    let keys = self.references.get(&slot).map(|extractor| extractor.keys(batch)).transpose()?;
                    let known = self.verdicts.get(&slot);
                    let of = |keys: &Vec<Key>| match keys.as_slice() {
                        [] => carried.missing.ok_or("it refers to none"),
                        [key] => match known.and_then(|known| known.get(&Canonical::key(&carried.forms, key))) {
                            Some(Verdict::Fulfilled) => Ok(true),
                            Some(Verdict::NotFulfilled) => Ok(false),
                            Some(Verdict::Both) => Err("it refers to several that differ"),
                            None => carried.missing.ok_or("it refers to one that is not there"),
                        },
                        _ => Err("it refers to several"),
                    };
                    let decided: std::result::Result<Vec<bool>, &str> = keys.iter().flatten().map(of).collect();
                    decided.map_err(|why| undecided(carried, why))?
                }
            };
            out.insert(rule.clone(), decided);
        }
        Ok(out)
    }

    /// Answers what is asked of records along a relationship.
    pub(super) fn judge(&mut self, edge: usize, entity: &Entity, batch: &RecordBatch, belong: &[bool]) -> Result<()> {
        for carried in self.carried.iter().filter(|carried| carried.edge == edge && carried.parent.id == entity.id) {
            // By the child too: rules are compiled for each entity that they decide in.
            let slot = (carried.child.clone(), carried.rule.clone());
            let decider =
                self.deciders.entry(slot.clone()).or_insert_with(|| Decider::new(Arc::clone(&carried.condition)));
            let answers = decider.decide(entity, batch)?;
            let keys = Extractor::new(entity, &carried.parent_fields, None)?.keys(batch)?;
            let known = self.verdicts.entry(slot).or_default();
            for ((keys, fulfilled), _) in keys.into_iter().zip(answers).zip(belong).filter(|(_, belongs)| **belongs) {
                let verdict = if fulfilled { Verdict::Fulfilled } else { Verdict::NotFulfilled };
                for key in keys {
                    let before = known.entry(Canonical::key(&carried.forms, &key)).or_insert(verdict);
                    if *before != verdict {
                        *before = Verdict::Both;
                    }
                }
            }
        }
        Ok(())
    }

    /// What was answered, for the records of a service.
    pub(super) fn verdicts(&self, service: &str, keys: &ScopeKeys) -> Verdicts {
        let own = self.verdicts.iter().filter(|((child, _), _)| child.service == service);
        let mut out: Vec<_> = own
            .map(|((child, rule), known)| {
                (child.clone(), rule.clone(), known.iter().map(|(key, verdict)| (key.clone(), *verdict)).collect())
            })
            .collect();
        out.sort_by(|a: &(EntityId, String, _), b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        let tag = Verdicts::tag_of(&out, keys);
        Verdicts { answers: out, tag }
    }

    /// Takes another agent's answers.
    ///
    /// # Errors
    /// If no agent of this capture gave them.
    pub(super) fn heed(&mut self, verdicts: Verdicts, keys: &ScopeKeys) -> Result<()> {
        if Verdicts::tag_of(&verdicts.answers, keys) != verdicts.tag {
            return Err(Error::new(Class::Unexpected, "answers to conditions are not of this capture")
                .help("let all agents have the same root key"));
        }
        for (child, rule, keys) in verdicts.answers {
            self.verdicts.entry((child, rule)).or_default().extend(keys);
        }
        Ok(())
    }

    pub(super) fn forget(&mut self) {
        self.verdicts.clear();
    }

    pub(super) fn assume(&mut self, fulfilled: bool, own: bool) {
        self.assumed = Some((fulfilled, own));
    }
}

fn undecided(carried: &Carried, why: &str) -> Error {
    let site = Site::entity(&carried.child).with_rule(&carried.rule).with_span(Some(carried.span.clone()));
    let message = format!(
        "the condition of this rule is asked of the record of {} that a record refers to, and {why}",
        carried.parent.id
    );
    let finding = Finding::error("POL-034", site, message)
        .help("say what holds then: `when: { on: …, that: …, missing: false }` or `missing: true`");
    Error::from_findings(Class::Policy, "a condition can't be decided", &[finding])
        .unwrap_or_else(|| Error::new(Class::Policy, "a condition can't be decided"))
}
