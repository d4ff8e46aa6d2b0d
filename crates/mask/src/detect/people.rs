//! Whether a text looks like a person's name, a street, a town, or like what is mistaken for one.
//!
//! Hidden here: how a name is taken apart in scripts with and without spaces. The word lists know common names only; endings of families and
//! towns carry the rest.

use super::words::{WORDS, fold};

/// What one text looks like.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(clippy::struct_excessive_bools, reason = "each is one question, asked of every value")]
pub(super) struct Looks {
    /// How many words it has.
    pub(super) words: usize,
    /// Every word begins with a capital, or its script has none; no digits.
    pub(super) proper: bool,
    /// A known given name, alone.
    pub(super) given: bool,
    /// A known family name, alone.
    pub(super) family: bool,
    /// It ends as family names do.
    pub(super) family_ending: bool,
    /// How much it is a given and a family name together, from 0 to 1.
    pub(super) person: f64,
    pub(super) street: bool,
    pub(super) whole_address: bool,
    /// How much it is a town's name, from 0 to 1.
    pub(super) city: f64,
    pub(super) company: bool,
    pub(super) job: bool,
    pub(super) colour: bool,
    pub(super) plain: bool,
    pub(super) sentence: bool,
}

/// Forms of address and degrees, which stand beside a name.
#[rustfmt::skip]
static TITLES: &[&str] = &[
    "mr", "mrs", "ms", "miss", "dr", "prof", "sir", "dame", "jr", "sr", "ii", "iii", "iv", "md", "phd", "dds",
    "dvm", "herr", "frau", "dipl", "ing", "univ", "mag", "bsc", "msc", "ba", "mba", "m", "mme", "mlle", "don",
    "dona", "sra", "srta", "sig", "signora", "dott", "pan", "pani", "hr", "fru", "bay", "bayan", "sayin", "г-н",
    "г-жа", "السيد", "السيدة", "الآنسة", "الانسة", "الدكتور", "الدكتورة", "المهندس", "المهندسة", "الأستاذ",
    "الاستاذ", "الأستاذة", "dra", "pr", "me", "van", "von", "de", "der", "den", "del", "della", "di", "da", "do",
    "dos", "das", "la", "le", "el", "al", "bin", "ibn", "bint", "ben", "y", "e", "zu", "ter", "ten", "st", "du",
    "des", "san", "mac", "mc", "آل", "بن", "ال", "أبو", "ابو", "عبد", "o", "d", "av", "af", "أبا",
];

/// How family names end, in languages that form them so. With a capital before and nothing behind.
#[rustfmt::skip]
static FAMILY_ENDS: &[&str] = &[
    "ов", "ова", "ев", "ева", "ёв", "ёва", "ин", "ина", "ский", "ская", "цкий", "цкая", "ко", "енко", "чук", "юк",
    "ич", "ян", "швили", "дзе", "ова", "ських", "ых", "их", "ovic", "ovich", "evic", "evich", "vic", "ov", "ova",
    "ev", "eva", "sky", "skaya", "ski", "ska", "cki", "cka", "dzki", "dzka", "wicz", "czyk", "czak", "iak", "owska",
    "owski", "ewski", "ewska", "inski", "inska", "son", "sson", "sen", "sohn", "mann", "man", "meyer", "meier",
    "berger", "hofer", "bauer", "ez", "az", "iz", "oz", "ini", "etti", "elli", "otti", "ucci", "acci", "uzzi",
    "oni", "ato", "ani", "ella", "illo", "etto", "oglu", "soy", "turk", "kaya", "escu", "eanu", "opoulos",
    "opoulou", "idis", "akis", "iadis", "ides", "enko", "chuk", "yan", "ian", "shvili", "dze", "quist", "qvist",
    "strom", "gren", "lund", "dahl", "stad", "nen", "ainen", "inen", "ley", "field", "ington", "worth", "wood",
    "well", "kins", "eau", "ault", "aud", "ard", "ier", "oux", "court", "ova", "ak", "ek", "ik", "stein", "feld",
    "bach", "macher", "mayer", "maier", "huber", "wala", "wal", "deep", "preet", "dottir", "sdottir",
];

const CJK: std::ops::RangeInclusive<char> = '\u{4e00}'..='\u{9fff}';

fn is_cjk(c: char) -> bool {
    CJK.contains(&c) || ('\u{3040}'..='\u{30ff}').contains(&c) || c == '々' || is_hangul(c)
}

fn is_hangul(c: char) -> bool {
    ('\u{ac00}'..='\u{d7af}').contains(&c)
}

/// Whether a word is a known given or family name, its parts at a hyphen too.
fn known(word: &str) -> (bool, bool) {
    let hit = |list: &std::collections::HashSet<String>| {
        list.contains(word)
            || (word.contains('-')
                && word.split('-').filter(|part| !part.is_empty()).all(|part| part.len() > 1 && list.contains(part)))
    };
    let bare = word.strip_prefix("ال").filter(|rest| rest.chars().count() > 2);
    let (mut given, mut family) = (hit(&WORDS.given), hit(&WORDS.family));
    // Arabic families stand with and without the article; Russian ones have a form for women.
    if let Some(rest) = bare {
        family |= WORDS.given.contains(rest) || WORDS.family.contains(rest);
    }
    if let Some(stem) = word.strip_suffix('а').or_else(|| word.strip_suffix('a')) {
        family |= WORDS.family.contains(stem)
            && (stem.ends_with('в') || stem.ends_with('н') || stem.ends_with("ov") || stem.ends_with("ev"));
    }
    if let Some(stem) = word.strip_suffix("ska").or_else(|| word.strip_suffix("cka")) {
        family |= WORDS.family.contains(&format!("{stem}ski")) || WORDS.family.contains(&format!("{stem}cki"));
    }
    if word.is_empty() {
        given = false;
    }
    (given, family)
}

/// What a text looks like.
pub(super) fn looks(text: &str) -> Looks {
    let mut looks = Looks::default();
    let folded = fold(text);
    let raw: Vec<&str> = text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()).collect();
    let words: Vec<String> = folded
        .split(|c: char| c.is_whitespace() || c == ',')
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).to_owned())
        .filter(|word| !word.is_empty())
        .collect();
    looks.words = words.len();
    let digit = folded.bytes().any(|c| c.is_ascii_digit());
    let letters = text.chars().any(char::is_alphabetic);
    if !letters {
        return looks;
    }
    let cjk = text.chars().filter(|c| !c.is_whitespace()).all(is_cjk);
    let capital = |word: &&str| {
        let word = word.trim_start_matches(|c: char| !c.is_alphanumeric());
        let first = word.chars().next();
        first.is_none_or(|c| !c.is_lowercase())
            || (word.ends_with('.') && word.chars().count() <= 4)
            || TITLES.contains(&fold(word).as_str())
            || word.starts_with("d'")
            || word.starts_with("l'")
    };
    let clean = text.chars().all(|c| {
        c.is_alphabetic() || c.is_whitespace() || "-'’.,·َُِّْٰ".contains(c) || ('\u{64b}'..='\u{65f}').contains(&c)
    });
    looks.proper = !digit && clean && raw.iter().all(capital) && !humps(text);
    streets(text, &folded, &words, digit, &mut looks);
    things(text, &folded, &words, &mut looks);
    if looks.proper {
        if cjk {
            east_asian(text, &mut looks);
        } else {
            names(&words, &mut looks);
            towns(&words, &mut looks);
        }
    }
    let small = raw.iter().skip(1).filter(|word| word.starts_with(char::is_lowercase)).count();
    let stops = text.trim_end().ends_with(['.', '!', '?', '。', '！', '？']);
    looks.sentence = (raw.len() >= 3 && stops && small > 0 && !looks.street)
        || (raw.len() >= 6 && small * 2 >= raw.len())
        || (text.ends_with('。') && text.chars().count() > 5);
    looks
}

/// Whether capitals stand inside of a word: `MediumVioletRed`, but not `McDonald`, `DeLuca`.
fn humps(text: &str) -> bool {
    text.split_whitespace().any(|word| {
        let inner =
            word.chars().zip(word.chars().skip(1)).filter(|(a, b)| a.is_lowercase() && b.is_uppercase()).count();
        let fine = ["Mc", "Mac", "De", "Di", "La", "Le", "Van", "O'", "D'", "Fitz", "Del", "Da", "Al"]
            .iter()
            .any(|start| word.starts_with(start));
        inner > usize::from(fine)
    })
}

/// Names in scripts with spaces.
fn names(words: &[String], looks: &mut Looks) {
    let core: Vec<&String> =
        words.iter().filter(|word| !TITLES.contains(&word.as_str()) && word.chars().count() > 1).collect();
    let initials = words.iter().filter(|word| word.chars().count() == 1).count();
    let titles = words.len() - core.len() - initials;
    let hits: Vec<(bool, bool)> = core.iter().map(|word| known(word)).collect();
    let ends = |word: &str| FAMILY_ENDS.iter().any(|end| word.len() > end.len() + 1 && word.ends_with(end));
    match core[..] {
        [] => {}
        [one] => {
            looks.given = hits[0].0;
            looks.family = hits[0].1 || (titles > 0 && (hits[0].0 || ends(one)));
            looks.family_ending = ends(one);
            // `Dr. Miller`
            if titles > 0 && (hits[0].0 || hits[0].1) {
                looks.person = 0.7;
            }
            looks.words = 1;
        }
        _ if core.len() <= 5 => {
            let given = hits.iter().filter(|(given, _)| *given).count();
            let family = hits.iter().filter(|(_, family)| *family).count();
            let either = hits.iter().filter(|(given, family)| *given || *family).count();
            let last = core.last().is_some_and(|word| ends(word)) || core.first().is_some_and(|word| ends(word));
            looks.person = match (given > 0, family > 0, either) {
                (true, true, n) if n >= 2 => 1.0,
                (true, _, _) if last => 0.95,
                (true, _, _) => 0.75,
                (_, true, _) => 0.6,
                _ if last => 0.3,
                _ => 0.0,
            };
            // Two family names together, as in Spain, or two given ones.
            looks.family = given == 0 && family == core.len();
            looks.given = given == core.len() && family == 0;
        }
        _ => {}
    }
}

/// Names without spaces, or with one: family first.
fn east_asian(text: &str, looks: &mut Looks) {
    let parts: Vec<&str> = text.split_whitespace().collect();
    let len = |part: &str| part.chars().count();
    let town = ["市", "区", "町", "村", "县", "縣", "州", "시", "군", "구"].iter().any(|end| text.ends_with(end))
        && len(text) >= 3 - usize::from(text.ends_with('市'));
    if town || WORDS.places("cities").contains(text) {
        looks.city = 1.0;
    }
    // Given names of Japan end in few letters, but those begin many other words.
    let given_end = |part: &str| {
        (2..=3).contains(&len(part))
            && "子美恵介太郎樹也香奈代江人輔平之彦雄夫菜花斗翔央織里紀乃衣司志哉男吾弘生"
                .contains(part.chars().last().unwrap_or(' '))
    };
    let hangul = text.chars().filter(|c| !c.is_whitespace()).all(is_hangul);
    match parts[..] {
        [family, given] => {
            let (known_family, known_given) =
                (WORDS.family.contains(family), WORDS.given.contains(given) || given_end(given));
            looks.person = match (known_family, known_given) {
                (true, true) => 1.0,
                (true, false) => 0.9,
                (false, true) if len(family) <= 3 => 0.7,
                _ => 0.0,
            };
        }
        [one] => {
            looks.given = WORDS.given.contains(one) || given_end(one);
            looks.family = WORDS.family.contains(one);
            let split =
                one.char_indices().map(|(at, _)| at).skip(1).take(3).find(|at| WORDS.family.contains(&one[..*at]));
            if let Some(at) = split {
                let rest = &one[at..];
                let length = len(rest);
                // One syllable of a family and two of a name is the form of most Korean and Chinese names.
                looks.person = if WORDS.given.contains(rest) {
                    1.0
                } else if hangul && length == 2 {
                    0.8
                } else if given_end(rest) {
                    0.7
                } else if (1..=2).contains(&length) {
                    0.5
                } else {
                    0.0
                };
                if looks.person > 0.6 && !looks.family {
                    looks.given = true;
                }
            }
        }
        _ => {}
    }
}

fn streets(text: &str, folded: &str, words: &[String], digit: bool, looks: &mut Looks) {
    let (word, end, unit) = (WORDS.streets("word"), WORDS.streets("end"), WORDS.streets("unit"));
    let asian = text.chars().any(is_cjk)
        && digit
        && ["丁目", "番", "号", "路", "街", "로 ", "길 ", "町", "村", "区", "市", "県", "동 "]
            .iter()
            .filter(|mark| text.contains(*mark))
            .count()
            >= 2;
    let named = |w: &String| {
        word.contains(w)
            || w.split('/').any(|part| word.contains(part))
            || end.iter().any(|e| e.len() >= 3 && w.len() > e.len() + 2 && w.ends_with(e.as_str()))
    };
    let kinds = words.iter().filter(|w| named(w)).count();
    let units = words.iter().any(|w| unit.contains(w));
    let box_number = (folded.contains("box")
        || folded.contains("postfach")
        || folded.contains("apartado")
        || folded.contains("unit "))
        && digit;
    let many = words.len() >= 2 && words.len() <= 16;
    // `Am Bach 3`, `12 High St`; or the first word of the line tells, without a number: `rue de la Paix`.
    let first = words.first().is_some_and(|w| word.contains(w));
    // The number stands at an end of a part, not inside of a word.
    let number = text.split(['\n', ',']).any(|part| {
        let part = part.trim();
        part.starts_with(|c: char| c.is_ascii_digit())
            || part.ends_with(|c: char| c.is_ascii_digit())
            || part.split_whitespace().any(|w| w.starts_with(|c: char| c.is_ascii_digit()) && w.len() <= 8)
    });
    looks.street = asian
        || (many && digit && number && (kinds > 0 || (units && words.len() >= 3)))
        || (many && box_number)
        || (many
            && first
            && !digit
            && words.len() <= 6
            && words[0].len() >= 3
            && words.len() >= 3
            && looks.proper
            && !LONE.contains(&words[0].as_str()));
    let lines = text.lines().count() + text.matches(", ").count();
    looks.whole_address = looks.street
        && (asian
            || lines >= 3
            || text.contains('\n')
            || folded
                .split(|c: char| !c.is_ascii_digit())
                .any(|run| (4..=6).contains(&run.len()) && !folded.starts_with(run))
                && lines >= 2);
}

/// Kinds of streets that begin other names too.
#[rustfmt::skip]
static LONE: &[&str] = &[
    "via", "largo", "area", "campo", "place", "park", "lake", "fort", "port", "mount", "vale", "vila", "villa",
    "feira", "setor", "corso", "hill", "union", "mission", "point", "light", "key", "pass", "island", "forest",
    "spring", "summit", "well", "long",
];

fn things(text: &str, folded: &str, words: &[String], looks: &mut Looks) {
    let (company, job, ends) = (WORDS.things("company"), WORDS.things("job"), WORDS.things("job-end"));
    let asian = |list: &std::collections::HashSet<String>| {
        list.iter().any(|word| {
            !word.is_ascii() && word.chars().count() >= 2 && word.chars().all(is_cjk) && text.contains(word.as_str())
        })
    };
    let legal = |w: &String| {
        company.contains(w) || company.contains(w.trim_end_matches('.')) || company.contains(&w.replace('.', ""))
    };
    let spelled = folded.split_whitespace().any(|w| company.contains(w));
    looks.company = (words.len() >= 2
        && (words.iter().skip(1).any(legal)
            || words.first().is_some_and(|w| w.len() > 1 && legal(w) && !w.is_ascii())
            || spelled
            || text.contains('«')))
        || text.contains(" & ")
        || asian(company);
    looks.job = words.iter().any(|w| {
        job.contains(w) || (w.len() > 5 && ends.iter().any(|end| end.chars().count() >= 3 && w.ends_with(end.as_str())))
    }) || (text.chars().count() >= 2
        && text.chars().all(is_cjk)
        && ["師", "士", "員", "家", "官", "工", "者", "手", "教授", "医"].iter().any(|end| text.ends_with(end)));
    let colours = WORDS.things("colour");
    let parts: Vec<String> = split_humps(text)
        .iter()
        .map(|part| fold(part))
        .flat_map(|part| part.split(['-', ' ']).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    looks.colour = parts.iter().any(|part| colours.contains(part))
        || text
            .strip_prefix('#')
            .is_some_and(|rest| matches!(rest.len(), 3 | 6) && rest.bytes().all(|c| c.is_ascii_hexdigit()));
    looks.plain = WORDS.things("plain").contains(folded);
}

fn split_humps(text: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    for c in text.chars() {
        if c.is_uppercase() || c == ' ' || c == '-' {
            out.push(String::new());
        }
        if let Some(last) = out.last_mut()
            && c.is_alphanumeric()
        {
            last.push(c);
        }
    }
    out.retain(|part| !part.is_empty());
    out
}

fn towns(words: &[String], looks: &mut Looks) {
    let cities = WORDS.places("cities");
    let (start, end, inner) = (WORDS.places("city-start"), WORDS.places("city-end"), WORDS.places("city-word"));
    let ends = |word: &str| {
        end.iter()
            .filter(|e| word.len() > e.len() + 2 && word.ends_with(e.as_str()))
            .map(String::len)
            .max()
            .unwrap_or(0)
    };
    let parts: Vec<&str> = words.iter().flat_map(|word| word.split('-')).filter(|part| !part.is_empty()).collect();
    let Some((first, last)) = parts.first().zip(parts.last()) else { return };
    // Russian kinds of settlement stand before the name.
    let kind = ["г", "с", "д", "п", "ст", "клх", "пос", "дер", "пгт", "х"].contains(first) && parts.len() > 1;
    looks.city = if kind || cities.contains(*last) || cities.contains(*first) || cities.contains(&words.concat()) {
        1.0
    } else if parts.len() > 2 && parts[1..parts.len() - 1].iter().any(|part| inner.contains(*part)) {
        0.8
    } else if parts.len() >= 2 && start.contains(*first) {
        0.7
    } else {
        match ends(last) {
            0 | 1 => 0.0,
            2 => 0.3,
            3 => 0.6,
            _ => 0.8,
        }
    };
}

/// Whether a name to log in with is made of a person's names: `jsmith`, `anna.berg`, `bergmaria`.
pub(super) fn in_login(text: &str) -> bool {
    let stem: String = text.chars().filter(|c| c.is_ascii_alphabetic() || matches!(c, '.' | '_' | '-')).collect();
    let name = |part: &str| part.len() >= 3 && (WORDS.given.contains(part) || WORDS.family.contains(part));
    if stem.split(['.', '_', '-']).any(name) || (stem.len() > 4 && name(&stem[1..])) {
        return true;
    }
    // A given name of some length at either end.
    (4..stem.len().saturating_sub(2)).any(|at| name(&stem[..at]) || (stem.len() - at >= 4 && name(&stem[at..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_look_like_names_in_many_scripts() {
        for name in [
            "Mary Smith",
            "SMITH, JOHN",
            "Dr. Anna Schmidt",
            "Иван Иванов",
            "محمد العتيبي",
            "佐藤 太郎",
            "김민준",
            "José García López",
        ] {
            assert!(looks(name).person >= 0.6, "{name}: {:?}", looks(name));
        }
        for text in ["Read the manual", "order 12", "Radio & Sons", "красный"] {
            assert!(looks(text).person < 0.6, "{text}: {:?}", looks(text));
        }
    }

    #[test]
    fn streets_have_a_kind_and_a_number() {
        for street in [
            "12 High Street",
            "Lindenstraße 5",
            "3, rue des Lilas",
            "ul. Polna 4/2",
            "Via Roma, 8",
            "P.O. Box 12 Springfield",
            "пер. Садовый, д. 3",
        ] {
            assert!(looks(street).street, "{street}");
        }
        for text in ["Windows 10", "12 apples", "Rock and Roll", "Room with a View"] {
            assert!(!looks(text).street, "{text}");
        }
    }
}
