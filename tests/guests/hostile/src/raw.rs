//! The exports, made by hand where the SDK would not let a wrong frame out.

use std::cell::{Cell, OnceCell};

use hookwire_plugin::bindings::deliver::exports::hookwire::plugin::{deliver, deliver_batch};
use hookwire_plugin::bindings::on_publish::exports::hookwire::plugin::{on_publish, on_publish_batch};
use hookwire_plugin::bindings::types::{ClientKey, Message, Source, Verdict};
use hookwire_plugin::component::Component;

use crate::Hostile;
use crate::behaviour::Behaviour;

thread_local! {
    static HOSTILE: OnceCell<Hostile> = const { OnceCell::new() };
    /// What is to become of the frame of the present batch.
    static SPOILT: Cell<Option<Behaviour>> = const { Cell::new(None) };
}

/// Remembers to spoil the answer to the present batch, if that is asked for.
pub(crate) fn spoil_frame(behaviour: Option<Behaviour>) {
    if let Some(Behaviour::GarbageFrame | Behaviour::ShortFrame) = behaviour {
        SPOILT.set(behaviour);
    }
}

/// What the SDK would export.
struct Honest;

impl Component for Honest {
    type Plugin = Hostile;

    fn with_cell<R>(use_cell: impl FnOnce(&OnceCell<Hostile>) -> R) -> R {
        HOSTILE.with(use_cell)
    }
}

struct Raw;

impl on_publish::Guest for Raw {
    fn on_publish(source: Source, message: Message) -> Verdict {
        <Honest as on_publish::Guest>::on_publish(source, message)
    }
}

impl on_publish_batch::Guest for Raw {
    fn on_publish_batch(entries: Vec<u8>, bytes: Vec<u8>) -> Vec<u8> {
        spoilt(<Honest as on_publish_batch::Guest>::on_publish_batch(
            entries, bytes,
        ))
    }
}

impl deliver::Guest for Raw {
    fn deliver(recipient: ClientKey, source: Source, message: Message) -> deliver::Decision {
        <Honest as deliver::Guest>::deliver(recipient, source, message)
    }
}

impl deliver_batch::Guest for Raw {
    fn deliver_batch(deliveries: Vec<u8>) -> Vec<u8> {
        spoilt(<Honest as deliver_batch::Guest>::deliver_batch(deliveries))
    }
}

fn spoilt(mut answers: Vec<u8>) -> Vec<u8> {
    match SPOILT.take() {
        Some(Behaviour::GarbageFrame) => (0..=255).rev().collect(),
        Some(Behaviour::ShortFrame) => {
            answers.pop();
            answers
        }
        _ => answers,
    }
}

const _: () = {
    hookwire_plugin::__stand_in_for_libc!();
    hookwire_plugin::__export_hook!(Lifecycle, Honest);
    hookwire_plugin::__export_hook!(OnPublish, Raw);
    hookwire_plugin::__export_hook!(Authenticate, Honest);
    hookwire_plugin::__export_hook!(AuthenticateEnhanced, Honest);
    hookwire_plugin::__export_hook!(Authorize, Honest);
    hookwire_plugin::__export_hook!(OnSubscribe, Honest);
    hookwire_plugin::__export_hook!(OnUnsubscribe, Honest);
    hookwire_plugin::__export_hook!(Deliver, Raw);
    hookwire_plugin::__export_hook!(Route, Honest);
    hookwire_plugin::__export_hook!(OnWill, Honest);
    hookwire_plugin::__export_hook!(Events, Honest);
};
