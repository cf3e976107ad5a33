//! Remembers the events that services publish.

use crate::{
    messaging::bus::Consumer, messaging::event::Event, program::host::Host, rpc::error::Error,
};
use async_trait::async_trait;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use uuid::Uuid;

/// Remembers each event of the kinds that it wants once, in the order in which they came.
pub struct EventRecorder {
    prefixes: &'static [&'static str],
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    events: Vec<Event>,
    deliveries: usize,
    to_fail: usize,
}

impl EventRecorder {
    /// Records the events whose kind begins with one of `prefixes`. Subscribe it before anything happens.
    pub fn new(prefixes: &'static [&'static str]) -> Arc<Self> {
        Arc::new(Self { prefixes, state: Mutex::default() })
    }

    /// A new recorder that is subscribed to the events of the process of `host`.
    pub fn subscribed(host: &Host, prefixes: &'static [&'static str]) -> Arc<Self> {
        let recorder = Self::new(prefixes);
        host.subscribe(recorder.clone()).unwrap();
        recorder
    }

    /// Has the next `deliveries` fail, so that the bus delivers their events again.
    pub fn fail_next(&self, deliveries: usize) {
        self.state.lock().unwrap().to_fail = deliveries;
    }

    /// How often an event was delivered, failed deliveries and repeated ones included.
    pub fn deliveries(&self) -> usize {
        self.state.lock().unwrap().deliveries
    }

    /// Every event so far.
    pub fn events(&self) -> Vec<Event> {
        self.state.lock().unwrap().events.clone()
    }

    /// The events of one aggregate so far.
    pub fn events_of(&self, aggregate: &str) -> Vec<Event> {
        let aggregate: Uuid = aggregate.parse().unwrap();
        self.events().into_iter().filter(|event| event.aggregate == aggregate).collect()
    }

    /// The kinds of the events of one aggregate so far.
    pub fn kinds_of(&self, aggregate: &str) -> Vec<String> {
        self.events_of(aggregate).into_iter().map(|event| event.kind).collect()
    }

    /// The messages of the events of one kind so far.
    pub fn messages<M: prost::Message + Default>(&self, kind: &str) -> Vec<M> {
        let events = self.events().into_iter().filter(|event| event.kind == kind);
        events.map(|event| event.decode().unwrap()).collect()
    }

    /// Checks that the events of each aggregate came in order, counted from 1 without a gap.
    #[track_caller]
    pub fn assert_no_gaps(&self) {
        let mut last = HashMap::<Uuid, i64>::new();
        for event in self.events() {
            let last = last.entry(event.aggregate).or_default();
            *last += 1;
            assert_eq!(event.seq, *last, "{} of {}", event.kind, event.aggregate);
        }
    }
}

#[async_trait]
impl Consumer for EventRecorder {
    fn wants(&self, kind: &str) -> bool {
        self.prefixes.iter().any(|prefix| kind.starts_with(prefix))
    }

    async fn consume(&self, event: &Event) -> Result<(), Error> {
        let mut state = self.state.lock().unwrap();
        state.deliveries += 1;
        if state.to_fail > 0 {
            state.to_fail -= 1;
            return Err(Error::internal("the test lets this delivery fail"));
        }
        if state.events.iter().all(|seen| seen.id != event.id) {
            state.events.push(event.clone());
        }
        Ok(())
    }
}
