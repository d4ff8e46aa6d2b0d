//! Where a batch ends is chance: no result may depend on it.

use reenact_mask::kernels::MASKS;

use crate::support::World;

/// Values of a mask, each several times and near to each other and far apart, with NULLs between.
const ROWS: u64 = 480;
const DIFFERENT: u64 = 150;

#[test]
fn rows_in_one_batch_and_in_many_have_the_same_results() {
    let worlds =
        ["text", "int", "date", "bytes"].map(|kind| World::default().entity("a/t", &["id int", &format!("v {kind}?")]));
    let mut tried = 0;
    for spec in MASKS.iter().filter(|spec| spec.facts.deterministic) {
        let args: Vec<String> = spec.vectors.first().map_or_else(Vec::new, |(args, ..)| {
            args.iter()
                .map(|(name, value)| format!("{name}: {}", serde_json::to_string(value).expect("text")))
                .collect()
        });
        let policy = format!(
            "version: 1\nrules:\n  - {{ name: ids, on: [ a/t.id ], keep: {{ reason: counted }} }}\n  \
             - {{ name: r, on: [ a/t.v ], mask: {{ \"{}\": {{ {} }} }}, subject: id }}\n",
            spec.name,
            args.join(", ")
        );
        // Only masks that work by subject take one, and not all take texts.
        let policies = [policy.clone(), policy.replace(", subject: id", "")];
        let mut fits = worlds.iter().flat_map(|world| policies.iter().map(move |policy| (world, policy)));
        let (world, policy) = fits
            .find(|(world, policy)| world.plan(policy).is_ok())
            .unwrap_or_else(|| panic!("{} fits no field", spec.name));
        let texts: Vec<(String, String)> = (0..ROWS)
            .map(|n| {
                let value = if n % 11 == 3 { "-".to_owned() } else { (spec.sample)(n * 7 % DIFFERENT) };
                ((n % 40).to_string(), value)
            })
            .collect();
        let rows: Vec<[&str; 2]> = texts.iter().map(|(id, value)| [id.as_str(), value.as_str()]).collect();
        let rows: Vec<&[&str]> = rows.iter().map(<[&str; 2]>::as_slice).collect();
        let told = |error| panic!("{}: {error:?}", spec.name);
        let whole = world.mask(&mut world.masker(policy), "a/t", &rows).unwrap_or_else(told);
        for size in [1, 7, 64, 479] {
            let mut masker = world.masker(policy);
            let parts = rows.chunks(size).map(|part| world.mask(&mut masker, "a/t", part).unwrap_or_else(told));
            assert_eq!(parts.collect::<Vec<_>>().concat(), whole, "{} in batches of {size}", spec.name);
        }
        // In the other order, and so with another history, each row is the same.
        let mut masker = world.masker(policy);
        let mut back: Vec<Vec<String>> = rows
            .rchunks(50)
            .flat_map(|part| {
                world.mask(&mut masker, "a/t", part).unwrap_or_else(told).into_iter().rev().collect::<Vec<_>>()
            })
            .collect();
        back.reverse();
        assert_eq!(back, whole, "{} backwards", spec.name);
        tried += 1;
    }
    assert!(tried >= 40, "{tried} masks were tried");
}
