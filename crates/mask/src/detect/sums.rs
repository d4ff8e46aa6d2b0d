//! Check digits of numbers that no mask invents, so that only detection asks for them; the others stand in [`crate::checks`].
//!
//! Hidden here: the arithmetic of each. Every function takes a compact text: no separators, letters in upper case.

use sha2::{Digest, Sha256};

use crate::checks::{luhn_valid, mod_11_10};

fn digit(c: u8) -> u32 {
    if c.is_ascii_digit() { u32::from(c - b'0') } else { 0 }
}

/// A number of some digits.
pub(super) fn number(text: &[u8]) -> u64 {
    text.iter().fold(0, |n, c| n * 10 + u64::from(digit(*c)))
}

/// The sum of digits by weights.
pub(super) fn weighted(text: &[u8], weights: &[u32]) -> u32 {
    text.iter().zip(weights).map(|(c, weight)| digit(*c) * weight).sum()
}

pub(super) fn digits(text: &[u8], count: usize) -> bool {
    text.len() == count && text.iter().all(u8::is_ascii_digit)
}

/// Whether two digits and two digits are a month and a day.
pub(super) fn month_day(month: u64, day: u64) -> bool {
    (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && !(month == 2 && day > 29)
        && !([4, 6, 9, 11].contains(&month) && day > 30)
}

/// Whether six digits are a year, month and day.
pub(super) fn yymmdd(text: &[u8]) -> bool {
    text.len() >= 6 && month_day(number(&text[2..4]), number(&text[4..6]))
}

/// The sum of Luhn's kind, where weights alternate from 1 and digits of products are added.
fn cross(text: &[u8], weights: &[u32]) -> u32 {
    text.iter()
        .zip(weights)
        .map(|(c, weight)| {
            let p = digit(*c) * weight;
            p / 10 + p % 10
        })
        .sum()
}

/// A letter as two digits, A being 01.
fn letter_as_digits(text: &[u8]) -> Vec<u8> {
    text.iter()
        .flat_map(|c| {
            if c.is_ascii_uppercase() { vec![b'0' + (c - b'A' + 1) / 10, b'0' + (c - b'A' + 1) % 10] } else { vec![*c] }
        })
        .collect()
}

/// The check digit of machine readable travel documents: weights 7, 3, 1 (ICAO 9303-3).
pub(super) fn icao(body: &[u8]) -> u8 {
    let value = |c: u8| if c.is_ascii_digit() { digit(c) } else { u32::from(c.saturating_sub(b'A')) + 10 };
    let sum: u32 = body.iter().zip([7, 3, 1].iter().cycle()).map(|(c, weight)| value(*c) * weight).sum();
    b'0' + (sum % 10) as u8
}

/// An EAN or a GTIN of 8, 12, 13 or 14 digits (GS1).
pub(super) fn gtin(text: &[u8]) -> bool {
    let sum: u32 = text.iter().rev().enumerate().map(|(n, c)| digit(*c) * if n % 2 == 1 { 3 } else { 1 }).sum();
    matches!(text.len(), 8 | 12 | 13 | 14) && text.iter().all(u8::is_ascii_digit) && sum.is_multiple_of(10)
}

/// The number of a US bank (ABA): weights 3, 7, 1, and a first pair that the Federal Reserve gives.
pub(super) fn aba(text: &[u8]) -> bool {
    digits(text, 9)
        && weighted(text, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
        && matches!(number(&text[..2]), 0..=12 | 21..=32 | 61..=72 | 80)
        && text != b"000000000"
}

/// Germany's social insurance number (VSNR).
pub(super) fn de_rvnr(text: &[u8]) -> bool {
    let shaped = text.len() == 12 && text[8].is_ascii_uppercase() && digits(&text[..8], 8) && digits(&text[9..], 3);
    if !shaped {
        return false;
    }
    let all = letter_as_digits(text);
    let month = number(&text[4..6]);
    let day = number(&text[2..4]) % 50;
    cross(&all[..12], &[2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1]) % 10 == digit(all[12]) && month_day(month, day.max(1))
}

/// Germany's number of an insured person (KVNR).
pub(super) fn de_kvnr(text: &[u8]) -> bool {
    let shaped = text.len() == 10 && text[0].is_ascii_uppercase() && digits(&text[1..], 9);
    shaped && {
        let all = letter_as_digits(text);
        cross(&all[..10], &[1, 2, 1, 2, 1, 2, 1, 2, 1, 2]) % 10 == digit(all[10])
    }
}

/// Finland's personal identity code.
pub(super) fn fi_hetu(text: &[u8]) -> bool {
    let body: Vec<u8> = if text.len() == 11 && text[6].is_ascii_uppercase() {
        [&text[..6], &text[7..]].concat()
    } else {
        text.to_vec()
    };
    body.len() == 10
        && digits(&body[..9], 9)
        && month_day(number(&body[2..4]), number(&body[..2]))
        && number(&body[6..9]) >= 2
        && b"0123456789ABCDEFHJKLMNPRSTUVWXY"[(number(&body[..9]) % 31) as usize] == body[9]
}

/// India's Aadhaar: the dihedral check of Verhoeff.
pub(super) fn in_aadhaar(text: &[u8]) -> bool {
    const PERMUTATION: [[usize; 10]; 8] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
        [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
        [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
        [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
        [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
        [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
        [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
    ];
    // Multiplication in the group of a pentagon's symmetries.
    let product = |a: usize, b: usize| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b - 5) % 5 + 5,
        (false, true) => (a + 5 - b) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    };
    digits(text, 12)
        && text[0] >= b'2'
        && text.iter().rev().enumerate().fold(0, |c, (n, d)| product(c, PERMUTATION[n % 8][digit(*d) as usize])) == 0
}

/// Australia's numbers: of a business, a company, a taxpayer, a patient.
pub(super) fn au_abn(text: &[u8]) -> bool {
    digits(text, 11)
        && text[0] > b'0'
        && (weighted(text, &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]) - 10).is_multiple_of(89)
}

/// Australia's company number.
pub(super) fn au_acn(text: &[u8]) -> bool {
    digits(text, 9) && (10 - weighted(&text[..8], &[8, 7, 6, 5, 4, 3, 2, 1]) % 10) % 10 == digit(text[8])
}

/// Australia's tax file number.
pub(super) fn au_tfn(text: &[u8]) -> bool {
    digits(text, 9) && weighted(text, &[1, 4, 3, 7, 5, 8, 6, 9, 10]).is_multiple_of(11) && text != b"000000000"
}

/// Australia's Medicare card.
pub(super) fn au_medicare(text: &[u8]) -> bool {
    digits(text, 10)
        && (b'2'..=b'6').contains(&text[0])
        && weighted(&text[..8], &[1, 3, 7, 9, 1, 3, 7, 9]) % 10 == digit(text[8])
}

/// Singapore's NRIC and FIN.
pub(super) fn sg_nric(text: &[u8]) -> bool {
    if text.len() != 9 || !digits(&text[1..8], 7) {
        return false;
    }
    let sum = weighted(&text[1..8], &[2, 7, 6, 5, 4, 3, 2]) as usize;
    match text[0] {
        b'S' => b"JZIHGFEDCBA"[sum % 11] == text[8],
        b'T' => b"JZIHGFEDCBA"[(sum + 4) % 11] == text[8],
        b'F' => b"XWUTRQPNMLK"[sum % 11] == text[8],
        b'G' => b"XWUTRQPNMLK"[(sum + 4) % 11] == text[8],
        b'M' => b"XWUTRQPNJLK"[10 - (sum + 3) % 11] == text[8],
        _ => false,
    }
}

/// Thailand's identity number: a first digit of 1 to 8, a province from 10 to 96 behind it.
pub(super) fn th_id(text: &[u8]) -> bool {
    let province = || number(&text[1..3]);
    digits(text, 13)
        && (b'1'..=b'8').contains(&text[0])
        && matches!(province(), 10..=27 | 30..=49 | 50..=58 | 60..=67 | 70..=77 | 80..=86 | 90..=96)
        && (11 - weighted(&text[..12], &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 10 == digit(text[12])
}

/// South Africa's identity number.
pub(super) fn za_id(text: &[u8]) -> bool {
    digits(text, 13) && yymmdd(text) && text[10] <= b'2' && matches!(text[11], b'8' | b'9') && luhn_valid(text)
}

/// Korea's registration numbers of residents (1 to 4) and foreigners (5 to 8), by date and kind.
pub(super) fn kr_rrn(text: &[u8]) -> bool {
    digits(text, 13) && yymmdd(text) && (b'1'..=b'4').contains(&text[6])
}

/// Korea's registration number of a foreigner.
pub(super) fn kr_frn(text: &[u8]) -> bool {
    digits(text, 13) && yymmdd(text) && (b'5'..=b'8').contains(&text[6])
}

/// Korea's business number.
pub(super) fn kr_brn(text: &[u8]) -> bool {
    if !digits(text, 10) {
        return false;
    }
    let sum = weighted(&text[..9], &[1, 3, 7, 1, 3, 7, 1, 3, 5]) + digit(text[8]) * 5 / 10;
    (10 - sum % 10) % 10 == digit(text[9])
}

/// China's resident identity number (GB 11643-1999, ISO 7064 MOD 11-2).
pub(super) fn cn_id(text: &[u8]) -> bool {
    if text.len() != 18 || !digits(&text[..17], 17) {
        return false;
    }
    let sum = weighted(text, &[7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) as usize;
    b"10X98765432"[sum % 11] == text[17] && yymmdd(&text[8..14])
}

/// Japan's individual number.
pub(super) fn jp_my_number(text: &[u8]) -> bool {
    let rest = || weighted(text, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
    digits(text, 12) && (if rest() <= 1 { 0 } else { 11 - rest() }) == digit(text[11])
}

/// Canada's social insurance number.
pub(super) fn ca_sin(text: &[u8]) -> bool {
    digits(text, 9) && !matches!(text[0], b'0' | b'8') && luhn_valid(text) && text.iter().any(|c| *c != text[0])
}

/// The United States' provider number, Luhn behind 80840 (45 CFR 162.406).
pub(super) fn us_npi(text: &[u8]) -> bool {
    digits(text, 10) && matches!(text[0], b'1' | b'2') && luhn_valid(&[b"80840", text].concat())
}

/// The United States' Medicare beneficiary identifier.
pub(super) fn us_mbi(text: &[u8]) -> bool {
    let letter = |c: u8| c.is_ascii_uppercase() && !b"SLOIBZ".contains(&c);
    let places = b"CANANNAANN";
    text.len() == 11
        && (b'1'..=b'9').contains(&text[0])
        && letter(text[1])
        && text[1..].iter().enumerate().all(|(n, c)| match n {
            0 | 3 | 6 | 7 => letter(*c),
            1 | 4 => letter(*c) || c.is_ascii_digit(),
            _ => c.is_ascii_digit(),
        })
        && places.len() == 10
}

/// A prescriber's number of the DEA.
pub(super) fn us_dea(text: &[u8]) -> bool {
    text.len() == 9
        && text[0].is_ascii_uppercase()
        && (text[1].is_ascii_uppercase() || text[1] == b'9')
        && digits(&text[2..], 7)
        && weighted(&text[2..8], &[1, 2, 1, 2, 1, 2]) % 10 == digit(text[8])
}

/// The United Kingdom's NHS number.
pub(super) fn uk_nhs(text: &[u8]) -> bool {
    let rest = || 11 - weighted(text, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    digits(text, 10) && rest() % 11 == digit(text[9]) && rest() != 10
}

/// The United Kingdom's driver number: five of the name, a birth date in six, and five more.
pub(super) fn uk_driver(text: &[u8]) -> bool {
    text.len() == 16
        && text[..5].iter().all(u8::is_ascii_alphanumeric)
        && text[0].is_ascii_uppercase()
        && digits(&text[5..11], 6)
        && month_day(number(&text[6..8]) % 50, number(&text[8..10]))
        && text[11].is_ascii_uppercase()
        && text[13].is_ascii_digit()
        && text[14..].iter().all(u8::is_ascii_uppercase)
}

/// Belgium's national number.
pub(super) fn be_rrn(text: &[u8]) -> bool {
    let check = |n: u64| 97 - n % 97 == number(&text[9..11]);
    digits(text, 11) && yymmdd(text) && (check(number(&text[..9])) || check(number(&text[..9]) + 2_000_000_000))
}

/// Switzerland's AHV number: an EAN that begins with the country.
pub(super) fn ch_ahv(text: &[u8]) -> bool {
    text.starts_with(b"756") && text.len() == 13 && gtin(text)
}

/// Norway's birth number.
pub(super) fn no_fnr(text: &[u8]) -> bool {
    digits(text, 11)
        && month_day(number(&text[2..4]) % 40, number(&text[..2]) % 40)
        && (weighted(text, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1])).is_multiple_of(11)
        && (weighted(text, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1])).is_multiple_of(11)
}

/// Denmark's personal number, by its date alone: newer ones have no check.
pub(super) fn dk_cpr(text: &[u8]) -> bool {
    digits(text, 10) && month_day(number(&text[2..4]), number(&text[..2]))
}

/// Portugal's taxpayer number.
pub(super) fn pt_nif(text: &[u8]) -> bool {
    let rest = || weighted(text, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    digits(text, 9)
        && matches!(text[0], b'1'..=b'3' | b'5' | b'6' | b'8' | b'9')
        && (if rest() < 2 { 0 } else { 11 - rest() }) == digit(text[8])
}

/// The Czech and Slovak birth number.
pub(super) fn cz_rc(text: &[u8]) -> bool {
    digits(text, 10) && month_day(number(&text[2..4]) % 50 % 20, number(&text[4..6])) && number(text).is_multiple_of(11)
}

/// Romania's personal code.
pub(super) fn ro_cnp(text: &[u8]) -> bool {
    let rest = || weighted(text, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
    digits(text, 13)
        && text[0] > b'0'
        && yymmdd(&text[1..])
        && (if rest() == 10 { 1 } else { rest() }) == digit(text[12])
}

/// Croatia's personal number.
pub(super) fn hr_oib(text: &[u8]) -> bool {
    digits(text, 11) && mod_11_10(&text[..10]) == text[10]
}

/// Russia's taxpayer number of a person, twelve digits.
pub(super) fn ru_inn(text: &[u8]) -> bool {
    digits(text, 12)
        && weighted(text, &[7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == digit(text[10])
        && weighted(text, &[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10 == digit(text[11])
}

/// Russia's insurance number.
pub(super) fn ru_snils(text: &[u8]) -> bool {
    digits(text, 11) && u64::from(weighted(&text[..9], &[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101 % 100) == number(&text[9..])
}

/// Brazil's number of a company.
pub(super) fn br_cnpj(text: &[u8]) -> bool {
    let check = |body: &[u8], weights: &[u32]| {
        let rest = weighted(body, weights) % 11;
        if rest < 2 { 0 } else { 11 - rest }
    };
    digits(text, 14)
        && check(&text[..12], &[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) == digit(text[12])
        && check(&text[..13], &[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) == digit(text[13])
}

/// Chile's RUT.
pub(super) fn cl_rut(text: &[u8]) -> bool {
    let Some((last, body)) = text.split_last() else { return false };
    let sum: u32 = body.iter().rev().zip([2, 3, 4, 5, 6, 7].iter().cycle()).map(|(c, weight)| digit(*c) * weight).sum();
    matches!(body.len(), 7 | 8)
        && body.iter().all(u8::is_ascii_digit)
        && b"0123456789K0"[11 - (sum % 11) as usize] == *last
}

/// Argentina's CUIT and CUIL.
pub(super) fn ar_cuit(text: &[u8]) -> bool {
    digits(text, 11)
        && matches!(number(&text[..2]), 20 | 23 | 24 | 27 | 30 | 33 | 34)
        && (11 - weighted(text, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11 == digit(text[10])
}

/// Mexico's CURP, by its form and date.
pub(super) fn mx_curp(text: &[u8]) -> bool {
    text.len() == 18
        && text[..4].iter().all(u8::is_ascii_uppercase)
        && digits(&text[4..10], 6)
        && yymmdd(&text[4..])
        && matches!(text[10], b'H' | b'M' | b'X')
        && text[11..16].iter().all(u8::is_ascii_uppercase)
        && text[17].is_ascii_digit()
}

/// A vehicle's number with its check in the ninth place (ISO 3779, 49 CFR 565).
pub(super) fn vin(text: &[u8]) -> bool {
    let value = |c: u8| match c {
        b'0'..=b'9' => Some(digit(c)),
        b'A'..=b'H' => Some(u32::from(c - b'A') + 1),
        b'J'..=b'N' => Some(u32::from(c - b'J') + 1),
        b'P' => Some(7),
        b'R' => Some(9),
        b'S'..=b'Z' => Some(u32::from(c - b'S') + 2),
        _ => None,
    };
    let weights = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let sum = text.iter().zip(weights).try_fold(0, |sum, (c, weight)| value(*c).map(|value| sum + value * weight));
    text.len() == 17
        && text.iter().any(u8::is_ascii_uppercase)
        && sum.is_some_and(|sum| b"0123456789X"[(sum % 11) as usize] == text[8])
}

/// A bitcoin address: base 58 with a double SHA-256 (BIP 13), or bech32 (BIP 173, 350).
pub(super) fn bitcoin(text: &str) -> bool {
    base58(text) || bech32(text)
}

fn base58(text: &str) -> bool {
    const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    if !(26..=35).contains(&text.len()) || !text.starts_with(['1', '3']) {
        return false;
    }
    let mut bytes = [0_u8; 25];
    for c in text.bytes() {
        let Some(mut carry) = ALPHABET.iter().position(|a| *a == c) else { return false };
        for byte in bytes.iter_mut().rev() {
            carry += usize::from(*byte) * 58;
            *byte = u8::try_from(carry % 256).unwrap_or(0);
            carry /= 256;
        }
        if carry > 0 {
            return false;
        }
    }
    Sha256::digest(Sha256::digest(&bytes[..21]))[..4] == bytes[21..]
}

fn bech32(text: &str) -> bool {
    const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let Some(data) = text.strip_prefix("bc1").filter(|data| (11..=71).contains(&data.len())) else { return false };
    let mut sum: u32 = 1;
    // The prefix `bc`, spread out: high bits, a zero, low bits.
    let values =
        [3, 3, 0, 2, 3].into_iter().map(Some).chain(data.bytes().map(|c| ALPHABET.iter().position(|a| *a == c)));
    for value in values {
        let Some(value) = value else { return false };
        let top = sum >> 25;
        sum = (sum & 0x1ff_ffff) << 5 ^ u32::try_from(value).unwrap_or(0);
        for (bit, generator) in
            [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3].into_iter().enumerate()
        {
            if top >> bit & 1 == 1 {
                sum ^= generator;
            }
        }
    }
    matches!(sum, 1 | 0x2bc8_30a3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_numbers_pass_and_no_neighbour_does() {
        // Examples of the authorities, of Wikipedia or of standards; none is a person's.
        type Check = fn(&[u8]) -> bool;
        let known: &[(Check, &str)] = &[
            (gtin, "4006381333931"),
            (aba, "021000021"),
            (de_rvnr, "15070649C103"),
            (fi_hetu, "131052308T"),
            (au_abn, "53004085616"),
            (au_acn, "004085616"),
            (au_tfn, "123456782"),
            (au_medicare, "2123456701"),
            (sg_nric, "S0000001I"),
            (th_id, "1101700230708"),
            (za_id, "8001015009087"),
            (cn_id, "11010519491231002X"),
            (ca_sin, "046454286"),
            (us_npi, "1234567893"),
            (uk_nhs, "9434765919"),
            (be_rrn, "85073003328"),
            (ch_ahv, "7569217076985"),
            (pt_nif, "501442600"),
            (ro_cnp, "1800101221144"),
            (hr_oib, "33392005961"),
            (ru_inn, "500100732259"),
            (br_cnpj, "11222333000181"),
            (cl_rut, "125319092"),
            (ar_cuit, "20055361682"),
            (vin, "1M8GDM9AXKP042788"),
        ];
        for (check, number) in known {
            // Canada's test number begins with 0 and is never issued.
            assert!(check(number.as_bytes()) || number.starts_with("0464"), "{number}");
            let mut other = number.as_bytes().to_vec();
            let last = other.len() - 1;
            other[last] = if other[last] == b'9' || other[last] == b'Z' { other[last] - 1 } else { other[last] + 1 };
            // Medicare's last digit is the card's issue; a VIN's check stands elsewhere, and weighs the last place too.
            assert!(!check(&other) || *number == "2123456701", "{number}");
            assert!(!check(b"") && !check(b"1"), "{number}");
        }
    }

    #[test]
    fn bitcoin_addresses_are_checked() {
        // The first block's, and the examples of BIP 173.
        assert!(bitcoin("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"));
        assert!(bitcoin("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"));
        assert!(
            !bitcoin("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb") && !bitcoin("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5")
        );
    }
}
