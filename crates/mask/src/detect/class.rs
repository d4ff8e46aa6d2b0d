//! What a field may hold of a person, one word for each kind of datum.
//!
//! Hidden here: which classes there are, how near each leads to a person, and which mask it asks for. Detection, drafts of policies and
//! reviews all speak these words, so a new class is one line in [`CLASSES`].

use std::fmt;

use serde::{Serialize, Serializer};

/// How near a datum leads to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Names a person alone, or reaches one.
    Direct,
    /// Narrows down who it is, together with others (GDPR recital 26, HIPAA 45 CFR 164.514).
    Quasi,
    /// Opens something.
    Secret,
    /// A number that stands for a person inside of the system: no datum of its own, but what others hang on.
    Pseudonym,
    /// Names an organisation, which may be one person's.
    Organisation,
}

macro_rules! classes {
    ($($(#[doc = $doc:literal])+ $class:ident = $name:literal, $standing:ident, $mask:literal;)+) => {
        /// A kind of datum.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Class { $($(#[doc = $doc])+ $class,)+ }

        /// Every class with its word, its standing and the mask that it asks for.
        pub static CLASSES: &[(Class, &str, Standing, &str)] = &[$((Class::$class, $name, Standing::$standing, $mask),)+];
    };
}

classes! {
    /// A person's whole name, or a name of which no more is known.
    PersonName = "person-name", Direct, "name";
    /// A given name.
    GivenName = "given-name", Direct, "first_name";
    /// A family name.
    FamilyName = "family-name", Direct, "last_name";
    /// An e-mail address (RFC 5322).
    Email = "email", Direct, "email";
    /// A telephone or fax number (ITU-T E.164).
    Phone = "phone", Direct, "phone";
    /// A whole postal address.
    Address = "address", Direct, "redact";
    /// A street with its number.
    Street = "street", Direct, "street";
    /// A town, a district, a place of birth.
    City = "city", Quasi, "city";
    /// A state, province or county.
    Region = "region", Quasi, "redact";
    /// A postal code.
    Postcode = "postcode", Quasi, "postcode";
    /// A country.
    Country = "country", Quasi, "country";
    /// A day of birth or death.
    DateOfBirth = "date-of-birth", Quasi, "birth_date";
    /// An age.
    Age = "age", Quasi, "age";
    /// A sex, gender, form of address or marital status.
    Gender = "gender", Quasi, "gender";
    /// A number that a state gives to a person.
    NationalId = "national-id", Direct, "alnum";
    /// A number that a tax authority gives to a person.
    TaxId = "tax-id", Direct, "alnum";
    /// A passport's or visa's number (ICAO 9303).
    Passport = "passport", Direct, "passport";
    /// A driving licence's number.
    DrivingLicence = "driving-licence", Direct, "alnum";
    /// A vehicle's registration plate.
    LicencePlate = "licence-plate", Direct, "alnum";
    /// A vehicle's own number (ISO 3779).
    VehicleId = "vehicle-id", Direct, "alnum";
    /// A number of a patient or an insured person.
    HealthId = "health-id", Direct, "alnum";
    /// What ails somebody (GDPR article 9).
    Health = "health", Quasi, "redact";
    /// Belief, origin, union, conviction (GDPR articles 9 and 10).
    Belief = "belief", Quasi, "redact";
    /// A nationality.
    Nationality = "nationality", Quasi, "redact";
    /// A bank account other than an IBAN.
    BankAccount = "bank-account", Direct, "alnum";
    /// An IBAN (ISO 13616).
    Iban = "iban", Direct, "iban";
    /// A payment card's number (ISO/IEC 7812).
    Card = "card", Direct, "card_number";
    /// An address of a crypto currency.
    CryptoWallet = "crypto-wallet", Direct, "alnum";
    /// An IP address (RFC 791, RFC 4291).
    Ip = "ip", Direct, "ip";
    /// A network card's address (IEEE 802).
    Mac = "mac", Direct, "mac";
    /// What tells one device from every other.
    DeviceId = "device-id", Direct, "alnum";
    /// A name to log in with.
    Username = "username", Direct, "username";
    /// An account at another service.
    SocialHandle = "social-handle", Direct, "username";
    /// A password, its hash, a secret answer, a card's security code.
    Password = "password", Secret, "redact";
    /// A key, token or session.
    Token = "token", Secret, "token";
    /// A position on earth.
    Location = "location", Quasi, "geo_point";
    /// A web address.
    Url = "url", Quasi, "url";
    /// A browser's own description.
    UserAgent = "user-agent", Quasi, "user_agent";
    /// A picture, a voice, a finger, a signature.
    Photo = "photo", Direct, "redact";
    /// An occupation or employer.
    Job = "job", Quasi, "redact";
    /// What somebody earns.
    Income = "income", Quasi, "amount_bucket";
    /// A language.
    Language = "language", Quasi, "redact";
    /// An organisation's name.
    Company = "company", Organisation, "company";
    /// An organisation's number.
    CompanyId = "company-id", Organisation, "alnum";
    /// A number that stands for a person.
    SubjectId = "subject-id", Pseudonym, "alnum";
    /// Text in which anything may stand.
    FreeText = "free-text", Quasi, "redact";
}

impl Class {
    fn line(self) -> &'static (Class, &'static str, Standing, &'static str) {
        // The macro writes the enumeration and the table from one list, so a class stands at its own number.
        &CLASSES[self as usize]
    }

    /// The class in one word.
    pub fn name(self) -> &'static str {
        self.line().1
    }

    /// How near it leads to a person.
    pub fn standing(self) -> Standing {
        self.line().2
    }

    /// The mask that it asks for, on a field of text.
    pub fn mask(self) -> &'static str {
        self.line().3
    }

    /// Whether it is a datum about a person: an identifier, direct or together with others, or a secret.
    pub fn is_personal(self) -> bool {
        matches!(self.standing(), Standing::Direct | Standing::Quasi | Standing::Secret)
    }

    /// The class of a word.
    pub fn of(name: &str) -> Option<Self> {
        CLASSES.iter().find(|line| line.1 == name).map(|line| line.0)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Class {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_stands_at_its_number_and_asks_for_a_mask_that_there_is() {
        for (n, (class, name, _, mask)) in CLASSES.iter().enumerate() {
            assert_eq!(*class as usize, n);
            assert_eq!(Class::of(name), Some(*class));
            assert!(crate::kernels::find(mask).is_some(), "{mask}");
        }
    }
}
