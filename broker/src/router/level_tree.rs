//! A tree with a node for each topic level, in an arena: no recursion, and empty nodes are given back at
//! once.
//!
//! A million retained messages are a million nodes. So a node has no table of its own: one table for the whole tree finds
//! the child of a node by its level, and the children of a node are a list through the nodes themselves.

use std::hash::BuildHasher;
use std::num::NonZeroU32;

use ecow::EcoString;
use hashbrown::{DefaultHashBuilder, HashTable};

/// What a node may hold.
pub(super) trait Slot: Default {
    /// Whether the node may go when it has no children.
    fn is_vacant(&self) -> bool;
}

/// A node, for as long as it holds something or has children; the root has no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At(pub(super) u32);

const ROOT: At = At(0);

/// A node that is not the root, in four bytes whether it is there or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Link(NonZeroU32);

impl From<Link> for At {
    fn from(link: Link) -> Self {
        Self(link.0.get())
    }
}

#[derive(Debug)]
struct Node<V> {
    parent: At,
    /// Most are short, and lie in the node then.
    level: EcoString,
    /// The child that was added last, of those that are in the table.
    child: Option<Link>,
    /// The children of the parent that were added before and after this one.
    older: Option<Link>,
    newer: Option<Link>,
    /// Children of filters: `+`, and `#`, which never has children of its own.
    plus: Option<Link>,
    hash: Option<Link>,
    value: V,
}

impl<V: Slot> Node<V> {
    fn new(parent: At, level: &str) -> Self {
        Self {
            parent,
            level: level.into(),
            child: None,
            older: None,
            newer: None,
            plus: None,
            hash: None,
            value: V::default(),
        }
    }

    fn is_vacant(&self) -> bool {
        self.child.is_none() && self.plus.is_none() && self.hash.is_none() && self.value.is_vacant()
    }
}

/// Values by topic name or topic filter.
#[derive(Debug)]
pub(super) struct LevelTree<V> {
    nodes: Vec<Node<V>>,
    free: Vec<Link>,
    /// All nodes but the root and those of wildcards, by parent and level.
    children: HashTable<Link>,
    hasher: DefaultHashBuilder,
    trail: Trail,
}

/// The way to what was changed last: what is changed next often lies beside it, and the way there is the same for a while.
#[derive(Debug, Default)]
struct Trail {
    path: String,
    /// The nodes on the way, the root left out, each with the length of the path to it.
    nodes: Vec<(usize, At)>,
}

impl Trail {
    /// Goes back to the last node that is on the way to `path`, too, and says what is left of the way from there.
    fn turn_to<'p>(&mut self, path: &'p str) -> (At, Option<&'p str>) {
        let common = self
            .path
            .bytes()
            .zip(path.bytes())
            .take_while(|(here, there)| here == there);
        let common = common.count();
        let is_on_the_way =
            |&(len, _): &(usize, At)| len <= common && matches!(path.as_bytes().get(len), None | Some(b'/'));
        let kept = self.nodes.iter().take_while(|node| is_on_the_way(node)).count();
        self.nodes.truncate(kept);
        self.path.clear();
        self.path.push_str(path);
        match self.nodes.last() {
            Some(&(len, at)) => (at, path.get(len + 1..)),
            None => (ROOT, Some(path)),
        }
    }
}

impl<V: Slot> Default for LevelTree<V> {
    fn default() -> Self {
        Self {
            nodes: vec![Node::new(ROOT, "")],
            free: Vec::new(),
            children: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            trail: Trail::default(),
        }
    }
}

impl<V: Slot> LevelTree<V> {
    /// Nodes in use; 1 when nothing is stored.
    #[cfg(test)]
    pub(super) fn node_count(&self) -> usize {
        self.nodes.len() - self.free.len()
    }

    fn node(&self, at: impl Into<At>) -> &Node<V> {
        &self.nodes[at.into().0 as usize]
    }

    fn node_mut(&mut self, at: impl Into<At>) -> &mut Node<V> {
        &mut self.nodes[at.into().0 as usize]
    }

    fn child(&self, at: At, level: &str) -> Option<At> {
        let child = match level {
            "+" => self.node(at).plus,
            "#" => self.node(at).hash,
            _ => self.named_child(at, level),
        };
        child.map(At::from)
    }

    fn named_child(&self, parent: At, level: &str) -> Option<Link> {
        // Most nodes are leaves: that spares the look-up.
        self.node(parent).child?;
        let hash = self.hasher.hash_one((parent.0, level));
        let is_meant = |link: &Link| {
            let node = self.node(*link);
            node.parent == parent && *node.level == *level
        };
        self.children.find(hash, is_meant).copied()
    }

    fn find(&self, path: &str) -> Option<At> {
        path.split('/').try_fold(ROOT, |at, level| self.child(at, level))
    }

    /// The value stored under a name or filter.
    pub(super) fn get(&self, path: &str) -> Option<&V> {
        self.find(path).map(|at| &self.node(at).value)
    }

    /// The value of a node that may have been given back since.
    pub(super) fn value_at(&self, at: At) -> Option<&V> {
        self.nodes.get(at.0 as usize).map(|node| &node.value)
    }

    /// The name or filter of a node in use.
    pub(super) fn path(&self, at: At) -> String {
        let mut path = String::new();
        self.write_path(at, &mut path);
        path
    }

    /// The same into memory that is there already.
    pub(super) fn write_path(&self, at: At, path: &mut String) {
        path.clear();
        let mut levels = smallvec::SmallVec::<[&str; 16]>::new();
        let mut here = at;
        while here != ROOT {
            let node = self.node(here);
            levels.push(&node.level);
            here = node.parent;
        }
        for (number, level) in levels.iter().rev().enumerate() {
            if number > 0 {
                path.push('/');
            }
            path.push_str(level);
        }
    }

    /// Changes the value under a name or filter; the node is made, and given back, as needed.
    pub(super) fn update<R>(&mut self, path: &str, change: impl FnOnce(At, &mut V) -> R) -> R {
        let (mut at, rest) = self.trail.turn_to(path);
        let mut len = path.len() - rest.map_or(0, str::len);
        for level in rest.into_iter().flat_map(|rest| rest.split('/')) {
            at = match self.child(at, level) {
                Some(child) => child,
                None => self.add_child(at, level),
            };
            len += level.len();
            self.trail.nodes.push((len, at));
            len += 1;
        }
        let result = change(at, &mut self.node_mut(at).value);
        self.prune(at);
        result
    }

    fn add_child(&mut self, parent: At, level: &str) -> At {
        let link = self.add_node(Node::new(parent, level));
        match level {
            "+" => self.node_mut(parent).plus = Some(link),
            "#" => self.node_mut(parent).hash = Some(link),
            _ => self.enlist(parent, level, link),
        }
        link.into()
    }

    fn add_node(&mut self, node: Node<V>) -> Link {
        if let Some(link) = self.free.pop() {
            *self.node_mut(link) = node;
            return link;
        }
        // The root is there; four thousand million others do not fit into memory.
        let number = u32::try_from(self.nodes.len()).ok().and_then(NonZeroU32::new);
        self.nodes.push(node);
        Link(number.unwrap_or(NonZeroU32::MAX))
    }

    /// Puts a node into the table, and at the head of its parent's list.
    fn enlist(&mut self, parent: At, level: &str, link: Link) {
        let older = self.node_mut(parent).child.replace(link);
        self.node_mut(link).older = older;
        if let Some(older) = older {
            self.node_mut(older).newer = Some(link);
        }
        let (nodes, hasher) = (&self.nodes, &self.hasher);
        let hash_of = |link: &Link| {
            let node = &nodes[link.0.get() as usize];
            hasher.hash_one((node.parent.0, &*node.level))
        };
        self.children
            .insert_unique(hasher.hash_one((parent.0, level)), link, hash_of);
    }

    fn delist(&mut self, parent: At, level: &str, link: Link) {
        let node = self.node(link);
        let (older, newer) = (node.older, node.newer);
        match newer {
            Some(newer) => self.node_mut(newer).older = older,
            None => self.node_mut(parent).child = older,
        }
        if let Some(older) = older {
            self.node_mut(older).newer = newer;
        }
        let hash = self.hasher.hash_one((parent.0, level));
        if let Ok(entry) = self.children.find_entry(hash, |other| *other == link) {
            entry.remove();
        }
    }

    /// Gives back what is empty, from the end of the trail.
    fn prune(&mut self, mut at: At) {
        while let Some(link) = NonZeroU32::new(at.0).map(Link)
            && self.node(at).is_vacant()
        {
            let node = self.node_mut(at);
            let parent = node.parent;
            let level = std::mem::take(&mut node.level);
            match &*level {
                "+" => self.node_mut(parent).plus = None,
                "#" => self.node_mut(parent).hash = None,
                _ => self.delist(parent, &level, link),
            }
            self.free.push(link);
            self.trail.nodes.pop();
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
                    next.extend(node.plus.map(At::from));
                }
                next.extend(self.named_child(at, level).map(At::from));
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
                _ => next.extend(here.iter().filter_map(|&at| self.child(at, level))),
            }
            std::mem::swap(&mut here, &mut next);
            next.clear();
        }
        for at in here {
            found(&self.node(at).value);
        }
    }

    /// What came first is found first: at the start names come in order, and so they are found as they lie on a disk.
    fn all_below<'a>(&'a self, mut waiting: Vec<At>, mut found: impl FnMut(&'a V)) {
        while let Some(at) = waiting.pop() {
            found(&self.node(at).value);
            waiting.extend(self.wildcard_children(at));
        }
    }

    /// The children that a wildcard reaches, the last one first: at the root, none that begin with `$`.
    fn wildcard_children(&self, at: At) -> impl Iterator<Item = At> {
        let first = self.node(at).child;
        let all = std::iter::successors(first, |&link| self.node(link).older);
        all.filter(move |&link| at != ROOT || !self.node(link).level.starts_with('$'))
            .map(At::from)
    }
}
