//! Start codes and cancel tokens: both are derived from a secret, so that neither is kept anywhere.

use super::{Actor, CancellationCharge, Error, LiableParty, Order, OrderId};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// The key of start codes and cancel tokens. It is never printed.
#[derive(Clone)]
pub struct CodeKey(Vec<u8>);

/// The price of a cancellation, as a preview promised it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelToken {
    pub order_id: OrderId,
    /// What the price follows from: it is good as long as that stays.
    pub basis: CancelBasis,
    /// Which side asked.
    pub actor: Actor,
    /// Whose fault it is.
    pub fault: LiableParty,
    /// What the customer pays, in minor units.
    pub fee: i64,
    /// What the provider earns of it.
    pub provider_gross: i64,
    /// When it is no longer good.
    pub expires_at: DateTime<Utc>,
}

/// What the price of a cancellation follows from. Whatever else changes of an order (another wave of offers while a provider
/// is looked for, a message, a payment that gets through) leaves what a preview promised as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelBasis {
    /// How often the order has changed its state.
    moves: u32,
    /// When the work begins.
    start: DateTime<Utc>,
    /// What the order costs, in minor units.
    total: i64,
}

impl CancelBasis {
    /// What the price of cancelling an order follows from as it stands.
    pub const fn of(order: &Order) -> Self {
        Self { moves: order.progress.moves, start: order.window_start, total: order.total }
    }
}

/// Length of the seal in front of a token.
const SEAL: usize = 32;

impl CodeKey {
    /// Takes a key into custody.
    pub const fn new(key: Vec<u8>) -> Self {
        Self(key)
    }

    /// The code that opens the present assignment of an order: six digits, another one for each assignment and after each
    /// reset.
    pub fn start_code(&self, order: &Order) -> String {
        let mut text = b"start:".to_vec();
        text.extend(order.id.uuid().as_bytes());
        text.extend(order.progress.assignments.to_be_bytes());
        if order.progress.code_resets > 0 {
            text.extend(order.progress.code_resets.to_be_bytes());
        }
        let seal = self.seal(&text);
        let number = seal.iter().take(8).fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
        format!("{:06}", number % 1_000_000)
    }

    /// Whether `code` opens the present assignment, in a time that does not tell how much of it is right.
    pub fn opens(&self, order: &Order, code: &str) -> bool {
        let mut right = self.mac();
        right.update(code.trim().as_bytes());
        right.verify_slice(&self.seal(self.start_code(order).as_bytes())).is_ok()
    }

    /// Writes a token.
    pub fn write(&self, token: &CancelToken) -> String {
        let text = serde_json::to_vec(token).unwrap_or_default();
        let mut bytes = self.seal(&text);
        bytes.extend(text);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a token that this service wrote.
    pub fn read(&self, token: &str) -> Result<CancelToken, Error> {
        let read = self.open_token(token);
        let problem = "is not one that a preview returned";
        Ok(read.ok_or_else(|| kit::Error::invalid("cancel_token", problem))?)
    }

    fn open_token(&self, token: &str) -> Option<CancelToken> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (seal, text) = bytes.split_at_checked(SEAL)?;
        let mut mac = self.mac();
        mac.update(text);
        mac.verify_slice(seal).ok()?;
        serde_json::from_slice(text).ok()
    }

    fn seal(&self, text: &[u8]) -> Vec<u8> {
        let mut mac = self.mac();
        mac.update(text);
        mac.finalize().into_bytes().to_vec()
    }

    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    fn mac(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(&self.0).expect("any length will do")
    }
}

impl CancelToken {
    /// What the token promises, if `actor` may still use it on `order`.
    pub fn redeem(
        self,
        order: &Order,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<CancellationCharge, Error> {
        if self.order_id != order.id || self.actor != actor {
            return Err(kit::Error::invalid("cancel_token", "is for another order").into());
        }
        if self.basis != CancelBasis::of(order) || self.expires_at <= now {
            return Err(Error::CancelTokenExpired);
        }
        let Self { fee, provider_gross, .. } = self;
        Ok(CancellationCharge { fee, provider_gross, waivable: false })
    }
}
