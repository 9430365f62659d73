//! What a reload changes.

use super::settings::Config;

/// A part of the configuration, as a reload sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `log`
    Log,
    /// `data_dir`
    DataDir,
    /// `[store]`
    Store,
    /// `sys_interval`
    SysInterval,
    /// `shutdown_timeout`
    ShutdownTimeout,
    /// `[[listener]]`
    Listeners,
    /// `[limits]`
    Limits,
    /// `[session]`
    Session,
    /// `[takeover]`
    Takeover,
    /// `[ban]`
    Ban,
    /// `[flapping]`
    Flapping,
    /// `[redirect]`
    Redirect,
    /// `[authorization]`
    Authorization,
    /// `[plugins]`
    PluginHost,
    /// `[admin]`: who may use it, and how much of it
    Admin,
    /// `[admin]`: where it is
    AdminPlace,
    /// `[[plugin]]`, contents of `{ file = "…" }` included; not the contents of components
    Plugins,
}

impl Part {
    const ALL: [Self; 17] = [
        Self::Log,
        Self::DataDir,
        Self::Store,
        Self::SysInterval,
        Self::ShutdownTimeout,
        Self::Listeners,
        Self::Limits,
        Self::Session,
        Self::Takeover,
        Self::Ban,
        Self::Flapping,
        Self::Redirect,
        Self::Authorization,
        Self::PluginHost,
        Self::Admin,
        Self::AdminPlace,
        Self::Plugins,
    ];

    /// Its key in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::DataDir => "data_dir",
            Self::Store => "store",
            Self::SysInterval => "sys_interval",
            Self::ShutdownTimeout => "shutdown_timeout",
            Self::Listeners => "listener",
            Self::Limits => "limits",
            Self::Session => "session",
            Self::Takeover => "takeover",
            Self::Ban => "ban",
            Self::Flapping => "flapping",
            Self::Redirect => "redirect",
            Self::Authorization => "authorization",
            Self::PluginHost => "plugins",
            Self::Admin => "admin",
            Self::AdminPlace => "admin.address, admin.socket or admin.connections_max",
            Self::Plugins => "plugin",
        }
    }

    /// Whether a running broker cannot take it over: its sockets are bound, its store is open, its compiler is set up.
    pub fn needs_restart(self) -> bool {
        matches!(
            self,
            Self::Listeners | Self::DataDir | Self::Store | Self::PluginHost | Self::AdminPlace
        )
    }

    fn differs(self, old: &Config, new: &Config) -> bool {
        match self {
            Self::Log => old.log != new.log,
            Self::DataDir => old.data_dir != new.data_dir,
            Self::Store => old.store != new.store,
            Self::SysInterval => old.sys_interval != new.sys_interval,
            Self::ShutdownTimeout => old.shutdown_timeout != new.shutdown_timeout,
            Self::Listeners => old.listeners != new.listeners,
            Self::Limits => old.limits != new.limits,
            Self::Session => old.session != new.session,
            Self::Takeover => old.takeover != new.takeover,
            Self::Ban => old.ban != new.ban,
            Self::Flapping => old.flapping != new.flapping,
            Self::Redirect => old.redirect != new.redirect,
            Self::Authorization => old.access_default != new.access_default,
            Self::PluginHost => old.plugin_host != new.plugin_host,
            Self::AdminPlace => old.admin.is_elsewhere(&new.admin),
            Self::Admin => old.admin != new.admin && !Self::AdminPlace.differs(old, new),
            Self::Plugins => old.plugins != new.plugins,
        }
    }
}

/// The parts in which two configurations differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes(Vec<Part>);

impl Changes {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a part differs.
    pub fn contains(&self, part: Part) -> bool {
        self.0.contains(&part)
    }

    /// The parts that differ.
    pub fn parts(&self) -> impl Iterator<Item = Part> {
        self.0.iter().copied()
    }

    /// Those of them that only a restart brings about.
    pub fn needing_restart(&self) -> impl Iterator<Item = Part> {
        self.parts().filter(|part| part.needs_restart())
    }
}

impl Config {
    /// What differs in `new`.
    pub fn changes(&self, new: &Self) -> Changes {
        Changes(
            Part::ALL
                .into_iter()
                .filter(|part| part.differs(self, new))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Config {
        Config::parse(text, None, &[]).unwrap()
    }

    #[test]
    fn nothing_changes() {
        assert!(Config::default().changes(&parse("log = \"info\"")).is_empty());
    }

    #[test]
    fn each_part_is_seen() {
        let changed = |text| Config::default().changes(&parse(text)).0;
        assert_eq!(changed("log = \"debug\""), [Part::Log]);
        assert_eq!(changed("data_dir = \"d\""), [Part::DataDir]);
        assert_eq!(changed("[store]\ndurability = \"os\""), [Part::Store]);
        assert_eq!(changed("sys_interval = \"1s\""), [Part::SysInterval]);
        assert_eq!(changed("shutdown_timeout = \"1s\""), [Part::ShutdownTimeout]);
        assert_eq!(
            changed("[[listener]]\nname = \"a\"\naddress = \"127.0.0.1:1\""),
            [Part::Listeners]
        );
        assert_eq!(changed("[limits]\nqos_max = 1"), [Part::Limits]);
        assert_eq!(changed("[session]\nqueue_qos0 = true"), [Part::Session]);
        assert_eq!(changed("[takeover]\nfight_after = 3"), [Part::Takeover]);
        assert_eq!(changed("[ban]\nusernames = [\"eve\"]"), [Part::Ban]);
        assert_eq!(changed("[flapping]\nconnects_max = 9"), [Part::Flapping]);
        assert_eq!(changed("[redirect]\nserver = \"b\""), [Part::Redirect]);
        assert_eq!(
            changed("[authorization]\ndefault = \"deny\""),
            [Part::Authorization]
        );
        assert_eq!(changed("[plugins]\nlast_good = false"), [Part::PluginHost]);
        assert_eq!(changed("[admin]\ntimeout = \"2s\""), [Part::Admin]);
        assert_eq!(changed("[admin]\naddress = \"127.0.0.1:1\""), [Part::AdminPlace]);
        let plugin = "[[plugin]]\nname = \"a\"\npath = \"none.wasm\"\noptional = true";
        assert_eq!(changed(plugin), [Part::Plugins]);
    }

    #[test]
    fn listeners_and_data_need_a_restart() {
        let new =
            parse("log = \"debug\"\ndata_dir = \"d\"\n[[listener]]\nname = \"a\"\naddress = \"[::1]:1\"");
        let changes = Config::default().changes(&new);
        assert!(changes.contains(Part::Log));
        let restart: Vec<_> = changes.needing_restart().map(Part::as_str).collect();
        assert_eq!(restart, ["data_dir", "listener"]);
    }
}
