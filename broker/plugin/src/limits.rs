//! What a plugin may use at the most, whatever its own entry in the configuration says.

use std::time::Duration;

/// Limits that hold for every plugin of a [`PluginHost`](crate::PluginHost).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostLimits {
    /// Most instances of one plugin, where [`PluginSpec::instances_max`](crate::PluginSpec::instances_max) asks for
    /// more: each holds its memory for as long as the plugin is loaded.
    pub instances_max: usize,
    /// The same for [`PluginSpec::instances_slow_max`](crate::PluginSpec::instances_slow_max).
    pub instances_slow_max: usize,
    /// How long a call waits for an instance when all are busy, if its own deadline is shorter. Instances come back
    /// within microseconds, so only a starved machine ever waits this long, and that is not the plugin's fault.
    pub instance_wait: Duration,
    /// The same for a call that may wait: it holds no thread while it does, and whoever asked may give up before.
    pub instance_wait_slow: Duration,
    /// Longest log line of a plugin, bytes: enough for a message with a stack trace, too little to fill a disk.
    pub log_line_bytes_max: usize,
    /// Log lines of one plugin in a second; more are counted, not written, so that a plugin that logs every message
    /// cannot slow the broker down.
    pub log_lines_per_second_max: u32,
    /// Most messages that a plugin may publish in one call: a hook is asked for every message, so one that answers with
    /// many multiplies the traffic. For this and the next two a call about up to 1,024 messages counts as one for each 256 of them.
    pub publishes_per_call_max: usize,
    /// Most topic and payload bytes that a plugin may publish in one call; they wait in memory until the hook answers.
    pub publish_bytes_per_call_max: usize,
    /// Most topic and payload bytes of retained messages that a plugin is shown in one call: they are copied into its
    /// memory, which has 16 MiB as a rule.
    pub retained_bytes_per_call_max: usize,
    /// Most memory that a password hash may work in, KiB; it is the broker's, and as many calls as a plugin has
    /// instances can need it at a time.
    pub password_memory_kib_max: usize,
    /// Most bytes that a plugin may hand to the broker in one answer or one call of the host; a larger value would be
    /// copied into the broker's memory before anybody could look at it.
    pub answer_bytes_max: usize,
    /// Stack of the guest, bytes. The host's functions run on the same native stack, so it must stay well below the
    /// 2 MiB of a thread.
    pub stack_bytes: usize,
    /// Largest component file. Compiling needs many times its size in memory.
    pub component_bytes_max: usize,
    /// Core wasm instances, memories and tables that one component instance may have; a component of one language
    /// run-time has fewer than ten.
    pub core_items_max: usize,
    /// Elements of all tables of an instance. A table is allocated by the host and not counted as guest memory.
    pub table_elements_max: usize,
    /// Resource handles alive in an instance: they live in host memory.
    pub handles_max: usize,
    /// Most messages in one call of `on-publish-batch`: all that were read at a time, unless they take long.
    pub batch_messages_max: usize,
    /// Most bytes in the frame of one batch call, unless one message is larger; the guest needs room for the frame and its answer.
    /// What is read at a time fits, and so large a frame is copied within a core's cache.
    pub batch_bytes_max: usize,
    /// Most deliveries in one call of `deliver-batch`: fewer, since nobody looks at how long the last ones took before more are
    /// asked about.
    pub batch_deliveries_max: usize,
}

impl Default for HostLimits {
    fn default() -> Self {
        Self {
            instances_max: 64,
            instances_slow_max: 1024,
            instance_wait: Duration::from_millis(100),
            instance_wait_slow: Duration::from_secs(10),
            log_line_bytes_max: 4 << 10,
            log_lines_per_second_max: 50,
            publishes_per_call_max: 64,
            publish_bytes_per_call_max: 1 << 20,
            retained_bytes_per_call_max: 1 << 20,
            password_memory_kib_max: 64 << 10,
            answer_bytes_max: 16 << 20,
            stack_bytes: 512 << 10,
            component_bytes_max: 64 << 20,
            core_items_max: 64,
            table_elements_max: 100_000,
            handles_max: 10_000,
            batch_messages_max: 1024,
            batch_bytes_max: 128 << 10,
            batch_deliveries_max: 256,
        }
    }
}
