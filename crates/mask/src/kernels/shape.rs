//! What a mask must know of a field before it says that its results fit.

use reenact_model::ValueType;
use reenact_model::catalog::Field;

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
        }
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
        match self.max_chars {
            Some(max) if (max as usize) < chars => {
                Err(format!("the result has up to {chars} characters, and the field takes {max}"))
            }
            _ => Ok(()),
        }
    }
}
