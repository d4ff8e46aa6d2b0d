//! Texts that are packed without a pipeline saying so: gzip and zlib.
//!
//! Hidden here: how packed bytes are told by how they begin, and how much of them is unpacked. A few bytes may unpack to
//! gigabytes, so only the beginning of such is read; it is searched, and the rest is not.

use std::io::Read;

/// The most bytes that are unpacked of one value.
const MOST: u64 = 1 << 20;

/// Whether bytes begin as gzip (RFC 1952) or zlib (RFC 1950) do. Of zlib's, a sum over two bytes must hold, which one text in five hundred would
/// fulfil by chance; those are unpacked for nothing.
pub(super) fn begins(bytes: &[u8]) -> bool {
    match bytes {
        [0x1F, 0x8B, 8, ..] => true,
        [head @ (0x08 | 0x18 | 0x28 | 0x38 | 0x48 | 0x58 | 0x68 | 0x78), flags, ..] => {
            // A preset dictionary is nothing that we could know.
            (u16::from(*head) << 8 | u16::from(*flags)).is_multiple_of(31) && flags & 0x20 == 0
        }
        _ => false,
    }
}

/// Whether a run of digits is hexadecimal, and begins as packed bytes do.
pub(super) fn begins_in_hex(run: &[u8]) -> bool {
    let mut first = [0; 3];
    run.len().is_multiple_of(2)
        && run.get(..6).is_some_and(|digits| hex::decode_to_slice(digits, &mut first).is_ok())
        && begins(&first)
        && run.iter().all(u8::is_ascii_hexdigit)
}

/// The text that is packed in bytes, or its beginning; `None` if they are not packed.
pub(super) fn unpacked(bytes: &[u8]) -> Option<String> {
    if !begins(bytes) {
        return None;
    }
    let mut out = Vec::new();
    // What is damaged at its end is read up to there.
    let _ = if bytes[0] == 0x1F {
        flate2::read::MultiGzDecoder::new(bytes).take(MOST).read_to_end(&mut out)
    } else {
        flate2::read::ZlibDecoder::new(bytes).take(MOST).read_to_end(&mut out)
    };
    (!out.is_empty()).then(|| String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use super::*;
    use crate::domain::{RootKey, Salt, ScopeKeys};
    use crate::kernels::Group;
    use crate::residue::Seen;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        out.write_all(text).expect("packs");
        out.finish().expect("packs")
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        out.write_all(text).expect("packs");
        out.finish().expect("packs")
    }

    #[test]
    fn what_is_packed_is_found() {
        let root = RootKey::from_hex(&"07".repeat(32)).expect("a key");
        let mut seen = Seen::new(&ScopeKeys::new(&root, &Salt::from_bytes([9; 32])));
        seen.see(Group::Contact, "ann.lee42@corp.com");
        let mut search = seen.search();
        let text = b"a note: please call ann.lee42@corp.com, who waits";
        let other = b"a note: please call bob.lee43@corp.com, who waits";
        for pack in [gzip, zlib] {
            let forms = |text: &[u8]| {
                let packed = pack(text);
                [STANDARD.encode(&packed), format!("x={}&y", URL_SAFE_NO_PAD.encode(&packed)), hex::encode(&packed)]
            };
            for (found, packed) in forms(text).iter().zip(forms(other)) {
                assert!(search.finds(found, false).is_some(), "{found}");
                assert!(search.finds(&packed, false).is_none(), "{packed}");
            }
            let twice = STANDARD.encode(pack(STANDARD.encode(pack(text)).as_bytes()));
            assert!(search.finds(&twice, false).is_some());
            let cut = pack(text);
            assert!(unpacked(&cut[..cut.len() - 5]).is_some_and(|text| text.contains("ann.lee42")), "a damaged end");
        }
    }

    #[test]
    fn of_what_unpacks_to_more_than_memory_only_the_beginning_is_read() {
        let mut bomb = gzip(&vec![b'a'; 64 << 20]);
        assert!(bomb.len() < 1 << 17);
        assert_eq!(unpacked(&bomb).map(|text| text.len() as u64), Some(MOST));
        bomb.truncate(2);
        assert_eq!(unpacked(&bomb), None);
        assert_eq!(unpacked(b"plain text"), None);
    }
}
