//! What a mask must know of a field before it says that its results fit.

use reenact_model::ValueType;
use reenact_model::catalog::Field;
use reenact_model::payload::Format;

/// The bytes that MySQL's and MariaDB's smallest texts and blobs hold.
const TINY: u32 = 255;

/// What the bytes of a whole value must be, beyond their type, for a store to take them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Anything.
    #[default]
    Free,
    /// A typed value of Redis.
    Redis,
    /// The headers of a message.
    Headers,
}

/// What a mask must know of a field.
#[derive(Clone, Debug)]
pub struct Shape {
    /// The form of its values; [`ValueType::Text`] for a leaf of a payload.
    pub value: ValueType,
    /// The server's name of the type; empty for a leaf.
    pub native: String,
    /// Whether NULL is allowed.
    pub nullable: bool,
    /// The greatest length in characters.
    pub max_chars: Option<u32>,
    /// The smallest and greatest whole number.
    pub range: Option<(i64, i64)>,
    /// The allowed values.
    pub values: Option<Vec<String>>,
    /// Constraints that bind its values beyond all this, by name.
    pub checks: Vec<String>,
    /// What the bytes of its values must be.
    pub form: Form,
}

impl Shape {
    /// The shape of a column.
    pub fn of(field: &Field) -> Self {
        Self {
            value: field.value,
            native: field.native.clone(),
            nullable: field.nullable,
            max_chars: field.max_chars,
            range: field.range,
            values: field.values.clone(),
            checks: field.checks.clone(),
            form: match field.codec.as_ref().map(|codec| &codec.format) {
                Some(Format::Redis) => Form::Redis,
                Some(Format::Headers) => Form::Headers,
                _ => Form::Free,
            },
        }
    }

    /// The shape of a leaf of a payload: any text.
    pub fn leaf() -> Self {
        Self {
            value: ValueType::Text,
            native: String::new(),
            nullable: true,
            max_chars: None,
            range: None,
            values: None,
            checks: Vec::new(),
            form: Form::Free,
        }
    }

    /// Says whether results of a mask of such a name can be whole values of this field.
    ///
    /// # Errors
    /// Why they can't.
    pub(crate) fn takes_whole(&self, mask: &str) -> Result<(), String> {
        match self.form {
            Form::Redis if mask != "redact" => {
                Err("a value of Redis has a type of its own, which only `redact` gives to a whole value".to_owned())
            }
            Form::Headers if !matches!(mask, "redact" | "null") => {
                Err("headers have names, which only `redact` and `null` can replace as a whole".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// The greatest length in characters that is known, of bytes too.
    pub fn room(&self) -> Option<usize> {
        let bytes = || match self.native.as_str() {
            // Counted in bytes, of which a character takes up to four.
            "tinytext" => Some(TINY / 4),
            "tinyblob" => Some(TINY),
            native if native.starts_with("binary(") || native.starts_with("varbinary(") => self.arguments().next(),
            _ => None,
        };
        self.max_chars.or_else(bytes).map(|n| n as usize)
    }

    /// The greatest length that all of some fields hold.
    pub fn least_room(shapes: &[Self]) -> Option<usize> {
        shapes.iter().filter_map(Self::room).min()
    }

    /// The digits of a bounded decimal, and how many of them stand after the point.
    pub fn decimals(&self) -> Option<(u32, u32)> {
        if self.value != ValueType::Decimal {
            return None;
        }
        let mut arguments = self.arguments();
        let digits = arguments.next()?;
        Some((digits, arguments.next().unwrap_or(0))).filter(|(digits, scale)| scale <= digits)
    }

    /// The numbers in the parentheses of the native type.
    fn arguments(&self) -> impl Iterator<Item = u32> + '_ {
        let inside =
            self.native.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or("", |(list, _)| list);
        inside.split(',').map_while(|n| n.trim().parse().ok())
    }

    /// Gives a number the places after the point that a bounded decimal has, as its server will tell it.
    pub(crate) fn pad_decimals(&self, number: &mut String) {
        if let Some((_, scale)) = self.decimals() {
            let places = number.split_once('.').map_or(0, |(_, places)| places.len());
            if places == 0 && scale > 0 {
                number.push('.');
            }
            number.extend(std::iter::repeat_n('0', (scale as usize).saturating_sub(places)));
        }
    }

    /// Says whether each of some words fits.
    ///
    /// # Errors
    /// Why the longest does not.
    pub(crate) fn takes_words<'a>(&self, words: impl Iterator<Item = &'a str>) -> Result<(), String> {
        let length = |word: &str| if self.value == ValueType::Bytes { word.len() } else { word.chars().count() };
        self.takes_text(words.map(length).max().unwrap_or(0))
    }

    /// Says whether any text of up to `chars` characters fits.
    ///
    /// # Errors
    /// Why it does not.
    pub fn takes_text(&self, chars: usize) -> Result<(), String> {
        if self.values.is_some() {
            return Err("the field takes only the values of an enumeration".to_owned());
        }
        if !self.value.is_text() && self.value != ValueType::Bytes {
            return Err(format!("the field's type is `{}`, which holds no such text", self.native));
        }
        match self.room() {
            Some(max) if max < chars => {
                Err(format!("the result has up to {chars} characters, and the field takes {max}"))
            }
            _ => Ok(()),
        }
    }
}
