//! Rows as messages of the contract, failures as its statuses.

use crate::domain::{
    Message, Settings, catalogue::Importance, quiet::clock_time, template::Rendered,
};
use kit::values::time::timestamp;
use proto::quickserve::notification::v1 as pb;

/// A message in words.
pub fn message(row: &Message, Rendered { subject, body }: Rendered) -> pb::Message {
    pb::Message {
        id: row.id.to_string(),
        template: row.template.clone(),
        subject,
        body,
        order_id: row.order_id.map(|order| order.to_string()).unwrap_or_default(),
        critical: row.importance == Importance::Critical,
        created_at: Some(timestamp(row.created_at)),
        read_at: row.read_at.map(timestamp),
    }
}

pub fn preferences(settings: Settings) -> pb::Preferences {
    let Settings { email, locale, preferences_version: version, .. } = settings;
    pb::Preferences { email, locale, version }
}

pub fn quiet_hours(settings: Settings) -> pb::QuietHours {
    let hours = settings.quiet_hours();
    pb::QuietHours {
        enabled: hours.is_some(),
        from: hours.map(|hours| clock_time(hours.from)).unwrap_or_default(),
        to: hours.map(|hours| clock_time(hours.to)).unwrap_or_default(),
        time_zone: settings.time_zone,
        version: settings.quiet_version,
    }
}
