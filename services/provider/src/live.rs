//! Live dispatch: who is online and near a place, and going online and offline.
//!
//! The position index says who may be near, and is never the truth: presences, reservations and standings are tables.

use crate::{
    domain::{
        Asset, AssetId, Error, Presence, Provider, ProviderId,
        presence::{
            DEFAULT_RADIUS_M, MAX_NEAR, MAX_POSITION_AGE, MAX_SILENCE, POSITION_LAYER,
            candidate_points, travel_time,
        },
        profile::{ProviderKind, State},
        standing::Standing,
    },
    repository::{Candidate, Providers, Search, assets, presences, profiles},
    worker::PRESENCE_SILENT,
};
use chrono::Duration;
use kit::{
    Tx,
    messaging::timers,
    storage::position::{Circle, PositionIndex},
    values::coordinates::Coordinates,
};
use std::{cmp::Reverse, collections::HashMap};
use uuid::Uuid;

/// Those who are online, near the place, free and eligible, and do no exclusive job, the best first.
pub async fn find_live_candidates(
    providers: &Providers,
    positions: &dyn PositionIndex,
    search: Search<'_>,
) -> Result<Vec<Candidate>, Error> {
    let place = search.job.place.ok_or_else(|| {
        Error::invalid("address", "must have lat and lng where those who are near are looked for")
    })?;
    let circle = Circle {
        centre: Coordinates { lat: place.lat, lng: place.lng },
        radius_m: search.radius_m.unwrap_or(DEFAULT_RADIUS_M),
    };
    let now = providers.clock().now();
    let near = positions.near(POSITION_LAYER, circle, now - MAX_POSITION_AGE, MAX_NEAR).await?;
    let travel: HashMap<ProviderId, Duration> = near
        .iter()
        .map(|it| (ProviderId::from_uuid(it.id), travel_time(it.metres)))
        .filter(|(id, _)| !search.excluded.contains(id))
        .filter(|(id, _)| !search.preferred_only || search.preferred.contains(id))
        .collect();
    let ids: Vec<ProviderId> = travel.keys().copied().collect();
    // None of them needs another one's answer.
    let (online, running, mut profiles) = tokio::try_join!(
        providers.online_of(&ids),
        presences::running_of(providers.db.connection(), &ids, now),
        providers.bookable_of(&ids, &search.job.vertical),
    )?;
    profiles.retain(|profile| online.contains_key(&profile.id) && !running.contains(&profile.id));
    let standings = free_standings(providers, &profiles, &online, search).await?;
    let scores: HashMap<ProviderId, i32> = profiles.iter().map(|it| (it.id, it.score)).collect();
    let mut found: Vec<(i64, Candidate)> = Vec::with_capacity(standings.len());
    for standing in standings {
        let id = standing.provider_id;
        let (Some(presence), Some(travel)) = (online.get(&id), travel.get(&id)) else { continue };
        let score = scores.get(&id).copied().unwrap_or_default();
        let points = candidate_points(*travel, score, now - presence.idle_since);
        found.push((points, Candidate { standing, travel: Some(*travel) }));
    }
    found.sort_by_key(|(points, candidate)| {
        let id = candidate.standing.provider_id;
        (Reverse(*points), !search.preferred.contains(&id), id)
    });
    found.truncate(search.most);
    Ok(found.into_iter().map(|(_, candidate)| candidate).collect())
}

/// The standings of those who may take the job with the vehicle that they are online with.
async fn free_standings(
    providers: &Providers,
    profiles: &[Provider],
    online: &HashMap<ProviderId, Presence>,
    search: Search<'_>,
) -> Result<Vec<Standing>, Error> {
    let mut standings = providers.standings(profiles).await?;
    for standing in &mut standings {
        let presence = online.get(&standing.provider_id);
        if standing.kind == ProviderKind::Solo {
            standing.keep_vehicle(presence.and_then(|presence| presence.asset_id));
        }
    }
    standings.retain(|standing| standing.objections(search.job, search.customer).is_empty());
    providers.retain_free(&mut standings, search.job).await?;
    Ok(standings)
}

/// Puts a provider online with a vehicle or without.
pub async fn go_online(
    providers: &Providers,
    user_id: Uuid,
    asset_id: Option<AssetId>,
) -> Result<Presence, Error> {
    let tx = providers.db.begin().await?;
    let provider = lock_own(&tx, user_id).await?;
    if provider.state != State::Active {
        return Err(Error::NotActive);
    }
    if let Some(id) = asset_id {
        let Asset { active, .. } = assets::lock_asset(&tx, provider.id, id).await?;
        if !active {
            return Err(Error::AssetInactive);
        }
    }
    let mut presence = presences::find_presence(&tx, provider.id).await?;
    presence.go_online(asset_id, is_running(&tx, provider.id).await?, tx.now())?;
    presences::save_presence(&tx, &presence).await?;
    let silent_at = presence.seen_at + MAX_SILENCE;
    timers::schedule_timer(&tx, PRESENCE_SILENT, provider.id.uuid(), silent_at).await?;
    tx.commit().await?;
    Ok(presence)
}

/// Takes a provider offline.
pub async fn go_offline(
    providers: &Providers,
    positions: &dyn PositionIndex,
    user_id: Uuid,
) -> Result<Presence, Error> {
    let tx = providers.db.begin().await?;
    let provider = lock_own(&tx, user_id).await?;
    let presence = presences::find_presence(&tx, provider.id).await?;
    let presence = end_presence(&tx, presence).await?;
    tx.commit().await?;
    positions.remove(POSITION_LAYER, provider.id.uuid()).await?;
    Ok(presence)
}

/// A vehicle of a provider, whose profile is locked, is not in use any more. Who is online with it goes offline, and is
/// refused while an order runs, which the vehicle does. Tells whether the provider went offline.
pub async fn give_up_vehicle(
    tx: &Tx,
    provider_id: ProviderId,
    asset_id: AssetId,
) -> Result<bool, Error> {
    let presence = presences::find_presence(tx, provider_id).await?;
    let is_driven = presence.online && presence.asset_id == Some(asset_id);
    if is_driven {
        end_presence(tx, presence).await?;
    }
    Ok(is_driven)
}

async fn end_presence(tx: &Tx, mut presence: Presence) -> Result<Presence, Error> {
    let id = presence.provider_id;
    presence.go_offline(is_running(tx, id).await?, tx.now())?;
    presences::save_presence(tx, &presence).await?;
    timers::cancel_timer(tx, PRESENCE_SILENT, id.uuid()).await?;
    Ok(presence)
}

/// Takes a provider offline of whom no position has come for too long, or looks again later.
pub async fn end_silent_presence(providers: &Providers, id: ProviderId) -> Result<(), Error> {
    let tx = providers.db.begin().await?;
    match profiles::lock_profile(&tx, id, kit::Scope::All).await {
        Err(Error::ProviderNotFound) => return Ok(()),
        found => found?,
    };
    let mut presence = presences::find_presence(&tx, id).await?;
    if let Some(silent_at) = presence.end_silence(tx.now()) {
        timers::schedule_timer(&tx, PRESENCE_SILENT, id.uuid(), silent_at).await?;
    }
    presences::save_presence(&tx, &presence).await?;
    Ok(tx.commit().await?)
}

async fn lock_own(tx: &Tx, user_id: Uuid) -> Result<Provider, Error> {
    profiles::lock_of_user(tx, user_id).await?.ok_or(Error::ProviderNotFound)
}

async fn is_running(tx: &Tx, id: ProviderId) -> Result<bool, Error> {
    Ok(!presences::running_of(&**tx, &[id], tx.now()).await?.is_empty())
}
