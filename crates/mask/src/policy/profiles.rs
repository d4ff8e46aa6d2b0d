//! Profiles: rules that come with the program, by the classes that a policy gives its fields.
//!
//! Hidden here: their texts. A profile is a policy text like any other, so what it does is read, checked and explained like a
//! rule of one's own. It knows no field: a policy says which fields are of which class. It applies rules and certifies no
//! compliance, and says so.

/// A profile.
pub(super) struct Profile {
    /// The word in a policy.
    pub(super) name: &'static str,
    /// The file's name in findings.
    pub(super) file: &'static str,
    pub(super) text: &'static str,
}

pub(super) static PROFILES: &[Profile] = &[
    Profile { name: "gdpr", file: "profile gdpr", text: include_str!("profiles/gdpr.yaml") },
    Profile {
        name: "hipaa-safe-harbor",
        file: "profile hipaa-safe-harbor",
        text: include_str!("profiles/hipaa-safe-harbor.yaml"),
    },
    Profile { name: "pci", file: "profile pci", text: include_str!("profiles/pci.yaml") },
];

/// The profile of a name.
pub(super) fn find(name: &str) -> Option<&'static Profile> {
    PROFILES.iter().find(|profile| profile.name == name)
}

/// The text of a profile by its file's name.
pub(super) fn source(file: &str) -> Option<&'static str> {
    PROFILES.iter().find(|profile| profile.file == file).map(|profile| profile.text)
}
