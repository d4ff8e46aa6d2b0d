//! Fields with few values, and canonical forms that make two of them one.

use std::sync::Arc;

use crate::support::World;

/// Users with a tier out of three, which is told by an enumeration.
fn world() -> World {
    let mut world =
        World::default().entity("shop/users", &["id text", "tier text", "paid bool", "age int", "mail text"]);
    for entity in world.catalogs.iter_mut().flat_map(|c| &mut c.entities) {
        let mut changed = (**entity).clone();
        changed.fields[1].values = Some(["free", "gold", "black"].map(str::to_owned).into());
        changed.fields[3].range = Some((0, 150));
        changed.uniques = vec![vec!["mail".to_owned()]];
        *entity = Arc::new(changed);
    }
    world
}

fn policy(rules: &str) -> String {
    format!(
        "version: 1\nundecided: redact\nrules:\n  - {{ name: ids, on: [ shop/users.id, shop/users.mail ], mask: token }}\n{rules}"
    )
}

#[test]
fn pseudonyms_of_few_values_are_refused_unless_accepted() {
    let rule = "  - { name: tier, on: [ shop/users.tier ], mask: shuffle }\n";
    let refused = world().refused(&policy(rule));
    assert!(refused.contains("POL-028 shop/users.tier, rule `tier`, p.yaml:5:"), "{refused}");
    assert!(refused.contains("has 3 values at most"), "{refused}");
    let accepted = rule.replace("shuffle }", "shuffle, accept: [ few-values ] }");
    assert!(world().plan(&policy(&accepted)).is_ok());
    assert!(
        world().refused(&policy(&accepted.replace("few-values", "anything"))).contains("nothing called `anything`")
    );
    let age = "  - { name: age, on: [ shop/users.age ], mask: integer }\n";
    assert!(world().refused(&policy(age)).contains("has 151 values at most"));
}

#[test]
fn what_blurs_or_draws_is_no_pseudonym() {
    let fine = "  - { name: tier, on: [ shop/users.tier ], mask: gender }\n  - { name: age, on: [ shop/users.age ], mask: age }\n";
    assert!(world().plan(&policy(fine)).is_ok());
}

#[test]
fn a_canonical_form_that_may_merge_unique_values_is_a_warning() {
    let domains = "version: 1\nundecided: redact\ndomains: { mail: { canonical: email, mask: email } }\nrules:\n  \
                   - { name: ids, on: [ shop/users.id ], mask: token }\n  - { name: mail, on: [ shop/users.mail ], domain: mail }\n";
    let plan = world().plan(domains).expect("a warning stops nothing");
    let told: Vec<String> = plan.warnings().iter().map(|f| format!("{} {}", f.code, f.site)).collect();
    assert_eq!(told, ["POL-029 shop/users.mail, rule `mail`, p.yaml:6:13"]);
    assert!(world().plan(&domains.replace("canonical: email, ", "")).expect("resolves").warnings().is_empty());
}

#[test]
fn what_a_server_has_counted_is_a_warning() {
    let mut world = World::default()
        .entity("shop/users", &["id int", "city text", "team int", "bio text"])
        .entity("shop/teams", &["id int", "name text"])
        .refers("shop/users.team -> shop/teams.id");
    for entity in world.catalogs.iter_mut().flat_map(|c| &mut c.entities) {
        let mut changed = (**entity).clone();
        changed.fields.iter_mut().filter(|field| field.name != "id").for_each(|field| field.distinct = Some(12));
        *entity = Arc::new(changed);
    }
    let policy = |city: &str| {
        format!(
            "version: 1
domains: {{ team: {{ mask: {{ integer: {{ max: 99999999 }} }} }} }}
rules:
  - {{ name: ids, on: [ shop/users.id ], mask: {{ integer: {{ max: 99999999 }} }} }}
  - {{ name: teams, on: [ shop/users.team, shop/teams.id ], domain: team }}
  - {{ name: rest, on: [ shop/users.bio, shop/teams.name ], mask: redact }}
  - {{ name: city, on: [ shop/users.city ], {city} }}
"
        )
    };
    let warned = |world: &World, city: &str| -> Vec<String> {
        let plan = world.plan(&policy(city)).expect("a warning stops nothing");
        plan.warnings()
            .iter()
            .map(|finding| format!("{} {}: {}", finding.code, finding.site, finding.message))
            .collect()
    };
    let told = warned(&world, "mask: token");
    assert_eq!(told.len(), 1, "a reference has as many values as there are records: {told:?}");
    assert!(told[0].starts_with("POL-028 shop/users.city, rule `city`, p.yaml:7:"), "{told:?}");
    assert!(told[0].contains("has counted about 12 values"), "{told:?}");
    for fine in ["mask: redact", "mask: token, accept: [ few-values ]", "keep: { reason: test }"] {
        assert_eq!(warned(&world, fine), Vec::<String>::new(), "{fine}");
    }
    for entity in world.catalogs.iter_mut().flat_map(|c| &mut c.entities) {
        let mut changed = (**entity).clone();
        changed.fields.iter_mut().for_each(|field| field.distinct = Some(5_000));
        *entity = Arc::new(changed);
    }
    assert_eq!(warned(&world, "mask: token"), Vec::<String>::new());
}

#[test]
fn constraints_that_nobody_understands_are_a_warning_that_a_rule_answers_for() {
    let mut world = world();
    for entity in world.catalogs.iter_mut().flat_map(|c| &mut c.entities) {
        let mut changed = (**entity).clone();
        changed.fields[2].checks = vec!["paid_or_young".to_owned()];
        changed.fields[3].checks = vec!["adult".to_owned(), "paid_or_young".to_owned()];
        *entity = Arc::new(changed);
    }
    let told = |rules: &str| {
        let plan = world.plan(&policy(rules)).expect("a warning stops nothing");
        plan.warnings().iter().map(|f| format!("{} {}: {}", f.code, f.site, f.message)).collect::<Vec<_>>()
    };
    let age = "  - { name: age, on: [ shop/users.age ], mask: age }\n";
    let found = told(age);
    assert_eq!(found.len(), 2, "what is redacted is bound too: {found:?}");
    assert!(
        found.iter().any(|f| f.starts_with("POL-039 shop/users.paid: ") && f.contains("mask `redact`")),
        "{found:?}"
    );
    let of_age = "POL-039 shop/users.age, rule `age`, p.yaml:5:";
    assert!(found.iter().any(|f| f.starts_with(of_age) && f.contains("`adult`, `paid_or_young`")), "{found:?}");
    let kept = "  - { name: paid, on: [ shop/users.paid ], keep: { reason: tells nothing } }\n";
    let accepted = age.replace("mask: age }", "mask: age, accept: [ check ] }");
    assert_eq!(told(&format!("{kept}{accepted}")), Vec::<String>::new());
}
