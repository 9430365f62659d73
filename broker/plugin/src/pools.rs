//! Which instances a plugin has: those for calls that keep their thread, and those for calls that may take long.
//!
//! They are apart, so that a hook that hashes passwords, or waits for others, does not take the instances away from the
//! one that judges messages. Where there is nothing to keep apart, or only one instance is wanted, there is one pool.

use std::sync::Arc;

use hookwire_hooks::Hook;
use wasmtime::component::Component;

use crate::blueprint::{Blueprint, Linked};
use crate::check::Surface;
use crate::guest::Budget;
use crate::hook::lifecycle::{self, Interests};
use crate::instance::{Instance, at_once};
use crate::link::Linkers;
use crate::pool::{Bounds, Pool};
use crate::services::Services;
use crate::{ConfigProblem, LoadError, PluginSpec};

pub(crate) struct Pools {
    pub(crate) quick: Arc<Pool>,
    pub(crate) slow: Arc<Pool>,
    pub(crate) interests: Interests,
}

impl Pools {
    /// Makes a first instance for each kind of hook that the component has. One that is not well ends it.
    pub(crate) fn new(
        linkers: &Linkers,
        spec: &PluginSpec,
        component: &Component,
        surface: &Surface,
        services: &Arc<Services>,
    ) -> Result<Self, LoadError> {
        let config: Arc<str> = config_text(spec)?.into();
        let blueprint = |linked: Linked| Blueprint {
            linked,
            services: services.clone(),
            config: config.clone(),
            memory_bytes_max: spec.memory_bytes_max,
            deadline: spec.deadline_slow,
        };
        let limits = services.limits();
        let quick_max = spec.instances_max.min(limits.instances_max).max(1);
        let slow_max = slow_max(spec, surface).min(limits.instances_slow_max).max(1);
        let hooks = surface.hooks();
        let (has_quick, has_slow) = (
            hooks.iter().any(|hook| !hook.may_take_long()),
            hooks.iter().any(Hook::may_take_long),
        );
        let is_one = !surface.waits() && (spec.instances_max == 1 || !(has_quick && has_slow));
        let quick = blueprint(linkers.link_quick(component, surface)?);
        if is_one {
            let live_max = if has_quick { quick_max } else { slow_max };
            let (first, interests) = first(&quick)?;
            let pool = Pool::new(quick, Bounds::new(live_max, live_max), Some(first));
            return Ok(Self {
                slow: pool.clone(),
                quick: pool,
                interests,
            });
        }
        let slow = blueprint(linkers.link_slow(component, surface)?);
        let (first_slow, interests) = first(&slow)?;
        let first_quick = has_quick.then(|| first(&quick)).transpose()?;
        Ok(Self {
            quick: Pool::new(
                quick,
                Bounds::new(quick_max, quick_max),
                first_quick.map(|(first, _)| first),
            ),
            slow: Pool::new(slow, Bounds::new(slow_max, quick_max), Some(first_slow)),
            interests,
        })
    }
}

impl Bounds {
    fn new(live_max: usize, idle_max: usize) -> Self {
        Self { live_max, idle_max }
    }
}

/// Those that wait cost little but memory, and there may be as many as clients; the others need a core each.
fn slow_max(spec: &PluginSpec, surface: &Surface) -> usize {
    spec.instances_slow_max.unwrap_or_else(|| {
        if surface.waits() {
            PluginSpec::INSTANCES_WAITING_MAX
        } else {
            spec.instances_max
        }
    })
}

fn first(blueprint: &Blueprint) -> Result<(Instance, Interests), LoadError> {
    let (mut first, interests) = blueprint.build()?;
    at_once(lifecycle::health(&mut first, Budget::slow(blueprint.deadline)))
        .map_err(|failure| LoadError::Failed {
            stage: "health",
            failure,
        })?
        .map_err(LoadError::Unhealthy)?;
    Ok((first, interests))
}

fn config_text(spec: &PluginSpec) -> Result<String, LoadError> {
    if !spec.config.is_object() {
        let problem = ConfigProblem {
            path: String::new(),
            message: "config must be a table".into(),
        };
        return Err(LoadError::ConfigRefused {
            problems: vec![problem],
        });
    }
    Ok(spec.config.to_string())
}
