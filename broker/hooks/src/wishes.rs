//! What the plugins of a chain want to be asked and told, found out once.

use std::sync::Arc;

use crate::{Action, EventClass, Hook, Plugin};

/// Shadows are counted in. A chain never changes, and a plugin never changes its mind about these.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wishes {
    /// Actions that one wants to be asked about.
    actions: u8,
    /// Actions about which one may wait for others when it is asked.
    waiting_actions: u8,
    /// Whether one may wait for others when it is asked about a message.
    pub(crate) waits_for_messages: bool,
    /// Classes of events that one wants to be told of.
    events: u8,
}

impl Wishes {
    pub(crate) fn of(plugins: &[Arc<dyn Plugin>]) -> Self {
        plugins
            .iter()
            .fold(Self::default(), |wishes, plugin| wishes.and(&**plugin))
    }

    fn and(mut self, plugin: &dyn Plugin) -> Self {
        let hooks = plugin.hooks();
        if hooks.contains(Hook::Authorize) {
            for action in Action::ALL
                .into_iter()
                .filter(|action| plugin.wants_access(*action))
            {
                self.actions |= action.bit();
                if plugin.waits_for_access(action) {
                    self.waiting_actions |= action.bit();
                }
            }
        }
        if hooks.contains(Hook::Events) {
            let wanted = EventClass::ALL
                .into_iter()
                .filter(|class| plugin.wants_event(*class));
            self.events |= wanted.fold(0, |set, class| set | class.bit());
        }
        let mut asked_about_messages = [Hook::OnPublish, Hook::Route].into_iter();
        self.waits_for_messages |=
            asked_about_messages.any(|hook| hooks.contains(hook) && plugin.waits_for_messages(hook));
        self
    }

    #[inline]
    pub(crate) fn has_action(self, action: Action) -> bool {
        self.actions & action.bit() != 0
    }

    #[inline]
    pub(crate) fn waits_for_action(self, action: Action) -> bool {
        self.waiting_actions & action.bit() != 0
    }

    #[inline]
    pub(crate) fn has_event(self, class: EventClass) -> bool {
        self.events & class.bit() != 0
    }
}
