//! Questions to the store, and what their answers say of keys: which exist, and where the records lead.
//!
//! Hidden here: what a question becomes as a selection, and who decides that a record is the one that was asked for: its canonical
//! text, or, along a foreign key, the store itself.

use std::sync::Arc;

use futures::TryStreamExt;
use reenact_model::catalog::End;
use reenact_model::{Key, KeySet, Result, Via};
use reenact_stores::{Match, Read, Selection, Source};

use super::{LocalAgent, unprepared};
use crate::capture::agent::{Setup, Step, What};
use crate::capture::equality::Equality;
use crate::capture::scout::{Course, EntityState, Leads};

impl LocalAgent {
    /// Asks for the records of one question; if it only looks, none of them is taken.
    pub(super) async fn ask(
        &mut self,
        step: &Step,
        keys: Option<KeySet>,
        leads: &mut Leads,
        looks: bool,
    ) -> Result<Answer> {
        let source = self.source.as_ref().ok_or_else(unprepared)?;
        let state = self.state.as_mut().ok_or_else(unprepared)?;
        let entity = state.entities.get_mut(&step.entity).ok_or_else(unprepared)?;
        let course = Course { setup: &state.setup, equality: &state.equality };
        if let (What::Root(root), None) = (step.what, &keys) {
            entity.whole = Some(Via::root(root));
            if !entity.leads_somewhere(course, step.levels) {
                return Ok(Answer { new: entity.size(), ..Answer::default() });
            }
        }
        let (selection, via, question) = question(step, keys, entity, &state.setup);
        let mut columns = entity.columns();
        let filter = match (step.what, &question) {
            (What::Root(_), Some(question)) => {
                columns.extend(question.fields.iter().map(|field| field.column.clone()));
                columns.sort();
                columns.dedup();
                Some(reenact_model::captured::Extractor::new(&entity.entity, &question.fields, None)?)
            }
            _ => None,
        };
        let read = Read {
            entity: entity.compared(step.what, &state.setup),
            columns,
            selection,
            via,
            limit: Some(state.setup.limits.0),
            ordered: false,
        };
        let present = match step.what {
            What::Parent(n) => {
                let fields = &state.setup.relationships[n].parent.fields;
                Some((n, reenact_model::captured::Extractor::new(&entity.entity, fields, None)?))
            }
            _ => None,
        };
        // A whole entity's records are all taken already; the question only tells which keys exist.
        let only_looks = looks || entity.whole.is_some() && !matches!(step.what, What::Root(_));
        let mut answer = Answer::default();
        let mut batches = source.read(read);
        while let Some(rows) = batches.try_next().await? {
            answer.rows += rows.rows() as u64;
            if let Some(filter) = &filter {
                rows.keys(filter)?.into_iter().flatten().for_each(|key| {
                    answer.values.insert(key);
                });
            }
            if let Some((n, extractor)) = &present {
                let found = state.present.entry(*n).or_default();
                let keys = rows.keys(extractor)?.into_iter().zip(entity.belong(&rows)?);
                for key in keys.filter(|(_, belongs)| *belongs).flat_map(|(keys, _)| keys) {
                    found.insert(state.equality[*n].key(&key));
                }
            }
            if !only_looks {
                answer.new += entity.take(&rows, step.levels, course, leads)?;
            }
            if let (What::Parent(n), Some(masker)) = (step.what, &mut state.masker)
                && entity.is_judged(n)
            {
                let belong = entity.belong(&rows)?;
                masker.judge(n, rows, &belong)?;
            }
        }
        drop(batches);
        if let (What::Parent(n), Some(question)) = (step.what, &question) {
            let found = state.present.entry(n).or_default();
            held_by_server(&**source, entity, question, n, &state.equality[n], found).await?;
        }
        if let Some(question) = question
            && answer.new > 0
        {
            entity.remember(&question, via);
        }
        Ok(answer)
    }

    /// Asks for the records of a root's filter; gives how many are new, and which of the values no record has.
    pub(super) async fn ask_root(
        &mut self,
        step: &Step,
        values: &[Key],
        leads: &mut Leads,
    ) -> Result<(u64, Vec<usize>)> {
        let state = self.state.as_ref().ok_or_else(unprepared)?;
        let What::Root(root) = step.what else { return Err(unprepared()) };
        let equality = Equality::of_root(&state.plan, &step.entity, &state.setup.roots[root].fields);
        let spelt = |keys: &KeySet| keys.iter().flat_map(|key| equality.asked(key.clone())).collect::<KeySet>();
        let asked: KeySet = values.iter().cloned().collect();
        let answer = self.ask(step, Some(spelt(&asked)), leads, false).await?;
        let found = equality.keys(&answer.values);
        let mut missed: KeySet = match asked.len() {
            1 if answer.rows > 0 => KeySet::new(),
            _ => asked.iter().filter(|key| !found.contains(&equality.key(key))).cloned().collect(),
        };
        // Records came that have another text than was asked for: only the store knows which values it took for equal.
        if asked.len() > 1 && !missed.is_empty() && !found.minus(&equality.keys(&asked)).is_empty() {
            let mut none = KeySet::new();
            for key in missed.iter() {
                let one = spelt(&[key.clone()].into_iter().collect());
                if self.ask(step, Some(one), leads, true).await?.rows == 0 {
                    none.insert(key.clone());
                }
            }
            missed = none;
        }
        let places = values.iter().enumerate().filter(|(_, value)| missed.contains(value)).map(|(n, _)| n);
        Ok((answer.new, places.collect()))
    }
}

/// What a step asks for: as a selection, how its records come, and the question unless it is for all.
fn question(step: &Step, keys: Option<KeySet>, entity: &EntityState, setup: &Setup) -> (Selection, Via, Option<Match>) {
    let any = |question: &Match| Selection::Match { any: vec![question.clone()], except: Vec::new() };
    match (step.what, keys) {
        (What::Root(root), None) => (entity.everything(), Via::root(root), None),
        (What::Root(root), Some(keys)) => {
            let fields = setup.roots[root].fields.clone();
            let question = Match { fields: fields.clone(), keys: Arc::new(keys), condition: None };
            let selection = match question.keys.iter().next() {
                Some(key) if question.keys.len() == 1 => {
                    let values = key.parts().iter().map(ToString::to_string);
                    Selection::Where(fields.into_iter().zip(values).collect())
                }
                _ => any(&question),
            };
            (selection, Via::root(root), Some(question))
        }
        (What::Parent(n) | What::Child(n), keys) => {
            let child = matches!(step.what, What::Child(_));
            let edge = &setup.relationships[n];
            let end: &End = if child { &edge.child } else { &edge.parent };
            let condition = if child { edge.condition.clone() } else { None };
            let question = Match { fields: end.fields.clone(), keys: Arc::new(keys.unwrap_or_default()), condition };
            (any(&question), Via::edge(n, child, step.depth), Some(question))
        }
    }
}

/// What came of one question.
#[derive(Default)]
pub(super) struct Answer {
    /// Records that were not known before.
    pub(super) new: u64,
    /// All records.
    rows: u64,
    /// What they have in the fields of a root's filter.
    values: KeySet,
}

/// Adds to the `present` keys those for which the server holds a reference by a rule of its own, and refuses them where masks
/// would part them. The server is the judge: it is asked for halves, so that a few such keys cost a few questions.
async fn held_by_server(
    source: &dyn Source,
    entity: &EntityState,
    question: &Match,
    edge: usize,
    equality: &Equality,
    present: &mut KeySet,
) -> Result<()> {
    if !equality.is_the_servers() {
        return Ok(());
    }
    let missing: Vec<Key> = question.keys.iter().filter(|key| !present.contains(&equality.key(key))).cloned().collect();
    let mut open = vec![missing];
    while let Some(mut keys) = open.pop().filter(|keys| !keys.is_empty()) {
        let ask = Match { keys: Arc::new(keys.iter().cloned().collect()), ..question.clone() };
        let mut found = source.read(Read {
            entity: Arc::clone(&entity.entity),
            columns: question.fields.iter().map(|field| field.column.clone()).collect(),
            selection: Selection::Match { any: vec![ask], except: Vec::new() },
            via: Via::root(0),
            limit: None,
            ordered: false,
        });
        if found.try_next().await?.is_none_or(|rows| rows.rows() == 0) {
            continue;
        }
        if keys.len() > 1 {
            open.push(keys.split_off(keys.len() / 2));
            open.push(keys);
            continue;
        }
        equality.held(entity.is_judged(edge))?;
        present.extend(&equality.keys(&keys.into_iter().collect()));
    }
    Ok(())
}
