//! The descriptor messages, with every `options` field kept as raw bytes so that no extension is lost.
//!
//! Field numbers are those of `google/protobuf/descriptor.proto`.

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(super) struct FileSet {
    #[prost(message, repeated, tag = "1")]
    pub files: Vec<File>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct File {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub package: String,
    #[prost(message, repeated, tag = "4")]
    pub messages: Vec<MessageType>,
    #[prost(message, repeated, tag = "5")]
    pub enums: Vec<EnumType>,
    #[prost(message, repeated, tag = "6")]
    pub services: Vec<ServiceType>,
    #[prost(message, repeated, tag = "7")]
    pub extensions: Vec<FieldType>,
    #[prost(bytes = "vec", tag = "8")]
    pub options: Vec<u8>,
    #[prost(message, optional, tag = "9")]
    pub source: Option<SourceInfo>,
    #[prost(string, tag = "12")]
    pub syntax: String,
    #[prost(int32, tag = "14")]
    pub edition: i32,
    #[prost(message, optional, tag = "8042")]
    pub image: Option<ImageFile>,
}

impl File {
    pub fn is_import(&self) -> bool {
        self.image.as_ref().is_some_and(|image| image.is_import)
    }
}

/// What a Buf image adds to a file: `buf.alpha.image.v1.ImageFileExtension`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ImageFile {
    #[prost(bool, tag = "1")]
    pub is_import: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct MessageType {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, repeated, tag = "2")]
    pub fields: Vec<FieldType>,
    #[prost(message, repeated, tag = "3")]
    pub messages: Vec<MessageType>,
    #[prost(message, repeated, tag = "4")]
    pub enums: Vec<EnumType>,
    #[prost(message, repeated, tag = "6")]
    pub extensions: Vec<FieldType>,
    #[prost(bytes = "vec", tag = "7")]
    pub options: Vec<u8>,
    #[prost(message, repeated, tag = "8")]
    pub oneofs: Vec<OneofType>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct FieldType {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub extendee: String,
    #[prost(int32, tag = "3")]
    pub number: i32,
    #[prost(int32, tag = "4")]
    pub label: i32,
    #[prost(int32, tag = "5")]
    pub kind: i32,
    #[prost(string, tag = "6")]
    pub type_name: String,
    #[prost(bytes = "vec", tag = "8")]
    pub options: Vec<u8>,
    #[prost(int32, optional, tag = "9")]
    pub oneof: Option<i32>,
    #[prost(string, tag = "10")]
    pub json_name: String,
    #[prost(bool, tag = "17")]
    pub proto3_optional: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OneofType {
    #[prost(string, tag = "1")]
    pub name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct EnumType {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, repeated, tag = "2")]
    pub values: Vec<EnumValueType>,
    #[prost(bytes = "vec", tag = "3")]
    pub options: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct EnumValueType {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(int32, tag = "2")]
    pub number: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ServiceType {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, repeated, tag = "2")]
    pub methods: Vec<MethodType>,
    #[prost(bytes = "vec", tag = "3")]
    pub options: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct MethodType {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub input: String,
    #[prost(string, tag = "3")]
    pub output: String,
    #[prost(bytes = "vec", tag = "4")]
    pub options: Vec<u8>,
    #[prost(bool, tag = "5")]
    pub client_streaming: bool,
    #[prost(bool, tag = "6")]
    pub server_streaming: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SourceInfo {
    #[prost(message, repeated, tag = "1")]
    pub locations: Vec<LocationInfo>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct LocationInfo {
    #[prost(int32, repeated, tag = "1")]
    pub path: Vec<i32>,
    #[prost(int32, repeated, tag = "2")]
    pub span: Vec<i32>,
    #[prost(string, tag = "3")]
    pub leading: String,
}

/// `google.api.HttpRule`, as it stands in a method's options.
#[derive(Clone, PartialEq, Message)]
pub(super) struct HttpRuleType {
    #[prost(oneof = "HttpPattern", tags = "2, 3, 4, 5, 6, 8")]
    pub pattern: Option<HttpPattern>,
    #[prost(string, tag = "7")]
    pub body: String,
    #[prost(message, repeated, tag = "11")]
    pub additional: Vec<HttpRuleType>,
    #[prost(string, tag = "12")]
    pub response_body: String,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum HttpPattern {
    #[prost(string, tag = "2")]
    Get(String),
    #[prost(string, tag = "3")]
    Put(String),
    #[prost(string, tag = "4")]
    Post(String),
    #[prost(string, tag = "5")]
    Delete(String),
    #[prost(string, tag = "6")]
    Patch(String),
    #[prost(message, tag = "8")]
    Custom(CustomPattern),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct CustomPattern {
    #[prost(string, tag = "1")]
    pub kind: String,
    #[prost(string, tag = "2")]
    pub path: String,
}
