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
