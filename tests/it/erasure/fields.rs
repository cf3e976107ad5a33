//! The texts of requests that people write freely, as the contracts have them.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};
use proto::rpc::Caller;
use std::collections::BTreeSet;

/// Rules of a string that leave it to people what to write.
const FREE: [&str; 5] = ["min_len", "max_len", "prefix", "contains", "not_in"];

/// Texts that may stay, or are never kept as they are, and why.
const EXCEPTIONS: [(&str, &str); 24] = [
    ("cleaning.v1.ChecklistChange.code", "is one of the checklist's own"),
    ("common.v1.Address.city", "the tax depends on the town"),
    ("common.v1.TimeWindow.time_zone", "is a zone of IANA's"),
    ("google.api.HttpBody.content_type", "is the protocol's"),
    ("notification.v1.QuietHours.time_zone", "is a zone of IANA's"),
    ("order.v1.CancelOrderRequest.cancel_token", "was made by us"),
    ("order.v1.ConfirmPaymentRequest.confirmation", "is the payment provider's"),
    ("order.v1.CreateQuoteRequest.vertical", "is the key of a vertical"),
    ("order.v1.StartWorkRequest.start_code", "is compared with one that we made"),
    ("payment.v1.PayDueRequest.confirmation", "is the payment provider's"),
    ("payment.v1.PayDueRequest.payment_method_id", "is an id"),
    ("payment.v1.ReceivePspEventRequest.name", "is the name of a payment provider"),
    ("provider.v1.CreateProviderRequest.time_zone", "is a zone of IANA's"),
    ("provider.v1.ReplaceAvailabilityRequest.time_zone", "is a zone of IANA's"),
    ("provider.v1.UpdateProviderRequest.time_zone", "is a zone of IANA's"),
    ("user.v1.ConfirmPasswordResetRequest.code", "was made by us"),
    (
        "user.v1.ConfirmPasswordResetRequest.password",
        "is kept as a hash, and no longer than the account",
    ),
    ("user.v1.CreateUserRequest.password", "is kept as a hash, and no longer than the account"),
    ("user.v1.CreateUserRequest.time_zone", "is a zone of IANA's"),
    ("user.v1.LoginRequest.email", "is compared"),
    ("user.v1.LoginRequest.password", "is compared"),
    ("user.v1.RecordConsentRequest.text_version", "proves which text was agreed to"),
    ("user.v1.RefreshTokenRequest.refresh_token", "was made by us"),
    ("user.v1.RequestPasswordResetRequest.email", "is compared"),
];
/// Why a text of a family is in no table: the tests of care look for it everywhere.
const ENCRYPTED: &str = "is encrypted under a key that an erasure destroys";
/// As [`EXCEPTIONS`].
const MORE_EXCEPTIONS: [(&str, &str); 14] = [
    ("child_assistance.v1.AdultProfile.name", ENCRYPTED),
    ("child_assistance.v1.AdultProfile.relation", ENCRYPTED),
    ("child_assistance.v1.ChildProfile.allergies", ENCRYPTED),
    ("child_assistance.v1.ChildProfile.name", ENCRYPTED),
    ("child_assistance.v1.ChildProfile.notes", ENCRYPTED),
    ("child_assistance.v1.EmergencyContact.name", ENCRYPTED),
    ("child_assistance.v1.ReportIncidentRequest.text", ENCRYPTED),
    ("order.v1.ApproveChangeRequest.confirmation", "is the payment provider's"),
    ("order.v1.CreateSeriesRequest.rrule", "is parsed"),
    ("order.v1.CreateSeriesRequest.vertical", "is the key of a vertical"),
    ("order.v1.SeriesChanges.rrule", "is parsed"),
    ("user.v1.ResendVerificationRequest.email", "is compared"),
    ("user.v1.UserChanges.time_zone", "is a zone of IANA's"),
    ("user.v1.VerifyContactRequest.code", "was made by us"),
];

/// The texts that customers and providers write freely into requests that change something, but for the exceptions.
/// Names begin behind `quickserve.`.
pub fn free_texts() -> BTreeSet<&'static str> {
    let pool = proto::descriptor_pool();
    let mut found = BTreeSet::new();
    for rpc in proto::all_rpcs() {
        let people = [Caller::Public, Caller::User, Caller::Customer, Caller::Provider];
        let service = pool.get_service_by_name(rpc.service).unwrap();
        let method = service.methods().find(|method| method.name() == rpc.method).unwrap();
        if people.into_iter().any(|caller| rpc.callers.contains(caller)) && !is_read(&method) {
            collect(&method.input(), &mut Vec::new(), &mut found);
        }
    }
    for (field, reason) in EXCEPTIONS.into_iter().chain(MORE_EXCEPTIONS) {
        assert!(found.remove(field), "{field} ({reason}) is no text of a request any more");
    }
    // The set lives as long as the test's process.
    found.into_iter().map(|name| &*name.leak()).collect()
}

fn is_read(method: &prost_reflect::MethodDescriptor) -> bool {
    let level = method.options().get_field_by_name("idempotency_level").unwrap().as_enum_number();
    // NO_SIDE_EFFECTS
    level == Some(1)
}

fn collect(message: &MessageDescriptor, above: &mut Vec<String>, found: &mut BTreeSet<String>) {
    if above.iter().any(|name| name == message.full_name()) {
        return;
    }
    above.push(message.full_name().to_owned());
    for field in message.fields() {
        match field.kind() {
            Kind::Message(inner) if inner.full_name() == "google.protobuf.Struct" => {
                assert_eq!(field.name(), "details", "{}: what does it hold?", field.full_name());
                all_details().iter().for_each(|details| collect(details, above, found));
            }
            Kind::Message(inner) if inner.package_name() == "google.protobuf" => {}
            Kind::Message(inner) => collect(&inner, above, found),
            Kind::String if is_free(&field) => {
                found.insert(field.full_name().trim_start_matches("quickserve.").to_owned());
            }
            _ => {}
        }
    }
    above.pop();
}

/// The messages that the details of orders fit.
fn all_details() -> Vec<MessageDescriptor> {
    let has_details = |message: &MessageDescriptor| {
        let options = message.options();
        options.extensions().any(|(it, _)| it.full_name() == "quickserve.options.v1.details_of")
    };
    let all: Vec<_> = proto::descriptor_pool().all_messages().filter(has_details).collect();
    assert!(!all.is_empty());
    all
}

/// Whether no rule says what the string, or each of the strings, may be.
fn is_free(field: &FieldDescriptor) -> bool {
    let inner = |rules: Option<DynamicMessage>, name: &str| -> Option<DynamicMessage> {
        let rules = rules?;
        let set = rules.has_field_by_name(name).then(|| rules.get_field_by_name(name))??;
        set.as_message().cloned()
    };
    let options = field.options();
    let rules = options.extensions().find(|(it, _)| it.full_name() == "buf.validate.field");
    let rules = rules.and_then(|(_, value)| value.as_message().cloned());
    let items = inner(inner(rules.clone(), "repeated"), "items");
    let strings = inner(if field.is_list() { items } else { rules }, "string");
    strings.is_none_or(|rules| rules.fields().all(|(rule, _)| FREE.contains(&rule.name())))
}
