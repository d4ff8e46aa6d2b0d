//! What an agent knows of its entities while the closure grows: what was asked, what was found, where it leads.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use reenact_mask::Plan;
use reenact_model::captured::{Came, Extractor};
use reenact_model::{Captured, Entity, Key, KeySet, Relationship, Result, Via};
use reenact_stores::{Match, Read, Selection};

use super::agent::{Setup, What};
use super::equality::Equality;

/// One entity of an agent.
#[derive(Debug)]
pub(super) struct EntityState {
    pub(super) entity: Arc<Entity>,
    identity: Option<Extractor>,
    /// Edges whose child end this entity is.
    outgoing: Vec<(usize, Extractor)>,
    /// Edges whose parent end this entity is.
    incoming: Vec<(usize, Extractor)>,
    columns: Vec<String>,
    /// Edges along which conditions on this entity's records are asked, and those along which its records carry them.
    judged: BTreeSet<usize>,
    carries: BTreeSet<usize>,
    /// Records by key: how they came, and how many edges of children were followed.
    found: BTreeMap<Key, (Via, u32)>,
    /// For an entity without a key: the questions that gave its records.
    matches: Vec<(Match, Via)>,
    /// Taken whole, by this root.
    pub(super) whole: Option<Via>,
    /// The keys that a whole entity had at the pin, in a store without snapshots: what came later is not of the cut.
    at_pin: Option<Arc<KeySet>>,
}

/// Keys that a batch leads to, by edge and levels.
pub(super) type Leads = HashMap<(What, u32), KeySet>;

/// What a walk follows: the setup, and when each of its relationships holds.
#[derive(Clone, Copy)]
pub(super) struct Course<'a> {
    pub(super) setup: &'a Setup,
    pub(super) equality: &'a [Equality],
}

impl EntityState {
    pub(super) fn new(entity: &Arc<Entity>, setup: &Setup) -> Result<Self> {
        let mut state = Self {
            entity: Arc::clone(entity),
            identity: None,
            outgoing: Vec::new(),
            incoming: Vec::new(),
            columns: Vec::new(),
            judged: BTreeSet::new(),
            carries: BTreeSet::new(),
            found: BTreeMap::new(),
            matches: Vec::new(),
            whole: None,
            at_pin: None,
        };
        if !entity.key.is_empty() {
            let fields: Vec<_> = entity.key.iter().map(reenact_model::FieldPath::column).collect();
            state.identity = Some(Extractor::new(entity, &fields, None)?);
        }
        for (n, edge) in setup.relationships.iter().enumerate() {
            let both = setup.reached.contains(&edge.child.entity) && setup.reached.contains(&edge.parent.entity);
            if !both {
                continue;
            }
            if edge.child.entity == entity.id {
                state.outgoing.push((n, Extractor::new(entity, &edge.child.fields, edge.condition.as_ref())?));
            }
            if edge.parent.entity == entity.id {
                state.incoming.push((n, Extractor::new(entity, &edge.parent.fields, None)?));
            }
        }
        let extractors = state.identity.iter().chain(state.outgoing.iter().chain(&state.incoming).map(|(_, e)| e));
        let mut columns: Vec<String> = extractors.flat_map(|e| e.columns().map(str::to_owned)).collect();
        columns.sort();
        columns.dedup();
        state.columns = columns;
        Ok(state)
    }

    /// Minds the conditions of a plan: reads what they look at, and asks along what they are carried along.
    pub(super) fn carry(&mut self, plan: &Plan) {
        self.carries = plan.carries_along(&self.entity.id.service);
        for (edge, columns) in plan.asked_along(&self.entity.id.service) {
            if self.incoming.iter().any(|(own, _)| *own == edge) {
                self.judged.insert(edge);
                self.columns.extend(columns);
            }
        }
        self.columns.sort();
        self.columns.dedup();
    }

    /// Whether conditions on its records are asked along an edge.
    pub(super) fn is_judged(&self, edge: usize) -> bool {
        self.judged.contains(&edge)
    }

    /// The columns that scouting reads; one at least.
    pub(super) fn columns(&self) -> Vec<String> {
        if self.columns.is_empty() {
            return self.entity.writable().take(1).map(|f| f.name.clone()).collect();
        }
        self.columns.clone()
    }

    /// The entity, with its fields compared as a question needs it: a foreign key holds by the rule of the field that it leads to.
    pub(super) fn compared(&self, what: What, setup: &Setup) -> Arc<Entity> {
        let What::Child(edge) = what else { return Arc::clone(&self.entity) };
        let Relationship { declared, child, parent, .. } = &setup.relationships[edge];
        let other = setup.catalogs.iter().flat_map(|c| &c.entities).find(|e| e.id == parent.entity);
        let Some(other) = other.filter(|_| *declared) else { return Arc::clone(&self.entity) };
        let mut entity = (*self.entity).clone();
        for (from, to) in child.fields.iter().zip(&parent.fields) {
            let rule = other.field(&to.column).and_then(|field| field.collation.clone());
            if let Some(field) = entity.fields.iter_mut().find(|field| field.name == from.column) {
                field.collation = rule;
            }
        }
        Arc::new(entity)
    }

    /// Takes a batch of records in; gives how many are new, and adds where they lead.
    pub(super) fn take(&mut self, rows: &Captured, levels: u32, course: Course<'_>, leads: &mut Leads) -> Result<u64> {
        let via = rows.via();
        let mut expand = vec![true; rows.rows()];
        let mut new = rows.rows() as u64;
        if let Some(identity) = &self.identity
            && self.whole.is_none()
        {
            new = 0;
            for (row, keys) in rows.keys(identity)?.into_iter().enumerate() {
                let Some(key) = keys.into_iter().next() else { continue };
                match self.found.get_mut(&key) {
                    None => {
                        self.found.insert(key, (via, levels));
                        new += 1;
                    }
                    // Known already: only a further reach to children is worth another look.
                    Some((_, known)) if *known < levels => *known = levels,
                    Some(_) => expand[row] = false,
                }
            }
        }
        for (edge, extractor) in &self.outgoing {
            if self.whole.is_some() && self.skips(course, *edge) {
                continue;
            }
            course.gather(leads, (What::Parent(*edge), 0), rows.keys(extractor)?, &expand);
        }
        for (edge, extractor) in &self.incoming {
            let along = course.setup.roots.iter().any(|root| root.along.contains(edge));
            if along {
                course.gather(leads, (What::Child(*edge), 0), rows.keys(extractor)?, &expand);
            }
            if levels > 0 {
                let below = if levels == u32::MAX { u32::MAX } else { levels - 1 };
                course.gather(leads, (What::Child(*edge), below), rows.keys(extractor)?, &expand);
            }
        }
        Ok(new)
    }

    /// Whether a whole entity must be scanned for where it leads: to parents, or to the children that a root asks for.
    pub(super) fn leads_somewhere(&self, course: Course<'_>, levels: u32) -> bool {
        let asked = |edge: &usize| levels > 0 || course.setup.roots.iter().any(|root| root.along.contains(edge));
        self.outgoing.iter().any(|(edge, _)| !self.skips(course, *edge))
            || self.incoming.iter().any(|(edge, _)| asked(edge))
    }

    /// Remembers a question about an entity without a key.
    pub(super) fn remember(&mut self, question: &Match, via: Via) {
        if self.identity.is_none() && self.whole.is_none() {
            self.matches.push((question.clone(), via));
        }
    }

    /// The keys that are known, for a pin.
    pub(super) fn keys(&self) -> KeySet {
        match &self.at_pin {
            Some(keys) => (**keys).clone(),
            None => self.found.keys().cloned().collect(),
        }
    }

    /// The read that lists the keys of a whole entity, for a pin.
    pub(super) fn listing(&self, limit: u64) -> Read {
        Read { columns: self.entity.key.clone(), ..self.read(Selection::All, Via::root(0), limit) }
    }

    /// Adds the keys of a listing's rows.
    pub(super) fn list(&self, rows: &Captured, keys: &mut KeySet) -> Result<()> {
        if let Some(identity) = &self.identity {
            rows.keys(identity)?.into_iter().flatten().for_each(|key| {
                keys.insert(key);
            });
        }
        Ok(())
    }

    /// Binds a whole entity to the keys that it had at the pin.
    pub(super) fn bind(&mut self, keys: KeySet) {
        self.at_pin = Some(Arc::new(keys));
    }

    /// How many records a whole entity has, as far as that is known without reading them.
    pub(super) fn size(&self) -> u64 {
        self.at_pin.as_ref().map_or_else(|| self.entity.estimate.unwrap_or(0), |keys| keys.len() as u64)
    }

    /// Which of these rows belong to the cut: all, unless the entity is bound to the keys of its pin.
    pub(super) fn belong(&self, rows: &Captured) -> Result<Vec<bool>> {
        match (&self.at_pin, &self.identity) {
            (Some(bound), Some(identity)) => {
                Ok(rows.keys(identity)?.iter().map(|keys| keys.iter().all(|key| bound.contains(key))).collect())
            }
            _ => Ok(vec![true; rows.rows()]),
        }
    }

    /// What a whole entity's records are asked by.
    pub(super) fn everything(&self) -> Selection {
        match &self.at_pin {
            None => Selection::All,
            Some(keys) => {
                let fields = self.entity.key.iter().map(reenact_model::FieldPath::column).collect();
                let any = vec![Match { fields, keys: Arc::clone(keys), condition: None }];
                Selection::Match { any, except: Vec::new() }
            }
        }
    }

    /// A foreign key between entities that are both taken whole leads nowhere new, and the server holds it; if it does so by a
    /// rule of its own, or a condition is carried along it, each reference is looked at all the same.
    fn skips(&self, course: Course<'_>, n: usize) -> bool {
        let Relationship { declared, parent, child, .. } = &course.setup.relationships[n];
        let both = course.setup.whole.contains(&parent.entity) && course.setup.whole.contains(&child.entity);
        *declared && both && !course.equality[n].is_the_servers() && !self.carries.contains(&n)
    }

    fn read(&self, selection: Selection, via: Via, limit: u64) -> Read {
        Read {
            entity: Arc::clone(&self.entity),
            columns: Vec::new(),
            selection,
            via,
            limit: Some(limit),
            ordered: false,
        }
    }

    pub(super) fn forget(&mut self) {
        self.found.clear();
        self.matches.clear();
    }

    /// The reads that give every record once, each with how it came.
    pub(super) fn reads(&self, setup: &Setup) -> Vec<Read> {
        let limit = setup.limits.0;
        if let Some(via) = self.whole {
            return vec![self.read(self.everything(), via, limit)];
        }
        let read = |selection, via, ordered| Read { ordered, ..self.read(selection, via, limit) };
        let mut out = Vec::new();
        let mut groups: BTreeMap<Via, KeySet> = BTreeMap::new();
        for (key, (via, _)) in &self.found {
            groups.entry(*via).or_default().insert(key.clone());
        }
        for (via, keys) in groups {
            let fields = self.entity.key.iter().map(reenact_model::FieldPath::column).collect();
            let any = vec![Match { fields, keys: Arc::new(keys), condition: None }];
            out.push(read(Selection::Match { any, except: Vec::new() }, via, true));
        }
        for (n, (question, via)) in self.matches.iter().enumerate() {
            let except = self.matches[..n].iter().map(|(m, _)| m.clone()).collect();
            let entity = match via.came() {
                Came::AsChild(edge) => self.compared(What::Child(edge), setup),
                Came::AsParent(_) | Came::Root(_) => Arc::clone(&self.entity),
            };
            out.push(Read { entity, ..read(Selection::Match { any: vec![question.clone()], except }, *via, true) });
        }
        out
    }
}

impl Course<'_> {
    fn gather(self, leads: &mut Leads, to: (What, u32), keys: Vec<Vec<Key>>, expand: &[bool]) {
        let (What::Parent(edge) | What::Child(edge)) = to.0 else { return };
        let mut wanted = keys.into_iter().zip(expand).filter(|(_, e)| **e).flat_map(|(k, _)| k).peekable();
        if wanted.peek().is_some() {
            let set = leads.entry(to).or_default();
            for key in wanted.flat_map(|key| self.equality[edge].asked(key)) {
                set.insert(key);
            }
        }
    }
}
