//! Free-form objects whose shape the contracts know: the details of orders and of their changes, each a message of its
//! vertical.

use prost_reflect::{FieldDescriptor, MessageDescriptor};
use proto::quickserve::options::v1::Holds;

/// The message options that say what a message is the shape of.
const SHAPES: [&str; 2] = ["quickserve.options.v1.details_of", "quickserve.options.v1.change_of"];

/// The messages that are the shape of a free-form object somewhere.
pub fn shape_messages() -> impl Iterator<Item = MessageDescriptor> {
    let messages = proto::descriptor_pool().all_messages();
    messages.filter(|message| SHAPES.iter().any(|option| has_option(message, option)))
}

/// The option of the messages that a free-form field may fit; none of a field that may hold anything.
pub fn option_of_shapes(field: &FieldDescriptor) -> Option<&'static str> {
    let options = field.options();
    let set = options.extensions().find(|(it, _)| it.full_name() == "quickserve.options.v1.holds");
    let number = set.and_then(|(_, value)| value.as_enum_number())?;
    let [details_of, change_of] = SHAPES;
    match Holds::try_from(number) {
        Ok(Holds::Details) => Some(details_of),
        Ok(Holds::Change) => Some(change_of),
        Ok(Holds::Unspecified) | Err(_) => None,
    }
}

/// Whether a message says an option of itself.
pub fn has_option(message: &MessageDescriptor, option: &str) -> bool {
    message.options().extensions().any(|(it, _)| it.full_name() == option)
}
