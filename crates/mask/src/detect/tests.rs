use super::*;

fn by_name(name: &str, entity: &str) -> Option<Class> {
    classify(&Facts { name, entity, ..Facts::default() }).map(|found| found.class)
}

fn by_values(values: &[&str]) -> Option<Class> {
    let sample = Sample::of(values.iter().copied());
    classify(&Facts { sample: Some(&sample), ..Facts::default() }).map(|found| found.class)
}

#[test]
fn names_say_what_a_field_holds_in_many_languages() {
    for (name, class) in [
        ("email", Class::Email),
        ("custFirstName", Class::GivenName),
        ("LAST_NAME", Class::FamilyName),
        ("codepostal", Class::Postcode),
        ("date_de_naissance", Class::DateOfBirth),
        ("Geburtsdatum", Class::DateOfBirth),
        ("numero_telefono", Class::Phone),
        ("nr_telefonu", Class::Phone),
        ("фамилия", Class::FamilyName),
        ("生年月日", Class::DateOfBirth),
        ("身份证号", Class::NationalId),
        ("billing-address", Class::Address),
        ("phone2", Class::Phone),
        ("kundenname", Class::PersonName),
        ("clientIp", Class::Ip),
        ("passwordHash", Class::Password),
    ] {
        assert_eq!(by_name(name, ""), Some(class), "{name}");
    }
}

#[test]
fn longer_phrases_and_qualifiers_take_a_word_away() {
    for name in [
        "product_name",
        "fileName",
        "host_name",
        "email_verified",
        "city_id",
        "phone_type",
        "order_id",
        "created_at",
        "is_mobile",
        "address_count",
        "amount",
    ] {
        assert_eq!(by_name(name, ""), None, "{name}");
    }
}

#[test]
fn a_weak_word_needs_a_record_about_people() {
    assert_eq!(by_name("name", "customers"), Some(Class::PersonName));
    assert_eq!(by_name("name", "products"), None);
    // What holds a field tells what it is.
    assert_eq!(by_name("line1", "Address"), Some(Class::Street));
    assert_eq!(by_name("expiryMonth", "PaymentCard"), Some(Class::Card));
    assert_eq!(by_name("mailEventId", "attachments"), None);
    assert_eq!(by_name("billingNif", "orders"), Some(Class::TaxId));
    assert_eq!(by_name("description", "film_category"), None);
}

#[test]
fn values_tell_without_a_name() {
    assert_eq!(by_values(&["ann@corp.com", "bob@corp.org", "eve@x.net"]), Some(Class::Email));
    assert_eq!(by_values(&["4111111111111111", "5555555555554444", "378282246310005"]), Some(Class::Card));
    assert_eq!(
        by_values(&["Mary Miller", "John Smith", "Anna Brown", "Paul Jones", "Ruth Baker"]),
        Some(Class::PersonName)
    );
    assert_eq!(
        by_values(&["12 High Street", "7 Mill Lane", "81 Park Road", "3 Abbey Close", "5 Station Road"]),
        Some(Class::Street)
    );
    assert_eq!(
        by_values(&["1951-03-02", "1964-11-30", "1978-01-09", "1990-06-21", "1988-12-12"]),
        Some(Class::DateOfBirth)
    );
}

#[test]
fn what_is_plainly_something_else_is_none() {
    for values in [
        &["true", "false"][..],
        &["2024-01-02T10:11:12", "2024-01-03T10:11:12", "2023-01-02T01:11:12"],
        &["9780306406157", "4006381333931", "9783161484100"],
        &["12.50", "9.99", "-3.10"],
        &["d41d8cd98f00b204e9800998ecf8427e", "0cc175b9c0f1b6a831c399e269772661", "92eb5ffee6ae2fec3ad71c777531578f"],
        &["report.pdf", "photo.jpg", "data.csv"],
        &["pending", "shipped", "cancelled"],
        &["2024-03-01", "2024-03-05", "2024-03-09", "2024-02-09"],
    ] {
        assert_eq!(by_values(values), None, "{values:?}");
    }
}

#[test]
fn values_that_contradict_a_name_weaken_it() {
    let sample = Sample::of(["true", "false", "true", "0", "1"]);
    let facts = Facts { name: "contact", sample: Some(&sample), ..Facts::default() };
    assert_eq!(classify(&facts), None);
}

#[test]
fn evidence_tells_no_value() {
    let sample = Sample::of(["ann.lee@corp.com", "bob@corp.com"]);
    let found =
        classify(&Facts { name: "mail", entity: "people", sample: Some(&sample), ..Facts::default() }).expect("found");
    let told = format!("{found:?} {sample:?}");
    assert!(!told.contains("ann") && !told.contains("corp"), "{told}");
    assert_eq!(found.evidence.len(), 2);
}
