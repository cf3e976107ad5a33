//! What order asks of payment.

use super::{
    Api,
    convert::{parse_amount, parse_positive, to_money, to_summary},
};
use crate::{
    domain::{
        MethodId, OrderId, ProviderId, UserId, capture::CaptureRequest,
        decision::AuthorizationRequest, due::DueLine,
    },
    flow::{
        AuthorizationOutcome, AuthorizationStatus, RaiseOutcome, RaiseRequest, RefundAmount,
        RefundRequest,
    },
    repository::intents,
};
use kit::{Id, storage::page::Page, values::time::moment};
use proto::quickserve::{
    common::v1::Money,
    payment::v1::{self as pb, charge_service_server::ChargeService},
};
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl ChargeService for Api {
    async fn authorize_payment(
        &self,
        request: Request<pb::AuthorizePaymentRequest>,
    ) -> Result<Response<pb::AuthorizePaymentResponse>, Status> {
        let pb::AuthorizePaymentRequest {
            order_id,
            customer_id,
            amount: price,
            payment_method_id,
            attempt_key,
            confirmation,
            save_method_only,
        } = request.into_inner();
        let order = OrderId::parse("order_id", &order_id)?;
        let (minor_units, currency) = parse_amount("amount", price.as_ref())?;
        let request = AuthorizationRequest {
            customer: UserId::parse("customer_id", &customer_id)?,
            amount: minor_units,
            currency,
            method: MethodId::parse_optional("payment_method_id", &payment_method_id)?,
            key: attempt_key,
            confirmation,
        };
        let outcome = match save_method_only {
            true => self.payments.save_method(order, request).await?,
            false => self.payments.authorize(order, request).await?,
        };
        Ok(Response::new(to_authorization(outcome)))
    }

    async fn raise_authorization(
        &self,
        request: Request<pb::RaiseAuthorizationRequest>,
    ) -> Result<Response<pb::RaiseAuthorizationResponse>, Status> {
        let pb::RaiseAuthorizationRequest { order_id, amount, step_key, confirmation } =
            request.into_inner();
        let order = OrderId::parse("order_id", &order_id)?;
        let (amount, currency) = parse_positive("amount", amount.as_ref())?;
        let request = RaiseRequest { currency, amount, key: step_key, confirmation };
        let RaiseOutcome { intent, confirmation_url } =
            self.payments.raise_authorization(order, request).await?;
        let authorized = to_money(&intent.currency, intent.authorized);
        let outcome = match confirmation_url {
            None => pb::Outcome::Authorized,
            Some(_) => pb::Outcome::ConfirmationRequired,
        };
        Ok(Response::new(pb::RaiseAuthorizationResponse {
            authorized,
            outcome: outcome.into(),
            confirmation_url: confirmation_url.unwrap_or_default(),
        }))
    }

    async fn release_authorization(
        &self,
        request: Request<pb::ReleaseAuthorizationRequest>,
    ) -> Result<Response<pb::ReleaseAuthorizationResponse>, Status> {
        let pb::ReleaseAuthorizationRequest { order_id, attempt_key, raise } = request.into_inner();
        let order = OrderId::parse("order_id", &order_id)?;
        match raise {
            true => self.payments.release_raise(order, &attempt_key).await?,
            false => self.payments.release_authorization(order, &attempt_key).await?,
        }
        Ok(Response::new(pb::ReleaseAuthorizationResponse {}))
    }

    async fn secure_payment(
        &self,
        request: Request<pb::SecurePaymentRequest>,
    ) -> Result<Response<pb::SecurePaymentResponse>, Status> {
        let pb::SecurePaymentRequest { order_id, capture } = request.into_inner();
        self.payments.secure(OrderId::parse("order_id", &order_id)?, capture).await?;
        Ok(Response::new(pb::SecurePaymentResponse {}))
    }

    async fn capture_payment(
        &self,
        request: Request<pb::CapturePaymentRequest>,
    ) -> Result<Response<pb::CapturePaymentResponse>, Status> {
        let captured = self.payments.capture(parse_capture(request.into_inner())?).await?;
        Ok(Response::new(pb::CapturePaymentResponse {
            captured: to_money(&captured.currency, captured.amount),
            refunded: to_money(&captured.currency, captured.refunded),
            payout_id: captured.payout.map(|id| id.to_string()).unwrap_or_default(),
        }))
    }

    async fn void_payment(
        &self,
        request: Request<pb::VoidPaymentRequest>,
    ) -> Result<Response<pb::VoidPaymentResponse>, Status> {
        let pb::VoidPaymentRequest { order_id, reason } = request.into_inner();
        self.payments.void(OrderId::parse("order_id", &order_id)?, &reason).await?;
        Ok(Response::new(pb::VoidPaymentResponse {}))
    }

    async fn refund_payment(
        &self,
        request: Request<pb::RefundPaymentRequest>,
    ) -> Result<Response<pb::RefundPaymentResponse>, Status> {
        let pb::RefundPaymentRequest { order_id, amount, step_key, reason, at_most } =
            request.into_inner();
        let order = OrderId::parse("order_id", &order_id)?;
        let (minor_units, currency) = parse_positive("amount", amount.as_ref())?;
        let key = format!("order:{step_key}");
        let amount = match at_most {
            true => RefundAmount::AtMost(minor_units),
            false => RefundAmount::Exactly(minor_units),
        };
        let refund = RefundRequest { amount, currency, key, reason };
        let refunded = self.payments.refund_order(order, refund).await?;
        Ok(Response::new(pb::RefundPaymentResponse {
            refunded: to_money(&refunded.currency, refunded.total),
            amount: to_money(&refunded.currency, refunded.amount),
        }))
    }

    async fn list_order_payments(
        &self,
        request: Request<pb::ListOrderPaymentsRequest>,
    ) -> Result<Response<pb::ListOrderPaymentsResponse>, Status> {
        let pb::ListOrderPaymentsRequest { page_size, page_token, order_ids } =
            request.into_inner();
        let page = Page::parse(page_size, &page_token)?;
        let orders = order_ids.iter().map(|id| OrderId::parse("order_ids", id));
        let orders = orders.collect::<Result<Vec<_>, _>>()?;
        let db = self.payments.db.connection();
        let mut rows = intents::list_of_orders(db, &orders, page).await?;
        let next_page_token = page.cut(&mut rows, |(intent, _)| intent.id.uuid());
        let payments = rows.into_iter().map(|(intent, attempts)| to_summary(intent, &attempts));
        let payments = payments.collect();
        Ok(Response::new(pb::ListOrderPaymentsResponse { payments, next_page_token }))
    }

    async fn set_payout_frozen(
        &self,
        request: Request<pb::SetPayoutFrozenRequest>,
    ) -> Result<Response<pb::SetPayoutFrozenResponse>, Status> {
        let pb::SetPayoutFrozenRequest { order_id, frozen, amount, claim_id } =
            request.into_inner();
        let order = OrderId::parse("order_id", &order_id)?;
        let Some(claim) = Id::<()>::parse_optional("claim_id", &claim_id)? else {
            self.payments.set_disputed(order, frozen).await?;
            return Ok(Response::new(pb::SetPayoutFrozenResponse {}));
        };
        let claimed = match frozen {
            true => Some(parse_positive("amount", amount.as_ref())?),
            false => None,
        };
        self.payments.set_claim(order, claim.uuid(), claimed).await?;
        Ok(Response::new(pb::SetPayoutFrozenResponse {}))
    }
}

fn to_authorization(outcome: AuthorizationOutcome) -> pb::AuthorizePaymentResponse {
    let AuthorizationOutcome { payment, status } = outcome;
    let (outcome, decline_reason, confirmation_url) = match status {
        AuthorizationStatus::Authorized => (pb::Outcome::Authorized, String::new(), String::new()),
        AuthorizationStatus::MethodSaved => {
            (pb::Outcome::MethodSaved, String::new(), String::new())
        }
        AuthorizationStatus::ConfirmationRequired { url } => {
            (pb::Outcome::ConfirmationRequired, String::new(), url)
        }
        AuthorizationStatus::Declined { reason } => (pb::Outcome::Declined, reason, String::new()),
        AuthorizationStatus::Pending => (pb::Outcome::Pending, String::new(), String::new()),
    };
    pb::AuthorizePaymentResponse {
        payment_id: payment.to_string(),
        outcome: outcome.into(),
        decline_reason,
        confirmation_url,
    }
}

fn parse_capture(request: pb::CapturePaymentRequest) -> Result<CaptureRequest, Status> {
    let pb::CapturePaymentRequest {
        order_id,
        amount: total,
        provider_id,
        provider_user_id,
        vertical,
        kind,
        provider_gross,
        payout_due_at,
        commission_base,
        due: due_lines,
    } = request;
    let (minor_units, currency) = parse_amount("amount", total.as_ref())?;
    let gross = parse_part("provider_gross", provider_gross.as_ref(), minor_units, &currency)?;
    let base = parse_part("commission_base", commission_base.as_ref(), gross, &currency)?;
    let lines = due_lines.into_iter().enumerate();
    let lines: Result<_, Status> =
        lines.map(|(index, line)| parse_due_line(index, line, &currency)).collect();
    let due = payout_due_at.map(|due| moment("payout_due_at", Some(&due))).transpose()?;
    Ok(CaptureRequest {
        order: OrderId::parse("order_id", &order_id)?,
        amount: minor_units,
        currency,
        kind: match pb::CaptureKind::try_from(kind) {
            Ok(pb::CaptureKind::Service) => "SERVICE",
            Ok(pb::CaptureKind::Fee) => "FEE",
            Ok(pb::CaptureKind::Unspecified) | Err(_) => {
                Err(kit::Error::invalid("kind", "must be given"))?
            }
        },
        provider: ProviderId::parse_optional("provider_id", &provider_id)?,
        provider_user: UserId::parse_optional("provider_user_id", &provider_user_id)?,
        vertical,
        gross,
        commission_base: base,
        due: lines?,
        payout_due_at: due,
    })
}

/// An amount in the currency of the capture; `otherwise` when it is left out.
fn parse_part(
    field: &str,
    part: Option<&Money>,
    otherwise: i64,
    currency: &str,
) -> Result<i64, Status> {
    if part.is_none() {
        return Ok(otherwise);
    }
    match parse_amount(field, part)? {
        (part, other) if other == currency => Ok(part),
        _ => Err(kit::Error::invalid(format!("{field}.currency"), "must be the amount's"))?,
    }
}

fn parse_due_line(index: usize, line: pb::DueLine, currency: &str) -> Result<DueLine, Status> {
    let pb::DueLine { code, amount, provider_earns, pass_through } = line;
    let field = format!("due[{index}].amount");
    match parse_positive(&field, amount.as_ref())? {
        (amount, other) if other == currency => {
            Ok(DueLine { code, amount, provider_earns, pass_through })
        }
        _ => Err(kit::Error::invalid(format!("{field}.currency"), "must be the amount's"))?,
    }
}
