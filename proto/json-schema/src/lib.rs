//! JSON Schema (draft 2020-12) of the messages of the contracts, as ProtoJSON writes them: names, types, validation
//! rules and comments. The edge's OpenAPI document and the schemas of the verticals' details are made of it.

#![warn(missing_docs)]

mod comments;
mod free_form;
mod rules;
mod schemas;
mod text;
mod well_known;

pub use comments::Comments;
pub use free_form::shape_messages;
pub use rules::Rules;
pub use schemas::{Direction, Schemas};

use serde_json::{Map, Value, json};

/// The schema of a request that is the message with this full name, complete in itself: the messages within it are under
/// `$defs`. `None` when the contracts have no such message.
pub fn request_schema(message: &str) -> Option<Map<String, Value>> {
    let message = proto::descriptor_pool().get_message_by_name(message)?;
    let schemas = Schemas::within("#/$defs/", &message, Direction::Request);
    let mut schema = schemas.message_object(&message, Direction::Request);
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!(message.name()));
    let definitions = schemas.definitions();
    if !definitions.is_empty() {
        schema.insert("$defs".to_owned(), Value::Object(definitions));
    }
    Some(schema)
}

#[cfg(test)]
mod tests {
    use super::request_schema;
    use serde_json::{Value, json};

    #[test]
    fn the_details_of_a_vertical_have_a_schema_that_is_complete_in_itself() {
        let schema =
            request_schema("quickserve.cleaning.v1.CleaningDetails").map(Value::Object).unwrap();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["title"], "CleaningDetails");
        assert_eq!(schema["additionalProperties"], false);
        let properties = &schema["properties"];
        assert_eq!(properties["area_m2"]["minimum"], 5);
        assert_eq!(
            properties["type"]["enum"],
            json!(["standard", "deep", "move_out", "office", ""])
        );
        assert_eq!(properties["access"]["examples"], json!(["key_box"]));
        assert_eq!(properties["extras"]["items"]["$ref"], "#/$defs/Extra");
        assert_eq!(schema["$defs"]["Extra"]["required"], json!(["code"]));
    }

    #[test]
    fn a_message_that_the_contracts_do_not_have_has_no_schema() {
        assert!(request_schema("quickserve.cleaning.v1.Nothing").is_none());
    }
}
