//! Conditions of rules: whether a record, as it was read, fulfils an expression in CEL.
//!
//! Hidden here: the expression language and how strictly it is taken. An expression is parsed when the policy is read, checked
//! against the schema before any row is read ([`check`](self)), and evaluated on originals alone. CEL itself calls a text and a
//! number unequal and moves on; here whatever can't be decided (a field that is NULL, a value of another type, a payload that does
//! not decode) is an error, because either answer could keep what should have been masked.

mod check;
mod record;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use arrow::array::RecordBatch;
use cel::{Context, Env, IdedExpr, Value};
use reenact_model::{Class, Entity, Error, Finding, Result, Site, Span};
use regex::Regex;

use self::record::{Record, Referenced};

/// The most distinct records whose answer is remembered.
const CACHE: usize = 1 << 12;
/// The longest expression, in bytes.
const MAX_BYTES: usize = 4 << 10;
/// How deep an expression may nest.
const MAX_DEPTH: u16 = 64;

/// The functions of CEL's standard library; a condition has no others.
static STANDARD: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// Parses an expression.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn parse(text: &str) -> std::result::Result<IdedExpr, String> {
    if text.len() > MAX_BYTES {
        return Err(format!("the condition is longer than {MAX_BYTES} bytes"));
    }
    let parser = STANDARD.parser().max_recursion_depth(MAX_DEPTH).enable_ident_escape_syntax(true);
    parser.parse(text).map_err(|errors| match errors.errors.first() {
        Some(first) => {
            let message = first.msg.lines().next().unwrap_or_default();
            format!("the condition does not parse: {message} (at its character {})", first.pos.1.max(0) + 1)
        }
        None => "the condition does not parse".to_owned(),
    })
}

/// A condition that was checked against an entity's schema.
pub(crate) struct Condition {
    rule: String,
    span: Span,
    expression: IdedExpr,
    fields: Vec<Referenced>,
    patterns: Vec<Regex>,
}

/// A condition stands in a policy, so it tells only whose it is.
impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Condition(of {})", self.rule)
    }
}

impl Condition {
    /// Checks an expression against the records of an entity.
    ///
    /// # Errors
    /// What is wrong, and the edit that mends it.
    pub(crate) fn new(
        text: &str,
        entity: &Entity,
        rule: &str,
        span: &Span,
    ) -> std::result::Result<Self, (String, String)> {
        let expression = parse(text).map_err(|message| (message, check::HELP.to_owned()))?;
        let checked = check::check(expression, entity)?;
        Ok(Self {
            rule: rule.to_owned(),
            span: span.clone(),
            expression: checked.expression,
            fields: checked.fields,
            patterns: checked.patterns,
        })
    }

    /// The columns that it looks at.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| field.column.as_str())
    }

    /// An error or finding of this condition is of this place.
    pub(crate) fn site(&self, entity: &Entity) -> Site {
        Site::entity(&entity.id).with_rule(&self.rule).with_span(Some(self.span.clone()))
    }

    /// What a record is refused with for which it can't be decided.
    pub(crate) fn undecided(&self, entity: &Entity, why: &str) -> Error {
        let finding = Finding::error(
            "POL-034",
            self.site(entity),
            format!("the condition of this rule can't be decided for a record: {why}"),
        )
        .help("say in the condition what holds then, such as `country != null && country == \"DE\"`");
        Error::from_findings(Class::Policy, "a condition can't be decided", &[finding])
            .unwrap_or_else(|| Error::new(Class::Policy, "a condition can't be decided"))
    }
}

/// Decides a condition, batch by batch.
pub(crate) struct Decider {
    condition: Arc<Condition>,
    /// Answers by the texts of the columns at hand, as long as all of them are plain.
    known: HashMap<Box<str>, bool, ahash::RandomState>,
}

/// It remembers originals, so it tells its condition alone.
impl fmt::Debug for Decider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decider({:?})", self.condition)
    }
}

impl Decider {
    pub(crate) fn new(condition: Arc<Condition>) -> Self {
        Self { condition, known: HashMap::default() }
    }

    /// Which records of a batch fulfil the condition.
    ///
    /// # Errors
    /// [`Class::Policy`] with the rule's place if it can't be decided for one of them.
    pub(crate) fn decide(&mut self, entity: &Entity, batch: &RecordBatch) -> Result<Vec<bool>> {
        let condition = Arc::clone(&self.condition);
        let mut context = Context::with_env(Arc::clone(&STANDARD));
        functions(&mut context, &condition.patterns)
            .map_err(|_| Error::new(Class::Unexpected, "a condition's functions can't be declared"))?;
        let record = Record::new(&condition.fields, entity, batch)?;
        let mut out = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let name = record.name(row);
            if let Some(known) = name.as_deref().and_then(|name| self.known.get(name)) {
                out.push(*known);
                continue;
            }
            let mut scope = context.new_inner_scope();
            record.fill(row, &mut scope);
            let decided = match Value::resolve(&condition.expression, &scope) {
                Ok(Value::Bool(decided)) => decided,
                // What the library says may hold a value of the record.
                Ok(_) => return Err(condition.undecided(entity, "it gives no truth value")),
                Err(_) => return Err(condition.undecided(entity, &record.why(row))),
            };
            if let Some(name) = name
                && self.known.len() < CACHE
            {
                self.known.insert(name.into(), decided);
            }
            out.push(decided);
        }
        Ok(out)
    }
}

/// The comparisons that take no value for another type's, and the patterns.
fn functions(context: &mut Context<'_, '_>, patterns: &[Regex]) -> std::result::Result<(), cel::DeclarationError> {
    context.add_function(check::SAME, |a: Value, b: Value| check::same(&a, &b))?;
    context.add_function(check::ORDER, |a: Value, b: Value| check::order(&a, &b))?;
    context.add_function(check::AMONG, |a: Value, list: Value| check::among(&a, &list))?;
    for (n, pattern) in patterns.iter().enumerate() {
        let pattern = pattern.clone();
        context.add_function(&check::pattern(n), move |text: Arc<String>| pattern.is_match(&text))?;
    }
    Ok(())
}
