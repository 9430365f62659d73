//! The contract in `wit/`, as Rust types and functions.
//!
//! What goes to a guest borrows (`&str`, `&[u8]` go straight into its memory), what comes from it is owned.

wasmtime::component::bindgen!({
    path: "../../wit",
    inline: "
        package hookwire:host;

        world contract {
            import hookwire:plugin/log@0.1.0;
            import hookwire:plugin/clients@0.1.0;
            import hookwire:plugin/publish@0.1.0;
            import hookwire:plugin/kv@0.1.0;
            import hookwire:plugin/metrics@0.1.0;
            import hookwire:plugin/rate-limit@0.1.0;
            import hookwire:plugin/retained@0.1.0;
            import hookwire:plugin/secrets@0.1.0;
            import hookwire:plugin/password@0.1.0;
            import hookwire:plugin/clock@0.1.0;
            import hookwire:plugin/random@0.1.0;
            import hookwire:plugin/topics@0.1.0;
            import hookwire:plugin/http@0.1.0;
            import hookwire:plugin/signatures@0.1.0;

            export hookwire:plugin/lifecycle@0.1.0;
            export hookwire:plugin/authenticate@0.1.0;
            export hookwire:plugin/authenticate-enhanced@0.1.0;
            export hookwire:plugin/authorize@0.1.0;
            export hookwire:plugin/on-subscribe@0.1.0;
            export hookwire:plugin/on-unsubscribe@0.1.0;
            export hookwire:plugin/on-publish@0.1.0;
            export hookwire:plugin/on-publish-batch@0.1.0;
            export hookwire:plugin/route@0.1.0;
            export hookwire:plugin/deliver@0.1.0;
            export hookwire:plugin/deliver-batch@0.1.0;
            export hookwire:plugin/on-will@0.1.0;
            export hookwire:plugin/events@0.1.0;
            export hookwire:plugin/control@0.1.0;
        }
    ",
    world: "hookwire:host/contract",
    ownership: Borrowing { duplicate_if_necessary: true },
    imports: { "hookwire:plugin/random": trappable, "hookwire:plugin/http": async | trappable },
});

/// The interfaces that plugins export.
pub(crate) use exports::hookwire::plugin as hooks;
/// The interfaces that plugins import.
pub(crate) use hookwire::plugin as imports;
