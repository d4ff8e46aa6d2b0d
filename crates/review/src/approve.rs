//! Making an approval.
//!
//! Hidden here: little, on purpose. What is signed and when it is void stands in [`reenact_mask::approval`]; here a key joins a statement. The
//! key comes from the approver's own keyring, in a terminal; no page and no service ever holds one.

use reenact_bundle::SigningKey;
use reenact_mask::Approval;
use reenact_mask::approval::{DOMAIN, Statement, Subject};

/// Signs what a policy decides.
pub fn approve(subject: Subject, policy: &str, key: &SigningKey, approved_ms: i64, expires_ms: i64) -> Approval {
    let statement = Statement { subject, policy: policy.to_owned(), approved_ms, expires_ms };
    let signature = key.sign(DOMAIN, &statement.bytes());
    Approval::new(statement, key.public(), &signature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reenact_mask::approval::{Required, verify};

    #[test]
    fn what_review_signs_mask_accepts() {
        let key = SigningKey::generate();
        let subject = Subject { scope: std::collections::BTreeSet::default(), fields: Vec::new() };
        let approval = approve(subject.clone(), "00", &key, 1, 10);
        let required = Required { count: 1, approvers: vec![key.public()] };
        assert!(verify(&subject, std::slice::from_ref(&approval), &required, 5).enough(&required).is_ok());
        assert!(verify(&subject, &[approval], &required, 10).enough(&required).is_err(), "expired");
    }
}
