//! Secrets that the service gives out: only their hashes are kept.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// 32 random bytes.
pub type Bytes32 = [u8; 32];

/// The hash under which a secret with 60 bits of chance or more is kept, for one use named by `domain`.
pub fn digest_secret(domain: &str, secret: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(keyed_digest(domain, secret))
}

/// 32 bytes that only who knows `secret` can compute, for one use named by `domain`.
pub fn keyed_digest(domain: &str, secret: &[u8]) -> Bytes32 {
    let mut hash = Sha256::new();
    // The length keeps domain and secret apart.
    hash.update((domain.len() as u64).to_be_bytes());
    hash.update(domain.as_bytes());
    hash.update(secret);
    hash.finalize().into()
}
