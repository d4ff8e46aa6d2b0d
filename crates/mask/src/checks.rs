//! Check digits and the rules of well-known numbers.
//!
//! Hidden here: the arithmetic of each scheme. Masks recompute a check digit, or break it on purpose, and detection asks whether
//! one holds; both must mean the same by "valid". Texts are compact here: no separators, letters in upper case. Nothing
//! here knows whether a number was ever issued.

/// The weighted sum of a text's digits; a letter counts as 0.
fn weighted(text: &[u8], weights: &[u32]) -> u32 {
    text.iter().zip(weights).map(|(c, weight)| digit(*c) * weight).sum()
}

fn digit(c: u8) -> u32 {
    if c.is_ascii_digit() { u32::from(c - b'0') } else { 0 }
}

fn ascii(n: u32) -> u8 {
    b'0' + u8::try_from(n % 10).unwrap_or(0)
}

/// A number in base 10, modulo `m`.
fn modulo(text: &[u8], m: u32) -> u32 {
    text.iter().fold(0, |rest, c| (rest * 10 + digit(*c)) % m)
}

fn all_digits(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_digit)
}

/// The digit that makes digits pass Luhn's test (ISO/IEC 7812-1).
pub(crate) fn luhn(body: &[u8]) -> u8 {
    let sum: u32 = body
        .iter()
        .rev()
        .enumerate()
        .map(|(n, c)| if n % 2 == 0 { digit(*c) * 2 / 10 + digit(*c) * 2 % 10 } else { digit(*c) })
        .sum();
    ascii((10 - sum % 10) % 10)
}

/// Whether digits, two or more, pass Luhn's test.
pub(crate) fn luhn_valid(text: &[u8]) -> bool {
    text.len() > 1 && all_digits(text) && text.split_last().is_some_and(|(last, body)| luhn(body) == *last)
}

/// The check digit of ISO/IEC 7064 MOD 11,10.
pub(crate) fn mod_11_10(body: &[u8]) -> u8 {
    let product = body.iter().fold(10, |product, c| {
        let sum = (digit(*c) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    ascii((11 - product) % 10)
}

/// The remainder modulo 97 of digits and letters, where A is 10 and Z is 35 (ISO/IEC 7064 MOD 97-10).
pub(crate) fn mod_97(text: impl Iterator<Item = u8>) -> Option<u32> {
    text.into_iter().try_fold(0, |rest, c| match c {
        b'0'..=b'9' => Some((rest * 10 + digit(c)) % 97),
        b'A'..=b'Z' => Some((rest * 100 + u32::from(c - b'A') + 10) % 97),
        _ => None,
    })
}

/// The two check digits of an IBAN (ISO 13616), from its country and its account part.
pub(crate) fn iban_check(country: &[u8], account: &[u8]) -> Option<[u8; 2]> {
    let rest = mod_97(account.iter().chain(country).copied().chain(*b"00"))?;
    let check = 98 - rest;
    Some([ascii(check / 10), ascii(check)])
}

/// The length of a country's IBAN (SWIFT's registry; countries of the single euro payments area and some more).
pub(crate) fn iban_length(country: &[u8]) -> Option<usize> {
    let lengths: &[(usize, &str)] = &[
        (15, "NO"),
        (16, "BE"),
        (18, "DK FI FO GL NL"),
        (19, "MK SI"),
        (20, "AT BA EE KZ LT LU XK"),
        (21, "CH HR LI LV"),
        (22, "BG BH CR DE GB GE IE ME RS"),
        (23, "AE GI IL IQ TL"),
        (24, "AD CZ ES MD PK RO SA SE SK TN VG"),
        (25, "LY PT ST"),
        (26, "IS TR"),
        (27, "FR GR IT MC SM BI DJ"),
        (28, "AL AZ BY CY DO GT HU LB NI PL"),
        (29, "BR EG PS QA UA"),
        (30, "JO KW MU"),
        (31, "MT SC"),
    ];
    let country = std::str::from_utf8(country).ok()?;
    lengths.iter().find(|(_, list)| list.split(' ').any(|c| c == country)).map(|(length, _)| *length)
}

/// Whether a compact IBAN has its country's length and right check digits.
pub(crate) fn iban_valid(text: &[u8]) -> bool {
    text.is_ascii()
        && text.len() > 4
        && iban_length(&text[..2]) == Some(text.len())
        && all_digits(&text[2..4])
        && mod_97(text[4..].iter().chain(&text[..4]).copied()) == Some(1)
}

/// A number that a state gives: which characters stand where, and which check characters belong to them.
pub(crate) struct Scheme {
    /// Its name in a message.
    pub(crate) name: &'static str,
    /// The characters of each place before the check characters.
    pub(crate) body: &'static [&'static str],
    /// The check characters, none for some schemes; `None` if no such number can be issued.
    pub(crate) check: fn(&[u8]) -> Option<Vec<u8>>,
}

impl std::fmt::Debug for Scheme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scheme({})", self.name)
    }
}

impl Scheme {
    /// Whether a compact text is a number that this scheme could issue.
    pub(crate) fn valid(&self, text: &[u8]) -> bool {
        text.split_at_checked(self.body.len()).is_some_and(|(body, check)| {
            body.iter().zip(self.body).all(|(c, allowed)| allowed.as_bytes().contains(c))
                && (self.check)(body).is_some_and(|right| right == check)
        })
    }
}

const D: &str = "0123456789";
const L: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Whether two digits and two digits are a month and a day of some year.
fn month_day(month: u32, day: u32) -> bool {
    let days = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    (1..=12).contains(&month) && day >= 1 && days.get(month as usize - 1).is_some_and(|most| day <= *most)
}

fn two(text: &[u8]) -> u32 {
    modulo(text, 1_000)
}

/// The United States' social security number: area, group and serial, each above 0; no area 666 or 900 and above.
pub(crate) static US_SSN: Scheme = Scheme {
    name: "social security number",
    body: &[D; 9],
    check: |body| {
        let area = modulo(&body[..3], 1_000);
        let issued = area != 0 && area != 666 && area < 900 && &body[3..5] != b"00" && &body[5..] != b"0000";
        issued.then(Vec::new)
    },
};

/// The United Kingdom's national insurance number (HMRC, NIM39110).
pub(crate) static UK_NINO: Scheme = Scheme {
    name: "national insurance number",
    body: &["ABCEGHJKLMNOPRSTWXYZ", "ABCEGHJKLMNPRSTWXYZ", D, D, D, D, D, D, "ABCD"],
    check: |body| {
        let never: [&[u8]; 7] = [b"BG", b"GB", b"NK", b"KN", b"TN", b"NT", b"ZZ"];
        (!never.contains(&&body[..2])).then(Vec::new)
    },
};

/// Germany's tax identification number: of ten digits one stands two or three times, the others once at most.
pub(crate) static DE_TAX_ID: Scheme = Scheme {
    name: "German tax identification number",
    body: &["123456789", D, D, D, D, D, D, D, D, D],
    check: |body| {
        let mut counts = [0_u32; 10];
        for c in body {
            counts[digit(*c) as usize] += 1;
        }
        let repeated: Vec<&u32> = counts.iter().filter(|n| **n > 1).collect();
        (repeated.len() == 1 && *repeated[0] <= 3).then(|| vec![mod_11_10(body)])
    },
};

/// France's number of the national register (NIR), with Corsica's 2A and 2B.
pub(crate) static FR_NIR: Scheme = Scheme {
    name: "French NIR",
    body: &["12", D, D, D, D, D, "0123456789AB", D, D, D, D, D, D],
    check: |body| {
        let month = two(&body[3..5]);
        let months = matches!(month, 1..=12 | 20..=42 | 50..=99);
        let corsica = match body[6] {
            b'A' => 1_000_000,
            b'B' => 2_000_000,
            _ => 0,
        };
        let department = (body[5], body[6]);
        if !months || (corsica > 0 && body[5] != b'2') || department == (b'0', b'0') || &body[10..] == b"000" {
            return None;
        }
        // Corsica's letter counts as 0, less one million for A and two for B.
        let number = body.iter().fold(0_u64, |sum, c| sum * 10 + u64::from(digit(*c))) - corsica;
        let key = u32::try_from(97 - number % 97).unwrap_or(0);
        Some(vec![ascii(key / 10), ascii(key)])
    },
};

/// Spain's NIF of a person: DNI (eight digits) or NIE (X, Y or Z and seven digits), with a letter.
pub(crate) static ES_NIF: Scheme = Scheme {
    name: "Spanish DNI or NIE",
    body: &["0123456789XYZ", D, D, D, D, D, D, D],
    check: |body| {
        let first = match body[0] {
            letter @ b'X'..=b'Z' => letter - b'X' + b'0',
            other => other,
        };
        let rest =
            std::iter::once(first).chain(body[1..].iter().copied()).fold(0, |rest, c| (rest * 10 + digit(c)) % 23);
        Some(vec![b"TRWAGMYFPDXBNJZSQVHLCKE"[rest as usize]])
    },
};

/// Italy's tax code of a person, without the letters that replace digits where two people would share one.
pub(crate) static IT_FISCAL_CODE: Scheme = Scheme {
    name: "Italian tax code",
    body: &[L, L, L, L, L, L, D, D, "ABCDEHLMPRST", "01234567", D, L, D, D, D],
    check: |body| {
        let month = b"ABCDEHLMPRST".iter().position(|m| *m == body[8]).map_or(0, |n| u32::try_from(n).unwrap_or(0) + 1);
        let day = two(&body[9..11]);
        let odd = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
        let sum: u32 = body
            .iter()
            .enumerate()
            .map(|(n, c)| {
                let value = if c.is_ascii_digit() { digit(*c) } else { u32::from(c.saturating_sub(b'A')) };
                if n % 2 == 0 { odd.get(value as usize).copied().unwrap_or(0) } else { value }
            })
            .sum();
        // A woman's day is 40 more.
        month_day(month, if day > 40 { day - 40 } else { day })
            .then(|| vec![b'A' + u8::try_from(sum % 26).unwrap_or(0)])
    },
};

/// The Netherlands' citizen service number, by its test of eleven.
pub(crate) static NL_BSN: Scheme = Scheme {
    name: "Dutch BSN",
    body: &[D; 8],
    check: |body| {
        let rest = weighted(body, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
        (rest < 10 && body != b"00000000").then(|| vec![ascii(rest)])
    },
};

/// Poland's PESEL: the birth date, with the century in the month, and a serial.
pub(crate) static PL_PESEL: Scheme = Scheme {
    name: "Polish PESEL",
    body: &[D, D, D, D, "0123", D, D, D, D, D],
    check: |body| {
        let month = two(&body[2..4]) % 20;
        let sum = weighted(body, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]);
        month_day(month, two(&body[4..6])).then(|| vec![ascii((10 - sum % 10) % 10)])
    },
};

/// Sweden's personal or coordination number of ten digits.
pub(crate) static SE_PERSONNUMMER: Scheme = Scheme {
    name: "Swedish personal number",
    body: &[D, D, "01", D, "01236789", D, D, D, D],
    check: |body| {
        let day = two(&body[4..6]);
        // A coordination number's day is 60 more.
        month_day(two(&body[2..4]), if day > 60 { day - 60 } else { day }).then(|| vec![luhn(body)])
    },
};

/// The same with its century: twelve digits.
pub(crate) static SE_PERSONNUMMER_12: Scheme = Scheme {
    name: "Swedish personal number",
    body: &["12", "890", D, D, "01", D, "01236789", D, D, D, D],
    check: |body| {
        if matches!(&body[..2], b"18" | b"19" | b"20") { (SE_PERSONNUMMER.check)(&body[2..]) } else { None }
    },
};

/// Brazil's CPF, two check digits.
pub(crate) static BR_CPF: Scheme = Scheme {
    name: "Brazilian CPF",
    body: &[D; 9],
    check: |body| {
        let check = |text: &[u8]| {
            let sum: u32 = text.iter().rev().zip(2..).map(|(c, weight)| digit(*c) * weight).sum();
            ascii(if sum % 11 < 2 { 0 } else { 11 - sum % 11 })
        };
        let first = check(body);
        let second = check(&[body, &[first]].concat());
        // Eleven equal digits pass the arithmetic and are not issued.
        body.iter().any(|c| *c != body[0]).then(|| vec![first, second])
    },
};

/// Turkey's identity number, two check digits.
pub(crate) static TR_TCKN: Scheme = Scheme {
    name: "Turkish identity number",
    body: &["123456789", D, D, D, D, D, D, D, D],
    check: |body| {
        let odd: u32 = body.iter().step_by(2).map(|c| digit(*c)).sum();
        let even: u32 = body.iter().skip(1).step_by(2).map(|c| digit(*c)).sum();
        let tenth = (odd * 7 + 90 - even) % 10;
        Some(vec![ascii(tenth), ascii(odd + even + tenth)])
    },
};

/// The part of a VAT identification number after its country, by country.
pub(crate) static VAT: &[(&str, Scheme)] = &[
    (
        "BE",
        Scheme {
            name: "VAT number",
            body: &["01", D, D, D, D, D, D, D],
            check: |body| {
                let check = 97 - modulo(body, 97);
                Some(vec![ascii(check / 10), ascii(check)])
            },
        },
    ),
    (
        "DE",
        Scheme {
            name: "VAT number",
            body: &["123456789", D, D, D, D, D, D, D],
            check: |body| Some(vec![mod_11_10(body)]),
        },
    ),
    (
        "DK",
        Scheme {
            name: "VAT number",
            body: &["123456789", D, D, D, D, D, D],
            check: |body| {
                let rest = weighted(body, &[2, 7, 6, 5, 4, 3, 2]) % 11;
                (rest != 1).then(|| vec![ascii((11 - rest) % 11)])
            },
        },
    ),
    (
        "FI",
        Scheme {
            name: "VAT number",
            body: &[D; 7],
            check: |body| {
                let rest = weighted(body, &[7, 9, 10, 5, 8, 4, 2]) % 11;
                (rest != 1).then(|| vec![ascii((11 - rest) % 11)])
            },
        },
    ),
    // The key stands in front of the SIREN, which bears Luhn's digit.
    (
        "FR",
        Scheme {
            name: "VAT number",
            body: &[D; 10],
            check: |body| {
                let check = luhn(&body[2..]);
                let siren = [&body[2..], &[check]].concat();
                (two(&body[..2]) == (12 + 3 * modulo(&siren, 97)) % 97).then(|| vec![check])
            },
        },
    ),
    (
        "GB",
        Scheme {
            name: "VAT number",
            body: &["123456789", D, D, D, D, D, D],
            check: |body| {
                let check = 97 - weighted(body, &[8, 7, 6, 5, 4, 3, 2]) % 97;
                Some(vec![ascii(check / 10), ascii(check)])
            },
        },
    ),
    ("IT", Scheme { name: "VAT number", body: &[D; 10], check: |body| Some(vec![luhn(body)]) }),
    (
        "PL",
        Scheme {
            name: "VAT number",
            body: &["123456789", D, D, D, D, D, D, D, D],
            check: |body| {
                let rest = weighted(body, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11;
                (rest < 10).then(|| vec![ascii(rest)])
            },
        },
    ),
    (
        "PT",
        Scheme {
            name: "VAT number",
            body: &["123456789", D, D, D, D, D, D, D],
            check: |body| {
                let rest = weighted(body, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
                Some(vec![ascii(if rest < 2 { 0 } else { 11 - rest })])
            },
        },
    ),
    ("SE", Scheme { name: "VAT number", body: &[D; 9], check: |body| Some(vec![luhn(body), b'0', b'1']) }),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_card_numbers_and_accounts_pass() {
        for card in ["4111111111111111", "5555555555554444", "378282246310005", "6011111111111117", "79927398713"] {
            assert!(luhn_valid(card.as_bytes()), "{card}");
        }
        assert!(!luhn_valid(b"79927398710") && !luhn_valid(b"0") && !luhn_valid(b"4111 1111"));
        // SWIFT's registry.
        for iban in
            ["DE89370400440532013000", "GB29NWBK60161331926819", "FR1420041010050500013M02606", "NO9386011117947"]
        {
            assert!(iban_valid(iban.as_bytes()), "{iban}");
            assert_eq!(
                iban_check(&iban.as_bytes()[..2], &iban.as_bytes()[4..]).expect("digits"),
                iban.as_bytes()[2..4]
            );
        }
        assert!(!iban_valid(b"DE88370400440532013000") && !iban_valid(b"DE8937040044053201300"));
    }

    #[test]
    fn published_national_numbers_pass_and_no_neighbour_does() {
        // Examples of the authorities and of their descriptions; none is a person's.
        let known: &[(&Scheme, &[&str])] = &[
            (&US_SSN, &["078051120", "899999999"]),
            (&UK_NINO, &["AB123456C", "JG103759A"]),
            (&DE_TAX_ID, &["86095742719", "65929970489", "47036892816"]),
            (&FR_NIR, &["255081416802538", "180126955222380"]),
            (&ES_NIF, &["12345678Z", "X1234567L", "Z8327649K"]),
            (&IT_FISCAL_CODE, &["RSSMRA85T10A562S", "MRTMTT25D09F205Z"]),
            (&NL_BSN, &["111222333", "123456782"]),
            (&PL_PESEL, &["44051401359", "02070803628"]),
            (&SE_PERSONNUMMER, &["8112189876", "6408233234"]),
            (&SE_PERSONNUMMER_12, &["198112189876"]),
            (&BR_CPF, &["11144477735", "52998224725"]),
            (&TR_TCKN, &["10000000146"]),
        ];
        for (scheme, numbers) in known {
            for number in *numbers {
                assert!(scheme.valid(number.as_bytes()), "{} {number}", scheme.name);
                assert!(!scheme.valid(&number.as_bytes()[1..]), "{} {number}", scheme.name);
                if scheme.body.len() == number.len() {
                    continue;
                }
                let mut other = number.as_bytes().to_vec();
                if let Some(last) = other.last_mut() {
                    *last = if *last == b'9' || *last == b'Z' { *last - 1 } else { *last + 1 };
                }
                assert!(!scheme.valid(&other), "{} {number}", scheme.name);
            }
        }
    }

    #[test]
    fn what_is_never_issued_fails() {
        for number in ["000123456", "666123456", "900123456", "123003456", "123450000"] {
            assert!(!US_SSN.valid(number.as_bytes()), "{number}");
        }
        for number in ["QQ123456C", "GB123456A", "AB123456E", "AO123456A"] {
            assert!(!UK_NINO.valid(number.as_bytes()), "{number}");
        }
        assert!(!DE_TAX_ID.valid(b"02476291358"), "test numbers begin with 0");
        assert!(!BR_CPF.valid(b"11111111111"));
        assert!(!PL_PESEL.valid(b"44153201353"), "no such date");
    }

    #[test]
    fn published_vat_numbers_pass() {
        for number in [
            "BE0428759497",
            "DE136695976",
            "DK13585628",
            "FI20774740",
            "FR40303265045",
            "GB980780684",
            "IT00743110157",
            "PL8567346215",
            "PT501964843",
            "SE123456789701",
        ] {
            let (_, scheme) = VAT.iter().find(|(country, _)| number.starts_with(country)).expect("known");
            assert!(scheme.valid(&number.as_bytes()[2..]), "{number}");
        }
    }

    #[test]
    fn corsica_has_a_key() {
        let body = b"180121A234567";
        assert!((FR_NIR.check)(body).is_none(), "only 2A and 2B");
        let body = b"180122A234567";
        let key = (FR_NIR.check)(body).expect("a key");
        assert!(FR_NIR.valid(&[body.as_slice(), &key].concat()));
    }
}
