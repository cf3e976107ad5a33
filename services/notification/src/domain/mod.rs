//! The rules of messages, without clock, chance or input and output: times and ids come in as arguments.

pub mod catalogue;
pub mod facts;
pub mod message;
pub mod quiet;
pub mod records;
pub mod settings;
pub mod template;
pub mod text;

use kit::rpc::error::{Fault, Kind};
use message::{MessageEvent, State};
use std::collections::HashMap;

pub use records::{message::Model as Message, settings::Model as Settings};

/// Id of a message.
pub type MessageId = kit::Id<Message>;

/// Why a request about messages is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such message in the caller's inbox.
    #[error("the message does not exist")]
    MessageNotFound,
    /// The caller watches the inbox as often as is allowed.
    #[error("the inbox is watched too often: end a stream first")]
    TooManyStreams,
    /// The message's state does not allow it; a fault of ours.
    #[error("a {0:?} message does not {1:?}")]
    Refused(State, MessageEvent),
    /// What every service can meet.
    #[error(transparent)]
    Kit(#[from] kit::Error),
}

kit::service_error!(Error);

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::MessageNotFound => Kind::NotFound("MESSAGE_NOT_FOUND"),
            Self::TooManyStreams => Kind::Exhausted {
                reason: "TOO_MANY_STREAMS",
                retry_after: std::time::Duration::from_secs(30),
            },
            Self::Refused(..) => Kind::Internal,
            Self::Kit(error) => error.kind(),
        }
    }

    fn metadata(&self) -> HashMap<String, String> {
        match self {
            Self::Kit(error) => error.metadata(),
            Self::MessageNotFound | Self::TooManyStreams | Self::Refused(..) => HashMap::new(),
        }
    }
}
