//! Rows and values to messages, and back.

use crate::{
    domain::records::{address::PostalAddress, revocation},
    domain::{self, Address, Consent, Error, User, account::Status, code::Purpose},
    signin::Tokens,
};
use kit::{Caller, values::time::timestamp};
use proto::quickserve::{common::v1 as common, user::v1 as pb};

/// What of every token response is the same.
const TOKEN_TYPE: &str = "bearer";

/// The whole of an account.
pub fn user(user: User) -> pb::User {
    let User {
        id,
        email,
        name,
        phone,
        status,
        suspension_reason,
        role,
        roles,
        locale,
        time_zone,
        email_verified_at,
        repetition_noticed_at: _,
        token_version: _,
        event_seq: _,
        version,
        created_at,
        updated_at,
    } = user;
    pb::User {
        id: id.to_string(),
        name,
        email: email.unwrap_or_default(),
        role,
        roles: domain::account::roles_of(roles).iter().map(|it| it.name().to_owned()).collect(),
        created_at: Some(timestamp(created_at)),
        updated_at: Some(timestamp(updated_at)),
        version,
        phone,
        locale,
        time_zone,
        email_verified_at: email_verified_at.map(timestamp),
        status: self::status(status).into(),
        suspension_reason,
    }
}

const fn status(status: Status) -> pb::UserStatus {
    match status {
        Status::Active => pb::UserStatus::Active,
        Status::Suspended => pb::UserStatus::Suspended,
        Status::Erased => pb::UserStatus::Erased,
        Status::Duplicate => pb::UserStatus::Duplicate,
    }
}

/// As much of an account as `caller` may see; nothing of an erased one.
pub fn seen_by(caller: &Caller, user: pb::User) -> Result<pb::User, Error> {
    if caller.is_operator() {
        return Ok(user);
    }
    if caller.subject.is_some_and(|subject| user.id.parse() == Ok(subject.user_id)) {
        return Ok(own(user));
    }
    if user.status() == pb::UserStatus::Erased {
        return Err(Error::UserNotFound);
    }
    let pb::User { id, name, role, roles, created_at, .. } = user;
    Ok(pb::User { id, name, role, roles, created_at, ..pb::User::default() })
}

/// An account as its owner sees it.
pub fn own(user: pb::User) -> pb::User {
    pb::User { suspension_reason: String::new(), ..user }
}

/// What an account's owner changes of it.
pub fn changes(changes: pb::UserChanges) -> domain::account::Changes {
    let pb::UserChanges { name, phone, locale, time_zone } = changes;
    domain::account::Changes { name, phone, locale, time_zone }
}

/// An address as its column has it.
pub fn place(address: common::Address) -> PostalAddress {
    let common::Address { lines, postcode, city, country, lat, lng, access_notes } = address;
    // A contract's rule has refused an address without a position.
    let (lat, lng) = (lat.unwrap_or_default(), lng.unwrap_or_default());
    PostalAddress { lines, postcode, city, country, lat, lng, access_notes }
}

/// A kept address.
pub fn saved_address(address: Address) -> pb::SavedAddress {
    let Address { id, user_id: _, label, address: place, version, created_at, updated_at } =
        address;
    let PostalAddress { lines, postcode, city, country, lat, lng, access_notes } = place;
    let (lat, lng) = (Some(lat), Some(lng));
    pb::SavedAddress {
        id: id.to_string(),
        label,
        address: Some(common::Address { lines, postcode, city, country, lat, lng, access_notes }),
        version,
        created_at: Some(timestamp(created_at)),
        updated_at: Some(timestamp(updated_at)),
    }
}

/// What an account's owner changes of a kept address.
pub fn address_changes(changes: pb::AddressChanges) -> domain::address::Changes {
    let pb::AddressChanges { label, address } = changes;
    domain::address::Changes { label, place: address.map(place) }
}

/// An answer to a question of consent.
pub fn consent(consent: Consent) -> pb::Consent {
    let Consent { id, user_id: _, kind, text_version, granted, answered_at } = consent;
    pb::Consent {
        id: id.to_string(),
        kind,
        text_version,
        granted,
        answered_at: Some(timestamp(answered_at)),
    }
}

pub fn revocation(revocation: revocation::Model) -> pb::Revocation {
    let revocation::Model { id: _, user_id, session_id, token_version, revoked_at } = revocation;
    pb::Revocation {
        user_id: user_id.to_string(),
        session_id: session_id.map(|id| id.to_string()).unwrap_or_default(),
        token_version,
        revoked_at: Some(timestamp(revoked_at)),
    }
}

/// What a code shall be good for.
pub fn purpose(purpose: pb::ContactPurpose) -> Result<Purpose, Error> {
    match purpose {
        pb::ContactPurpose::Verification => Ok(Purpose::Verification),
        pb::ContactPurpose::PasswordReset => Ok(Purpose::PasswordReset),
        pb::ContactPurpose::Unspecified => {
            Err(Error::Invalid { field: "purpose", problem: "must be given" })
        }
    }
}

/// The tokens of a new session.
pub fn login(tokens: Tokens) -> pb::LoginResponse {
    let Tokens { access, expires_in, refresh, refresh_expires_at } = tokens;
    pb::LoginResponse {
        access_token: access,
        token_type: TOKEN_TYPE.to_owned(),
        expires_in,
        refresh_token: refresh,
        refresh_expires_at: Some(timestamp(refresh_expires_at)),
    }
}

/// The next tokens of a session.
pub fn refresh(tokens: Tokens) -> pb::RefreshTokenResponse {
    let pb::LoginResponse {
        access_token,
        token_type,
        expires_in,
        refresh_token,
        refresh_expires_at,
    } = login(tokens);
    pb::RefreshTokenResponse {
        access_token,
        token_type,
        expires_in,
        refresh_token,
        refresh_expires_at,
    }
}

/// Tokens as OAuth 2.0 names them.
pub fn oauth(tokens: Tokens) -> pb::IssueTokenResponse {
    let Tokens { access, expires_in, refresh, refresh_expires_at: _ } = tokens;
    pb::IssueTokenResponse {
        access_token: access,
        token_type: TOKEN_TYPE.to_owned(),
        expires_in,
        refresh_token: refresh,
    }
}
