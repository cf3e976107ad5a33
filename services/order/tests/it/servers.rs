//! The servers that stand in for payment and cleaning.

use crate::script::{Money, Script, refusal};
use prost_types::Duration;
use proto::quickserve::{
    common::v1::Money as PbMoney,
    fulfilment::v1::{self as vertical, vertical_service_server::VerticalService},
    payment::v1::{self as payment, Outcome, charge_service_server::ChargeService},
};
use std::sync::Arc;
use tonic::{Code, Request, Response, Status};

/// Stands in for payment.
pub struct Payment(pub Arc<Script>);
/// Stands in for cleaning.
pub struct Cleaning(pub Arc<Script>);

fn money(units: i64) -> Option<PbMoney> {
    Some(PbMoney { currency: "EUR".to_owned(), minor_units: units })
}

fn units(money: Option<PbMoney>) -> i64 {
    money.unwrap().minor_units
}

#[tonic::async_trait]
impl ChargeService for Payment {
    async fn authorize_payment(
        &self,
        request: Request<payment::AuthorizePaymentRequest>,
    ) -> Result<Response<payment::AuthorizePaymentResponse>, Status> {
        let request = request.into_inner();
        let amount = units(request.amount);
        let authorized = self.0.play("authorize", |memory| {
            let next = memory.outcomes.front().copied();
            let money = memory.money.entry(request.order_id.clone()).or_default();
            if money.closed {
                return Err(refusal(Code::FailedPrecondition, "PAYMENT_CLOSED"));
            }
            let known = money.attempts.get(&request.attempt_key).copied();
            let confirmed = !request.confirmation.is_empty();
            let outcome = match known {
                Some(outcome) if !confirmed => outcome,
                Some(_) => Outcome::Authorized.into(),
                None if next.is_some() => memory.outcomes.pop_front().unwrap(),
                None if request.save_method_only => Outcome::MethodSaved.into(),
                None => Outcome::Authorized.into(),
            };
            money.attempts.insert(request.attempt_key.clone(), outcome);
            money.saved |= outcome == Outcome::MethodSaved as i32;
            if outcome == Outcome::Authorized as i32 {
                money.authorized = amount;
            }
            let declined = outcome == Outcome::Declined as i32;
            let asks = outcome == Outcome::ConfirmationRequired as i32;
            Ok(payment::AuthorizePaymentResponse {
                payment_id: request.order_id.clone(),
                outcome,
                decline_reason: if declined { "CARD_DECLINED" } else { "" }.to_owned(),
                confirmation_url: if asks { "https://psp.test/3ds" } else { "" }.to_owned(),
            })
        });
        Ok(Response::new(authorized.await?))
    }

    async fn raise_authorization(
        &self,
        request: Request<payment::RaiseAuthorizationRequest>,
    ) -> Result<Response<payment::RaiseAuthorizationResponse>, Status> {
        let request = request.into_inner();
        let amount = units(request.amount);
        let raised = self.0.play("raise", |memory| {
            let it = memory.money.entry(request.order_id.clone()).or_default();
            let asks = memory.raise_confirms && request.confirmation.is_empty();
            if asks {
                return Ok(payment::RaiseAuthorizationResponse {
                    authorized: money(it.authorized),
                    outcome: payment::Outcome::ConfirmationRequired.into(),
                    confirmation_url: "https://psp.test/3ds".to_owned(),
                });
            }
            if it.raised.insert(request.step_key.clone(), amount).is_none() {
                it.authorized += amount;
            }
            Ok(payment::RaiseAuthorizationResponse {
                authorized: money(it.authorized),
                outcome: payment::Outcome::Authorized.into(),
                ..payment::RaiseAuthorizationResponse::default()
            })
        });
        Ok(Response::new(raised.await?))
    }

    async fn capture_payment(
        &self,
        request: Request<payment::CapturePaymentRequest>,
    ) -> Result<Response<payment::CapturePaymentResponse>, Status> {
        let request = request.into_inner();
        let amount = units(request.amount);
        let captured = self.0.play("capture", |memory| {
            let it = memory.money.entry(request.order_id.clone()).or_default();
            if amount > it.authorized {
                return Err(refusal(Code::FailedPrecondition, "CAPTURE_EXCEEDS_AUTHORIZATION"));
            }
            it.captures += u32::from(it.captured == 0);
            it.captured = amount;
            let base = request.commission_base.clone().map(|base| base.minor_units);
            it.gross = (units(request.provider_gross.clone()), base);
            it.due = request.due.iter().map(|line| units(line.amount.clone())).sum();
            let payout_id = request.order_id.clone();
            Ok(payment::CapturePaymentResponse {
                captured: money(amount.max(it.in_escrow)),
                payout_id,
                refunded: money((it.in_escrow - amount).max(0)),
            })
        });
        Ok(Response::new(captured.await?))
    }

    async fn release_authorization(
        &self,
        request: Request<payment::ReleaseAuthorizationRequest>,
    ) -> Result<Response<payment::ReleaseAuthorizationResponse>, Status> {
        let payment::ReleaseAuthorizationRequest { order_id, attempt_key, raise } =
            request.into_inner();
        if raise {
            let released = self.0.play("unraise", |memory| {
                let money = memory.money.entry(order_id).or_default();
                if let Some(amount) = money.raised.remove(&attempt_key) {
                    money.authorized -= amount;
                }
                Ok(payment::ReleaseAuthorizationResponse {})
            });
            return Ok(Response::new(released.await?));
        }
        let released = self.0.play("unauthorize", |memory| {
            memory.unauthorized.push((order_id.clone(), attempt_key.clone()));
            if let Some(money) = memory.money.get_mut(&order_id) {
                money.authorized = 0;
            }
            Ok(payment::ReleaseAuthorizationResponse {})
        });
        Ok(Response::new(released.await?))
    }

    async fn secure_payment(
        &self,
        request: Request<payment::SecurePaymentRequest>,
    ) -> Result<Response<payment::SecurePaymentResponse>, Status> {
        let payment::SecurePaymentRequest { order_id, capture } = request.into_inner();
        let secured = self.0.play("secure", |memory| {
            memory.secured.push((order_id.clone(), capture));
            Ok(payment::SecurePaymentResponse {})
        });
        Ok(Response::new(secured.await?))
    }

    async fn void_payment(
        &self,
        request: Request<payment::VoidPaymentRequest>,
    ) -> Result<Response<payment::VoidPaymentResponse>, Status> {
        let request = request.into_inner();
        let voided = self.0.play("void", |memory| {
            let it = memory.money.entry(request.order_id).or_default();
            *it = Money {
                closed: true,
                voids: it.voids + 1,
                attempts: it.attempts.clone(),
                ..Money::default()
            };
            Ok(payment::VoidPaymentResponse {})
        });
        Ok(Response::new(voided.await?))
    }

    async fn refund_payment(
        &self,
        request: Request<payment::RefundPaymentRequest>,
    ) -> Result<Response<payment::RefundPaymentResponse>, Status> {
        let request = request.into_inner();
        let asked = units(request.amount);
        let refunded = self.0.play("refund", |memory| {
            let it = memory.money.entry(request.order_id).or_default();
            let amount = asked.min(it.captured - it.refunded);
            if amount < asked && !request.at_most {
                return Err(refusal(Code::FailedPrecondition, "REFUND_EXCEEDS_CAPTURE"));
            }
            if it.refunds.insert(request.step_key) {
                it.refunded += amount;
            }
            Ok(payment::RefundPaymentResponse {
                refunded: money(it.refunded),
                amount: money(amount),
            })
        });
        Ok(Response::new(refunded.await?))
    }

    async fn list_order_payments(
        &self,
        _: Request<payment::ListOrderPaymentsRequest>,
    ) -> Result<Response<payment::ListOrderPaymentsResponse>, Status> {
        Err(Status::unimplemented("no story here restores data"))
    }

    async fn set_payout_frozen(
        &self,
        request: Request<payment::SetPayoutFrozenRequest>,
    ) -> Result<Response<payment::SetPayoutFrozenResponse>, Status> {
        let payment::SetPayoutFrozenRequest { order_id, frozen, amount, claim_id } =
            request.into_inner();
        let set = self.0.play("freeze", |memory| {
            let it = memory.money.entry(order_id).or_default();
            match (claim_id.is_empty(), frozen) {
                (true, _) => it.frozen = frozen,
                (false, true) => drop(it.claims.insert(claim_id, units(amount))),
                (false, false) => drop(it.claims.remove(&claim_id)),
            }
            Ok(payment::SetPayoutFrozenResponse {})
        });
        Ok(Response::new(set.await?))
    }
}

/// A line that the provider earns.
fn line((code, total, pass_through): &(&str, i64, bool)) -> vertical::PriceLine {
    vertical::PriceLine {
        code: (*code).to_owned(),
        quantity: 1.0,
        unit: "visit".to_owned(),
        total: money(*total),
        payer: vertical::Party::Customer.into(),
        earner: vertical::Party::Provider.into(),
        pass_through: *pass_through,
        ..vertical::PriceLine::default()
    }
}

#[tonic::async_trait]
impl VerticalService for Cleaning {
    async fn describe_vertical(
        &self,
        _: Request<vertical::DescribeVerticalRequest>,
    ) -> Result<Response<vertical::DescribeVerticalResponse>, Status> {
        let change_message = self.0.with(|memory| memory.change_message.to_owned());
        // Any message of the contracts will do: this one has texts, numbers, a list and limits.
        let details_message = "quickserve.common.v1.Address".to_owned();
        Ok(Response::new(vertical::DescribeVerticalResponse {
            vertical: "cleaning".to_owned(),
            details_message,
            change_message,
            recurs: true,
            requirements: Some(vertical::Requirements {
                documents: vec!["insurance".to_owned()],
                ..vertical::Requirements::default()
            }),
        }))
    }

    async fn quote(
        &self,
        request: Request<vertical::QuoteRequest>,
    ) -> Result<Response<vertical::QuoteResponse>, Status> {
        let request = request.into_inner();
        let quoted = self.0.play("quote", |memory| {
            memory.quoted.push(request.clone());
            let fee = memory.price / 10;
            let platform = vertical::Party::Platform.into();
            Ok(vertical::QuoteResponse {
                lines: vec![
                    line(&("cleaning.base", memory.price - fee, false)),
                    vertical::PriceLine { earner: platform, ..line(&("platform.fee", fee, false)) },
                ],
                cap: memory.cap.and_then(money),
                manual_acceptance: memory.manual_acceptance,
                requirements: Some(vertical::Requirements {
                    skills: vec!["cleaning.standard".to_owned()],
                    crew_size: 1,
                    duration: Some(Duration { seconds: memory.hours * 3600, nanos: 0 }),
                    dispatch: memory.dispatch,
                    exclusive: memory.exclusive,
                    ..vertical::Requirements::default()
                }),
                window: memory.asap_window(&request),
            })
        });
        Ok(Response::new(quoted.await?))
    }

    async fn on_transition(
        &self,
        request: Request<vertical::OnTransitionRequest>,
    ) -> Result<Response<vertical::OnTransitionResponse>, Status> {
        let request = request.into_inner();
        if request.mode() == vertical::TransitionMode::Tell {
            let order = request.order.unwrap();
            let told = self.0.play("tell", |memory| {
                let known = memory.told.entry(order.order_id.clone()).or_default();
                if known.last().is_none_or(|last| last.order_version < order.order_version) {
                    known.push(order);
                }
                Ok(vertical::OnTransitionResponse::default())
            });
            return Ok(Response::new(told.await?));
        }
        let answered = self.0.play("ask", |memory| {
            let denials = memory.denials.get(&request.to).cloned().unwrap_or_default();
            Ok(vertical::OnTransitionResponse { denials })
        });
        Ok(Response::new(answered.await?))
    }

    async fn completion_gate(
        &self,
        request: Request<vertical::CompletionGateRequest>,
    ) -> Result<Response<vertical::CompletionGateResponse>, Status> {
        let kinds = request.into_inner().proof_kinds;
        let answered = self.0.play("gate", |memory| {
            let missing = memory.missing.iter().filter(|it| !kinds.contains(it)).cloned().collect();
            Ok(vertical::CompletionGateResponse {
                missing,
                settlement: memory.settlement.iter().map(line).collect(),
                due: memory.due.iter().map(line).collect(),
            })
        });
        Ok(Response::new(answered.await?))
    }

    async fn quote_change(
        &self,
        request: Request<vertical::QuoteChangeRequest>,
    ) -> Result<Response<vertical::QuoteChangeResponse>, Status> {
        let request = request.into_inner();
        if request.approving {
            let judged = self.0.play("approval", |memory| {
                let denials = memory.approval_denials.clone();
                Ok(vertical::QuoteChangeResponse { lines: request.lines, denials, valid_for: None })
            });
            return Ok(Response::new(judged.await?));
        }
        let priced = self.0.play("change", |memory| {
            let (lines, valid_for) = match request.details {
                None => (request.lines, None),
                Some(_) => (
                    memory.change.iter().map(line).collect(),
                    Some(prost_types::Duration { seconds: 72 * 3600, nanos: 0 }),
                ),
            };
            let denials = memory.change_denials.clone();
            Ok(vertical::QuoteChangeResponse { lines, valid_for, denials })
        });
        Ok(Response::new(priced.await?))
    }

    async fn describe_job(
        &self,
        request: Request<vertical::DescribeJobRequest>,
    ) -> Result<Response<vertical::DescribeJobResponse>, Status> {
        let side = request.into_inner().side();
        let described = self.0.play("describe", |memory| {
            memory.described_to.push(side);
            Ok(memory.job.clone())
        });
        Ok(Response::new(described.await?))
    }
}
