//! Attempts: requests to the payment provider. Each is written down before it is sent, and its outcome stays unknown
//! until the provider has said it.

use super::{AttemptId, IntentId, MethodId};
use chrono::{DateTime, Duration, Utc};
use kit::messaging::queue::Backoff;
use sea_orm::entity::prelude::*;

/// Why a hold was given up whose place another one takes.
const RENEWED: &str = "RENEWED";
/// Why a payment provider refuses what the customer did not confirm.
pub const CONFIRMATION_FAILED: &str = "CONFIRMATION_FAILED";
/// Tries after which a provider that stays silent is reported as an error.
const ALARMING_TRIES: i32 = 12;

/// A request to the payment provider; its id is the reference under which the provider knows it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attempts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AttemptId,
    pub intent_id: IntentId,
    pub kind: AttemptKind,
    pub key: String,
    pub confirm_key: String,
    pub charge_id: Option<AttemptId>,
    pub method_id: Option<MethodId>,
    pub amount: i64,
    pub state: State,
    pub reason: String,
    pub note: String,
    pub confirmation_url: String,
    pub fee: i64,
    pub tries: i32,
    pub deadline_at: DateTimeUtc,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    /// Counts the attempts of a payment, of which several may be made in one moment.
    pub position: i32,
    /// When the payment provider lets go of what a hold reserves; none when it did not say.
    pub expires_at: Option<DateTimeUtc>,
    /// Whether a raise was answered by a hold beside the one that it was to raise.
    pub separate: bool,
    /// The refund that this one is a further part of, since several holds bear it.
    pub part_of: Option<AttemptId>,
    /// How much of a refund comes out of the order's escrow, and not from those who earned.
    pub from_escrow: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// An attempt that is written down now and not sent yet.
    pub fn new(
        id: AttemptId,
        intent_id: IntentId,
        kind: AttemptKind,
        key: &str,
        amount: i64,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            intent_id,
            kind,
            key: key.to_owned(),
            confirm_key: String::new(),
            charge_id: None,
            method_id: None,
            amount,
            state: State::Unknown,
            reason: String::new(),
            note: String::new(),
            confirmation_url: String::new(),
            fee: 0,
            tries: 0,
            deadline_at: now,
            created_at: now,
            updated_at: now,
            position: 0,
            expires_at: None,
            separate: false,
            part_of: None,
            from_escrow: 0,
        }
    }

    /// Takes in what the provider said. False when that is older than what is known, so that nothing changed.
    pub fn take_answer(&mut self, answer: PspAnswer) -> bool {
        let next = self.state.next(answer.signal);
        if next == self.state {
            return false;
        }
        self.state = next;
        self.confirmation_url = answer.confirmation_url;
        self.fee = answer.fee;
        if let Some(hold) = answer.hold {
            self.expires_at = hold.expires_at.or(self.expires_at);
            self.separate = self.kind == AttemptKind::Raise;
        }
        if !answer.reason.is_empty() {
            self.reason = answer.reason;
        }
        true
    }

    /// Gives the attempt up: what it reserved, or reserves later, goes back. False when there is nothing to give up.
    pub fn give_up(&mut self) -> bool {
        let next = self.state.next(Signal::GiveUp);
        let changed = next != self.state;
        self.state = next;
        if changed {
            self.tries = 0;
        }
        changed
    }

    /// Counts a try and says when the provider is to be asked next: at once for the first time that money is to be
    /// given back, later each time otherwise.
    pub fn schedule_next_try(&mut self, now: DateTime<Utc>) -> DateTime<Utc> {
        let wait = match self.tries {
            0 if !self.state.is_open() => Duration::zero(),
            tries => backoff_after(tries),
        };
        self.tries += 1;
        now + wait
    }

    /// Whether the provider has been silent for so long that a person should look. One that waits for the customer's
    /// confirmation is not silent.
    pub fn is_alarming(&self) -> bool {
        self.tries == ALARMING_TRIES && self.state != State::ConfirmationRequired
    }

    /// Whether this is the attempt of a call with `key`, or of the call that confirms it.
    pub fn answers_to_key(&self, key: &str) -> bool {
        self.key == key || self.confirm_key == key
    }

    /// Whether it makes a hold of its own when it succeeds.
    pub const fn makes_hold(&self) -> bool {
        match self.kind {
            AttemptKind::Authorize | AttemptKind::Renew => true,
            AttemptKind::Raise => self.separate,
            AttemptKind::Capture | AttemptKind::Refund => false,
        }
    }

    /// Whether this is a hold whose money is reserved or taken.
    pub fn is_hold(&self) -> bool {
        self.makes_hold() && self.state == State::Succeeded
    }

    /// Whether another hold took the place of this one before it ran out.
    pub fn was_renewed(&self) -> bool {
        self.reason == RENEWED && matches!(self.state, State::Releasing | State::Released)
    }

    /// Whether what it reserved is free again, or on its way, and no other hold took its place.
    pub fn was_given_back(&self) -> bool {
        matches!(self.state, State::Releasing | State::Released) && !self.was_renewed()
    }

    /// Whether it was refused since the customer did not confirm it: the same may be asked for again.
    pub fn was_not_confirmed(&self) -> bool {
        self.state == State::Failed && self.reason == CONFIRMATION_FAILED
    }

    /// Gives up a hold that another one takes the place of.
    pub fn give_way(&mut self) -> bool {
        let given_up = self.give_up();
        if given_up {
            RENEWED.clone_into(&mut self.reason);
        }
        given_up
    }

    /// Notes that a raise is not to be captured any more. What it added to a hold is the hold's to free.
    pub fn forget_raise(&mut self, reason: &str) {
        self.state = self.state.next(Signal::GiveUp).next(Signal::CancelledHeld);
        reason.clone_into(&mut self.reason);
    }
}

/// What a payment provider says of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PspAnswer {
    /// What it means for the attempt.
    pub signal: Signal,
    /// Why it was declined, a stable code, or empty.
    pub reason: String,
    /// Where the customer confirms, or empty.
    pub confirmation_url: String,
    /// What the payment provider takes for it, in minor units.
    pub fee: i64,
    /// The hold that the request made; none when it made none of its own.
    pub hold: Option<PspHold>,
}

/// Money that a payment provider reserves under a reference of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PspHold {
    /// When it lets go of the money; none when it does not say.
    pub expires_at: Option<DateTime<Utc>>,
}

impl PspAnswer {
    /// An answer that says no more than the signal.
    pub const fn plain(signal: Signal) -> Self {
        Self { signal, reason: String::new(), confirmation_url: String::new(), fee: 0, hold: None }
    }

    pub fn declined(reason: &str) -> Self {
        Self { reason: reason.to_owned(), ..Self::plain(Signal::Declined) }
    }
}

/// What an attempt asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum AttemptKind {
    /// Reserve money on a card. The others act on a hold that there is.
    #[sea_orm(string_value = "AUTHORIZE")]
    Authorize,
    /// Reserve more: on the hold that is named, or as a second one beside it.
    #[sea_orm(string_value = "RAISE")]
    Raise,
    /// Reserve anew what the hold that is named reserves, without the customer, and free that one.
    #[sea_orm(string_value = "RENEW")]
    Renew,
    /// Take what is reserved, free the rest.
    #[sea_orm(string_value = "CAPTURE")]
    Capture,
    /// Give back what was taken.
    #[sea_orm(string_value = "REFUND")]
    Refund,
}

/// Where an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum State {
    /// Written down; the provider may or may not have heard of it.
    #[sea_orm(string_value = "UNKNOWN")]
    Unknown,
    /// The customer must confirm.
    #[sea_orm(string_value = "CONFIRMATION_REQUIRED")]
    ConfirmationRequired,
    /// The provider has it and will say later.
    #[sea_orm(string_value = "PENDING")]
    Pending,
    /// It was done.
    #[sea_orm(string_value = "SUCCEEDED")]
    Succeeded,
    /// It was refused. Final.
    #[sea_orm(string_value = "FAILED")]
    Failed,
    /// We gave up before there was an outcome: a success that comes later goes back by itself.
    #[sea_orm(string_value = "ABANDONED")]
    Abandoned,
    /// It succeeded after we gave up, and is on its way back.
    #[sea_orm(string_value = "RETURNING")]
    Returning,
    /// It succeeded after we gave up, and went back. Final.
    #[sea_orm(string_value = "RETURNED")]
    Returned,
    /// It was done and is to be undone.
    #[sea_orm(string_value = "RELEASING")]
    Releasing,
    /// It was undone. Final.
    #[sea_orm(string_value = "RELEASED")]
    Released,
    /// A refund that succeeded came back from the customer's bank. Final.
    #[sea_orm(string_value = "REVERSED")]
    Reversed,
}

/// What happens to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The provider gave no answer, or does not know the reference.
    NoAnswer,
    /// The provider asks the customer to confirm.
    ConfirmationRequired,
    /// The provider will say later.
    Pending,
    /// The provider did it.
    Succeeded,
    /// The provider refused.
    Declined,
    /// The money shall not be kept.
    GiveUp,
    /// There was no outcome in time. An outcome that came before counts.
    TimedOut,
    /// The provider cancelled it and had reserved nothing.
    CancelledEmpty,
    /// The provider cancelled it and freed what it had reserved.
    CancelledHeld,
    /// The money did not arrive: a refund failed, maybe after it had succeeded.
    CameBack,
}

impl State {
    /// The whole life of an attempt. It only ever moves forward, so that answers, polls and events may come late, twice
    /// and in any order: what is older than the state changes nothing, and a final state absorbs everything.
    #[must_use]
    pub const fn next(self, signal: Signal) -> Self {
        use Signal as S;
        match (self, signal) {
            (Self::Unknown, S::ConfirmationRequired) => Self::ConfirmationRequired,
            (Self::Unknown | Self::ConfirmationRequired, S::Pending) => Self::Pending,
            (Self::Unknown | Self::ConfirmationRequired | Self::Pending, S::Succeeded) => {
                Self::Succeeded
            }
            (
                Self::Unknown | Self::ConfirmationRequired | Self::Pending | Self::Abandoned,
                S::Declined | S::CameBack,
            ) => Self::Failed,
            (Self::Succeeded, S::CameBack) => Self::Reversed,
            (
                Self::Unknown | Self::ConfirmationRequired | Self::Pending,
                S::GiveUp | S::TimedOut,
            ) => Self::Abandoned,
            (Self::Abandoned, S::Succeeded) => Self::Returning,
            (Self::Abandoned, S::CancelledEmpty) => Self::Failed,
            (Self::Abandoned | Self::Returning, S::CancelledHeld) => Self::Returned,
            (Self::Returning, S::CancelledEmpty) => Self::Returned,
            (Self::Succeeded, S::GiveUp) => Self::Releasing,
            (Self::Releasing, S::CancelledEmpty | S::CancelledHeld) => Self::Released,
            (
                Self::Unknown
                | Self::ConfirmationRequired
                | Self::Pending
                | Self::Succeeded
                | Self::Failed
                | Self::Abandoned
                | Self::Returning
                | Self::Returned
                | Self::Releasing
                | Self::Released
                | Self::Reversed,
                _,
            ) => self,
        }
    }

    /// Whether the outcome is open and may still count.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Unknown | Self::ConfirmationRequired | Self::Pending)
    }

    /// Whether something is left to ask of the provider.
    pub const fn is_unsettled(self) -> bool {
        match self {
            Self::Unknown
            | Self::ConfirmationRequired
            | Self::Pending
            | Self::Abandoned
            | Self::Returning
            | Self::Releasing => true,
            Self::Succeeded | Self::Failed | Self::Returned | Self::Released | Self::Reversed => {
                false
            }
        }
    }
}

/// How long to wait before the provider is asked again: 1, 2, 4 … 60 seconds.
pub fn backoff_after(tries: i32) -> Duration {
    let asked = Backoff { first: Duration::seconds(1), longest: Duration::seconds(60) };
    asked.pause(tries.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::{Signal as S, State as A, *};
    use sea_orm::Iterable;

    const SIGNALS: [S; 10] = [
        S::NoAnswer,
        S::ConfirmationRequired,
        S::Pending,
        S::Succeeded,
        S::Declined,
        S::GiveUp,
        S::CancelledEmpty,
        S::CancelledHeld,
        S::CameBack,
        S::TimedOut,
    ];

    #[test]
    fn the_whole_table() {
        let states = [
            ('?', A::Unknown),
            ('c', A::ConfirmationRequired),
            ('p', A::Pending),
            ('S', A::Succeeded),
            ('F', A::Failed),
            ('a', A::Abandoned),
            ('r', A::Returning),
            ('R', A::Returned),
            ('l', A::Releasing),
            ('L', A::Released),
            ('b', A::Reversed),
        ];
        // A column for each signal in the order above.
        let table = [
            (A::Unknown, "?cpSFa??Fa"),
            (A::ConfirmationRequired, "ccpSFaccFa"),
            (A::Pending, "pppSFappFa"),
            (A::Succeeded, "SSSSSlSSbS"),
            (A::Failed, "FFFFFFFFFF"),
            (A::Abandoned, "aaarFaFRFa"),
            (A::Returning, "rrrrrrRRrr"),
            (A::Returned, "RRRRRRRRRR"),
            (A::Releasing, "llllllLLll"),
            (A::Released, "LLLLLLLLLL"),
            (A::Reversed, "bbbbbbbbbb"),
        ];
        assert_eq!(table.len(), A::iter().count());
        for (state, row) in table {
            assert_eq!(row.len(), SIGNALS.len());
            for (signal, letter) in SIGNALS.into_iter().zip(row.chars()) {
                let expected = states.iter().find(|(known, _)| *known == letter).unwrap().1;
                assert_eq!(state.next(signal), expected, "{state:?} {signal:?}");
            }
        }
    }

    #[test]
    fn what_a_provider_says_ends_the_same_in_any_order() {
        // Of one charge a provider says one final thing; everything else is on the way to it.
        for last in [S::Succeeded, S::Declined] {
            for start in [A::Unknown, A::Abandoned] {
                let said = [S::NoAnswer, S::ConfirmationRequired, S::Pending, last, last];
                let expected = start.next(last);
                for order in permutations(&said) {
                    let end = order.iter().fold(start, |state, signal| state.next(*signal));
                    assert_eq!(end, expected, "{order:?}");
                }
            }
        }
    }

    fn permutations(signals: &[S]) -> Vec<Vec<S>> {
        if signals.is_empty() {
            return vec![vec![]];
        }
        let mut all = Vec::new();
        for index in 0..signals.len() {
            let mut rest = signals.to_vec();
            let first = rest.remove(index);
            for mut tail in permutations(&rest) {
                tail.insert(0, first);
                all.push(tail);
            }
        }
        all
    }

    #[test]
    fn polls_wait_longer_up_to_a_minute() {
        let waits: Vec<_> = (0..9).map(|tries| backoff_after(tries).num_seconds()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }
}
