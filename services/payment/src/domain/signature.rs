//! Signatures of webhook events: HMAC-SHA256 over the time, a full stop and the raw body, in the form
//! `t=SECONDS,v1=HEX[,v1=HEX…]`.

use super::Error;
use hmac::{Hmac, KeyInit, Mac};
use kit::program::config::Secret;
use sha2::Sha256;

/// How far the sender's clock may be from ours, in seconds either way.
const TOLERANCE_S: i64 = 300;
/// Most signatures that are looked at: senders change one secret at a time.
const MAX_SIGNATURES: usize = 4;

/// Checks that one of the signatures in `header` was made with one of the secrets, not long before or after `now`, in
/// Unix seconds. Every pair is compared, in constant time, whether one fitted before or not.
pub fn verify_signature(
    secrets: &[Secret],
    header: &str,
    body: &[u8],
    now: i64,
) -> Result<(), Error> {
    let (at, signatures) = parse_header(header).ok_or(Error::Signature)?;
    if now.abs_diff(at) > TOLERANCE_S.unsigned_abs() {
        return Err(Error::Signature);
    }
    let mut valid = false;
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        for signature in &signatures {
            valid |= keyed_mac(secret, at, body).verify_slice(signature).is_ok();
        }
    }
    if valid { Ok(()) } else { Err(Error::Signature) }
}

/// Signs `body` at `at`, in Unix seconds.
pub fn sign_payload(secret: &Secret, at: i64, body: &[u8]) -> String {
    let tag = keyed_mac(secret, at, body).finalize().into_bytes();
    let hex: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at},v1={hex}")
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
fn keyed_mac(secret: &Secret, at: i64, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()).expect("any length");
    mac.update(at.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

/// Reads the time and the signatures; elements of other names are left to the future.
fn parse_header(header: &str) -> Option<(i64, Vec<Vec<u8>>)> {
    let mut at = None;
    let mut signatures = Vec::new();
    for element in header.split(',') {
        match element.trim().split_once('=')? {
            ("t", seconds) if at.is_none() => at = Some(seconds.parse().ok()?),
            ("t", _) => return None,
            ("v1", hex) if signatures.len() < MAX_SIGNATURES => signatures.push(decode_hex(hex)?),
            ("v1", _) => return None,
            _ => {}
        }
    }
    Some((at?, signatures))
}

fn decode_hex(hex: &str) -> Option<Vec<u8>> {
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_809_939_600;

    #[test]
    fn a_known_vector_verifies() {
        // echo -n '1809939600.{"id":"evt_1"}' | openssl dgst -sha256 -hmac secret
        let header = sign_payload(&Secret::new("secret"), NOW, br#"{"id":"evt_1"}"#);
        assert_eq!(
            header,
            "t=1809939600,v1=10ab028e3986dbbda92e6d13045596630af5230d9a3672ffcb58d02e24f4aacc"
        );
    }

    #[test]
    fn only_fresh_signatures_with_a_current_secret_count() {
        let body = b"{}";
        let (old, new) = (Secret::new("old"), Secret::new("new"));
        let by_old = sign_payload(&old, NOW, body);
        let by_both = format!("{by_old},v1={}", &sign_payload(&new, NOW, body)[16..]);
        let ok = |secrets: &[Secret], header: &str, body: &[u8], now| {
            verify_signature(secrets, header, body, now).is_ok()
        };
        let both = [old.clone(), new.clone()];
        assert!(ok(&both, &by_old, body, NOW));
        assert!(ok(std::slice::from_ref(&new), &by_both, body, NOW));
        assert!(ok(&both, &by_old, body, NOW + 300) && ok(&both, &by_old, body, NOW - 300));
        assert!(!ok(&both, &by_old, body, NOW + 301) && !ok(&both, &by_old, body, NOW - 301));
        assert!(!ok(&[new], &by_old, body, NOW));
        assert!(!ok(&both, &by_old, b"{ }", NOW));
        assert!(!ok(&[], &by_old, body, NOW));
        assert!(!ok(&[Secret::new("")], &sign_payload(&Secret::new(""), NOW, body), body, NOW));
    }

    #[test]
    fn malformed_headers_are_refused() {
        let good = sign_payload(&Secret::new("s"), NOW, b"");
        let signature = &good[13..];
        for header in [
            String::new(),
            "t".to_owned(),
            format!("t={NOW}"),
            signature.to_owned(),
            format!("t=,{signature}"),
            format!("t={NOW},t={NOW},{signature}"),
            format!("t={NOW},v1=zz"),
            format!("t={NOW},v1={}", "é".repeat(32)),
            format!("t={NOW}{}", format!(",{signature}").repeat(5)),
            format!("t={}9999999999,{signature}", i64::MAX),
        ] {
            assert!(verify_signature(&[Secret::new("s")], &header, b"", NOW).is_err(), "{header}");
        }
        assert!(verify_signature(&[Secret::new("s")], &format!("{good},v0=ff"), b"", NOW).is_ok());
    }
}
