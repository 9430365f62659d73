//! The macro that turns a plugin into a component.

/// Makes a type the plugin of this component, with the hooks named, each by its trait.
///
/// ```
/// # use hookwire_plugin::prelude::*;
/// # struct SizeLimit;
/// # impl Plugin for SizeLimit {
/// #     type Config = NoConfig;
/// #     fn new(_: NoConfig) -> Result<Self, Problems> { Ok(Self) }
/// # }
/// # impl OnPublish for SizeLimit {
/// #     fn on_publish(&self, _: &Message<'_>) -> Verdict { Verdict::pass() }
/// # }
/// # impl Authorize for SizeLimit {
/// #     fn authorize(&self, _: &Access) -> Answer { Answer::next() }
/// # }
/// hookwire_plugin::export!(SizeLimit: OnPublish + Authorize);
/// # fn main() {}
/// ```
///
/// The component exports `lifecycle` and these hooks, nothing else, and the broker never asks it about another. On
/// targets other than WebAssembly nothing is exported, so that unit tests link.
#[macro_export]
macro_rules! export {
    ($plugin:ty : $hook:ident $(+ $more:ident)*) => {
        const _: () = {
            struct Exported;

            impl $crate::component::Component for Exported {
                type Plugin = $plugin;

                #[inline]
                fn with_cell<R>(use_cell: impl FnOnce(&::std::cell::OnceCell<$plugin>) -> R) -> R {
                    ::std::thread_local! {
                        static PLUGIN: ::std::cell::OnceCell<$plugin> = const { ::std::cell::OnceCell::new() };
                    }
                    PLUGIN.with(use_cell)
                }
            }

            #[cfg(target_family = "wasm")]
            $crate::__stand_in_for_libc!();
            $crate::__export_hook!(Lifecycle, Exported);
            $crate::__export_hook!($hook, Exported);
            $($crate::__export_hook!($more, Exported);)*
        };
    };
}

/// Exports one hook of a component.
#[cfg(target_family = "wasm")]
#[macro_export]
#[doc(hidden)]
macro_rules! __export_hook {
    (Lifecycle, $component:ident) => {
        $crate::bindings::lifecycle::__export_lifecycle!($component with_types_in $crate::bindings::lifecycle);
    };
    (Authenticate, $component:ident) => {
        $crate::bindings::authenticate::__export_authenticate!(
            $component with_types_in $crate::bindings::authenticate
        );
    };
    (AuthenticateEnhanced, $component:ident) => {
        $crate::bindings::authenticate_enhanced::__export_authenticate_enhanced!(
            $component with_types_in $crate::bindings::authenticate_enhanced
        );
    };
    (Authorize, $component:ident) => {
        $crate::bindings::authorize::__export_authorize!($component with_types_in $crate::bindings::authorize);
    };
    (OnPublish, $component:ident) => {
        $crate::bindings::on_publish::__export_on_publish!($component with_types_in $crate::bindings::on_publish);
    };
    (OnSubscribe, $component:ident) => {
        $crate::bindings::on_subscribe::__export_on_subscribe!(
            $component with_types_in $crate::bindings::on_subscribe
        );
    };
    (OnUnsubscribe, $component:ident) => {
        $crate::bindings::on_unsubscribe::__export_on_unsubscribe!(
            $component with_types_in $crate::bindings::on_unsubscribe
        );
    };
    (Deliver, $component:ident) => {
        $crate::bindings::deliver::__export_deliver!($component with_types_in $crate::bindings::deliver);
    };
    (Route, $component:ident) => {
        $crate::bindings::route::__export_route!($component with_types_in $crate::bindings::route);
    };
    (OnWill, $component:ident) => {
        $crate::bindings::on_will::__export_on_will!($component with_types_in $crate::bindings::on_will);
    };
    (Events, $component:ident) => {
        $crate::bindings::events::__export_events!($component with_types_in $crate::bindings::events);
    };
    (Control, $component:ident) => {
        $crate::bindings::control::__export_control!($component with_types_in $crate::bindings::control);
    };
}

/// Checks that the component has one hook.
#[cfg(not(target_family = "wasm"))]
#[macro_export]
#[doc(hidden)]
macro_rules! __export_hook {
    (Lifecycle, $component:ident) => {};
    ($hook:ident, $component:ident) => {
        const _: () = {
            const fn implements<P: $crate::prelude::$hook>() {}
            implements::<<$component as $crate::component::Component>::Plugin>();
        };
    };
}
