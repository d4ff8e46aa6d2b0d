//! Tests inside a policy: a value that goes in, and what must hold of the value that comes out.
//!
//! Hidden here: how they are written. [`crate::trial`] runs them.

use std::collections::BTreeMap;

use reenact_model::{FieldId, Finding, Site, Span};
use regex::Regex;
use serde::Deserialize;

use super::syntax::{Scalar, Scalars};
use crate::validity::{self, Validity};
use crate::yaml::{self, Spanned};

/// One test of a policy.
#[derive(Clone, Debug)]
pub struct PolicyTest {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub span: Span,
    /// The field whose value goes in and comes out.
    pub field: FieldId,
    /// The value that goes in; NULL if there is none.
    pub input: Option<String>,
    /// More fields of the same record, by column.
    pub with: BTreeMap<String, Option<String>>,
    /// Whether the records that it refers to fulfil what conditions ask of them.
    pub when: Option<bool>,
    /// What must hold, each at its place.
    pub expect: Vec<(Expectation, Span)>,
}

/// What must hold of a value that comes out.
#[derive(Clone, Debug)]
pub enum Expectation {
    /// It is this text.
    Equals(String),
    /// The pattern is found in it.
    Matches(Regex),
    /// It is (or is not) another text than went in.
    Differs(bool),
    /// It has this many characters.
    Length(usize),
    /// It passes (or fails) the test of its kind.
    Valid(&'static Validity, bool),
    /// The same value in another field becomes the same text.
    SameAs(FieldId),
    /// It is (or is not) NULL.
    Null(bool),
    /// The value is (or is not) refused.
    Refused(bool),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TestText {
    name: Spanned<String>,
    field: Spanned<String>,
    input: Option<Scalar>,
    #[serde(default)]
    with: BTreeMap<String, Option<Scalar>>,
    when: Option<bool>,
    expect: Spanned<ExpectText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectText {
    equals: Option<Spanned<Scalar>>,
    matches: Option<Spanned<String>>,
    differs: Option<Spanned<bool>>,
    length: Option<Spanned<usize>>,
    valid: Option<Spanned<String>>,
    invalid: Option<Spanned<String>>,
    same_as: Option<Spanned<Scalars>>,
    is_null: Option<Spanned<bool>>,
    refused: Option<Spanned<bool>>,
}

/// Reads the tests; what is wrong with one goes to `findings`.
pub(super) fn resolve(file: &str, written: Vec<TestText>, findings: &mut Vec<Finding>) -> Vec<PolicyTest> {
    let mut tests: Vec<PolicyTest> = Vec::new();
    for one in written {
        let span = yaml::span(file, &one.name.referenced);
        if tests.iter().any(|test| test.name == one.name.value) {
            let site = Site::default().with_span(Some(span.clone()));
            findings
                .push(Finding::error("POL-014", site, "another test has this name").help("give it a name of its own"));
        }
        let at = yaml::span(file, &one.field.referenced);
        let field = match one.field.value.parse::<FieldId>() {
            Ok(field) => field,
            Err(message) => {
                findings.push(Finding::error("POL-012", Site::default().with_span(Some(at)), message));
                continue;
            }
        };
        let place = yaml::span(file, &one.expect.referenced);
        let before = findings.len();
        let expect = one.expect.value.resolve(file, findings);
        if expect.is_empty() && findings.len() == before {
            let site = Site::default().with_span(Some(place));
            findings.push(
                Finding::error("POL-021", site, "the test expects nothing")
                    .help("write what must hold, such as `expect: { differs: true }`"),
            );
        }
        let plain = |value: Option<Scalar>| value.map(|scalar| scalar.0);
        tests.push(PolicyTest {
            name: one.name.value,
            span,
            field,
            input: plain(one.input),
            when: one.when,
            with: one.with.into_iter().map(|(column, value)| (column, plain(value))).collect(),
            expect,
        });
    }
    tests
}

impl ExpectText {
    fn resolve(self, file: &str, findings: &mut Vec<Finding>) -> Vec<(Expectation, Span)> {
        let mut out = Vec::new();
        let mut wrong = |span: &Span, message: String, help: &str| {
            let site = Site::default().with_span(Some(span.clone()));
            findings.push(Finding::error("POL-021", site, message).help(help));
        };
        if let Some(text) = self.equals {
            out.push((Expectation::Equals(text.value.0), yaml::span(file, &text.referenced)));
        }
        if let Some(text) = self.matches {
            let span = yaml::span(file, &text.referenced);
            match Regex::new(&text.value) {
                Ok(pattern) => out.push((Expectation::Matches(pattern), span)),
                Err(_) => wrong(&span, "this is no regular expression".to_owned(), "write one, such as `^[0-9]+$`"),
            }
        }
        for (text, good) in [(self.valid, true), (self.invalid, false)] {
            let Some(text) = text else { continue };
            let span = yaml::span(file, &text.referenced);
            if let Some(kind) = validity::find(&text.value) {
                out.push((Expectation::Valid(kind, good), span));
            } else {
                let known: Vec<&str> = validity::KINDS.iter().map(|kind| kind.name).collect();
                let help = format!("the kinds are {}", known.join(", "));
                wrong(&span, format!("there is no kind `{}`", text.value), &help);
            }
        }
        if let Some(fields) = self.same_as {
            let span = yaml::span(file, &fields.referenced);
            for field in fields.value.0 {
                match field.parse() {
                    Ok(field) => out.push((Expectation::SameAs(field), span.clone())),
                    Err(message) => wrong(&span, message, "write it as `service/entity.field`"),
                }
            }
        }
        let mut push = |flag: Option<Spanned<bool>>, make: fn(bool) -> Expectation| {
            out.extend(flag.map(|flag| (make(flag.value), yaml::span(file, &flag.referenced))));
        };
        push(self.differs, Expectation::Differs);
        push(self.is_null, Expectation::Null);
        push(self.refused, Expectation::Refused);
        out.extend(self.length.map(|n| (Expectation::Length(n.value), yaml::span(file, &n.referenced))));
        out
    }
}
