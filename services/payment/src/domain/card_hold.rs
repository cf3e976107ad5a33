//! Card holds: what a payment has reserved on a card, in one piece or in several, and what was taken of each.

use super::{
    Attempt, AttemptId,
    attempt::{AttemptKind, State},
};
use chrono::{DateTime, Duration, Utc};

/// The timer of a hold that runs out soon; its aggregate is the attempt that made the hold.
pub const HOLD: &str = "hold";

/// How long before a hold runs out its money is secured.
pub const SECURED_BEFORE: Duration = Duration::hours(24);

/// Money that is, or was, reserved under one reference of the payment provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardHold {
    /// The attempt that made it.
    pub id: AttemptId,
    pub kind: AttemptKind,
    /// What it reserves, with what raised it, in minor units.
    pub amount: i64,
    pub expires_at: Option<DateTime<Utc>>,
    pub capture: Captured,
    /// What went back of what was taken, or is on its way, in minor units.
    pub refunded: i64,
}

/// What was taken of a hold. Each is captured once at most; the payment provider frees the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Captured {
    /// Nothing, and the payment provider was not asked for any.
    Nothing,
    /// The payment provider was asked and has not answered yet.
    Asked,
    /// So much, in minor units.
    Taken(i64),
}

impl CardHold {
    /// Whether all of it is reserved still, and no capture was asked for.
    pub fn is_free(&self) -> bool {
        self.capture == Captured::Nothing
    }

    /// Whether it runs out so soon that its money is to be secured by now.
    pub fn runs_out(&self, now: DateTime<Utc>) -> bool {
        self.is_free() && self.expires_at.is_some_and(|expiry| expiry - SECURED_BEFORE <= now)
    }

    /// What can still be refunded of it, in minor units.
    pub const fn refundable(&self) -> i64 {
        match self.capture {
            Captured::Taken(amount) => amount - self.refunded,
            Captured::Nothing | Captured::Asked => 0,
        }
    }

    fn of(hold: &Attempt, attempts: &[Attempt]) -> Self {
        let mut own = Self {
            id: hold.id,
            kind: hold.kind,
            amount: hold.amount,
            expires_at: hold.expires_at,
            capture: Captured::Nothing,
            refunded: 0,
        };
        for step in attempts.iter().filter(|step| step.charge_id == Some(hold.id)) {
            match (step.kind, step.state) {
                (AttemptKind::Raise, State::Succeeded) if !step.separate => {
                    own.amount += step.amount;
                }
                (AttemptKind::Capture, State::Succeeded) => {
                    own.capture = Captured::Taken(step.amount);
                }
                (AttemptKind::Capture, state) if state.is_open() => own.capture = Captured::Asked,
                (AttemptKind::Refund, State::Failed | State::Reversed) => {}
                (AttemptKind::Refund, _) => own.refunded += step.amount,
                _ => {}
            }
        }
        own
    }
}

/// The holds of a payment, oldest first. `attempts` are all of the payment's, in the order in which they were made.
pub fn card_holds(attempts: &[Attempt]) -> Vec<CardHold> {
    let holds = attempts.iter().filter(|attempt| attempt.is_hold());
    holds.map(|hold| CardHold::of(hold, attempts)).collect()
}

/// Whether the payment provider was asked for money and has not answered yet.
pub fn is_capture_asked(attempts: &[Attempt]) -> bool {
    attempts.iter().any(|it| it.kind == AttemptKind::Capture && it.state.is_open())
}

/// The hold that has what the hold `id` had, after others took its place.
pub fn current_hold(attempts: &[Attempt], id: AttemptId) -> AttemptId {
    let took_place = |it: &&Attempt| {
        let has_money = it.state == State::Succeeded || it.was_renewed();
        it.kind == AttemptKind::Renew && it.charge_id == Some(id) && has_money
    };
    match attempts.iter().find(took_place) {
        Some(next) => current_hold(attempts, next.id),
        None => id,
    }
}

/// The hold that a raise is to raise: the first that is not captured, or else any, beside which the payment provider may
/// make a second one.
pub fn hold_to_raise(holds: &[CardHold]) -> Option<&CardHold> {
    let is_first = |hold: &&CardHold| hold.is_free() && hold.kind != AttemptKind::Raise;
    let free = holds.iter().find(is_first).or_else(|| holds.iter().find(|hold| hold.is_free()));
    free.or_else(|| holds.first())
}

/// Which holds bear a refund of `amount`, and how much of it: one alone where it can, or else the oldest first. None when
/// they have not taken so much.
pub fn spread_refund(holds: &[CardHold], amount: i64) -> Option<Vec<(AttemptId, i64)>> {
    if let Some(alone) = holds.iter().find(|hold| hold.refundable() >= amount) {
        return Some(vec![(alone.id, amount)]);
    }
    let mut left = amount;
    let mut shares = Vec::new();
    for hold in holds {
        let share = hold.refundable().min(left);
        if share > 0 {
            shares.push((hold.id, share));
            left -= share;
        }
    }
    (left == 0).then_some(shares)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kit::Id;
    use uuid::Uuid;

    fn id(n: u128) -> AttemptId {
        Id::from_uuid(Uuid::from_u128(n))
    }

    fn attempt(n: u128, kind: AttemptKind, charge: Option<u128>, amount: i64) -> Attempt {
        let intent = Id::from_uuid(Uuid::from_u128(99));
        let made = Attempt::new(id(n), intent, kind, "", amount, kit::testing::start());
        Attempt { charge_id: charge.map(id), state: State::Succeeded, ..made }
    }

    fn second_hold(n: u128, amount: i64) -> Attempt {
        Attempt { separate: true, ..attempt(n, AttemptKind::Raise, Some(1), amount) }
    }

    #[test]
    fn a_raise_counts_with_its_hold_or_is_one() {
        let attempts = [
            attempt(1, AttemptKind::Authorize, None, 10_000),
            attempt(2, AttemptKind::Raise, Some(1), 500),
            second_hold(3, 4_000),
            Attempt { state: State::Released, ..attempt(4, AttemptKind::Raise, Some(1), 700) },
        ];
        let holds = card_holds(&attempts);
        let amounts: Vec<_> = holds.iter().map(|hold| (hold.id, hold.amount)).collect();
        assert_eq!(amounts, [(id(1), 10_500), (id(3), 4_000)]);
        assert_eq!(hold_to_raise(&holds).unwrap().id, id(1));
    }

    #[test]
    fn a_hold_is_raised_that_is_not_captured() {
        let attempts = [
            attempt(1, AttemptKind::Authorize, None, 10_000),
            second_hold(3, 4_000),
            attempt(5, AttemptKind::Capture, Some(1), 10_000),
        ];
        assert_eq!(hold_to_raise(&card_holds(&attempts)).unwrap().id, id(3));
        assert_eq!(hold_to_raise(&[]), None);
    }

    #[test]
    fn a_hold_that_is_renewed_is_followed_to_the_last_one() {
        let mut first = attempt(1, AttemptKind::Authorize, None, 10_000);
        let mut second = attempt(2, AttemptKind::Renew, Some(1), 10_000);
        let declined = attempt(3, AttemptKind::Renew, Some(2), 10_000);
        let declined = Attempt { state: State::Failed, ..declined };
        let third = attempt(4, AttemptKind::Renew, Some(2), 10_000);
        assert!(first.give_way() && second.give_way());
        let attempts = [first, second, declined, third];
        assert_eq!(current_hold(&attempts, id(1)), id(4));
        assert_eq!(current_hold(&attempts, id(4)), id(4));
        assert_eq!(card_holds(&attempts).len(), 1);
    }

    #[test]
    fn a_refund_is_borne_by_one_hold_where_it_can_be() {
        let mut attempts = vec![
            attempt(1, AttemptKind::Authorize, None, 10_000),
            second_hold(2, 4_000),
            attempt(3, AttemptKind::Capture, Some(1), 10_000),
            attempt(4, AttemptKind::Capture, Some(2), 3_000),
        ];
        let spread = |attempts: &[Attempt], amount| spread_refund(&card_holds(attempts), amount);
        assert_eq!(spread(&attempts, 10_000), Some(vec![(id(1), 10_000)]));
        assert_eq!(spread(&attempts, 12_000), Some(vec![(id(1), 10_000), (id(2), 2_000)]));
        assert_eq!(spread(&attempts, 13_001), None);
        attempts.push(attempt(5, AttemptKind::Refund, Some(1), 9_000));
        assert_eq!(spread(&attempts, 3_000), Some(vec![(id(2), 3_000)]));
        // What was refused may be refunded again.
        attempts.push(Attempt {
            state: State::Failed,
            ..attempt(6, AttemptKind::Refund, Some(2), 3_000)
        });
        assert_eq!(spread(&attempts, 4_000), Some(vec![(id(1), 1_000), (id(2), 3_000)]));
    }

    #[test]
    fn a_hold_runs_out_a_day_before_its_end_unless_it_was_captured() {
        let now = kit::testing::start();
        let mut charge = attempt(1, AttemptKind::Authorize, None, 10_000);
        charge.expires_at = Some(now + SECURED_BEFORE);
        let capture = attempt(2, AttemptKind::Capture, Some(1), 10_000);
        let earlier = now - Duration::seconds(1);
        assert!(card_holds(std::slice::from_ref(&charge))[0].runs_out(now));
        assert!(!card_holds(std::slice::from_ref(&charge))[0].runs_out(earlier));
        assert!(!card_holds(&[charge, capture])[0].runs_out(now));
    }
}
