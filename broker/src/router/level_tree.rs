//! A tree with a node for each topic level, in an arena: no recursion, and empty nodes are given back at
//! once.

use hashbrown::HashMap;

/// What a node may hold.
pub(super) trait Slot: Default {
    /// Whether the node may go when it has no children.
    fn is_vacant(&self) -> bool;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct At(u32);

const ROOT: At = At(0);

#[derive(Debug)]
struct Node<V> {
    parent: At,
    level: Box<str>,
    children: HashMap<Box<str>, At>,
    /// Children of filters: `+`, and `#`, which never has children of its own.
    plus: Option<At>,
    hash: Option<At>,
    value: V,
}

impl<V: Slot> Node<V> {
    fn new(parent: At, level: &str) -> Self {
        Self {
            parent,
            level: level.into(),
            children: HashMap::new(),
            plus: None,
            hash: None,
            value: V::default(),
        }
    }

    fn child(&self, level: &str) -> Option<At> {
        match level {
            "+" => self.plus,
            "#" => self.hash,
            _ => self.children.get(level).copied(),
        }
    }

    fn is_vacant(&self) -> bool {
        self.children.is_empty() && self.plus.is_none() && self.hash.is_none() && self.value.is_vacant()
    }
}

/// Values by topic name or topic filter.
#[derive(Debug)]
pub(super) struct LevelTree<V> {
    nodes: Vec<Node<V>>,
    free: Vec<At>,
}

impl<V: Slot> Default for LevelTree<V> {
    fn default() -> Self {
        Self {
            nodes: vec![Node::new(ROOT, "")],
            free: Vec::new(),
        }
    }
}

impl<V: Slot> LevelTree<V> {
    /// Nodes in use; 1 when nothing is stored.
    #[cfg(test)]
    pub(super) fn node_count(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    fn node(&self, at: At) -> &Node<V> {
        &self.nodes[at.0 as usize]
    }

    fn node_mut(&mut self, at: At) -> &mut Node<V> {
        &mut self.nodes[at.0 as usize]
    }

    fn find(&self, path: &str) -> Option<At> {
        path.split('/')
            .try_fold(ROOT, |at, level| self.node(at).child(level))
    }

    /// The value stored under a name or filter.
    pub(super) fn get(&self, path: &str) -> Option<&V> {
        self.find(path).map(|at| &self.node(at).value)
    }

    /// Changes the value under a name or filter; the node is made, and given back, as needed.
    pub(super) fn update<R>(&mut self, path: &str, change: impl FnOnce(&mut V) -> R) -> R {
        let mut at = ROOT;
        for level in path.split('/') {
            at = match self.node(at).child(level) {
                Some(child) => child,
                None => self.add_child(at, level),
            };
        }
        let result = change(&mut self.node_mut(at).value);
        self.prune(at);
        result
    }

    fn add_child(&mut self, parent: At, level: &str) -> At {
        let node = Node::new(parent, level);
        let at = match self.free.pop() {
            Some(at) => {
                *self.node_mut(at) = node;
                at
            }
            None => {
                let at = At(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
                self.nodes.push(node);
                at
            }
        };
        let parent = self.node_mut(parent);
        match level {
            "+" => parent.plus = Some(at),
            "#" => parent.hash = Some(at),
            _ => drop(parent.children.insert(level.into(), at)),
        }
        at
    }

    fn prune(&mut self, mut at: At) {
        while at != ROOT && self.node(at).is_vacant() {
            let node = self.node_mut(at);
            let parent = node.parent;
            let level = std::mem::take(&mut node.level);
            let parent_node = self.node_mut(parent);
            match &*level {
                "+" => parent_node.plus = None,
                "#" => parent_node.hash = None,
                _ => drop(parent_node.children.remove(&level)),
            }
            self.free.push(at);
            at = parent;
        }
    }

    /// Of a tree of filters: the values of all that match a topic name. [MQTT-4.7.2-1]: a filter that begins
    /// with a wildcard matches no name that begins with `$`.
    pub(super) fn matching<'a>(&'a self, name: &str, mut found: impl FnMut(&'a V)) {
        let mut here = smallvec::SmallVec::<[At; 8]>::from_slice(&[ROOT]);
        let mut next = smallvec::SmallVec::<[At; 8]>::new();
        let mut wildcards = !name.starts_with('$');
        for level in name.split('/') {
            for &at in &here {
                let node = self.node(at);
                if wildcards {
                    if let Some(hash) = node.hash {
                        found(&self.node(hash).value);
                    }
                    next.extend(node.plus);
                }
                next.extend(node.children.get(level).copied());
            }
            wildcards = true;
            std::mem::swap(&mut here, &mut next);
            next.clear();
            if here.is_empty() {
                return;
            }
        }
        for at in here {
            let node = self.node(at);
            found(&node.value);
            // `a/#` matches `a` as well.
            if let Some(hash) = node.hash {
                found(&self.node(hash).value);
            }
        }
    }

    /// Of a tree of names: the values of all that a filter matches.
    pub(super) fn matched_by<'a>(&'a self, filter: &str, mut found: impl FnMut(&'a V)) {
        let mut here = vec![ROOT];
        let mut next = Vec::new();
        for level in filter.split('/') {
            match level {
                "#" => return self.all_below(here, found),
                "+" => {
                    for &at in &here {
                        next.extend(self.wildcard_children(at));
                    }
                }
                _ => next.extend(here.iter().filter_map(|&at| self.node(at).child(level))),
            }
            std::mem::swap(&mut here, &mut next);
            next.clear();
        }
        for at in here {
            found(&self.node(at).value);
        }
    }

    fn all_below<'a>(&'a self, mut waiting: Vec<At>, mut found: impl FnMut(&'a V)) {
        while let Some(at) = waiting.pop() {
            found(&self.node(at).value);
            waiting.extend(self.wildcard_children(at));
        }
    }

    /// The children that a wildcard reaches: at the root, none that begin with `$`.
    fn wildcard_children(&self, at: At) -> impl Iterator<Item = At> {
        self.node(at)
            .children
            .iter()
            .filter(move |(level, _)| at != ROOT || !level.starts_with('$'))
            .map(|(_, &child)| child)
    }
}
