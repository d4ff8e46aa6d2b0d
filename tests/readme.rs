//! What `README.md` shows is what the program takes: its YAML parses, its lists are complete.

use reenact_engine::Pipeline;
use reenact_mask::Policy;
use reenact_mask::kernels::MASKS;
use reenact_model::Class;

const README: &str = include_str!("../README.md");

/// The blocks of a language, in order.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    README.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

fn pipeline(file: &str, text: &str) -> Pipeline {
    let env = |name: &str| match name {
        name if name.ends_with("_KIND") => None,
        "KAFKA" | "SHOP_EVENTS" => Some("broker:9092".to_owned()),
        name if name.contains("CART") => Some("redis://server/0".to_owned()),
        _ if file == "embedded" => Some("sqlite:///shop.db".to_owned()),
        name if name.contains("BILLING") => Some("mysql://server/shop".to_owned()),
        _ => Some("postgres://server/shop".to_owned()),
    };
    Pipeline::parse(file, text, &env, &|_| None).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_pipeline_and_the_policy_parse() {
    let [first, second] = blocks("yaml")[..] else { panic!("README.md shows a pipeline and a policy") };
    let pipeline = pipeline("README.md", first);
    assert_eq!((pipeline.services.len(), pipeline.seeds().len()), (3, 1));
    let policy = Policy::parse("README.md", second).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((policy.domains.len(), policy.rules.len()), (2, 4));
}

#[test]
fn the_examples_parse() {
    let shop = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/shop");
    for name in ["embedded", "servers"] {
        let read =
            |file: &str| std::fs::read_to_string(shop.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let pipeline = pipeline(name, &read(&format!("{name}.yaml")));
        assert_eq!(pipeline.services.len(), 5, "{name}");
        Policy::parse(&pipeline.policy, &read(&pipeline.policy)).unwrap_or_else(|error| panic!("{error}"));
    }
}

#[test]
fn every_mask_is_listed() {
    let missing: Vec<_> = MASKS.iter().map(|m| m.name).filter(|name| !README.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "README.md lacks the masks {missing:?}");
}

#[test]
fn every_exit_code_is_listed() {
    let listed = [
        Class::Unexpected,
        Class::Input,
        Class::Findings,
        Class::Differences,
        Class::Policy,
        Class::Residue,
        Class::Unreachable,
        Class::Refused,
        Class::Bundle,
        Class::Cleanup,
        Class::Limit,
        Class::Write,
    ];
    for class in listed {
        assert!(
            README.contains(&format!("\n| {} | ", class.exit_code())),
            "README.md lacks the exit code of {class:?}"
        );
    }
    let reserved = [Class::Partial, Class::Await].map(|class| class.exit_code().to_string());
    let line = format!("{} and {} are reserved", reserved[0], reserved[1]);
    assert!(README.contains(&line), "README.md lacks: {line}");
}
