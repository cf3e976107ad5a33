//! Values as they are stored: version, key id, nonce, text and tag of AES-256-GCM.

use super::EnvelopeError;
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom, SystemRandom},
};
use uuid::Uuid;

/// The first byte of every blob.
const VERSION: u8 = 1;
/// Bytes of the name of a key within a blob.
pub(super) const KEY_ID_LEN: usize = 8;
/// Bytes of a key, and of a pepper.
pub(super) const SECRET_LEN: usize = 32;
/// Bytes before the text.
const HEAD_LEN: usize = 1 + KEY_ID_LEN + NONCE_LEN;

/// The name of a key within a blob.
pub(super) type KeyId = [u8; KEY_ID_LEN];

/// Where a value is stored: it opens nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell<'a> {
    /// Name of the table.
    pub table: &'a str,
    /// Id of the row.
    pub row: Uuid,
    /// Name of the column.
    pub column: &'a str,
}

/// The key of a family, unwrapped. It lives as long as one call.
pub struct FamilyKey {
    family: Uuid,
    cipher: Cipher,
    pepper: [u8; SECRET_LEN],
}

impl FamilyKey {
    pub(super) fn new(
        family: Uuid,
        id: KeyId,
        key: &[u8],
        pepper: [u8; SECRET_LEN],
    ) -> Result<Self, EnvelopeError> {
        Ok(Self { family, cipher: Cipher::new(id, key)?, pepper })
    }

    /// Seals a value for the cell in which it is stored.
    pub fn seal(&self, cell: Cell<'_>, text: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
        self.cipher.seal(&self.bind(cell), text)
    }

    /// Opens the value of a cell. One that was sealed for another cell or family is refused.
    pub fn open(&self, cell: Cell<'_>, blob: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
        self.cipher.open(&self.bind(cell), blob)
    }

    /// What codes of the family are hashed with beside their salt, so that a copied database is not enough to try them all.
    pub const fn pepper(&self) -> &[u8; SECRET_LEN] {
        &self.pepper
    }

    /// The place of a value as bytes. Each part says how long it is, so that no two places are written alike.
    fn bind(&self, cell: Cell<'_>) -> Vec<u8> {
        let parts: [&[u8]; 4] = [
            cell.table.as_bytes(),
            cell.row.as_bytes(),
            cell.column.as_bytes(),
            self.family.as_bytes(),
        ];
        let mut bound = Vec::new();
        for part in parts {
            bound.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            bound.extend_from_slice(part);
        }
        bound
    }
}

/// A key that seals and opens, with its name.
pub(super) struct Cipher {
    id: KeyId,
    key: LessSafeKey,
}

impl Cipher {
    pub(super) fn new(id: KeyId, key: &[u8]) -> Result<Self, EnvelopeError> {
        let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| EnvelopeError::Cipher)?;
        Ok(Self { id, key: LessSafeKey::new(key) })
    }

    pub(super) fn seal(&self, bound: &[u8], text: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
        let nonce: [u8; NONCE_LEN] = random_bytes()?;
        let mut blob = Vec::with_capacity(HEAD_LEN + text.len() + AES_256_GCM.tag_len());
        blob.push(VERSION);
        blob.extend_from_slice(&self.id);
        blob.extend_from_slice(&nonce);
        let mut sealed = text.to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(bound),
                &mut sealed,
            )
            .map_err(|_| EnvelopeError::Cipher)?;
        blob.extend_from_slice(&sealed);
        Ok(blob)
    }

    pub(super) fn open(&self, bound: &[u8], blob: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
        let (head, sealed) = blob.split_at_checked(HEAD_LEN).ok_or(EnvelopeError::Foreign)?;
        let nonce = head.get(1 + KEY_ID_LEN..).and_then(|nonce| nonce.try_into().ok());
        let nonce: [u8; NONCE_LEN] = nonce.ok_or(EnvelopeError::Foreign)?;
        if head.first() != Some(&VERSION) || key_id_of(blob) != Some(self.id) {
            return Err(EnvelopeError::Foreign);
        }
        let mut sealed = sealed.to_vec();
        let text = self
            .key
            .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(bound), &mut sealed)
            .map_err(|_| EnvelopeError::Foreign)?;
        Ok(text.to_vec())
    }
}

/// The name of the key under which a blob is sealed.
pub(super) fn key_id_of(blob: &[u8]) -> Option<KeyId> {
    blob.get(1..=KEY_ID_LEN)?.try_into().ok()
}

/// Random bytes of the system.
pub(super) fn random_bytes<const N: usize>() -> Result<[u8; N], EnvelopeError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| EnvelopeError::Cipher)?;
    Ok(bytes)
}
