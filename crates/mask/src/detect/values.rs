//! What a sample of values looks like.
//!
//! Hidden here: the votes. Each value is asked what it can be, and a column is what most of its values can be. Validators come first, forms
//! next, words last; what is plainly something else (hashes, moments, article numbers) is said too, for it speaks against a name.

use std::collections::HashSet;
use std::fmt;

use super::class::Class;
use super::numbers::{NUMBERS, PASSPORTS, PLATES, POSTCODES, Proof, compact, mask_of};
use super::people::{self, Looks};
use super::spans::{self, Dialled};
use super::sums;
use super::words::fold;

/// The greatest number of values of a sample.
pub const MOST: usize = 200;

/// The greatest length of a value that is looked at, in bytes; the rest of a text is not needed to tell what it is.
const LONG: usize = 2_000;

/// Different values of one field that are not empty. It is held in memory only, and tells no value.
#[derive(Clone, Default)]
pub struct Sample {
    values: Vec<String>,
    known: HashSet<String>,
    /// How many values were offered, empty ones and repetitions too.
    offered: usize,
    empty: usize,
}

impl fmt::Debug for Sample {
    /// Without a value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sample")
            .field("distinct", &self.values.len())
            .field("offered", &self.offered)
            .finish_non_exhaustive()
    }
}

impl Sample {
    /// A sample of texts.
    pub fn of<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut sample = Self::default();
        for value in values {
            sample.add(value);
        }
        sample
    }

    /// Offers a value; it is taken if it is new and there is room.
    pub fn add(&mut self, value: &str) {
        self.offered += 1;
        let value = value.trim();
        if value.is_empty() {
            self.empty += 1;
            return;
        }
        if self.values.len() < MOST {
            let mut end = value.len().min(LONG);
            while !value.is_char_boundary(end) {
                end -= 1;
            }
            if self.known.insert(value[..end].to_owned()) {
                self.values.push(value[..end].to_owned());
            }
        }
    }

    /// How many different values it holds.
    pub fn distinct(&self) -> usize {
        self.values.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// How often a value came again: 1 if each is new.
    fn novelty(&self) -> f64 {
        let full = self.offered - self.empty;
        if full == 0 || self.values.len() >= MOST { 1.0 } else { ratio(self.values.len(), full) }
    }
}

/// What values may be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Guess {
    pub(super) class: Class,
    /// From 0 to 1.
    pub(super) score: f64,
    /// Whether a check or an unmistakable form says so, and no mere likeness.
    pub(super) proof: bool,
    /// Why, without a value.
    pub(super) why: String,
}

/// What a sample looks like.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Look {
    /// What it may be, the likeliest first.
    pub(super) guesses: Vec<Guess>,
    /// What it plainly is, that no class of a person looks like.
    pub(super) plain: Option<&'static str>,
}

#[allow(clippy::cast_precision_loss, reason = "both are small")]
fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share is between 0 and 1")]
fn percent(share: f64) -> u32 {
    (share * 100.0).round() as u32
}

/// Looks at a sample.
pub(super) fn look(sample: &Sample) -> Look {
    let values = &sample.values;
    let mut look = Look::default();
    if values.is_empty() {
        return look;
    }
    let share = |test: &dyn Fn(&str) -> bool| ratio(values.iter().filter(|value| test(value)).count(), values.len());
    let mut add =
        |class: Class, score: f64, proof: bool, why: String| look.guesses.push(Guess { class, score, proof, why });

    let proofs: [(Class, f64, f64, &str, Test<'_>); 9] = [
        (Class::Email, 0.5, 0.99, "are e-mail addresses", &spans::is_email),
        (Class::Iban, 0.5, 0.99, "have the check digits of an IBAN", &|v| spans::is_iban(&compact(v))),
        (Class::Ip, 0.6, 0.97, "are IP addresses", &spans::is_ip),
        (Class::Mac, 0.6, 0.97, "are addresses of network cards", &spans::mac),
        (Class::Token, 0.3, 0.97, "are keys or tokens of a known form", &|v| spans::secret(v).is_some()),
        (Class::Password, 0.5, 0.97, "are password hashes", &is_password_hash),
        (Class::CryptoWallet, 0.5, 0.97, "are addresses of a crypto currency", &sums::bitcoin),
        (Class::UserAgent, 0.5, 0.85, "are descriptions of browsers", &|v| {
            v.starts_with("Mozilla/") || v.starts_with("Opera/")
        }),
        (Class::Location, 0.8, 0.9, "are pairs of coordinates", &is_position),
    ];
    for (class, least, score, what, test) in proofs {
        let part = share(test);
        if part >= least {
            add(class, score, true, format!("{} % of {} values {what}", percent(part), values.len()));
        }
    }
    if look.guesses.is_empty() {
        look.plain = plain(&share);
        numbers(sample, &share, &mut look);
    }
    if look.guesses.is_empty() && look.plain.is_none() {
        forms(sample, &share, &mut look);
    }
    if look.guesses.iter().all(|guess| !guess.proof) && look.plain.is_none() {
        words(sample, &mut look);
    }
    // A likeness of few values is no more than that.
    if values.len() < 5 {
        look.guesses.iter_mut().filter(|guess| !guess.proof).for_each(|guess| guess.score *= 0.8);
    }
    look.guesses.sort_by(|a, b| b.score.total_cmp(&a.score));
    look
}

/// A question to one value.
type Test<'a> = &'a dyn Fn(&str) -> bool;

/// The share of values to which the answer is yes.
type Share<'a> = &'a dyn Fn(&dyn Fn(&str) -> bool) -> f64;

/// What values plainly are that is no datum of a person.
fn plain(share: Share<'_>) -> Option<&'static str> {
    let hex = |v: &str| matches!(v.len(), 32 | 40 | 56 | 64 | 96 | 128) && v.bytes().all(|c| c.is_ascii_hexdigit());
    let kinds: [(&'static str, f64, Test<'_>); 9] = [
        ("truth values", 0.95, &|v| {
            matches!(
                v.to_ascii_lowercase().as_str(),
                "true" | "false" | "t" | "f" | "yes" | "no" | "y" | "n" | "0" | "1"
            )
        }),
        ("moments", 0.9, &is_moment),
        ("hashes", 0.9, &|v| hex(v) && v.bytes().any(|c| c.is_ascii_alphabetic())),
        ("UUIDs", 0.9, &is_uuid),
        ("article numbers (GTIN, ISBN)", 0.85, &is_article),
        ("decimal numbers", 0.9, &is_decimal),
        ("small numbers", 0.95, &|v| v.len() <= 4 && v.bytes().all(|c| c.is_ascii_digit())),
        ("names of files or media types", 0.8, &is_file),
        ("web addresses", 0.8, &spans::is_url),
    ];
    kinds.into_iter().find(|(_, least, test)| share(test) >= *least).map(|(what, _, _)| what)
}

fn is_password_hash(value: &str) -> bool {
    let marks = [
        "$2a$", "$2b$", "$2y$", "$argon2", "$6$", "$5$", "$1$", "{SSHA}", "{bcrypt}", "pbkdf2", "scrypt:", "$scrypt$",
        "sha256$",
    ];
    value.len() >= 20 && marks.iter().any(|mark| value.starts_with(mark))
}

fn is_position(value: &str) -> bool {
    let inner = value.trim_matches(['(', ')', '[', ']']);
    let Some((lat, lon)) = inner.split_once([',', ';']) else { return false };
    let number = |text: &str, most: f64| {
        let text = text.trim();
        text.contains('.') && text.parse::<f64>().is_ok_and(|n| n.abs() <= most)
    };
    number(lat, 90.0) && number(lon, 180.0)
}

fn is_uuid(value: &str) -> bool {
    let lengths: Vec<usize> = value.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && value.bytes().all(|c| c.is_ascii_hexdigit() || c == b'-')
}

fn is_article(value: &str) -> bool {
    let digits: Vec<u8> = value.bytes().filter(u8::is_ascii_digit).collect();
    let written = value.bytes().all(|c| c.is_ascii_digit() || c == b'-' || c == b' ');
    let isbn = matches!(digits.get(..3), Some(b"978" | b"979"));
    written
        && sums::gtin(&digits)
        && digits.len() >= 12
        && (isbn || value.len() == digits.len())
        && !(digits.starts_with(b"756") && digits.len() == 13)
}

fn is_decimal(value: &str) -> bool {
    let number = value.trim_start_matches(['-', '+', '$', '€', '£']);
    let point = number.matches('.').count() + number.matches(',').count();
    let signed = value.starts_with('-');
    number.starts_with(|c: char| c.is_ascii_digit())
        && number.bytes().all(|c| c.is_ascii_digit() || c == b'.' || c == b',' || c == b'e' || c == b'E')
        && (point >= 1 || signed)
        && number.matches('.').count() <= 1
}

/// A day with a time.
fn is_moment(value: &str) -> bool {
    let bytes = value.as_bytes();
    bytes.len() >= 16
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && matches!(bytes[4], b'-' | b'/')
        && matches!(bytes[10], b'T' | b' ')
        && bytes[13] == b':'
        && !value[11..].starts_with("00:00:00")
}

fn is_file(value: &str) -> bool {
    let types = ["application", "audio", "image", "message", "model", "multipart", "text", "video", "font"];
    let media = value.split_once('/').is_some_and(|(kind, rest)| types.contains(&kind) && !rest.contains(' '));
    let file = value.rsplit_once('.').is_some_and(|(stem, end)| {
        !stem.is_empty()
            && (2..=8).contains(&end.len())
            && end.starts_with(|c: char| c.is_ascii_lowercase())
            && end.bytes().all(|c| c.is_ascii_alphanumeric())
            && !value.contains([' ', '@'])
    });
    media || file
}

/// Numbers with checks, cards, telephones, dates of birth.
fn numbers(sample: &Sample, share: Share<'_>, look: &mut Look) {
    let values = &sample.values;
    let count = values.len();
    if matches!(
        look.plain,
        Some("truth values" | "moments" | "hashes" | "UUIDs" | "decimal numbers" | "small numbers" | "web addresses")
    ) {
        return;
    }
    let parts: Vec<(String, Vec<u8>)> = values.iter().map(|v| (mask_of(v), compact(v))).collect();
    let article = look.plain.is_some();
    let card = share(&|v| {
        let digits = compact(v);
        v.bytes().all(|c| c.is_ascii_digit() || c == b' ' || c == b'-') && spans::is_card(&digits)
    });
    if card >= 0.7 && !article {
        look.guesses.push(Guess {
            class: Class::Card,
            score: 0.97,
            proof: true,
            why: format!("{} % of {count} values are valid card numbers", percent(card)),
        });
        return;
    }
    let mut best: Option<(f64, f64, &super::numbers::Number)> = None;
    for number in NUMBERS
        .iter()
        .filter(|number| number.kind != "passport" && number.kind != "us-licence" && number.kind != "in-voter")
    {
        let hits =
            values.iter().zip(&parts).filter(|(value, (mask, letters))| number.fits(value, mask, letters)).count();
        let part = ratio(hits, count);
        let (least, score) = match number.proof {
            Proof::Own => (0.5, 0.95),
            Proof::Check => (0.8, 0.9),
            Proof::Form => (0.9, 0.8),
        };
        let sure = part * score;
        if part >= least && best.is_none_or(|(known, _, _)| sure > known) {
            best = Some((sure, part, number));
        }
    }
    if let Some((_, part, number)) = best.filter(|_| !article || count > 5) {
        // Two or three values fit a check by chance.
        let score = if number.proof == Proof::Own {
            0.95
        } else if count < 8 {
            0.5
        } else {
            0.88
        };
        let why = format!("{} % of {count} values are valid as `{}`", percent(part), number.kind);
        look.guesses.push(Guess { class: number.class, score, proof: number.proof == Proof::Own || count >= 8, why });
        look.plain = None;
        return;
    }
    if article {
        return;
    }
    let dates: Vec<(i64, bool)> = values.iter().filter_map(|value| year(value)).collect();
    if ratio(dates.len(), count) >= 0.9 {
        birth_dates(&dates, count, look);
        return;
    }
    let sure = share(&|v| spans::dialled(v) == Dialled::Sure);
    let maybe = share(&|v| spans::dialled(v) != Dialled::No);
    let international = share(&|v| v.starts_with('+'));
    if maybe >= 0.8 && (sure >= 0.5 || international >= 0.3) && share(&is_postcode) < 0.5 {
        let proof = international >= 0.3 || sure >= 0.8;
        look.guesses.push(Guess {
            class: Class::Phone,
            score: 0.9,
            proof,
            why: format!("{} % of {count} values are written as telephone numbers", percent(maybe)),
        });
    }
}

/// The year of a date without a time, and whether it is later than any birth.
fn year(value: &str) -> Option<(i64, bool)> {
    let day = value.strip_suffix(" 00:00:00").or_else(|| value.strip_suffix("T00:00:00")).unwrap_or(value);
    let day = day.split(" 00:00:00").next().unwrap_or(day);
    let groups: Vec<&str> = day.split(['-', '/', '.']).collect();
    if groups.len() != 3 || groups.iter().any(|group| group.is_empty() || !group.bytes().all(|c| c.is_ascii_digit())) {
        return None;
    }
    let at = groups.iter().position(|group| group.len() == 4)?;
    let year: i64 = groups[at].parse().ok()?;
    let others: Vec<u64> =
        groups.iter().enumerate().filter(|(n, _)| *n != at).filter_map(|(_, group)| group.parse().ok()).collect();
    let fits = matches!(others[..], [a, b] if sums::month_day(a, b) || sums::month_day(b, a));
    fits.then_some((year, year > 2030))
}

/// Days that reach back as far as living people, none of them to come: other days of business lie close together.
fn birth_dates(dates: &[(i64, bool)], count: usize, look: &mut Look) {
    let years: Vec<i64> = dates.iter().map(|(year, _)| *year).collect();
    let (least, most) = (years.iter().min().copied().unwrap_or(0), years.iter().max().copied().unwrap_or(0));
    let old = ratio(years.iter().filter(|year| (1900..1970).contains(*year)).count(), years.len());
    let plausible = least >= 1895 && most <= 2030 && !dates.iter().any(|(_, late)| *late);
    if plausible && old >= 0.15 && most - least >= 20 {
        let why = format!(
            "{count} values are days that reach over {} years, {} % of them before 1970",
            most - least,
            percent(old)
        );
        look.guesses.push(Guess { class: Class::DateOfBirth, score: 0.75, proof: false, why });
    } else {
        look.plain = Some("days");
    }
}

fn is_postcode(value: &str) -> bool {
    POSTCODES.contains(&mask_of(value).as_str())
}

/// The form of a plate, Latin or not.
fn is_plate(value: &str) -> bool {
    let arabic = value.chars().any(|c| ('\u{621}'..='\u{64a}').contains(&c));
    let kana = value.chars().any(|c| ('\u{3041}'..='\u{3096}').contains(&c));
    let number = fold(value).chars().filter(char::is_ascii_digit).count();
    if arabic {
        return (1..=4).contains(&number)
            && fold(value).split_whitespace().filter(|w| w.chars().count() == 1 && !w.is_ascii()).count() >= 2;
    }
    if kana {
        // A place, a class of two or three digits, one letter, and four places of digits or dots.
        let groups: Vec<&str> = value.split_whitespace().collect();
        return groups.len() == 4 && groups[1].bytes().all(|c| c.is_ascii_digit()) && groups[2].chars().count() == 1;
    }
    // Letters that Latin and Cyrillic share stand on plates of Russia and Ukraine.
    let latin: String = value.chars().map(|c| if "АВЕКМНОРСТУХІ".contains(c) { 'A' } else { c }).collect();
    let mask = mask_of(&latin);
    !value.chars().any(char::is_lowercase)
        && mask.contains('A')
        && mask.contains('9')
        && PLATES.contains(&mask.as_str())
}

/// What has a form but no check: postal codes, plates, passports, names to log in with, passwords, long numbers.
fn forms(sample: &Sample, share: Share<'_>, look: &mut Look) {
    let values = &sample.values;
    let count = values.len();
    let mut add =
        |class: Class, score: f64, proof: bool, why: String| look.guesses.push(Guess { class, score, proof, why });
    let masks: Vec<String> = values.iter().map(|value| mask_of(value)).collect();
    let posted = share(&is_postcode);
    let length = values.first().map_or(0, |value| compact(value).len());
    let even = share(&|v| compact(v).len() == length);
    let numeric = share(&|v| v.bytes().all(|c| c.is_ascii_digit()));
    let (posted_or_bare, upper) = (
        share(&|v| is_postcode(v) || (v.len() == length && v.bytes().all(|c| c.is_ascii_digit()))),
        share(&|v| !v.chars().any(char::is_lowercase)),
    );
    if (posted >= 0.8 || (posted >= 0.25 && posted_or_bare >= 0.95 && even >= 0.95)) && upper >= 0.9 {
        add(
            Class::Postcode,
            0.8,
            posted >= 0.8,
            format!("{} % of {count} values have the form of a postal code", percent(posted)),
        );
    }
    let plates = share(&is_plate);
    if plates >= 0.6 && posted < 0.8 {
        add(
            Class::LicencePlate,
            0.7,
            false,
            format!("{} % of {count} values have the form of a registration plate", percent(plates)),
        );
    }
    let lettered = ratio(masks.iter().filter(|mask| mask.contains('A')).count(), count);
    let passports = ratio(masks.iter().filter(|mask| PASSPORTS.contains(&mask.as_str())).count(), count);
    // Letters of one place that never change are the beginning of an article's number.
    let heads: HashSet<&str> = values.iter().filter_map(|v| v.get(..2)).collect();
    if passports >= 0.9
        && (lettered >= 0.1 || masks.iter().any(|mask| mask.contains(' ')))
        && ratio(heads.len(), count.min(20)) >= 0.4
    {
        add(
            Class::Passport,
            0.62,
            false,
            format!("{} % of {count} values have the form of a passport's number", percent(passports)),
        );
    }
    // Long numbers of one length that do not count up.
    let read: Vec<u64> = values.iter().filter_map(|v| v.parse().ok()).collect();
    let spread = read.iter().max().zip(read.iter().min()).map_or(0, |(most, least)| most - least);
    let scattered = spread > 200 * count as u64 && count >= 5;
    if numeric >= 0.95 && even >= 0.95 && scattered {
        let zeros = share(&|v| v.starts_with('0'));
        let times =
            share(&|v| v.len() == 10 && v.parse::<u64>().is_ok_and(|n| (500_000_000..2_200_000_000).contains(&n)));
        let firsts: HashSet<&str> = values.iter().filter_map(|v| v.get(..1)).collect();
        match length {
            5 if firsts.len() >= 3 || zeros > 0.0 => {
                add(Class::Postcode, 0.58, false, format!("{count} values are numbers of five digits"));
            }
            6 if firsts.len() >= 3 => {
                add(Class::Postcode, 0.53, false, format!("{count} values are numbers of six digits"));
            }
            9..=12 | 15 if times < 0.95 => add(
                Class::NationalId,
                0.58,
                false,
                format!("{count} values are scattered numbers of {length} digits, as those that are given to people"),
            ),
            _ => {}
        }
    }
    credentials(values, share, look);
}

/// Passwords and names to log in with.
fn credentials(values: &[String], share: Share<'_>, look: &mut Look) {
    let count = values.len();
    let mixed = share(&|v| {
        let kinds = [
            v.bytes().any(|c| c.is_ascii_lowercase()),
            v.bytes().any(|c| c.is_ascii_uppercase()),
            v.bytes().any(|c| c.is_ascii_digit()),
            v.bytes().any(|c| c.is_ascii_punctuation()),
        ];
        // A password's letters do not lie in words: capitals stand inside, or signs that no code has.
        let inside = v
            .bytes()
            .zip(v.bytes().skip(1))
            .any(|(a, b)| (a.is_ascii_lowercase() || a.is_ascii_digit()) && b.is_ascii_uppercase());
        let odd = v.bytes().any(|c| b"!#$%^&*()+=@?~<>{}[]|;".contains(&c));
        (6..=40).contains(&v.len())
            && !v.contains(' ')
            && kinds.iter().filter(|kind| **kind).count() >= 3
            && (inside || odd)
    });
    if mixed >= 0.7 && share(&|v| v.contains("://") || v.contains('@') && v.contains('.')) < 0.3 {
        let why = format!("{} % of {count} values mix letters, digits and signs as passwords do", percent(mixed));
        look.guesses.push(Guess { class: Class::Password, score: 0.75, proof: false, why });
        return;
    }
    let login = |v: &str| {
        (3..=32).contains(&v.len())
            && v.starts_with(|c: char| c.is_ascii_lowercase())
            && v.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'.' | b'_' | b'-'))
    };
    let stem = |v: &str| v.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_').to_owned();
    let tailed: Vec<String> = values
        .iter()
        .filter(|v| {
            login(v)
                && v.ends_with(|c: char| c.is_ascii_digit())
                && stem(v).len() >= 3
                && stem(v).bytes().all(|c| !c.is_ascii_digit())
        })
        .map(|v| stem(v))
        .collect();
    let stems: HashSet<&String> = tailed.iter().collect();
    let logins = share(&login);
    let digits = ratio(tailed.len(), count);
    let personal = share(&people::in_login);
    let various = ratio(stems.len(), tailed.len().max(1)) >= 0.6;
    if logins >= 0.9
        && (((0.15..0.95).contains(&digits) && various)
            || personal >= 0.4
            || (digits >= 0.95 && various && personal >= 0.2))
    {
        let why = format!(
            "{} % of {count} values are made as names to log in with, some with a number at the end",
            percent(logins)
        );
        look.guesses.push(Guess { class: Class::Username, score: 0.7, proof: false, why });
    }
}

/// Names of people and places, and texts.
fn words(sample: &Sample, look: &mut Look) {
    let values = &sample.values;
    let count = values.len();
    let looks: Vec<Looks> = values.iter().map(|value| people::looks(value)).collect();
    let share = |test: fn(&Looks) -> bool| ratio(looks.iter().filter(|looks| test(looks)).count(), count);
    #[allow(clippy::cast_precision_loss, reason = "both are small")]
    let mean = |of: fn(&Looks) -> f64| looks.iter().map(of).sum::<f64>() / count as f64;
    let mut add = |class: Class, score: f64, why: String| look.guesses.push(Guess { class, score, proof: false, why });

    let (street, whole) = (share(|l| l.street), share(|l| l.whole_address));
    if street >= 0.5 {
        let class = if whole >= 0.5 { Class::Address } else { Class::Street };
        add(
            class,
            0.6 + 0.35 * street,
            format!("{} % of {count} values have a kind of street and a number", percent(street)),
        );
        return;
    }
    let (company, job, colour, choice) =
        (share(|l| l.company), share(|l| l.job), share(|l| l.colour), share(|l| l.plain));
    let (given, family, city) = (share(|l| l.given), share(|l| l.family), mean(|l| l.city));
    let person = mean(|l| l.person);
    let (single, several) = (share(|l| l.words == 1), share(|l| (2..=6).contains(&l.words)));
    let proper = share(|l| l.proper);
    let sentence = share(|l| l.sentence);
    if company >= 0.25 && company > person * 0.8 {
        add(Class::Company, 0.8, format!("{} % of {count} values have a word of a company's name", percent(company)));
        return;
    }
    if colour >= 0.5 || (choice >= 0.5 && person < 0.5) {
        look.plain = Some("words of a choice");
        return;
    }
    if sentence >= 0.4 {
        texts(values, look);
        return;
    }
    if job >= 0.3 && job > person {
        add(Class::Job, 0.45, format!("{} % of {count} values have a word of an occupation", percent(job)));
        return;
    }
    let known = |share: f64| format!("{} % of {count} values hold known names", percent(share));
    if several >= 0.6 && person >= 0.4 && proper >= 0.8 {
        add(Class::PersonName, (0.6 + 0.4 * person).min(0.95), known(person));
    } else if several >= 0.6 && person >= 0.2 && proper >= 0.9 && city < person {
        add(Class::PersonName, 0.55, known(person));
    }
    let either = share(|l| l.given || l.family);
    let ending = share(|l| l.given || l.family || l.family_ending);
    if single >= 0.6 && proper >= 0.9 {
        let (class, most) = if given >= family { (Class::GivenName, given) } else { (Class::FamilyName, family) };
        if most >= 0.2 {
            add(class, (0.56 + 0.4 * most).min(0.95), known(most));
        } else if either >= 0.18 || (ending >= 0.5 && either >= 0.05) {
            add(
                Class::FamilyName,
                0.56,
                format!("{} % of {count} values are names or end as family names do", percent(ending.max(either))),
            );
        }
    }
    if proper >= 0.85 && city >= 0.25 {
        add(
            Class::City,
            (0.52 + 0.4 * city).min(0.9),
            format!("{} % of {count} values are or are built as names of towns", percent(city)),
        );
    }
    // Few different values that come again and again are a choice, not people.
    if sample.novelty() < 0.2 && count < 12 {
        look.guesses.iter_mut().for_each(|guess| guess.score *= 0.7);
    }
}

/// Texts of several words: what stands inside tells.
fn texts(values: &[String], look: &mut Look) {
    let holding = values.iter().filter(|value| spans::spans(value).iter().any(|span| span.class != Class::Url)).count();
    let part = ratio(holding, values.len());
    if part >= 0.05 {
        let why = format!(
            "{} % of {} texts hold an address, a number of a person or an account",
            percent(part),
            values.len()
        );
        look.guesses.push(Guess { class: Class::FreeText, score: 0.8, proof: true, why });
    } else {
        let why = format!("{} values are texts in which anything may stand", values.len());
        look.guesses.push(Guess { class: Class::FreeText, score: 0.4, proof: false, why });
    }
}
