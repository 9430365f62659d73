//! `topics`: the topic rules of MQTT.

use hookwire_protocol::{TopicFilter, TopicName};

use crate::bindings::imports::topics::Host;
use crate::guest::Guest;

impl Host for Guest {
    fn valid_name(&mut self, name: String) -> bool {
        TopicName::new(name).is_ok()
    }

    fn valid_filter(&mut self, filter: String) -> bool {
        TopicFilter::new(filter).is_ok()
    }

    fn matches(&mut self, filter: String, name: String) -> bool {
        match (TopicFilter::new(filter), TopicName::new(name)) {
            (Ok(filter), Ok(name)) => filter.matches(&name),
            _ => false,
        }
    }
}
