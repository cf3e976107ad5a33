//! Handlers of `UserService`: accounts and their settings.

use super::{client::client_of, convert, signed_in};
use crate::{
    domain::{Address, Consent, Error, UserId, account, address::check_country},
    events,
    registration::Registration,
    repository::{self, Repository, accounts, addresses, codes, consents, known_clients, sessions},
};
use kit::{
    Id, Tx,
    storage::{db::Begun, idempotency, page::Page, version},
};
use proto::quickserve::user::v1::{self as pb, user_service_server::UserService};
use tonic::{Request, Response, Status, async_trait};

/// The RPCs of accounts.
pub struct Api {
    pub registration: Registration,
    pub repository: Repository,
}

impl Api {
    /// The whole of an account, from the cache when it is there.
    async fn load(&self, id: UserId) -> Result<pb::User, Error> {
        let hot = &self.repository.hot;
        if let Some(user) = hot.get(id).await {
            return Ok(user);
        }
        let seen = hot.begin();
        let user = self.repository.user(id).await?.ok_or(Error::UserNotFound)?;
        let user = convert::user(user);
        hot.put(id, &user, seen).await;
        Ok(user)
    }

    /// Commits a change of an account. What was kept of the account goes.
    async fn commit(&self, tx: Tx, id: UserId) -> Result<(), Error> {
        tx.commit().await?;
        self.repository.hot.forget(id).await;
        Ok(())
    }
}

/// The key of a registration. The password is no part of what it is bound to: its hash there would be a fast one.
fn registration_key(request: &mut Request<pb::CreateUserRequest>) -> Option<idempotency::Key> {
    let password = std::mem::take(&mut request.get_mut().password);
    let key = idempotency::Key::of(request);
    request.get_mut().password = password;
    key
}

#[async_trait]
impl UserService for Api {
    async fn create_user(
        &self,
        mut request: Request<pb::CreateUserRequest>,
    ) -> Result<Response<pb::CreateUserResponse>, Status> {
        let client = client_of(&request);
        let key = registration_key(&mut request);
        let made = self.registration.register(request.into_inner(), key, &client).await?;
        Ok(made)
    }

    async fn get_user(
        &self,
        request: Request<pb::GetUserRequest>,
    ) -> Result<Response<pb::GetUserResponse>, Status> {
        let id = Id::parse("user_id", &request.get_ref().user_id)?;
        let user = self.load(id).await?;
        let user = convert::seen_by(&kit::caller_of(&request), user)?;
        Ok(Response::new(pb::GetUserResponse { user: Some(user) }))
    }

    async fn get_me(
        &self,
        request: Request<pb::GetMeRequest>,
    ) -> Result<Response<pb::GetMeResponse>, Status> {
        let (id, _) = signed_in(&request)?;
        let user = match self.load(id).await {
            Ok(user) if user.status() == pb::UserStatus::Active => user,
            Ok(_) | Err(Error::UserNotFound) => return Err(Error::SessionRevoked.into()),
            Err(error) => return Err(error.into()),
        };
        Ok(Response::new(pb::GetMeResponse { user: Some(convert::own(user)) }))
    }

    async fn update_me(
        &self,
        request: Request<pb::UpdateMeRequest>,
    ) -> Result<Response<pb::UpdateMeResponse>, Status> {
        let (id, _) = signed_in(&request)?;
        let pb::UpdateMeRequest { changes, update_mask, version: expected } = request.into_inner();
        let paths = update_mask.map(|mask| mask.paths).unwrap_or_default();
        let changes = convert::changes(changes.unwrap_or_default());
        let tx = self.repository.db.begin().await?;
        let mut user = repository::lock_signed_in(&tx, id).await?;
        version::expect_version(expected, user.version)?;
        let before = user.clone();
        changes.apply(&paths, &mut user)?;
        if user != before {
            repository::save_user(&tx, &mut user).await?;
        }
        self.commit(tx, id).await?;
        let user = convert::own(convert::user(user));
        Ok(Response::new(pb::UpdateMeResponse { user: Some(user) }))
    }

    async fn add_role(
        &self,
        request: Request<pb::AddRoleRequest>,
    ) -> Result<Response<pb::AddRoleResponse>, Status> {
        let (id, _) = signed_in(&request)?;
        let role = account::registered_role(&request.get_ref().role)?;
        let tx = self.repository.db.begin().await?;
        let mut user = repository::lock_signed_in(&tx, id).await?;
        if user.add_role(role)? {
            repository::save_user(&tx, &mut user).await?;
        }
        self.commit(tx, id).await?;
        let user = convert::own(convert::user(user));
        Ok(Response::new(pb::AddRoleResponse { user: Some(user) }))
    }

    async fn erase_me(
        &self,
        request: Request<pb::EraseMeRequest>,
    ) -> Result<Response<pb::EraseMeResponse>, Status> {
        let (id, _) = signed_in(&request)?;
        let is_operator = kit::caller_of(&request).is_operator();
        let pb::EraseMeRequest {} = request.into_inner();
        let tx = self.repository.db.begin().await?;
        if is_operator {
            account::keep_an_operator(&accounts::lock_active_operators(&tx).await?, id)?;
        }
        let mut user = repository::lock_user(&tx, id).await?;
        if user.erase()? {
            sessions::end_all(&tx, &mut user).await?;
            accounts::delete_password(&tx, id).await?;
            codes::delete_all(&tx, id).await?;
            known_clients::forget_all(&tx, id).await?;
            addresses::delete_all(&tx, id).await?;
            idempotency::forget_account(&tx, id.uuid()).await?;
            events::record_event(&tx, &mut user, events::ERASED).await?;
            repository::save_user(&tx, &mut user).await?;
        }
        self.commit(tx, id).await?;
        self.repository.announce_revocation(id);
        Ok(Response::new(pb::EraseMeResponse {}))
    }

    async fn suspend_user(
        &self,
        request: Request<pb::SuspendUserRequest>,
    ) -> Result<Response<pb::SuspendUserResponse>, Status> {
        let (caller, _) = signed_in(&request)?;
        let pb::SuspendUserRequest { user_id, reason } = request.into_inner();
        let id = Id::parse("user_id", &user_id)?;
        if id == caller {
            return Err(Error::SelfSuspension.into());
        }
        let tx = self.repository.db.begin().await?;
        account::keep_an_operator(&accounts::lock_active_operators(&tx).await?, id)?;
        let mut user = repository::lock_user(&tx, id).await?;
        if user.suspend(reason)? {
            sessions::end_all(&tx, &mut user).await?;
            events::record_event(&tx, &mut user, events::SUSPENDED).await?;
            repository::save_user(&tx, &mut user).await?;
        }
        self.commit(tx, id).await?;
        self.repository.announce_revocation(id);
        Ok(Response::new(pb::SuspendUserResponse { user: Some(convert::user(user)) }))
    }

    async fn reinstate_user(
        &self,
        request: Request<pb::ReinstateUserRequest>,
    ) -> Result<Response<pb::ReinstateUserResponse>, Status> {
        let pb::ReinstateUserRequest { user_id } = request.into_inner();
        let id = Id::parse("user_id", &user_id)?;
        let tx = self.repository.db.begin().await?;
        let mut user = repository::lock_user(&tx, id).await?;
        if user.reinstate()? {
            events::record_event(&tx, &mut user, events::REINSTATED).await?;
            repository::save_user(&tx, &mut user).await?;
        }
        self.commit(tx, id).await?;
        Ok(Response::new(pb::ReinstateUserResponse { user: Some(convert::user(user)) }))
    }

    async fn create_address(
        &self,
        request: Request<pb::CreateAddressRequest>,
    ) -> Result<Response<pb::CreateAddressResponse>, Status> {
        let (user_id, _) = signed_in(&request)?;
        let key = idempotency::Key::of(&request);
        let pb::CreateAddressRequest { label, address } = request.into_inner();
        let place = convert::place(address.unwrap_or_default());
        check_country(&place, "address.country")?;
        let tx = match self.repository.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let user = repository::lock_signed_in(&tx, user_id).await?;
        let address = Address {
            id: Id::new(tx.clock()),
            user_id: user.id,
            label,
            address: place,
            version: 1,
            created_at: tx.now(),
            updated_at: tx.now(),
        };
        addresses::insert_address(&tx, &address).await?;
        let address = Some(convert::saved_address(address));
        Ok(tx.commit_answer(pb::CreateAddressResponse { address }).await?)
    }

    async fn list_addresses(
        &self,
        request: Request<pb::ListAddressesRequest>,
    ) -> Result<Response<pb::ListAddressesResponse>, Status> {
        let (user_id, _) = signed_in(&request)?;
        let pb::ListAddressesRequest { page_size, page_token } = request.into_inner();
        let page = Page::parse(page_size, &page_token)?;
        let mut rows = self.repository.addresses(user_id, page).await?;
        let next_page_token = page.cut(&mut rows, |row| row.id.uuid());
        let addresses = rows.into_iter().map(convert::saved_address).collect();
        Ok(Response::new(pb::ListAddressesResponse { addresses, next_page_token }))
    }

    async fn get_address(
        &self,
        request: Request<pb::GetAddressRequest>,
    ) -> Result<Response<pb::GetAddressResponse>, Status> {
        let (user_id, _) = signed_in(&request)?;
        let pb::GetAddressRequest { address_id } = request.into_inner();
        let id = Id::parse("address_id", &address_id)?;
        let address = self.repository.address(user_id, id).await?;
        let address = Some(convert::saved_address(address));
        Ok(Response::new(pb::GetAddressResponse { address }))
    }

    async fn update_address(
        &self,
        request: Request<pb::UpdateAddressRequest>,
    ) -> Result<Response<pb::UpdateAddressResponse>, Status> {
        let (user_id, _) = signed_in(&request)?;
        let pb::UpdateAddressRequest { address_id, changes, update_mask, version: expected } =
            request.into_inner();
        let id = Id::parse("address_id", &address_id)?;
        let paths = update_mask.map(|mask| mask.paths).unwrap_or_default();
        let changes = convert::address_changes(changes.unwrap_or_default());
        let tx = self.repository.db.begin().await?;
        let mut address = addresses::lock_address(&tx, user_id, id).await?;
        version::expect_version(expected, address.version)?;
        let before = address.clone();
        changes.apply(&paths, &mut address)?;
        if address != before {
            addresses::save_address(&tx, &mut address).await?;
        }
        tx.commit().await?;
        let address = Some(convert::saved_address(address));
        Ok(Response::new(pb::UpdateAddressResponse { address }))
    }

    async fn delete_address(
        &self,
        request: Request<pb::DeleteAddressRequest>,
    ) -> Result<Response<pb::DeleteAddressResponse>, Status> {
        let (user_id, _) = signed_in(&request)?;
        let pb::DeleteAddressRequest { address_id } = request.into_inner();
        self.repository.delete_address(user_id, Id::parse("address_id", &address_id)?).await?;
        Ok(Response::new(pb::DeleteAddressResponse {}))
    }

    async fn record_consent(
        &self,
        request: Request<pb::RecordConsentRequest>,
    ) -> Result<Response<pb::RecordConsentResponse>, Status> {
        let (user_id, _) = signed_in(&request)?;
        let key = idempotency::Key::of(&request);
        let pb::RecordConsentRequest { kind, text_version, granted } = request.into_inner();
        let tx = match self.repository.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let user_id = repository::lock_signed_in(&tx, user_id).await?.id;
        let (id, answered_at) = (Id::new(tx.clock()), tx.now());
        let consent = Consent { id, user_id, kind, text_version, granted, answered_at };
        consents::insert_consents(&tx, &consent).await?;
        let consent = Some(convert::consent(consent));
        Ok(tx.commit_answer(pb::RecordConsentResponse { consent }).await?)
    }

    async fn list_consents(
        &self,
        request: Request<pb::ListConsentsRequest>,
    ) -> Result<Response<pb::ListConsentsResponse>, Status> {
        let (user_id, _) = signed_in(&request)?;
        let pb::ListConsentsRequest { page_size, page_token } = request.into_inner();
        let page = Page::parse(page_size, &page_token)?;
        let mut rows = self.repository.consents(user_id, page).await?;
        let next_page_token = page.cut(&mut rows, |row| row.id.uuid());
        let consents = rows.into_iter().map(convert::consent).collect();
        Ok(Response::new(pb::ListConsentsResponse { consents, next_page_token }))
    }
}
