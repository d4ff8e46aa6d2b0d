//! An agent in this process: the only holder of its service's credentials and unmasked rows.

mod ask;
mod collect;
mod pseudonyms;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use futures::TryStreamExt;
use reenact_bundle::{BundleWriter, Reread, Sealed};
use reenact_mask::approval::Required;
use reenact_mask::{Masker, Plan, Policy, RootKey, ScopeKeys};
use reenact_model::{Class, EntityId, Error, Field, Key, KeySet, Kind, Part, Result, Site, Via};
use reenact_stores::{Match, Pinned, Read, Selection, Source};

use self::collect::{Budget, collect_entity};
use super::agent::{Agent, Collected, Described, Estimated, Found, Scouted, Searched, Setup, Step, What};
use super::approved::approved;
use super::equality::Equality;
use super::residue::{self, Members};
use super::scout::{EntityState, Leads};
use super::sealed::{AgentKey, SealedBox};
use crate::pipeline::Service;
use crate::places::Places;

/// An agent in this process.
pub struct LocalAgent {
    service: Service,
    root_key: RootKey,
    required: Required,
    writer: Option<Arc<BundleWriter>>,
    key: AgentKey,
    source: Option<Box<dyn Source>>,
    state: Option<State>,
}

/// What an agent holds once it is prepared.
struct State {
    setup: Setup,
    /// When each relationship holds.
    equality: Vec<Equality>,
    plan: Plan,
    masker: Option<Masker>,
    /// The members that were sealed, and what reads them again.
    written: Vec<(Reread, Sealed)>,
    entities: BTreeMap<EntityId, EntityState>,
    /// Which keys were asked, and which of them exist, by question.
    asked: HashMap<(What, u32), KeySet>,
    present: HashMap<usize, KeySet>,
    /// What was known at the pin, for stores that pin keys.
    pinned: Option<HashMap<EntityId, KeySet>>,
}

impl std::fmt::Debug for LocalAgent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LocalAgent({})", self.service.name)
    }
}

impl LocalAgent {
    /// An agent of a service. Without a writer it can plan, and not collect.
    pub fn new(service: Service, root_key: RootKey, writer: Option<Arc<BundleWriter>>) -> Self {
        Self {
            service,
            root_key,
            required: Required::default(),
            writer,
            key: AgentKey::default(),
            source: None,
            state: None,
        }
    }

    /// The same agent, which masks nothing without so many approvals, whatever a coordinator says.
    #[must_use]
    pub fn requiring(mut self, required: Required) -> Self {
        self.required = required;
        self
    }

    /// Whether the service has no snapshots, so that a pin reads the records whose keys are known.
    fn pins_keys(&self) -> bool {
        matches!(self.service.kind, Kind::Redis | Kind::Memory)
    }

    async fn open(&mut self) -> Result<&mut Box<dyn Source>> {
        if self.source.is_none() {
            let site = Site::service(&self.service.name).with_span(Some(self.service.span.clone()));
            let store = reenact_stores::store(self.service.kind).ok_or_else(|| {
                Error::new(Class::Input, format!("this build has no store of kind `{}`", self.service.kind))
                    .at(site.clone())
            })?;
            let source = store.source(&self.service.dsn, &self.service.scope).await.map_err(|e| e.at(site))?;
            self.source = Some(source);
        }
        self.source.as_mut().ok_or_else(unprepared)
    }
}

/// An error with the place where its service is declared, if the service did not answer or did not let us in.
fn declared(service: &Service, error: Error) -> Error {
    match error.class() {
        Class::Unreachable => error.at(Site::service(&service.name).with_span(Some(service.span.clone()))),
        _ => error,
    }
}

fn unprepared() -> Error {
    Error::new(Class::Unexpected, "an agent was asked before it was prepared")
}

#[async_trait]
impl Agent for LocalAgent {
    async fn describe(&mut self) -> Result<Described> {
        let site = Site::service(&self.service.name).with_span(Some(self.service.span.clone()));
        let catalog = self.open().await?.describe().await.map_err(|e| e.at(site))?;
        let places = Places::of(self.service.kind, &self.service.dsn).await?;
        Ok(Described { catalog, recipient: self.key.recipient(), pins_keys: self.pins_keys(), places })
    }

    async fn prepare(&mut self, setup: Setup) -> Result<()> {
        let policy = Policy::read(&setup.policy)?;
        let plan = Plan::resolve(&policy, &setup.catalogs, &setup.relationships, &setup.reached)?;
        approved(&policy, &plan, &setup.reached, &setup.approvals, &self.required)
            .map_err(|error| error.at(Site::service(&self.service.name)))?;
        let masker = plan.masker(&ScopeKeys::new(&self.root_key, &setup.salt));
        let own = setup.catalogs.iter().filter(|c| c.service == self.service.name).flat_map(|c| &c.entities);
        let mut entities = BTreeMap::new();
        for entity in own.filter(|e| setup.reached.contains(&e.id)) {
            let mut state = EntityState::new(entity, &setup)?;
            state.carry(&plan);
            entities.insert(entity.id.clone(), state);
        }
        let equality = |edge| Equality::of(&plan, edge, &setup.catalogs);
        let equality = setup.relationships.iter().map(equality).collect::<Result<_>>()?;
        self.state = Some(State {
            setup,
            equality,
            plan,
            masker: Some(masker),
            written: Vec::new(),
            entities,
            asked: HashMap::new(),
            present: HashMap::new(),
            pinned: None,
        });
        Ok(())
    }

    async fn estimate(&mut self) -> Result<Vec<Estimated>> {
        let service = self.service.clone();
        let source = self.source.as_ref().ok_or_else(unprepared)?;
        let state = self.state.as_ref().ok_or_else(unprepared)?;
        let mut questions = Vec::new();
        for (n, edge) in state.setup.relationships.iter().enumerate() {
            questions.push((What::Parent(n), &edge.parent, None));
            questions.push((What::Child(n), &edge.child, edge.condition.clone()));
        }
        let mut out = Vec::new();
        for (what, end, condition) in questions {
            let (Some(entity), true) = (state.entities.get(&end.entity), state.setup.reached.contains(&end.entity))
            else {
                continue;
            };
            let key = Key::new(end.fields.iter().map(|f| placeholder(entity.entity.field(&f.column))));
            let any =
                vec![Match { fields: end.fields.clone(), keys: Arc::new([key].into_iter().collect()), condition }];
            let read = Read {
                entity: Arc::clone(&entity.entity),
                columns: entity.columns(),
                selection: Selection::Match { any, except: Vec::new() },
                via: Via::root(0),
                limit: None,
                ordered: false,
            };
            out.push(Estimated {
                entity: end.entity.clone(),
                what,
                estimate: source.estimate(&read).await.map_err(|e| declared(&service, e))?,
            });
        }
        Ok(out)
    }

    async fn scout(&mut self, steps: Vec<Step>) -> Result<Scouted> {
        let mut out = Scouted::default();
        let mut leads = Leads::new();
        for (position, step) in steps.iter().enumerate() {
            // A root's values come in the order in which they were given; keys are a set.
            if let (What::Root(root), Some(sealed)) = (step.what, &step.keys) {
                let values: Vec<Key> = self.key.open(sealed)?;
                out.roots.push((root, self.pseudonyms(root, &step.entity, &values)?));
                let asked = self.ask_root(step, &values, &mut leads).await;
                let (new, missed) = asked.map_err(|e| declared(&self.service, e))?;
                out.rows.push(new);
                out.missed.extend((!missed.is_empty()).then_some((position, missed)));
                continue;
            }
            let mut keys = step.keys.as_ref().map(|sealed| self.key.open::<KeySet>(sealed)).transpose()?;
            if let (What::Parent(_) | What::Child(_), Some(wanted)) = (step.what, &mut keys) {
                let state = self.state.as_mut().ok_or_else(unprepared)?;
                // Asked before with the same or a further reach: nothing new can come.
                for ((what, levels), asked) in &state.asked {
                    if *what == step.what && *levels >= step.levels {
                        *wanted = wanted.minus(asked);
                    }
                }
                if wanted.is_empty() {
                    out.rows.push(0);
                    continue;
                }
                state.asked.entry((step.what, step.levels)).or_default().extend(wanted);
            }
            let answer = self.ask(step, keys, &mut leads, false).await;
            out.rows.push(answer.map_err(|e| declared(&self.service, e))?.new);
        }
        let state = self.state.as_ref().ok_or_else(unprepared)?;
        let mut leads: Vec<_> = leads.into_iter().collect();
        leads.sort_by_key(|(to, _)| *to);
        for ((what, levels), keys) in leads {
            let entity = match what {
                What::Parent(n) => &state.setup.relationships[n].parent.entity,
                What::Child(n) => &state.setup.relationships[n].child.entity,
                What::Root(_) => continue,
            };
            let recipient = state.setup.recipients.get(&entity.service).ok_or_else(unprepared)?;
            out.found.push(Found {
                what,
                entity: entity.clone(),
                levels,
                count: keys.len() as u64,
                keys: SealedBox::new(recipient, &keys)?,
            });
        }
        Ok(out)
    }

    async fn pin(&mut self, part: Part) -> Result<Pinned> {
        let pins_keys = self.pins_keys();
        let site = Site::service(&self.service.name);
        let source = self.source.as_mut().ok_or_else(unprepared)?;
        let state = self.state.as_mut().ok_or_else(unprepared)?;
        // Where no snapshot holds a whole entity, the cut's records are those whose keys are there at the pin. They are
        // listed now, and not by the walk before the pins: whatever an effect in a store that is pinned already was caused
        // by is there by now, and a cause that came after that walk would be missing. An empty pin tells where it begins.
        let mut begun = None;
        for (id, entity) in &mut state.entities {
            if !pins_keys || !state.setup.whole.contains(id) {
                continue;
            }
            if begun.is_none() {
                begun = Some(source.pin(&part, &[]).await.map_err(|e| e.at(site.clone()))?.position);
            }
            let mut keys = KeySet::new();
            let mut batches = source.read(entity.listing(state.setup.limits.0));
            while let Some(rows) = batches.try_next().await? {
                entity.list(&rows, &mut keys)?;
            }
            drop(batches);
            entity.bind(keys);
        }
        let known: Vec<_> = state.entities.values().map(|e| (Arc::clone(&e.entity), e.keys())).collect();
        state.pinned.get_or_insert_with(|| known.iter().map(|(e, k)| (e.id.clone(), k.clone())).collect());
        state.entities.values_mut().for_each(EntityState::forget);
        state.asked.clear();
        state.present.clear();
        // What was answered is of another moment than the pin's.
        if let Some(masker) = &mut state.masker {
            masker.forget_verdicts();
        }
        let mut pinned = source.pin(&part, &known).await.map_err(|e| e.at(site))?;
        if let Some(begun) = begun {
            pinned.position = pinned.position.since(&begun);
        }
        Ok(pinned)
    }

    async fn verdicts(&mut self) -> Result<Vec<(String, SealedBox)>> {
        let state = self.state.as_ref().ok_or_else(unprepared)?;
        let masker = state.masker.as_ref().ok_or_else(unprepared)?;
        let mut out = Vec::new();
        for (service, recipient) in state.setup.recipients.iter().filter(|(name, _)| **name != self.service.name) {
            let verdicts = masker.verdicts(service);
            if !verdicts.is_empty() {
                out.push((service.clone(), SealedBox::new(recipient, &verdicts)?));
            }
        }
        Ok(out)
    }

    async fn heed(&mut self, verdicts: SealedBox) -> Result<()> {
        let verdicts = self.key.open(&verdicts)?;
        let state = self.state.as_mut().ok_or_else(unprepared)?;
        state.masker.as_mut().ok_or_else(unprepared)?.heed(verdicts)
    }

    async fn collect(&mut self) -> Result<Collected> {
        let writer = self.writer.clone().ok_or_else(unprepared)?;
        let pins_keys = self.pins_keys();
        let source = self.source.as_ref().ok_or_else(unprepared)?;
        let state = self.state.as_mut().ok_or_else(unprepared)?;
        let mut out = Collected::default();
        if pins_keys {
            // A whole entity has no late keys: it is bound to those that were there at its pin.
            for (id, entity) in state.entities.iter().filter(|(_, entity)| entity.whole.is_none()) {
                let pinned = state.pinned.as_ref().and_then(|p| p.get(id)).cloned().unwrap_or_default();
                out.late += entity.keys().minus(&pinned).len() as u64;
            }
        }
        let mut masker = state.masker.take().ok_or_else(unprepared)?;
        let mut budget = Budget { rows: 0, bytes: 0, limits: state.setup.limits };
        for entity in state.entities.values() {
            let reads = entity.reads(&state.setup);
            if reads.is_empty() {
                continue;
            }
            let member = writer.member(&entity.entity)?;
            let (back, sealed) =
                collect_entity(&**source, reads, masker, member, &mut budget, &state.setup.relationships)
                    .await
                    .map_err(|e| declared(&self.service, e))?;
            masker = back;
            out.sealed.extend(sealed.iter().map(|(_, sealed)| sealed.clone()));
            state.written.extend(sealed);
        }
        out.bytes = budget.bytes;
        out.unknown = masker.unknown();
        out.named = masker.named();
        state.masker = Some(masker);
        out.dangling = self.dangling()?;
        if let Some(source) = &self.source {
            (out.gaps, out.queries) = (source.gaps(), source.queries());
        }
        Ok(out)
    }

    async fn needles(&mut self, piece: usize) -> Result<Vec<(String, SealedBox)>> {
        let state = self.state.as_mut().ok_or_else(unprepared)?;
        let others = state.setup.recipients.iter().filter(|(service, _)| **service != self.service.name);
        let mut others = others.peekable();
        if others.peek().is_none() {
            return Ok(Vec::new());
        }
        let masker = state.masker.as_mut().ok_or_else(unprepared)?;
        let Some(needles) = masker.needles(piece) else { return Ok(Vec::new()) };
        others.map(|(service, recipient)| Ok((service.clone(), SealedBox::new(recipient, &needles)?))).collect()
    }

    async fn learn(&mut self, needles: SealedBox) -> Result<()> {
        let needles = self.key.open(&needles)?;
        let state = self.state.as_mut().ok_or_else(unprepared)?;
        state.masker.as_mut().ok_or_else(unprepared)?.learn(needles);
        Ok(())
    }

    async fn search(&mut self, texts: Vec<String>) -> Result<Searched> {
        // Production is read no more: its snapshot must not be held while we look.
        self.source = None;
        let state = self.state.take().ok_or_else(unprepared)?;
        let search = state.masker.ok_or_else(unprepared)?.search();
        let keys = ScopeKeys::new(&self.root_key, &state.setup.salt);
        residue::look(Members { written: state.written, plan: state.plan, keys }, search, texts).await
    }
}

/// A key that stands for any, typed so that the server can plan with it.
fn placeholder(field: Option<&Field>) -> &'static str {
    use reenact_model::ValueType as V;
    match field.map(|f| f.value) {
        Some(V::Uuid) => "00000000-0000-0000-0000-000000000000",
        Some(V::Bool) => "true",
        Some(V::Date) => "2000-01-01",
        Some(V::Timestamp | V::TimestampUtc) => "2000-01-01 00:00:00",
        _ => "1",
    }
}
