//! What `CHECK` constraints say of fields.
//!
//! Hidden here: how an expression of a constraint is read. What binds one field and is understood whole narrows the field's values,
//! range or length, as a type would, so that masks are held to it before a row is read. Whatever is not understood, or binds
//! several fields together, is written down by name: nobody may say that a mask's results fulfil it.

use reenact_model::{Field, ValueType};
use sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, InTarget, UnaryOperator, Value,
};
use sqlparser::dialect::Dialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};

/// The longest expression that is read; a longer one is not understood.
const MOST_BYTES: usize = 64 * 1024;

/// What a constraint says of the one field that it binds.
#[derive(Debug, Default, PartialEq)]
struct Bound {
    /// It is one of these texts.
    texts: Option<Vec<String>>,
    /// It is one of these numbers.
    numbers: Option<Vec<i64>>,
    least: Option<i64>,
    most: Option<i64>,
    /// The greatest length in characters.
    chars: Option<u32>,
}

/// Takes a constraint's expression into account, in the fields that it names.
///
/// `word` is the name that stands for the field where it is not the field's own, as `VALUE` does in a domain's constraint; the only
/// one of `fields` is meant then.
pub(super) fn narrow(
    fields: &mut [Field],
    dialect: &dyn Dialect,
    (name, expression): (&str, &str),
    word: Option<&str>,
) {
    let parsed = parse(dialect, expression);
    let conjuncts = match &parsed {
        Some(parsed) => conjuncts(parsed),
        None => return unread(fields, dialect, name, expression, word),
    };
    for conjunct in conjuncts {
        let text = conjunct.to_string();
        let mut bound = fields.iter_mut().filter(|field| mentions(dialect, &text, word.unwrap_or(&field.name)));
        let (Some(field), None) = (bound.next(), bound.next()) else {
            unread(fields, dialect, name, &text, word);
            continue;
        };
        let reader = Reader { dialect, name: word.unwrap_or(&field.name), field };
        let found = reader.bound(conjunct);
        if !found.is_some_and(|found| apply(field, found)) {
            unread(fields, dialect, name, &text, word);
        }
    }
}

/// Writes down the name of a constraint that is not understood, in the fields that it names.
pub(super) fn unread(fields: &mut [Field], dialect: &dyn Dialect, name: &str, expression: &str, word: Option<&str>) {
    for field in fields.iter_mut() {
        if mentions(dialect, expression, word.unwrap_or(&field.name)) {
            remember(field, name);
        }
    }
}

/// Writes down the name of a constraint that binds a field.
pub(super) fn remember(field: &mut Field, name: &str) {
    if !field.checks.iter().any(|known| known == name) {
        field.checks.push(name.to_owned());
    }
}

fn parse(dialect: &dyn Dialect, expression: &str) -> Option<Expr> {
    if expression.len() > MOST_BYTES {
        return None;
    }
    let mut parser = Parser::new(dialect).try_with_sql(expression).ok()?;
    let parsed = parser.parse_expr().ok()?;
    (parser.peek_token().token == Token::EOF).then_some(parsed)
}

/// Whether a text names a column, told by its words alone, so that it holds for what can't be parsed too.
pub(super) fn mentions(dialect: &dyn Dialect, text: &str, column: &str) -> bool {
    match Tokenizer::new(dialect, text).tokenize() {
        Ok(tokens) => tokens.iter().any(|token| match token {
            Token::Word(word) => word.value.eq_ignore_ascii_case(column),
            // Some dialects quote names as others quote texts.
            Token::DoubleQuotedString(text) => text.eq_ignore_ascii_case(column),
            _ => false,
        }),
        Err(_) => true,
    }
}

/// What is joined by `AND`.
fn conjuncts(expression: &Expr) -> Vec<&Expr> {
    match bare(expression) {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            let mut all = conjuncts(left);
            all.extend(conjuncts(right));
            all
        }
        other => vec![other],
    }
}

fn bare(expression: &Expr) -> &Expr {
    match expression {
        Expr::Nested(inner) => bare(inner),
        other => other,
    }
}

/// A literal without its casts and introducers; `None` for what is no literal.
fn literal(expression: &Expr) -> Option<String> {
    match bare(expression) {
        Expr::Cast { expr, .. } => literal(expr),
        Expr::Prefixed { value, .. } => literal(value),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => {
            number(expr).filter(|n| n.starts_with(|c: char| c.is_ascii_digit())).map(|n| format!("-{n}"))
        }
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text.clone()),
            Value::Number(number, _) => Some(number.clone()),
            _ => None,
        },
        _ => None,
    }
}

fn number(expression: &Expr) -> Option<String> {
    literal(expression).filter(|text| text.parse::<i64>().is_ok())
}

fn whole(expression: &Expr) -> Option<i64> {
    number(expression)?.parse().ok()
}

/// Reads what binds one field.
struct Reader<'a> {
    dialect: &'a dyn Dialect,
    name: &'a str,
    field: &'a Field,
}

impl Reader<'_> {
    fn bound(&self, expression: &Expr) -> Option<Bound> {
        match bare(expression) {
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                let (mut both, other) = (self.bound(left)?, self.bound(right)?);
                both.and(other);
                Some(both)
            }
            Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
                // NULL fulfils a constraint anyway.
                if self.is_null(left) {
                    return self.bound(right);
                }
                if self.is_null(right) {
                    return self.bound(left);
                }
                let (Some(mut texts), Some(more)) = (self.bound(left)?.only_texts(), self.bound(right)?.only_texts())
                else {
                    return None;
                };
                texts.extend(more);
                Some(Bound { texts: Some(texts), ..Bound::default() })
            }
            Expr::BinaryOp { left, op, right } => match (whole_or_text(left), whole_or_text(right)) {
                (false, true) => self.compared(left, op, right),
                (true, false) => self.compared(right, &turned(op)?, left),
                _ => None,
            },
            Expr::Between { expr, negated: false, low, high } if self.is_field(expr) => {
                Some(Bound { least: Some(whole(low)?), most: Some(whole(high)?), ..Bound::default() })
            }
            Expr::In { expr, target: InTarget::List(list), negated: false, .. } if self.is_field(expr) => {
                self.listed(list)
            }
            Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } if self.is_field(left) => {
                let mut at = bare(right);
                while let Expr::Cast { expr, .. } = at {
                    at = bare(expr);
                }
                let Expr::Array(array) = at else { return None };
                self.listed(&array.elem)
            }
            _ => None,
        }
    }

    fn compared(&self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Option<Bound> {
        if self.is_length(left) {
            let most = match op {
                BinaryOperator::LtEq => whole(right)?,
                BinaryOperator::Lt => whole(right)?.checked_sub(1)?,
                _ => return None,
            };
            return Some(Bound { chars: Some(u32::try_from(most).ok()?), ..Bound::default() });
        }
        if !self.is_field(left) {
            return None;
        }
        let (least, most) = match op {
            BinaryOperator::Eq => return self.listed(std::slice::from_ref(right)),
            BinaryOperator::GtEq => (Some(whole(right)?), None),
            BinaryOperator::Gt => (Some(whole(right)?.checked_add(1)?), None),
            BinaryOperator::LtEq => (None, Some(whole(right)?)),
            BinaryOperator::Lt => (None, Some(whole(right)?.checked_sub(1)?)),
            _ => return None,
        };
        Some(Bound { least, most, ..Bound::default() })
    }

    fn listed(&self, list: &[Expr]) -> Option<Bound> {
        if self.field.value.is_integer() {
            let numbers = list.iter().map(whole).collect::<Option<_>>()?;
            return Some(Bound { numbers: Some(numbers), ..Bound::default() });
        }
        let quoted = |one: &Expr| literal(one).filter(|_| !is_number(one));
        Some(Bound { texts: Some(list.iter().map(quoted).collect::<Option<_>>()?), ..Bound::default() })
    }

    /// Whether an expression is the field, seen through casts that lose nothing.
    fn is_field(&self, expression: &Expr) -> bool {
        match bare(expression) {
            Expr::Identifier(name) => name.value.eq_ignore_ascii_case(self.name),
            Expr::Cast { expr, data_type, .. } => {
                let to = data_type.to_string().to_ascii_lowercase();
                let same = match self.field.value {
                    ValueType::Text | ValueType::Tagged => ["text", "varchar", "character varying"].as_slice(),
                    value if value.is_integer() => ["int", "integer", "bigint", "numeric"].as_slice(),
                    _ => &[],
                };
                same.contains(&to.as_str()) && self.is_field(expr)
            }
            _ => false,
        }
    }

    fn is_null(&self, expression: &Expr) -> bool {
        matches!(bare(expression), Expr::IsNull(inner) if self.is_field(inner))
    }

    /// Whether an expression is the field's length in characters.
    fn is_length(&self, expression: &Expr) -> bool {
        let Expr::Function(function) = bare(expression) else { return false };
        let FunctionArguments::List(list) = &function.args else { return false };
        let [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] = list.args.as_slice() else { return false };
        let bytes = self.dialect.is::<sqlparser::dialect::MySqlDialect>();
        let counts = match function.name.to_string().to_ascii_lowercase().as_str() {
            "char_length" | "character_length" => true,
            // In MySQL and MariaDB it counts bytes.
            "length" => !bytes,
            _ => false,
        };
        counts && self.is_field(argument)
    }
}

fn is_number(expression: &Expr) -> bool {
    match bare(expression) {
        Expr::Value(value) => matches!(value.value, Value::Number(..)),
        Expr::UnaryOp { .. } => true,
        _ => false,
    }
}

fn whole_or_text(expression: &Expr) -> bool {
    literal(expression).is_some()
}

/// The operator, read from right to left.
fn turned(op: &BinaryOperator) -> Option<BinaryOperator> {
    Some(match op {
        BinaryOperator::Eq => BinaryOperator::Eq,
        BinaryOperator::Lt => BinaryOperator::Gt,
        BinaryOperator::LtEq => BinaryOperator::GtEq,
        BinaryOperator::Gt => BinaryOperator::Lt,
        BinaryOperator::GtEq => BinaryOperator::LtEq,
        _ => return None,
    })
}

fn both<T: Ord>(a: Option<T>, b: Option<T>, pick: fn(T, T) -> T) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(pick(a, b)),
        (a, b) => a.or(b),
    }
}

impl Bound {
    fn and(&mut self, other: Self) {
        self.least = both(self.least, other.least, Ord::max);
        self.most = both(self.most, other.most, Ord::min);
        self.chars = both(self.chars, other.chars, Ord::min);
        self.texts = common(self.texts.take(), other.texts);
        self.numbers = common(self.numbers.take(), other.numbers);
    }

    fn only_texts(self) -> Option<Vec<String>> {
        let Self { texts, numbers: None, least: None, most: None, chars: None } = self else { return None };
        texts
    }
}

/// What is in both lists, in the order of the first.
fn common<T: PartialEq>(a: Option<Vec<T>>, b: Option<Vec<T>>) -> Option<Vec<T>> {
    match (a, b) {
        (Some(mut a), Some(b)) => {
            a.retain(|one| b.contains(one));
            Some(a)
        }
        (a, b) => a.or(b),
    }
}

/// Narrows a field; says whether the field's form can carry all that the constraint says.
fn apply(field: &mut Field, bound: Bound) -> bool {
    let Bound { texts, numbers, mut least, mut most, chars } = bound;
    let is_text = matches!(field.value, ValueType::Text | ValueType::Tagged);
    // A fixed width pads its values; what a server compares then is not what it tells.
    let padded = field.native.starts_with("character(") || field.native.starts_with("char(");
    if let Some(mut numbers) = numbers {
        numbers.sort_unstable();
        numbers.dedup();
        let unbroken = numbers.windows(2).all(|two| two[0].checked_add(1) == Some(two[1]));
        let (Some(first), Some(last), true) = (numbers.first(), numbers.last(), unbroken) else { return false };
        (least, most) = (both(least, Some(*first), Ord::max), both(most, Some(*last), Ord::min));
    }
    let ranged = least.is_some() || most.is_some();
    if (ranged && !field.value.is_integer()) || ((texts.is_some() || chars.is_some()) && (!is_text || padded)) {
        return false;
    }
    if ranged {
        let (from, to) = field.range.unwrap_or((i64::MIN, i64::MAX));
        field.range = Some((least.map_or(from, |least| least.max(from)), most.map_or(to, |most| most.min(to))));
    }
    if texts.is_some() {
        field.values = common(field.values.take(), texts);
    }
    field.max_chars = both(field.max_chars, chars, Ord::min);
    true
}

#[cfg(test)]
mod tests {
    use sqlparser::dialect::{MySqlDialect, PostgreSqlDialect, SQLiteDialect};

    use super::*;

    fn fields() -> Vec<Field> {
        let mut stars = Field::new("stars", ValueType::Int32, "integer");
        stars.range = Some((i32::MIN.into(), i32::MAX.into()));
        let code = Field::new("code", ValueType::Text, "character varying(20)");
        vec![stars, code, Field::new("price", ValueType::Decimal, "numeric(8,2)")]
    }

    /// What is known of the fields afterwards: ranges, values, lengths and names.
    fn told(dialect: &dyn Dialect, expression: &str) -> String {
        let mut fields = fields();
        narrow(&mut fields, dialect, ("c", expression), None);
        let mut out = Vec::new();
        for field in &fields {
            if let Some(range) = field.range.filter(|range| *range != (i32::MIN.into(), i32::MAX.into())) {
                out.push(format!("{} in {range:?}", field.name));
            }
            out.extend(field.values.as_ref().map(|values| format!("{} of {}", field.name, values.join("|"))));
            out.extend(field.max_chars.map(|most| format!("{} up to {most}", field.name)));
            out.extend(field.checks.iter().map(|name| format!("{} by {name}", field.name)));
        }
        out.join("; ")
    }

    #[test]
    fn what_servers_tell_of_a_constraint_is_understood() {
        let cases = [
            ("((stars >= 1) AND (stars <= 5))", "stars in (1, 5)"),
            ("(0 < stars)", "stars in (1, 2147483647)"),
            ("(stars > '-5'::integer)", "stars in (-4, 2147483647)"),
            ("stars BETWEEN 1 AND 5", "stars in (1, 5)"),
            ("(stars = ANY (ARRAY[3, 1, 2]))", "stars in (1, 3)"),
            ("((stars IS NULL) OR (stars = 7))", "stars in (7, 7)"),
            (
                "((code)::text = ANY ((ARRAY['new'::character varying, 'it''s'::character varying])::text[]))",
                "code of new|it's",
            ),
            ("((code)::text = 'a'::text) OR ((code)::text = 'b'::text)", "code of a|b"),
            ("(char_length((code)::text) <= 8)", "code up to 8"),
            ("(length((code)::text) < 8)", "code up to 7"),
        ];
        for (expression, expected) in cases {
            assert_eq!(told(&PostgreSqlDialect {}, expression), expected, "{expression}");
        }
        assert_eq!(told(&MySqlDialect {}, "`stars` between 1 and 5"), "stars in (1, 5)");
        assert_eq!(told(&MySqlDialect {}, "(`code` in (_utf8mb4'a',_utf8mb4'b'))"), "code of a|b");
        assert_eq!(told(&MySqlDialect {}, "char_length(`code`) <= 8"), "code up to 8");
        assert_eq!(told(&SQLiteDialect {}, "code IN ('a', 'b') AND length(code) <= 4"), "code of a|b; code up to 4");
    }

    #[test]
    fn what_is_not_understood_is_told_by_name() {
        let cases = [
            ("(price > (0)::numeric)", "price by c"),
            ("((code)::text ~ '^[A-Z]+$'::text)", "code by c"),
            ("((code)::text <> ''::text)", "code by c"),
            ("(length((code)::text) >= 2)", "code by c"),
            ("(stars <> 3)", "stars by c"),
            ("(stars = ANY (ARRAY[1, 3]))", "stars by c"),
            ("(NOT (stars = 3))", "stars by c"),
            ("(((stars)::numeric * 2.5) > 7)", "stars by c"),
            ("((stars > 3) = (price IS NULL))", "stars by c; price by c"),
            ("((code)::character varying(2) = 'ab')", "code by c"),
            ("lower(code) = 'x'", "code by c"),
            ("stars > 0 AND code <> 'x'", "stars in (1, 2147483647); code by c"),
            ("stars > AND", "stars by c"),
            // A name in a text is no column.
            ("(code = 'stars')", "code of stars"),
        ];
        for (expression, expected) in cases {
            assert_eq!(told(&PostgreSqlDialect {}, expression), expected, "{expression}");
        }
        assert_eq!(told(&MySqlDialect {}, "length(`code`) <= 8"), "code by c", "bytes");
        let deep = format!("{}stars > 0{}", "(".repeat(5_000), ")".repeat(5_000));
        assert_eq!(told(&PostgreSqlDialect {}, &deep), "stars by c");
    }

    #[test]
    fn a_domain_speaks_of_its_value() {
        let mut field = fields().remove(0);
        narrow(
            std::slice::from_mut(&mut field),
            &PostgreSqlDialect {},
            ("d", "((VALUE >= 1901) AND (VALUE <= 2155))"),
            Some("VALUE"),
        );
        assert_eq!((field.range, field.checks.len()), (Some((1901, 2155)), 0));
    }
}
