//! Checking an expression against a schema, and making its comparisons strict.
//!
//! Hidden here: the types of expressions. Every field that is named must be one of the entity, every comparison must be of one type
//! with itself, and the whole must be a truth value. What only the data tells (the parts of a payload) is compared by functions
//! that refuse another type, where CEL would say "unequal". `x == null` asks whether a field is there, and is the one thing that may
//! be asked of a field that is not.

use std::cmp::Ordering;

use cel::common::ast::operators as op;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue, SelectExpr};
use cel::{ExecutionError, IdedExpr, Value};
use reenact_model::catalog::{Field, Role};
use reenact_model::names::Step;
use reenact_model::{Entity, ValueType};
use regex::Regex;

use super::record::Referenced;

/// Whether two values of one type are equal.
pub(super) const SAME: &str = "@same";
/// The order of two values of one type: -1, 0 or 1.
pub(super) const ORDER: &str = "@order";
/// Whether a value is in a list of values of its type.
pub(super) const AMONG: &str = "@among";
/// The name under which a whole record may be spelt, for columns whose names are no words of CEL.
const RECORD: &str = "record";

/// What a condition looks like.
pub(super) const HELP: &str =
    "write a truth value in CEL over the record's columns, such as `when: 'country == \"DE\" && !vip'`";

/// The name of a pattern's function.
pub(super) fn pattern(n: usize) -> String {
    format!("@matches{n}")
}

/// An expression that can be decided, with what it needs.
pub(super) struct Checked {
    pub(super) expression: IdedExpr,
    pub(super) fields: Vec<Referenced>,
    pub(super) patterns: Vec<Regex>,
}

/// What is wrong, and the edit that mends it.
type Wrong = (String, String);
type Typed = Result<Type, Wrong>;

/// The type of an expression, as far as it is known before a row is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Bool,
    Int,
    UInt,
    Double,
    Text,
    Moment,
    Duration,
    List,
    /// Whatever the data holds.
    Any,
}

impl Type {
    fn word(self) -> &'static str {
        match self {
            Self::Bool => "a truth value",
            Self::Int | Self::UInt => "a whole number",
            Self::Double => "a number",
            Self::Text => "a text",
            Self::Moment => "a moment",
            Self::Duration => "a duration",
            Self::List => "a list",
            Self::Any => "anything",
        }
    }

    fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::UInt | Self::Double)
    }

    fn may_be(self, other: Self) -> bool {
        self == other || self == Self::Any || other == Self::Any || (self.is_number() && other.is_number())
    }
}

/// Checks an expression over the records of an entity.
pub(super) fn check(mut expression: IdedExpr, entity: &Entity) -> Result<Checked, Wrong> {
    let mut checker = Checker { entity, scope: Vec::new(), fields: Vec::new(), patterns: Vec::new() };
    let result = checker.typed(&mut expression)?;
    if !result.may_be(Type::Bool) {
        return Err((format!("the condition is {} and no truth value", result.word()), HELP.to_owned()));
    }
    Ok(Checked { expression, fields: checker.fields, patterns: checker.patterns })
}

struct Checker<'a> {
    entity: &'a Entity,
    /// The variables of `exists`, `all` and the like.
    scope: Vec<(String, Type)>,
    fields: Vec<Referenced>,
    patterns: Vec<Regex>,
}

fn wrong<T>(message: impl Into<String>) -> Result<T, Wrong> {
    Err((message.into(), HELP.to_owned()))
}

fn literal(expression: &IdedExpr) -> Option<&LiteralValue> {
    match &expression.expr {
        Expr::Literal(literal) => Some(literal),
        _ => None,
    }
}

fn text_of(expression: &IdedExpr) -> Option<String> {
    match literal(expression) {
        Some(LiteralValue::String(text)) => Some(text.inner().to_owned()),
        _ => None,
    }
}

fn call(name: &str, args: Vec<IdedExpr>) -> Expr {
    Expr::Call(CallExpr { func_name: name.to_owned(), target: None, args })
}

impl Checker<'_> {
    /// The type of an expression, which is made strict in its place.
    fn typed(&mut self, at: &mut IdedExpr) -> Typed {
        if let Some(name) = self.column(at) {
            return self.field(&name, at);
        }
        match &mut at.expr {
            Expr::Literal(literal) => match literal {
                LiteralValue::Boolean(_) => Ok(Type::Bool),
                LiteralValue::Int(_) => Ok(Type::Int),
                LiteralValue::UInt(_) => Ok(Type::UInt),
                LiteralValue::Double(_) => Ok(Type::Double),
                LiteralValue::String(_) => Ok(Type::Text),
                LiteralValue::Null => wrong("`null` can only be compared by `==` and `!=`, with a field"),
                LiteralValue::Bytes(_) => wrong("a condition can't look at bytes"),
            },
            Expr::Ident(name) => {
                let bound = self.scope.iter().rev().find(|(known, _)| known == name);
                bound.map(|(_, kind)| *kind).ok_or_else(|| self.unknown(name))
            }
            Expr::List(list) => {
                for element in &mut list.elements {
                    self.typed(element)?;
                }
                Ok(Type::List)
            }
            Expr::Select(select) => {
                let test = select.test;
                self.part(select)?;
                Ok(if test { Type::Bool } else { Type::Any })
            }
            Expr::Call(_) => self.call(at),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => wrong("a condition makes no maps and no messages"),
        }
    }

    /// The column that an expression names, if it is that and nothing else.
    fn column(&self, at: &IdedExpr) -> Option<String> {
        let shadowed = |name: &str| self.scope.iter().any(|(known, _)| known == name);
        let is_record = |at: &IdedExpr| matches!(&at.expr, Expr::Ident(name) if name == RECORD && !shadowed(name) && self.entity.field(name).is_none());
        match &at.expr {
            Expr::Ident(name) => (!shadowed(name) && self.entity.field(name).is_some()).then(|| name.clone()),
            Expr::Select(select) => (!select.test && is_record(&select.operand)).then(|| select.field.clone()),
            Expr::Call(call) if call.func_name == op::INDEX => match call.args.as_slice() {
                [record, name] if is_record(record) => text_of(name),
                _ => None,
            },
            _ => None,
        }
    }

    fn unknown(&self, name: &str) -> Wrong {
        let names: Vec<&str> = self.entity.fields.iter().map(|field| field.name.as_str()).collect();
        (format!("{} has no field `{name}`", self.entity.id), format!("its fields are {}", names.join(", ")))
    }

    fn known(&mut self, name: &str) -> Result<(usize, Type), Wrong> {
        let Some(field) = self.entity.field(name) else { return Err(self.unknown(name)) };
        let kind = type_of(field)?;
        if let Some(known) = self.fields.iter().position(|known| known.column == name) {
            return Ok((known, kind));
        }
        let n = self.fields.len();
        self.fields.push(Referenced {
            column: name.to_owned(),
            value: field.value,
            codec: field.codec.clone(),
            variable: format!("@v{n}"),
            absent: format!("@n{n}"),
        });
        Ok((n, kind))
    }

    fn field(&mut self, name: &str, at: &mut IdedExpr) -> Typed {
        let (n, kind) = self.known(name)?;
        at.expr = Expr::Ident(self.fields[n].variable.clone());
        Ok(kind)
    }

    /// A part of a payload: `value.customer.country`.
    fn part(&mut self, select: &mut SelectExpr) -> Result<(), Wrong> {
        // The names from the column on, if it begins with one.
        let mut names = vec![select.field.clone()];
        let mut inner = &select.operand;
        let column = loop {
            if let Some(name) = self.column(inner) {
                break Some(name);
            }
            match &inner.expr {
                Expr::Select(outer) if !outer.test => {
                    names.push(outer.field.clone());
                    inner = &outer.operand;
                }
                _ => break None,
            }
        };
        if let Some(field) = column.and_then(|name| self.entity.field(&name))
            && let Some(known) = field.codec.as_ref().and_then(reenact_model::payload::Codec::known_paths)
        {
            names.reverse();
            let begins = |path: &reenact_model::Path| {
                let keys = path.0.iter().map(|step| match step {
                    Step::Key(key) => Some(key),
                    Step::Each => None,
                });
                names.iter().map(Some).zip(keys.chain(std::iter::repeat(None))).all(|(name, key)| name == key)
            };
            if !known.iter().any(begins) {
                return wrong(format!("the payload `{}` has no part `{}`", field.name, names.join(".")));
            }
        }
        match self.typed(&mut select.operand)? {
            Type::Any => Ok(()),
            other => wrong(format!("`.{}` is asked of {}, which has no parts", select.field, other.word())),
        }
    }

    fn comprehension(&mut self, inner: &mut ComprehensionExpr) -> Typed {
        match self.typed(&mut inner.iter_range)? {
            Type::List | Type::Any => {}
            other => return wrong(format!("{} is no list to go through", other.word())),
        }
        let accumulated = self.typed(&mut inner.accu_init)?;
        let outer = self.scope.len();
        self.scope.push((inner.iter_var.clone(), Type::Any));
        self.scope.extend(inner.iter_var2.iter().map(|name| (name.clone(), Type::Any)));
        self.scope.push((inner.accu_var.clone(), accumulated));
        self.typed(&mut inner.loop_cond)?;
        self.typed(&mut inner.loop_step)?;
        let result = self.typed(&mut inner.result);
        self.scope.truncate(outer);
        result
    }

    fn call(&mut self, at: &mut IdedExpr) -> Typed {
        let Expr::Call(inner) = &mut at.expr else { return wrong("this is no call") };
        let name = inner.func_name.clone();
        match (name.as_str(), inner.args.len()) {
            (op::LOGICAL_AND | op::LOGICAL_OR, 2) | (op::LOGICAL_NOT | op::NOT_STRICTLY_FALSE, 1) => {
                for arg in &mut inner.args {
                    let kind = self.typed(arg)?;
                    if !kind.may_be(Type::Bool) {
                        return wrong(format!("`&&`, `||` and `!` take truth values, and here is {}", kind.word()));
                    }
                }
                Ok(Type::Bool)
            }
            (op::CONDITIONAL, 3) => {
                let kinds = inner.args.iter_mut().map(|arg| self.typed(arg)).collect::<Result<Vec<_>, _>>()?;
                match kinds.as_slice() {
                    [test, yes, no] if test.may_be(Type::Bool) && yes.may_be(*no) => {
                        Ok(if yes == no { *yes } else { Type::Any })
                    }
                    _ => wrong("both ends of `? :` must be of one type, and what it asks a truth value"),
                }
            }
            (op::EQUALS | op::NOT_EQUALS, 2) => self.equal(at, name == op::EQUALS),
            (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, 2) => {
                let kind = self.pair(&mut inner.args)?;
                if matches!(kind, Type::Bool | Type::List) {
                    return wrong(format!("{} has no order", kind.word()));
                }
                let args = std::mem::take(&mut inner.args);
                let zero = IdedExpr { id: at.id, expr: Expr::Literal(LiteralValue::Int(0.into())) };
                at.expr = call(&name, vec![IdedExpr { id: at.id, expr: call(ORDER, args) }, zero]);
                Ok(Type::Bool)
            }
            (op::IN, 2) => self.among(at),
            (op::ADD | op::SUBSTRACT | op::MULTIPLY | op::DIVIDE | op::MODULO, 2) => self.sum(&name, &mut inner.args),
            (op::NEGATE, 1) => self.typed(&mut inner.args[0]),
            (op::INDEX, 2) => {
                let (of, by) = (self.typed(&mut inner.args[0])?, self.typed(&mut inner.args[1])?);
                match (of, by) {
                    (Type::List | Type::Any, Type::Int | Type::UInt | Type::Any) | (Type::Any, Type::Text) => {
                        Ok(Type::Any)
                    }
                    _ => wrong(format!("{} is asked of {}", by.word(), of.word())),
                }
            }
            _ => self.function(at),
        }
    }

    /// Two things that are compared; numbers of any kind compare with each other.
    fn pair(&mut self, args: &mut [IdedExpr]) -> Typed {
        let [a, b] = args else { return wrong("a comparison is of two") };
        let (a, b) = (self.typed(a)?, self.typed(b)?);
        if !a.may_be(b) {
            return wrong(format!("{} is compared with {}", a.word(), b.word()));
        }
        Ok(if a == Type::Any { b } else { a })
    }

    fn equal(&mut self, at: &mut IdedExpr, equal: bool) -> Typed {
        let Expr::Call(inner) = &mut at.expr else { return wrong("this is no call") };
        let is_null = |at: &IdedExpr| matches!(literal(at), Some(LiteralValue::Null));
        if let Some(null) = inner.args.iter().position(is_null) {
            let mut asked = inner.args.swap_remove(1 - null);
            let absent = match (self.column(&asked), &mut asked.expr) {
                (Some(name), _) => {
                    let (n, _) = self.known(&name)?;
                    Expr::Ident(self.fields[n].absent.clone())
                }
                (None, Expr::Select(select)) if !select.test => {
                    self.part(select)?;
                    select.test = true;
                    call(op::LOGICAL_NOT, vec![asked])
                }
                _ => return wrong("only a field or a part of a payload can be compared with `null`"),
            };
            at.expr = if equal { absent } else { call(op::LOGICAL_NOT, vec![IdedExpr { id: at.id, expr: absent }]) };
            return Ok(Type::Bool);
        }
        self.pair(&mut inner.args)?;
        let same = call(SAME, std::mem::take(&mut inner.args));
        at.expr = if equal { same } else { call(op::LOGICAL_NOT, vec![IdedExpr { id: at.id, expr: same }]) };
        Ok(Type::Bool)
    }

    fn among(&mut self, at: &mut IdedExpr) -> Typed {
        let Expr::Call(inner) = &mut at.expr else { return wrong("this is no call") };
        let [asked, list] = inner.args.as_mut_slice() else { return wrong("`in` is of two") };
        let kind = self.typed(asked)?;
        match &mut list.expr {
            Expr::List(list) => {
                for element in &mut list.elements {
                    let element = self.typed(element)?;
                    if !kind.may_be(element) {
                        return wrong(format!("{} is compared with {}", kind.word(), element.word()));
                    }
                }
            }
            _ => match self.typed(list)? {
                Type::List | Type::Any => {}
                other => return wrong(format!("`in` asks a list, and here is {}", other.word())),
            },
        }
        AMONG.clone_into(&mut inner.func_name);
        Ok(Type::Bool)
    }

    fn sum(&mut self, name: &str, args: &mut [IdedExpr]) -> Typed {
        let [a, b] = args else { return wrong("a sum is of two") };
        let (a, b) = (self.typed(a)?, self.typed(b)?);
        match (a, b) {
            (Type::Any, other) | (other, Type::Any) => Ok(if other.is_number() { other } else { Type::Any }),
            (a, b) if a == b && a.is_number() && !(a == Type::Double && name == op::MODULO) => Ok(a),
            (Type::Text, Type::Text) if name == op::ADD => Ok(Type::Text),
            (Type::Moment, Type::Moment) if name == op::SUBSTRACT => Ok(Type::Duration),
            (Type::Moment, Type::Duration) if matches!(name, op::ADD | op::SUBSTRACT) => Ok(Type::Moment),
            _ => wrong(format!(
                "there is no such sum of {} and {}: convert one by `int()` or `double()`",
                a.word(),
                b.word()
            )),
        }
    }

    fn function(&mut self, at: &mut IdedExpr) -> Typed {
        let Expr::Call(inner) = &mut at.expr else { return wrong("this is no call") };
        let name = inner.func_name.clone();
        if name == "matches" {
            return self.matches(at);
        }
        let member = inner.target.is_some();
        let target = inner.target.as_mut().map(|target| self.typed(target)).transpose()?;
        let args = inner.args.iter_mut().map(|arg| self.typed(arg)).collect::<Result<Vec<_>, _>>()?;
        let all: Vec<Type> = target.into_iter().chain(args).collect();
        let takes = |wanted: &[Type]| {
            all.len() == wanted.len()
                && all.iter().zip(wanted).all(|(kind, wanted)| *kind == Type::Any || kind == wanted)
        };
        let (fits, result) = match name.as_str() {
            "startsWith" | "endsWith" | "contains" => (member && takes(&[Type::Text, Type::Text]), Type::Bool),
            "size" => (takes(&[Type::Text]) || takes(&[Type::List]), Type::Int),
            "timestamp" => (!member && takes(&[Type::Text]), Type::Moment),
            "duration" => (!member && takes(&[Type::Text]), Type::Duration),
            "getFullYear" | "getMonth" | "getDate" | "getDayOfMonth" | "getDayOfWeek" | "getDayOfYear" | "getHours"
            | "getMinutes" | "getSeconds" => (member && takes(&[Type::Moment]), Type::Int),
            "int" => {
                (!member && [Type::Int, Type::UInt, Type::Double, Type::Text].iter().any(|k| takes(&[*k])), Type::Int)
            }
            "double" => (
                !member && [Type::Int, Type::UInt, Type::Double, Type::Text].iter().any(|k| takes(&[*k])),
                Type::Double,
            ),
            "string" => {
                (!member && [Type::Int, Type::UInt, Type::Double, Type::Text].iter().any(|k| takes(&[*k])), Type::Text)
            }
            _ => {
                return Err((
                    format!("a condition has no function `{name}`"),
                    "the functions are size, startsWith, endsWith, contains, matches, timestamp, duration, getFullYear and its \
                     like, int, double, string, has, exists, exists_one and all"
                        .to_owned(),
                ));
            }
        };
        if fits {
            return Ok(result);
        }
        let kinds: Vec<&str> = all.iter().map(|kind| kind.word()).collect();
        wrong(format!("`{name}` does not take {}", kinds.join(" and ")))
    }

    /// A pattern is compiled once, so it stands in the condition itself.
    fn matches(&mut self, at: &mut IdedExpr) -> Typed {
        let Expr::Call(inner) = &mut at.expr else { return wrong("this is no call") };
        let mut all: Vec<IdedExpr> = inner.target.take().map(|target| *target).into_iter().collect();
        all.append(&mut inner.args);
        let (Some(text), Some(wanted), 2) = (all.first(), all.get(1).and_then(text_of), all.len()) else {
            return wrong("`matches` takes a text and a pattern that stands in the condition");
        };
        let mut text = text.clone();
        let kind = self.typed(&mut text)?;
        if !kind.may_be(Type::Text) {
            return wrong(format!("`matches` does not take {}", kind.word()));
        }
        let Ok(compiled) = Regex::new(&wanted) else { return wrong("the pattern of `matches` does not parse") };
        at.expr = call(&pattern(self.patterns.len()), vec![text]);
        self.patterns.push(compiled);
        Ok(Type::Bool)
    }
}

/// What a column holds.
fn type_of(field: &Field) -> Typed {
    if field.role == Role::Generated {
        return wrong(format!("`{}` is computed by the server and not read", field.name));
    }
    if field.codec.is_some() {
        return Ok(Type::Any);
    }
    Ok(match field.value {
        ValueType::Bool => Type::Bool,
        ValueType::Int16 | ValueType::Int32 | ValueType::Int64 => Type::Int,
        ValueType::UInt64 => Type::UInt,
        ValueType::Float32 | ValueType::Float64 | ValueType::Decimal => Type::Double,
        ValueType::Text | ValueType::Uuid | ValueType::Time | ValueType::Other => Type::Text,
        ValueType::Date | ValueType::Timestamp | ValueType::TimestampUtc => Type::Moment,
        ValueType::Tagged => {
            let native = field.native.to_ascii_lowercase();
            let has = |part: &str| native.contains(part);
            match () {
                () if has("int") => Type::Int,
                () if has("char") || has("clob") || has("text") => Type::Text,
                () => Type::Any,
            }
        }
        ValueType::Json | ValueType::Bytes => {
            return Err((
                format!("nothing says how `{}` is decoded", field.name),
                "declare the payload in the pipeline, such as `payloads: { \"service/entity.field\": { json: {} } }`"
                    .to_owned(),
            ));
        }
    })
}

fn undecided() -> ExecutionError {
    ExecutionError::function_error("comparison", "values of different types")
}

/// The order of two values; numbers of any kind are compared by what they are.
fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    #[expect(clippy::cast_precision_loss, reason = "only whole numbers that a double holds exactly are compared so")]
    let double = |n: i128| (n.unsigned_abs() <= 1 << 53).then_some(n as f64);
    let whole = |value: &Value| match value {
        Value::Int(n) => Some(i128::from(*n)),
        Value::UInt(n) => Some(i128::from(*n)),
        _ => None,
    };
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Float(a), b) => a.partial_cmp(&double(whole(b)?)?),
        (a, Value::Float(b)) => double(whole(a)?)?.partial_cmp(b),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Timestamp(a), Value::Timestamp(b)) => Some(a.cmp(b)),
        (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
        (a, b) => Some(whole(a)?.cmp(&whole(b)?)),
    }
}

pub(super) fn same(a: &Value, b: &Value) -> Result<bool, ExecutionError> {
    compare(a, b).map(|order| order == Ordering::Equal).ok_or_else(undecided)
}

pub(super) fn order(a: &Value, b: &Value) -> Result<i64, ExecutionError> {
    compare(a, b).map(|order| order as i64).ok_or_else(undecided)
}

pub(super) fn among(a: &Value, list: &Value) -> Result<bool, ExecutionError> {
    let Value::List(list) = list else { return Err(undecided()) };
    let mut found = false;
    for element in list.iter() {
        found |= same(a, element)?;
    }
    Ok(found)
}
