//! Payloads around payloads: what is inside is bytes that another codec takes apart.
//!
//! Hidden here: how the frame is taken off and put on again as it was: the alphabet and padding of base 64, the schema id
//! of Confluent's wire format, the parts of a JSON Web Token.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};

use super::{MAX_BYTES, Node, Undecodable};

/// Base 64 (RFC 4648) in the alphabet and with the padding that a text uses.
fn engine(text: &[u8]) -> GeneralPurpose {
    let alphabet = if text.iter().any(|b| matches!(b, b'-' | b'_')) { URL_SAFE } else { STANDARD };
    let padded = text.last() == Some(&b'=') || text.len().is_multiple_of(4);
    let config = GeneralPurposeConfig::new().with_encode_padding(padded);
    GeneralPurpose::new(&alphabet, config.with_decode_padding_mode(DecodePaddingMode::Indifferent))
}

pub(super) fn from_base64(payload: &[u8]) -> Result<Node, Undecodable> {
    engine(payload).decode(payload).map(Node::Bytes).map_err(|_| Undecodable)
}

pub(super) fn to_base64(node: &Node, original: &[u8]) -> Vec<u8> {
    engine(original).encode(node.raw()).into_bytes()
}

/// Unpacks gzip (RFC 1952), up to the largest payload that is decoded.
pub(super) fn from_gzip(payload: &[u8]) -> Result<Node, Undecodable> {
    let mut out = Vec::new();
    let limit = MAX_BYTES as u64 + 1;
    let read = flate2::read::MultiGzDecoder::new(payload).take(limit).read_to_end(&mut out);
    if read.is_err() || out.len() > MAX_BYTES { Err(Undecodable) } else { Ok(Node::Bytes(out)) }
}

pub(super) fn to_gzip(node: &Node) -> Result<Vec<u8>, Undecodable> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(&node.raw()).map_err(|_| Undecodable)?;
    out.finish().map_err(|_| Undecodable)
}

/// How long the head of Confluent's wire format is: a zero, a schema's id of four bytes, and for Protobuf the indexes of the
/// message within its file, which are varints: their number first, or a single zero for the first message.
fn head(payload: &[u8], indexes: bool) -> Option<usize> {
    if payload.first() != Some(&0) || payload.len() < 5 {
        return None;
    }
    let mut at = 5;
    let mut varint = || {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = *payload.get(at)?;
            at += 1;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    };
    if indexes {
        // Zigzag, as Avro writes whole numbers.
        let count = varint()? >> 1;
        for _ in 0..count.min(64) {
            varint()?;
        }
    }
    Some(at)
}

pub(super) fn from_confluent(payload: &[u8], indexes: bool) -> Result<Node, Undecodable> {
    let at = head(payload, indexes).ok_or(Undecodable)?;
    Ok(Node::Bytes(payload[at..].to_vec()))
}

pub(super) fn to_confluent(node: &Node, original: &[u8], indexes: bool) -> Result<Vec<u8>, Undecodable> {
    let at = head(original, indexes).ok_or(Undecodable)?;
    Ok([&original[..at], &node.raw()].concat())
}

/// Takes a signed token in compact form (RFC 7515, section 7.1) apart into `header` and `payload`.
pub(super) fn from_jwt(payload: &[u8]) -> Result<Node, Undecodable> {
    let text = std::str::from_utf8(payload).map_err(|_| Undecodable)?;
    let mut parts = text.split('.');
    let (Some(header), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(Undecodable);
    };
    let part = |text: &str| URL_SAFE_NO_PAD.decode(text).map(Node::Bytes).map_err(|_| Undecodable);
    Ok(Node::Map(vec![("header".to_owned(), part(header)?), ("payload".to_owned(), part(claims)?)]))
}

/// Writes a token whose signature is as long as it was and all zeros: the old one would prove guesses of what was masked, and
/// open doors if nothing was.
pub(super) fn to_jwt(node: &Node, original: &[u8]) -> Result<Vec<u8>, Undecodable> {
    let Node::Map(members) = node else { return Err(Undecodable) };
    let part = |name: &str| members.iter().find(|(n, _)| n == name).map(|(_, node)| URL_SAFE_NO_PAD.encode(node.raw()));
    let (Some(header), Some(claims)) = (part("header"), part("payload")) else { return Err(Undecodable) };
    let signature = original.rsplit(|b| *b == b'.').next().unwrap_or_default();
    let bytes = URL_SAFE_NO_PAD.decode(signature).map_or(0, |bytes| bytes.len());
    Ok(format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(vec![0; bytes])).into_bytes())
}
