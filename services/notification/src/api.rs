//! The RPCs. Those that change something read top to bottom: parse, begin, lock, rule, save, commit.

use crate::{
    contacts::Contacts,
    convert,
    domain::{
        Error, Message, MessageId,
        settings::{Preferences, QuietHours},
        template::Templates,
        text::Locale,
    },
    repository::{Repository, inbox, settings},
    watch::{Stream, Watches},
};
use kit::{Id, storage::page::Page};
use proto::quickserve::notification::v1::{
    self as pb, notification_service_server::NotificationService,
};
use std::sync::Arc;
use tonic::{Request, Response, Status, async_trait};
use uuid::Uuid;

/// Reads inboxes in the language of their owners.
#[derive(Clone)]
pub struct Reader {
    pub repository: Repository,
    /// What is known of accounts.
    pub contacts: Contacts,
    pub templates: Arc<Templates>,
}

impl Reader {
    /// The language of an account: its wish, or what its account says.
    pub async fn locale(&self, user_id: Uuid) -> Result<Locale, Error> {
        let wish = self.repository.settings(user_id).await?.locale;
        if !wish.is_empty() {
            return Ok(Locale::first_of([&wish, ""]));
        }
        match self.contacts.of(user_id).await {
            Ok(contact) => {
                let locale = contact.map(|contact| contact.locale).unwrap_or_default();
                Ok(Locale::first_of([&locale, ""]))
            }
            // An inbox in another language is better than none.
            Err(error) => {
                tracing::warn!(%error, user.id = %user_id, "cannot load the language of an account, its inbox is shown in the default one");
                Ok(Locale::default())
            }
        }
    }

    /// A message as its reader sees it.
    pub fn show(&self, locale: Locale, message: &Message) -> pb::Message {
        let said = self.templates.render(locale, &message.template, &message.particulars, None);
        convert::message(message, said)
    }
}

/// The RPCs of the inbox.
pub struct Api {
    pub reader: Reader,
    pub watches: Watches,
}

fn signed_in<T>(request: &Request<T>) -> Result<Uuid, Error> {
    Ok(kit::caller_of(request).subject()?.user_id)
}

#[async_trait]
impl NotificationService for Api {
    type WatchInboxStream = Stream;

    async fn list_messages(
        &self,
        request: Request<pb::ListMessagesRequest>,
    ) -> Result<Response<pb::ListMessagesResponse>, Status> {
        let user_id = signed_in(&request)?;
        let pb::ListMessagesRequest { page_size, page_token, unread_only } = request.into_inner();
        let page = Page::parse(page_size, &page_token)?;
        let mut rows = self.reader.repository.inbox(user_id, page, unread_only).await?;
        let next_page_token = page.cut(&mut rows, |row| row.id.uuid());
        let locale = self.reader.locale(user_id).await?;
        let messages = rows.iter().map(|row| self.reader.show(locale, row)).collect();
        Ok(Response::new(pb::ListMessagesResponse { messages, next_page_token }))
    }

    async fn watch_inbox(
        &self,
        request: Request<pb::WatchInboxRequest>,
    ) -> Result<Response<Self::WatchInboxStream>, Status> {
        let user_id = signed_in(&request)?;
        let pb::WatchInboxRequest { after } = request.into_inner();
        let after = MessageId::parse_optional("after", &after)?;
        Ok(Response::new(self.watches.watch(user_id, after).await?))
    }

    async fn mark_read(
        &self,
        request: Request<pb::MarkReadRequest>,
    ) -> Result<Response<pb::MarkReadResponse>, Status> {
        let user_id = signed_in(&request)?;
        let pb::MarkReadRequest { message_id } = request.into_inner();
        let id = Id::parse("message_id", &message_id)?;
        let tx = self.reader.repository.db.begin().await?;
        let mut message = inbox::lock_message(&tx, user_id, id).await?;
        if message.mark_read(tx.now()) {
            inbox::save_read_at(&tx, &message).await?;
        }
        tx.commit().await?;
        let message = self.reader.show(self.reader.locale(user_id).await?, &message);
        Ok(Response::new(pb::MarkReadResponse { message: Some(message) }))
    }

    async fn get_preferences(
        &self,
        request: Request<pb::GetPreferencesRequest>,
    ) -> Result<Response<pb::GetPreferencesResponse>, Status> {
        let user_id = signed_in(&request)?;
        let pb::GetPreferencesRequest {} = request.into_inner();
        let settings = self.reader.repository.settings(user_id).await?;
        let preferences = Some(convert::preferences(settings));
        Ok(Response::new(pb::GetPreferencesResponse { preferences }))
    }

    async fn update_preferences(
        &self,
        request: Request<pb::UpdatePreferencesRequest>,
    ) -> Result<Response<pb::UpdatePreferencesResponse>, Status> {
        let user_id = signed_in(&request)?;
        let pb::UpdatePreferencesRequest { preferences } = request.into_inner();
        let pb::Preferences { email, locale, version } = preferences.unwrap_or_default();
        let new = Preferences { email, locale, version };
        let tx = self.reader.repository.db.begin().await?;
        let mut settings = settings::lock_settings(&tx, user_id).await?;
        settings.replace_preferences(new)?;
        settings::save_settings(&tx, &settings).await?;
        tx.commit().await?;
        let preferences = Some(convert::preferences(settings));
        Ok(Response::new(pb::UpdatePreferencesResponse { preferences }))
    }

    async fn get_quiet_hours(
        &self,
        request: Request<pb::GetQuietHoursRequest>,
    ) -> Result<Response<pb::GetQuietHoursResponse>, Status> {
        let user_id = signed_in(&request)?;
        let pb::GetQuietHoursRequest {} = request.into_inner();
        let settings = self.reader.repository.settings(user_id).await?;
        let quiet_hours = Some(convert::quiet_hours(settings));
        Ok(Response::new(pb::GetQuietHoursResponse { quiet_hours }))
    }

    async fn update_quiet_hours(
        &self,
        request: Request<pb::UpdateQuietHoursRequest>,
    ) -> Result<Response<pb::UpdateQuietHoursResponse>, Status> {
        let user_id = signed_in(&request)?;
        let pb::UpdateQuietHoursRequest { quiet_hours } = request.into_inner();
        let pb::QuietHours { enabled, from, to, time_zone, version } =
            quiet_hours.unwrap_or_default();
        let new = QuietHours::parse(enabled, &from, &to, time_zone, version)?;
        let tx = self.reader.repository.db.begin().await?;
        let mut settings = settings::lock_settings(&tx, user_id).await?;
        settings.replace_quiet_hours(new)?;
        settings::save_settings(&tx, &settings).await?;
        tx.commit().await?;
        let quiet_hours = Some(convert::quiet_hours(settings));
        Ok(Response::new(pb::UpdateQuietHoursResponse { quiet_hours }))
    }
}
