//! The trie of wanted paths. Each node is a place in a value; its children are names of an object's members, places of
//! an array's elements, or all elements of an array. Built once, read by every scan.

use crate::map::Map;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The member of an object, by its unescaped name.
    Name(Vec<u8>),
    /// The element of an array, from 0.
    Index(usize),
    /// Every element of an array.
    All,
}

/// A node with more names than this looks them up in a table.
const FEW: usize = 8;

/// A node of the trie.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// Members: name and child.
    names: Vec<(Vec<u8>, u32)>,
    /// The same, for nodes with many.
    table: Map<Vec<u8>, u32>,
    /// Elements: place and child, rising.
    pub(super) indices: Vec<(usize, u32)>,
    /// All elements.
    pub(super) all: Option<u32>,
    /// The path that ends here.
    pub(super) ends: Option<u32>,
    /// Paths whose first `All` begins here: an array here gives them a value, even an empty one.
    pub(super) lists: Vec<u32>,
}

impl Node {
    /// The child for a member.
    #[inline]
    pub(super) fn child(&self, name: &[u8]) -> Option<u32> {
        if self.names.len() > FEW {
            return self.table.get(name).copied();
        }
        self.names.iter().find(|(n, _)| n == name).map(|(_, child)| *child)
    }

    /// Whether anything inside an object here is wanted.
    #[inline]
    pub(super) fn wants_members(&self) -> bool {
        !self.names.is_empty()
    }

    /// Whether anything inside an array here is wanted.
    #[inline]
    pub(super) fn wants_elements(&self) -> bool {
        self.all.is_some() || !self.indices.is_empty()
    }
}

/// Paths to be looked for together. A path is known by its number; equal paths have the same.
#[derive(Clone, Debug)]
pub struct Paths {
    pub(super) nodes: Vec<Node>,
    /// Of each path: whether it is a list, that is, has an `All`.
    pub(super) lists: Vec<bool>,
}

impl Default for Paths {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], lists: Vec::new() }
    }
}

impl Paths {
    /// Adds a path and says its number. The empty path is the whole value.
    pub fn add(&mut self, steps: &[Step]) -> usize {
        let mut at = 0;
        let mut first_all = None;
        for step in steps {
            if *step == Step::All && first_all.is_none() {
                first_all = Some(at);
            }
            at = self.follow(at, step) as usize;
        }
        if let Some(number) = self.nodes[at].ends {
            return number as usize;
        }
        let number = self.lists.len();
        self.nodes[at].ends = Some(number as u32);
        self.lists.push(first_all.is_some());
        if let Some(list) = first_all {
            self.nodes[list].lists.push(number as u32);
        }
        number
    }

    /// Of how many values a path can have: a list has any number.
    pub fn is_list(&self, path: usize) -> bool {
        self.lists.get(path).is_some_and(|list| *list)
    }

    /// How many different paths there are.
    pub fn len(&self) -> usize {
        self.lists.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    fn follow(&mut self, at: usize, step: &Step) -> u32 {
        let new = self.nodes.len() as u32;
        let node = &mut self.nodes[at];
        let found = match step {
            Step::Name(name) => node.names.iter().find(|(n, _)| n == name).map(|(_, child)| *child),
            Step::Index(index) => node.indices.iter().find(|(i, _)| i == index).map(|(_, child)| *child),
            Step::All => node.all,
        };
        if let Some(child) = found {
            return child;
        }
        match step {
            Step::Name(name) => {
                node.names.push((name.clone(), new));
                if node.names.len() > FEW {
                    node.table = node.names.iter().cloned().collect();
                }
            }
            Step::Index(index) => {
                let place = node.indices.partition_point(|(i, _)| i < index);
                node.indices.insert(place, (*index, new));
            }
            Step::All => node.all = Some(new),
        }
        self.nodes.push(Node::default());
        new
    }
}
