//! `detect` and `init`: what is found, what a draft decides, and that no value is told.

use crate::support::{Shop, fails, text};

#[test]
fn fields_are_classified_and_no_value_is_told() {
    let shop = Shop::open();
    let told = shop.run(&["detect", "pipeline.yaml"]);
    assert!(told.status.success(), "{}", text(&told));
    for part in [
        "customers/customers.email",
        "email",
        "customers/customers.name",
        "person-name",
        "orders/orders.customer_id",
        "subject-id",
    ] {
        assert!(text(&told).contains(part), "{part}: {}", text(&told));
    }
    assert!(!text(&told).to_lowercase().contains("canary"), "{}", text(&told));
    let json = shop.run(&["detect", "pipeline.yaml", "-o", "json"]);
    let document: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(document["format"], "reenact/detect");
    let fields = document["fields"].as_array().expect("fields");
    let mail = fields.iter().find(|field| field["field"] == "customers/customers.email").expect("the field");
    assert!(mail["class"] == "email" && mail["personal"] == true && mail["sampled"] == 2, "{mail}");
    assert!(!text(&json).to_lowercase().contains("canary"));
    // Without a record.
    let names = shop.run(&["detect", "pipeline.yaml", "--names-only", "-o", "json"]);
    let document: serde_json::Value = serde_json::from_slice(&names.stdout).expect("JSON");
    assert!(document["fields"].as_array().expect("fields").iter().all(|field| field["sampled"] == 0));
}

#[test]
fn a_draft_holds_but_for_what_it_leaves_to_a_person() {
    let shop = Shop::open();
    for more in [&[][..], &["--names-only"]] {
        std::fs::remove_file(shop.path("policy.yaml")).expect("removes");
        let made = shop.run(&[&["init", "pipeline.yaml", "-o", "policy.yaml"][..], more].concat());
        assert!(made.status.success(), "{}", text(&made));
        let draft = std::fs::read_to_string(shop.path("policy.yaml")).expect("reads");
        assert!(!draft.to_lowercase().contains("canary") && draft.contains("undecided: refuse"), "{draft}");
        let open: Vec<&str> = draft
            .lines()
            .skip_while(|line| !line.starts_with("# undecided"))
            .skip(1)
            .filter_map(|line| line.strip_prefix("#   ")?.split(": ").next())
            .collect();
        let checked = shop.run(&["policy", "check", "pipeline.yaml"]);
        let told = text(&checked);
        assert_eq!(told.matches("error[").count(), told.matches("error[POL-001]").count(), "{told}");
        assert_eq!(told.matches("error[POL-001]").count(), open.len(), "{told}\n{draft}");
        assert!(open.iter().all(|field| told.contains(field)), "{open:?} {told}");
    }
    fails(2, &["is there already", "help"], &shop.run(&["init", "pipeline.yaml", "-o", "policy.yaml"]));
    fails(2, &["nothing says where", "-o policy.yaml"], &shop.run(&["init", "pipeline.yaml"]));
}
