//! Running the tests inside a policy.
//!
//! Hidden here: how a single record is masked without any server. The record is made of the test's own values and goes the way of
//! every record, through [`Masker::apply`], under a key that stands in this file: a test says what it says on each machine, and
//! no pseudonym of a capture can be computed from one of its results. A preview goes the same way, under a key that is dropped with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use reenact_model::canonical::{Reader, Writer};
use reenact_model::payload::{Decoder, Node};
use reenact_model::{Captured, Entity, Error, FieldId, Finding, Key, Result, ServiceCatalog, Site, Span, Via};
use serde::Serialize;

use crate::domain::{RootKey, Salt, ScopeKeys};
use crate::masker::Masker;
use crate::plan::{Decision, Plan};
use crate::policy::{Expectation, Policy, PolicyTest};

/// What the tests of a policy came to.
#[derive(Clone, Debug, Default)]
pub struct Trial {
    /// The names of the tests that hold.
    pub passed: Vec<String>,
    /// What does not hold, each at its place.
    pub findings: Vec<Finding>,
}

/// Runs the tests of a policy.
///
/// # Errors
/// None of a test's own: those are findings.
pub fn run(policy: &Policy, plan: &Plan, catalogs: &[ServiceCatalog]) -> Result<Trial> {
    // Public, and so of no use to anybody: captures have keys of their own.
    let root = RootKey::from_hex(&"7e57".repeat(16))?;
    let keys = ScopeKeys::new(&root, &Salt::from_bytes(*b"the salt of tests in any policy."));
    let mut trial = Trial::default();
    for test in &policy.tests {
        // A masker of its own for each test: none sees what another has left behind.
        let mut bench = Bench { plan, catalogs, masker: plan.masker(&keys) };
        if let Some(fulfilled) = test.when {
            bench.masker.assume(fulfilled, false);
        }
        let before = trial.findings.len();
        bench.test(test, &mut trial.findings);
        if trial.findings.len() == before {
            trial.passed.push(test.name.clone());
        }
    }
    Ok(trial)
}

/// What becomes of one value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Whether the rule's condition is taken as fulfilled; none where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fulfilled: Option<bool>,
    /// The value that comes out; NULL if there is none.
    pub becomes: Option<String>,
    /// Why the value is refused, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// Shows what a plan makes of values, under a key that is drawn for it and dropped with it.
#[derive(Debug)]
pub struct Preview<'a> {
    plan: &'a Plan,
    catalogs: &'a [ServiceCatalog],
    keys: ScopeKeys,
}

impl<'a> Preview<'a> {
    /// Draws a key.
    ///
    /// # Errors
    /// [`reenact_model::Class::Unexpected`] if the operating system gives no randomness.
    pub fn new(plan: &'a Plan, catalogs: &'a [ServiceCatalog]) -> Result<Self> {
        Ok(Self { plan, catalogs, keys: ScopeKeys::new(&RootKey::generate()?, &Salt::generate()?) })
    }

    /// What becomes of a value, alone in its record: once, or with its condition fulfilled and then not.
    pub fn show(&self, decision: &Decision, value: Option<&str>) -> Vec<Shown> {
        let conditions: &[Option<bool>] = if decision.when.is_some() { &[Some(true), Some(false)] } else { &[None] };
        let test = PolicyTest {
            name: "preview".to_owned(),
            span: Span { file: String::new(), line: 0, column: 0, length: 0 },
            field: decision.field.clone(),
            input: value.map(str::to_owned),
            with: BTreeMap::new(),
            when: None,
            expect: Vec::new(),
        };
        let shown = |fulfilled: &Option<bool>| {
            let mut bench = Bench { plan: self.plan, catalogs: self.catalogs, masker: self.plan.masker(&self.keys) };
            // Conditions of other fields have no say here.
            bench.masker.assume(fulfilled.unwrap_or(false), true);
            let (becomes, refused) = match bench.outcome(&test.field, &test) {
                Ok(Ok(value)) => (value, None),
                Ok(Err(error)) => (None, Some(error.message().to_owned())),
                Err((message, _)) => (None, Some(message)),
            };
            Shown { fulfilled: *fulfilled, becomes, refused }
        };
        conditions.iter().map(shown).collect()
    }
}

struct Bench<'a> {
    plan: &'a Plan,
    catalogs: &'a [ServiceCatalog],
    masker: Masker,
}

/// What comes out: a value, NULL, or why the value is refused.
type Outcome = std::result::Result<Option<String>, Error>;

/// Why a test can't be run: what is wrong, and the edit that mends it.
type Unfit = (String, &'static str);

impl Bench<'_> {
    fn test(&mut self, test: &PolicyTest, findings: &mut Vec<Finding>) {
        let site = |span| Site::field(&test.field).with_span(Some(span));
        let outcome = match self.outcome(&test.field, test) {
            Ok(outcome) => outcome,
            Err((message, help)) => {
                let message = format!("test `{}` can't be run: {message}", test.name);
                findings.push(Finding::error("TEST-002", site(test.span.clone()), message).help(help));
                return;
            }
        };
        let refused = test.expect.iter().any(|(e, _)| matches!(e, Expectation::Refused(true)));
        if let (Err(error), false) = (&outcome, refused) {
            let message = format!("test `{}`: the value is refused: {}", test.name, error.message());
            findings.push(
                Finding::error("TEST-001", site(test.span.clone()), message)
                    .help("mend the rule or the test, or write `refused: true` if that is what should happen"),
            );
            return;
        }
        for (expectation, span) in &test.expect {
            let wrong = match expectation {
                Expectation::SameAs(other) => match self.outcome(other, test) {
                    Ok(Ok(value)) if outcome.as_ref().is_ok_and(|own| *own == value) => None,
                    Ok(_) => Some(format!("the same value in {other} becomes another one")),
                    Err((message, help)) => {
                        let message = format!("test `{}` can't be run: {message}", test.name);
                        findings.push(Finding::error("TEST-002", site(span.clone()), message).help(help));
                        None
                    }
                },
                other => holds(other, test, &outcome),
            };
            if let Some(wrong) = wrong {
                let given = match &outcome {
                    Ok(Some(value)) => format!("the result is `{value}`"),
                    Ok(None) => "the result is NULL".to_owned(),
                    Err(error) => format!("the value is refused: {}", error.message()),
                };
                let message = format!("test `{}`: {wrong}; {given}", test.name);
                findings.push(
                    Finding::error("TEST-001", site(span.clone()), message)
                        .help("mend the rule if it is wrong, else what the test expects"),
                );
            }
        }
    }

    /// Masks the test's value as one of a field.
    fn outcome(&mut self, id: &FieldId, test: &PolicyTest) -> std::result::Result<Outcome, Unfit> {
        let entity = self.catalogs.iter().flat_map(|c| &c.entities).find(|e| e.id == id.entity);
        let Some(entity) = entity.filter(|e| e.field(&id.field.column).is_some() && self.plan.covers(&e.id)) else {
            let message = format!("{id} is no field that the capture reads");
            return Err((message, "name a field of an entity that the pipeline's roots lead to"));
        };
        let (entity, own) = (Arc::clone(entity), *id == test.field);
        match &id.field.path {
            Some(_) if !(own && test.with.contains_key(&id.field.column)) => {
                let field = entity.field(&id.field.column).cloned();
                let Some((field, input)) = field.zip(test.input.clone()) else { return Ok(Ok(None)) };
                if field.codec.is_none() {
                    let message = format!("{id}: nothing says how this payload is decoded");
                    return Err((message, "declare the payload in the pipeline, such as `value: { json: {} }`"));
                }
                // A leaf alone; what looks at the rest of its record needs that under `with`.
                let slot = (entity.id.clone(), field, id.field.clone());
                let masked = self.masker.key(&[slot], &Key::new([input]));
                Ok(masked.map(|key| key.and_then(|key| key.parts().first().map(ToString::to_string))))
            }
            _ => self.record(&entity, id, test, own),
        }
    }

    /// Masks a record that has the test's values.
    fn record(
        &mut self,
        entity: &Arc<Entity>,
        id: &FieldId,
        test: &PolicyTest,
        own: bool,
    ) -> std::result::Result<Outcome, Unfit> {
        if let Some(column) = test.with.keys().find(|column| own && entity.field(column).is_none()) {
            return Err((format!("{} has no field `{column}`", entity.id), "mend the name under `with`"));
        }
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(entity.fields.len());
        for field in &entity.fields {
            let value = if field.name == id.field.column && id.field.path.is_none() {
                test.input.as_ref()
            } else {
                test.with.get(&field.name).and_then(Option::as_ref).filter(|_| own)
            };
            let mut writer = Writer::new(field.value, 1);
            match value {
                None => writer.push_null(),
                Some(value) => writer.push(value, b't').map_err(|_| {
                    let message = format!("the value for `{}` is none of its type `{}`", field.name, field.native);
                    (message, "write it as the store shows it")
                })?,
            }
            arrays.push(writer.finish());
        }
        let batch = RecordBatch::try_new(entity.schema(), arrays)
            .map_err(|_| ("the record can't be made".to_owned(), "name a table's field"))?;
        let masked = match self.masker.apply(Captured::new(Arc::clone(entity), batch, Via::root(0))) {
            Ok(masked) => masked,
            Err(error) => return Ok(Err(error)),
        };
        if let Some(finding) = self.masker.unknown().first() {
            let what = format!("{}: {}", finding.site, finding.message);
            return Ok(Err(Error::new(reenact_model::Class::Policy, what)));
        }
        let Some((field, array)) = entity.field(&id.field.column).zip(masked.batch().column_by_name(&id.field.column))
        else {
            return Err((format!("{id} is computed by the server"), "name a field that is written"));
        };
        Ok(Ok(match (&id.field.path, &field.codec) {
            (Some(path), Some(codec)) => {
                let node =
                    Decoder::new(codec).ok().and_then(|decoder| decoder.decode_cell(array, field.value, 0)?.ok());
                let found = node.as_ref().and_then(|node| node.find(path).into_iter().next());
                found.and_then(Node::canonical).map(std::borrow::Cow::into_owned)
            }
            _ => Reader::new(array, field.value).get(0).map(std::borrow::Cow::into_owned),
        }))
    }
}

/// What is wrong with an outcome, if anything is.
fn holds(expectation: &Expectation, test: &PolicyTest, outcome: &Outcome) -> Option<String> {
    let value = outcome.as_ref().ok().and_then(Option::as_deref);
    let wrong = |fails: bool, message: String| fails.then_some(message);
    match expectation {
        Expectation::Equals(right) => wrong(value != Some(right), format!("it should be `{right}`")),
        Expectation::Matches(pattern) => {
            wrong(!value.is_some_and(|value| pattern.is_match(value)), format!("it should match `{pattern}`"))
        }
        Expectation::Differs(differs) => {
            let message = if *differs { "it should differ from the input" } else { "it should be the input" };
            wrong((value != test.input.as_deref()) != *differs || value.is_none(), message.to_owned())
        }
        Expectation::Length(length) => wrong(
            value.map(|value| value.chars().count()) != Some(*length),
            format!("it should have {length} characters"),
        ),
        Expectation::Valid(kind, good) => {
            let word = if *good { "pass" } else { "fail" };
            let message = format!("it should {word} the test of `{}`", kind.name);
            wrong(value.is_none_or(|value| (kind.test)(value) != *good), message)
        }
        Expectation::Null(null) => {
            let message = if *null { "it should be NULL" } else { "it should not be NULL" };
            wrong(!outcome.as_ref().is_ok_and(|value| value.is_none() == *null), message.to_owned())
        }
        Expectation::Refused(refused) => {
            let message = if *refused { "it should be refused" } else { "it should not be refused" };
            wrong(outcome.is_err() != *refused, message.to_owned())
        }
        // Asked of the other field by the caller.
        Expectation::SameAs(_) => None,
    }
}
