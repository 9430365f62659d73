//! What `wit-bindgen` makes of the contract: one module with the types and the imports, one for each hook.

#![allow(
    missing_docs,
    unsafe_code,
    unused_qualifications,
    unreachable_pub,
    elided_lifetimes_in_paths,
    clippy::allow_attributes_without_reason,
    clippy::manual_let_else,
    clippy::or_fun_call,
    clippy::use_self,
    reason = "generated from wit/, where the documentation is"
)]

/// Binds the world `$world` of `worlds.wit` and makes the macro `$export` that turns a type into its exports. `with`
/// names an interface of types beside `types` that the hook uses.
macro_rules! bind_hook {
    ($module:ident, $world:literal, $export:literal, $path:literal $(, with $shared:literal: $types:ident)?) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: ["wit", "worlds.wit"],
                world: $world,
                with: {
                    "hookwire:plugin/types@0.1.0": crate::bindings::types
                    $(, $shared: crate::bindings::$types)?
                },
                additional_derives: [PartialEq],
                pub_export_macro: true,
                export_macro_name: $export,
                default_bindings_module: $path,
            });
        }
    };
}

pub mod host {
    wit_bindgen::generate!({
        path: ["wit", "worlds.wit"],
        world: "hookwire:sdk/host",
        generate_all,
        additional_derives: [PartialEq],
    });
}

pub use host::hookwire::plugin::{admission, types};
pub use host::hookwire::plugin::{clients, http, kv, password, publish, rate_limit, retained, signatures};
#[cfg(target_family = "wasm")]
pub use host::hookwire::plugin::{clock, log, metrics, random, secrets, topics};

bind_hook!(
    lifecycle,
    "hookwire:sdk/lifecycle",
    "__export_lifecycle",
    "hookwire_plugin::bindings::lifecycle"
);
bind_hook!(
    authenticate,
    "hookwire:sdk/authenticate",
    "__export_authenticate",
    "hookwire_plugin::bindings::authenticate",
    with "hookwire:plugin/admission@0.1.0": admission
);
bind_hook!(
    authenticate_enhanced,
    "hookwire:sdk/authenticate-enhanced",
    "__export_authenticate_enhanced",
    "hookwire_plugin::bindings::authenticate_enhanced",
    with "hookwire:plugin/admission@0.1.0": admission
);
bind_hook!(
    authorize,
    "hookwire:sdk/authorize",
    "__export_authorize",
    "hookwire_plugin::bindings::authorize"
);
bind_hook!(
    on_publish,
    "hookwire:sdk/on-publish",
    "__export_on_publish",
    "hookwire_plugin::bindings::on_publish"
);
bind_hook!(
    on_subscribe,
    "hookwire:sdk/on-subscribe",
    "__export_on_subscribe",
    "hookwire_plugin::bindings::on_subscribe"
);
bind_hook!(
    on_unsubscribe,
    "hookwire:sdk/on-unsubscribe",
    "__export_on_unsubscribe",
    "hookwire_plugin::bindings::on_unsubscribe"
);
bind_hook!(
    deliver,
    "hookwire:sdk/deliver",
    "__export_deliver",
    "hookwire_plugin::bindings::deliver"
);
bind_hook!(
    route,
    "hookwire:sdk/route",
    "__export_route",
    "hookwire_plugin::bindings::route"
);
bind_hook!(
    on_will,
    "hookwire:sdk/on-will",
    "__export_on_will",
    "hookwire_plugin::bindings::on_will"
);
bind_hook!(
    events,
    "hookwire:sdk/events",
    "__export_events",
    "hookwire_plugin::bindings::events"
);

/// It speaks of nothing that others speak of, so there are no types to share.
pub mod control {
    wit_bindgen::generate!({
        path: ["wit", "worlds.wit"],
        world: "hookwire:sdk/control",
        pub_export_macro: true,
        export_macro_name: "__export_control",
        default_bindings_module: "hookwire_plugin::bindings::control",
    });
}
