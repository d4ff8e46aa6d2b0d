//! What a field's name says.
//!
//! Hidden here: how names are taken apart (`custFirstName`, `code_postal`, `codepostal`) and which words in which language mean what.
//! The words stand in `lexicon/fields.txt`. A longer phrase beats a shorter one that it contains, so `product_name` is no name of a person.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::class::Class;
use super::words::fold;

/// How much a phrase says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// Only if the record is about a person, or nobody knows what.
    Weak,
    /// Nearly always.
    Medium,
    /// Wherever it stands.
    Strong,
}

/// What a name says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Said {
    /// The class; none if the words mean something that is no datum of a person.
    pub(super) class: Option<Class>,
    /// How much they say.
    pub(super) weight: Weight,
    /// The phrase, as the lexicon has it.
    pub(super) phrase: &'static str,
    /// Its language.
    pub(super) language: &'static str,
}

/// Whom a record is about, by a word of its entity's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// People.
    Person,
    /// Nobody knows.
    Unknown,
    /// Things.
    Thing,
}

struct Lexicon {
    /// Phrases joined → what they say. One phrase may say several things in several languages; the strongest, then the first, stands.
    phrases: HashMap<String, Said>,
    /// Every word of a phrase and every word of the two lists below, for names whose words are joined.
    vocabulary: HashSet<String>,
    longest: usize,
}

static LEXICON: LazyLock<Lexicon> = LazyLock::new(|| {
    let mut lexicon = Lexicon { phrases: HashMap::new(), vocabulary: HashSet::new(), longest: 0 };
    for line in include_str!("lexicon/fields.txt").lines() {
        let Some((head, phrases)) = line.split_once(" | ").filter(|_| !line.starts_with('#')) else { continue };
        let mut head = head.split(' ');
        let class = head.next().and_then(Class::of);
        let weight = match head.next() {
            Some("strong") => Weight::Strong,
            Some("medium") => Weight::Medium,
            _ => Weight::Weak,
        };
        let language = head.next().unwrap_or_default();
        for phrase in phrases.split("; ") {
            let words: Vec<String> = words(phrase);
            lexicon.longest = lexicon.longest.max(words.len());
            // Short words would take names apart where they mean nothing.
            lexicon
                .vocabulary
                .extend(words.iter().filter(|word| word.chars().count() > 3 || !word.is_ascii()).cloned());
            let said = Said { class, weight, phrase, language };
            let old = lexicon.phrases.get(&words.concat());
            if old.is_none_or(|old| old.weight < said.weight) {
                lexicon.phrases.insert(words.concat(), said);
            }
        }
    }
    let other = PEOPLE.iter().chain(THINGS).chain(FILLERS).chain(QUALIFIERS);
    lexicon.vocabulary.extend(other.filter(|word| word.len() > 2).map(|word| (*word).to_owned()));
    lexicon
});

/// Words that tell that a record or a name is about people.
#[rustfmt::skip]
static PEOPLE: &[&str] = &[
    "person", "persons", "people", "customer", "cust", "client", "user", "usr", "member", "employee", "emp",
    "staff", "patient", "passenger", "guest", "student", "pupil", "teacher", "contact", "subscriber", "visitor",
    "applicant", "candidate", "citizen", "resident", "tenant", "driver", "holder", "owner", "buyer", "purchaser",
    "recipient", "sender", "beneficiary", "participant", "attendee", "player", "author", "actor", "profile",
    "doctor", "nurse", "physician", "agent", "manager", "supervisor", "spouse", "child", "children", "parent",
    "father", "mother", "kin", "relative", "insured", "voter", "donor", "lead", "consumer", "worker", "personnel",
    "faculty", "instructor", "crew", "reviewer", "reporter", "assignee", "payer", "payee", "borrower", "debtor",
    "shopper", "traveller", "traveler", "kunde", "kunden", "mitarbeiter", "benutzer", "nutzer", "mitglied",
    "mitglieder", "patienten", "personen", "schuler", "angestellter", "angestellte", "cliente", "clientes",
    "usuario", "usuarios", "empleado", "empleados", "paciente", "persona", "personas", "alumno", "alumnos",
    "miembro", "personne", "personnes", "utilisateur", "utilisateurs", "salarie", "salaries", "employe", "employes",
    "adherent", "abonne", "eleve", "etudiant", "cliente", "pessoa", "pessoas", "funcionario", "funcionarios",
    "utente", "utenti", "clienti", "dipendente", "dipendenti", "paziente", "pazienti", "persone", "aluno", "klant",
    "klanten", "medewerker", "medewerkers", "gebruiker", "gebruikers", "persoon", "personen", "klient", "klienci",
    "pracownik", "pracownicy", "pacjent", "osoba", "osoby", "uzytkownik", "kund", "kunder", "anstalld", "person",
    "medlem", "bruker", "bruger", "asiakas", "henkilo", "kayttaja", "zakaznik", "zamestnanec", "uzivatel",
    "musteri", "kullanici", "calisan", "personel", "hasta", "uye", "kisi", "клиент", "клиенты", "сотрудник",
    "пользователь", "человек", "пациент", "顧客", "会員", "社員", "従業員", "ユーザー", "患者", "客户", "用户", "员工", "会员", "고객", "회원",
    "직원", "사용자", "pelanggan", "karyawan", "pengguna", "anggota", "pasien", "individual", "individuals", "human",
    "salesperson", "signatory", "guardian", "dependent", "dependant", "user", "account", "accounts", "membership",
];

/// Words that tell that a record or a name is about things.
#[rustfmt::skip]
static THINGS: &[&str] = &[
    "reason", "method", "attachment", "container", "list", "export", "import", "incident", "ticket", "issue",
    "state", "states", "parcel", "delivery", "return", "card", "product", "item", "article", "file", "folder",
    "directory", "table", "column", "host", "server", "service", "event", "category", "brand", "field", "class",
    "function", "role", "group", "tag", "plan", "store", "shop", "warehouse", "branch", "package", "module",
    "queue", "topic", "index", "schema", "database", "db", "device", "app", "application", "project", "channel",
    "course", "book", "movie", "film", "song", "track", "album", "playlist", "genre", "media", "currency",
    "attribute", "property", "variable", "key", "template", "report", "campaign", "model", "version", "color",
    "colour", "material", "status", "type", "step", "task", "workflow", "feature", "permission", "menu", "unit",
    "market", "region", "territory", "zone", "port", "country", "city", "language", "order", "orders", "orderitem",
    "orderdetails", "detail", "invoice", "payment", "shipment", "shipping", "rental", "inventory", "stock", "price",
    "sku", "catalog", "catalogue", "part", "supplier", "shipper", "vendor", "job", "batch", "log", "setting",
    "settings", "config", "namespace", "cluster", "node", "shard", "partition", "migration", "metric", "sensor",
    "machine", "asset", "produkt", "artikel", "datei", "kategorie", "bestellung", "rechnung", "lager", "producto",
    "articulo", "archivo", "categoria", "pedido", "factura", "produit", "fichier", "categorie", "commande",
    "facture", "magasin", "produto", "arquivo", "prodotto", "ordine", "fattura", "bestelling", "zamowienie",
    "produkt", "produkty", "order", "produkter", "urun", "siparis", "товар", "заказ", "商品", "注文", "商品", "订单", "产品",
    "상품", "주문", "produk", "barang", "coupon", "discount", "promotion", "activity", "activities", "execution",
    "history", "tasks", "visibility", "build", "message", "messages", "address", "point", "line", "lines",
    "mediatype", "schedule", "schedules",
];

/// Words that join others and say nothing.
#[rustfmt::skip]
static FILLERS: &[&str] = &[
    "of", "the", "de", "du", "del", "des", "la", "le", "do", "da", "di", "der", "van", "von", "el", "les", "d", "l",
    "dla", "för", "et", "y", "e", "und",
];

/// Words that turn a datum of a person into something about it: whether, when, how many, which kind.
#[rustfmt::skip]
static QUALIFIERS: &[&str] = &[
    "labels", "list", "lists", "receipt", "event", "events", "attachment", "attachments", "response", "is", "has",
    "count", "cnt", "total", "num", "max", "min", "avg", "sum", "flag", "enabled", "disabled", "verified",
    "validated", "valid", "confirmed", "required", "optional", "allowed", "allow", "type", "kind", "status",
    "state", "format", "length", "len", "size", "limit", "rate", "ratio", "version", "template", "sent", "at", "ts",
    "timestamp", "created", "updated", "modified", "expires", "expiry", "expired", "expiration", "ttl", "attempts",
    "retries", "policy", "strength", "changed", "visible", "hidden", "public", "sequence", "seq", "order", "rank",
    "priority", "level", "label", "schema", "error", "errors", "queue", "config", "settings", "setting",
    "preference", "preferences", "opt", "optin", "optout", "subscribed", "unsubscribed", "bounced", "provider",
    "service", "server", "category", "frequency", "interval", "duration", "percentage", "percent", "pct", "weight",
    "height", "width", "color", "colour", "enum",
];

/// The words of a name: apart at separators and humps, folded, without fillers.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let chars: Vec<char> = name.chars().collect();
    for (n, c) in chars.iter().enumerate() {
        let before = n.checked_sub(1).map(|n| chars[n]);
        let after = chars.get(n + 1);
        let hump = c.is_uppercase()
            && (before.is_some_and(char::is_lowercase)
                || (before.is_some_and(char::is_uppercase) && after.is_some_and(|c| c.is_lowercase())));
        if !c.is_alphanumeric() || hump {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.push(*c);
        }
    }
    words.push(word);
    words.iter().map(|word| fold(word)).filter(|word| !word.is_empty()).collect()
}

/// A word without the number at its end (`phone2`), unless that is part of a phrase.
fn bare(word: &str) -> &str {
    let stem = word.trim_end_matches(|c: char| c.is_ascii_digit());
    if stem.is_empty() { word } else { stem }
}

/// A joined name in the least number of known words that make it up, or as it was.
fn apart(word: &str, lexicon: &Lexicon) -> Vec<String> {
    if lexicon.phrases.contains_key(word) || lexicon.vocabulary.contains(word) || word.len() < 6 {
        return vec![word.to_owned()];
    }
    let ends: Vec<usize> = word.char_indices().map(|(at, _)| at).chain([word.len()]).collect();
    let mut best: Vec<Option<(usize, usize)>> = vec![None; ends.len()];
    best[0] = Some((0, 0));
    for to in 1..ends.len() {
        for from in 0..to {
            let piece = &word[ends[from]..ends[to]];
            if let Some((count, _)) = best[from]
                && (lexicon.vocabulary.contains(piece) || (piece.len() > 2 && lexicon.phrases.contains_key(piece)))
                && best[to].is_none_or(|(known, _)| count + 1 < known)
            {
                best[to] = Some((count + 1, from));
            }
        }
    }
    let mut pieces = Vec::new();
    let mut at = ends.len() - 1;
    while at > 0 {
        let Some((_, from)) = best[at] else { return vec![word.to_owned()] };
        pieces.insert(0, word[ends[from]..ends[at]].to_owned());
        at = from;
    }
    pieces
}

/// A word as singular, where English, Spanish, French or Portuguese make the plural with an s.
fn singular(word: &str) -> &str {
    word.strip_suffix("ies")
        .or_else(|| word.strip_suffix('s'))
        .filter(|stem| stem.len() > 2 && !stem.ends_with('s'))
        .unwrap_or(word)
}

fn among(list: &[&str], word: &str) -> bool {
    list.contains(&word)
        || list.contains(&singular(word))
        || word.strip_suffix("ies").is_some_and(|stem| list.contains(&format!("{stem}y").as_str()))
}

/// Whom an entity of a name is about.
pub(super) fn subject(entity: &str) -> Subject {
    let words: Vec<String> = words(entity).iter().flat_map(|word| apart(word, &LEXICON)).collect();
    // In most languages the last of several words is what it is: `customer_orders` are orders, `order_customers` customers.
    match words.iter().rev().find(|word| among(PEOPLE, bare(word)) || among(THINGS, bare(word))) {
        Some(word) if among(PEOPLE, bare(word)) => Subject::Person,
        Some(_) => Subject::Thing,
        None => Subject::Unknown,
    }
}

/// What a field's name says, if anything.
pub(super) fn said(name: &str) -> Option<Said> {
    read(&[], name)
}

/// What a field's name says with that of what holds it: `payment_card.number`. At least one word of the field takes part.
pub(super) fn said_in(entity: &str, name: &str) -> Option<Said> {
    let outer: Vec<String> = words(entity).iter().map(|word| singular(word).to_owned()).collect();
    read(&outer, name)
}

fn read(outer: &[String], name: &str) -> Option<Said> {
    let lexicon = &*LEXICON;
    let all: Vec<String> = words(name);
    let whole = all.concat();
    if outer.is_empty()
        && let Some(said) = find(&whole, lexicon)
    {
        return Some(said.clone());
    }
    let inner: Vec<String> =
        all.iter().flat_map(|word| apart(word, lexicon)).filter(|word| !FILLERS.contains(&word.as_str())).collect();
    let words: Vec<String> = outer.iter().chain(&inner).cloned().collect();
    let mut found: Vec<(usize, usize, &Said)> = Vec::new();
    for from in 0..words.len() {
        for to in (from + 1).max(outer.len() + usize::from(!outer.is_empty()))..=words.len().min(from + lexicon.longest)
        {
            let joined = words[from..to].concat();
            // Two or three letters mean much in some language; among other words they are an accident.
            let stray = joined.len() <= 3 && joined.is_ascii() && words.len() > 1;
            if let Some(said) = find(&joined, lexicon)
                && (!stray
                    || said.language == "en"
                    || strong_number(said)
                    || (joined.len() == 3 && words.iter().any(|word| among(PEOPLE, word))))
            {
                found.push((from, to, said));
            }
        }
    }
    // A phrase inside of a longer one says nothing of its own.
    let outer =
        |a: &(usize, usize, &Said)| !found.iter().any(|b| b.0 <= a.0 && b.1 >= a.1 && (b.1 - b.0) > (a.1 - a.0));
    let best =
        found.iter().filter(|span| outer(span)).max_by_key(|(_, to, said)| (said.class.is_some(), said.weight, *to))?;
    let rest: Vec<&str> =
        words.iter().enumerate().filter(|(n, _)| !(best.0..best.1).contains(n)).map(|(_, word)| bare(word)).collect();
    let mut said = best.2.clone();
    let qualified = rest.iter().any(|word| QUALIFIERS.contains(word));
    // `email_verified_at` is no address, `city_id` no city; the id of a person stays one.
    let reference = rest
        .last()
        .is_some_and(|word| matches!(*word, "id" | "ids" | "uuid" | "key" | "code" | "no" | "ref" | "fk" | "sk"))
        && words.len() == best.1 + 1;
    if said.class.is_some()
        && (qualified || (reference && said.class != Some(Class::SubjectId) && !strong_number(&said)))
    {
        said.class = None;
    }
    if said.weight == Weight::Weak && said.class.is_some() {
        if rest.iter().any(|word| among(PEOPLE, word)) {
            said.weight = Weight::Strong;
        } else if rest.iter().any(|word| among(THINGS, word)) {
            said.class = None;
        } else if !rest.is_empty() && matches!(said.class, Some(Class::SubjectId)) {
            // `trace_id`: an id of something.
            said.class = None;
        }
    }
    Some(said)
}

/// Whether `… id` or `… no` is the datum itself.
fn strong_number(said: &Said) -> bool {
    matches!(
        said.class,
        Some(
            Class::NationalId
                | Class::TaxId
                | Class::Passport
                | Class::DrivingLicence
                | Class::HealthId
                | Class::BankAccount
                | Class::DeviceId
                | Class::SocialHandle
                | Class::Username
                | Class::Phone
                | Class::Token
                | Class::Password
                | Class::CompanyId
        )
    )
}

fn find<'a>(joined: &str, lexicon: &'a Lexicon) -> Option<&'a Said> {
    let phrases = &lexicon.phrases;
    phrases.get(joined).or_else(|| phrases.get(bare(joined))).or_else(|| {
        let stem = singular(bare(joined));
        (stem.len() > 3).then(|| phrases.get(stem)).flatten()
    })
}
