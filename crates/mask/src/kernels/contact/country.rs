//! `country`: another country, in the form of the first.

use std::sync::Arc;

use crate::kernels::draw::Draw;
use crate::kernels::{Args, Cell, Facts, Group, Guarantees, Injective, Keeps, Mask, MaskSpec, Shape, Unfit};

/// Countries by ISO 3166: two letters, three letters, a name.
const COUNTRIES: &[(&str, &str, &str)] = &[
    ("AR", "ARG", "Argentina"),
    ("AT", "AUT", "Austria"),
    ("AU", "AUS", "Australia"),
    ("BE", "BEL", "Belgium"),
    ("BR", "BRA", "Brazil"),
    ("CA", "CAN", "Canada"),
    ("CH", "CHE", "Switzerland"),
    ("CL", "CHL", "Chile"),
    ("CZ", "CZE", "Czechia"),
    ("DE", "DEU", "Germany"),
    ("DK", "DNK", "Denmark"),
    ("EG", "EGY", "Egypt"),
    ("ES", "ESP", "Spain"),
    ("FI", "FIN", "Finland"),
    ("FR", "FRA", "France"),
    ("GB", "GBR", "United Kingdom"),
    ("GR", "GRC", "Greece"),
    ("IE", "IRL", "Ireland"),
    ("IN", "IND", "India"),
    ("IT", "ITA", "Italy"),
    ("JP", "JPN", "Japan"),
    ("KE", "KEN", "Kenya"),
    ("KR", "KOR", "South Korea"),
    ("MX", "MEX", "Mexico"),
    ("NL", "NLD", "Netherlands"),
    ("NO", "NOR", "Norway"),
    ("NZ", "NZL", "New Zealand"),
    ("PL", "POL", "Poland"),
    ("PT", "PRT", "Portugal"),
    ("SE", "SWE", "Sweden"),
    ("TR", "TUR", "Turkey"),
    ("US", "USA", "United States"),
];

/// `country`.
pub(crate) static SPEC: MaskSpec = MaskSpec {
    name: "country",
    group: Group::Place,
    doc: "draws one of 32 countries for each value, as two or three letters (ISO 3166) where the value has as many, else as an English name where the field has room for it",
    args: &[],
    facts: Facts {
        deterministic: true,
        injective: Injective::Never,
        keeps: Keeps::FORMAT,
        leaks: "which values are equal, up to collisions; of a column with one frequent country, that one's frequency",
    },
    build: |_: &Args, _: &[Shape]| Ok(Arc::new(Country)),
    sample: |n| format!("value {n}"),
    vectors: &[(&[], "LU", Some("NZ")), (&[], "lux", Some("deu")), (&[], "Luxembourg", Some("Germany"))],
};

#[derive(Debug)]
struct Country;

impl Mask for Country {
    fn fits(&self, shape: &Shape) -> Result<(), String> {
        shape.takes_text(2)
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees::FAKE
    }

    fn apply(&self, cell: &Cell<'_>, text: &str, out: &mut String) -> Result<Option<()>, Unfit> {
        if text.is_empty() {
            return Ok(Some(()));
        }
        let (two, three, name) = Draw::new(cell.key, text).of(COUNTRIES);
        let room = cell.shape.room().unwrap_or(usize::MAX);
        out.push_str(match text.chars().count() {
            2 => two,
            3 if room >= 3 => three,
            _ if name.len() <= room => name,
            _ => two,
        });
        if !text.contains(char::is_uppercase) {
            out.make_ascii_lowercase();
        }
        Ok(Some(()))
    }
}
