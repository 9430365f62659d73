//! `[ban]`, `[flapping]` and `[redirect]`

use std::ops::RangeInclusive;
use std::time::Duration;

use super::defaults::days;
use super::kinds::{boolean, duration, integer, list, network, text};
use super::reader::Section;
use super::settings::{BanSettings, FlappingSettings, Redirect};

pub(super) fn read_ban(mut section: Section<'_>) -> BanSettings {
    let client_ids = section.take("client_ids", list("client ids", text("a client id")));
    let usernames = section.take("usernames", list("user names", text("a user name")));
    let addresses = section.take("addresses", list("addresses", network));
    section.finish();
    BanSettings {
        client_ids: client_ids.into_iter().flatten().collect(),
        usernames: usernames.into_iter().flatten().collect(),
        addresses: addresses.unwrap_or_default(),
    }
}

pub(super) fn read_flapping(mut section: Section<'_>) -> FlappingSettings {
    const TIME: RangeInclusive<Duration> = Duration::from_millis(100)..=days(1);
    let mut flapping = FlappingSettings::default();
    section.set("connects_max", &mut flapping.connects_max, integer(0..=1_000_000));
    section.set("window", &mut flapping.window, duration(TIME));
    section.set("ban", &mut flapping.ban, duration(TIME));
    section.finish();
    flapping
}

pub(super) fn read_redirect(mut section: Section<'_>) -> Option<Redirect> {
    let mut permanent = false;
    let server = section.take("server", text("a server such as \"mqtt2.example.org:1883\""));
    section.set("permanent", &mut permanent, boolean);
    section.finish();
    server.map(|server| Redirect { server, permanent })
}
