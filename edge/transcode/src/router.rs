//! The route trie: path → leaf, in time linear in the path times the live states.
//!
//! A literal is preferred to `*`, and `*` to `**`, from the first segment to the last. All states
//! that still match are carried along in that order instead of backing out of dead ends. A template
//! has one `**` at most, so each node is live at most once a step.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use http::Method;
use route_template::percent::{self, Keep, Malformed};
use route_template::{Segment, Template};

/// The HTTP method of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Exactly(Method),
    /// `custom { kind: "*" }`: every method that has no route of its own here.
    Any,
}

#[derive(Debug)]
struct Node<T> {
    literals: HashMap<Vec<u8>, usize>,
    one: Option<usize>,
    rest: Option<usize>,
    is_rest: bool,
    leaves: Vec<Leaf<T>>,
}

impl<T> Node<T> {
    fn new(is_rest: bool) -> Self {
        Self { literals: HashMap::new(), one: None, rest: None, is_rest, leaves: Vec::new() }
    }

    fn find_leaf(&self, verb: Option<&str>) -> Option<&Leaf<T>> {
        self.leaves.iter().find(|leaf| leaf.verb.as_deref() == verb)
    }
}

/// What is registered for one template shape and verb.
#[derive(Debug)]
struct Leaf<T> {
    verb: Option<String>,
    /// Whether the template has a wildcard behind `**`.
    loose: bool,
    routes: Vec<(Kind, T)>,
}

/// What the routes of a path say about a method.
#[derive(Debug, PartialEq, Eq)]
pub enum Pick<'a, T> {
    /// The route, for this method.
    Route(&'a T),
    /// The GET route, asked with HEAD.
    Head(&'a T),
    /// OPTIONS, with the value of `Allow`.
    Options(String),
    /// Another method, with the value of `Allow`.
    NotAllowed(String),
}

impl<T> Leaf<T> {
    /// The route for a method, if there is one.
    fn pick(&self, method: &Method) -> Option<Pick<'_, T>> {
        if let Some(route) = self.find_exactly(method) {
            return Some(Pick::Route(route));
        }
        if method == Method::HEAD
            && let Some(route) = self.find_exactly(&Method::GET)
        {
            return Some(Pick::Head(route));
        }
        let any = self.routes.iter().find(|(k, _)| *k == Kind::Any);
        any.map(|(_, route)| Pick::Route(route))
    }

    /// The route that names the method itself.
    fn find_exactly(&self, method: &Method) -> Option<&T> {
        let mut routes = self.routes.iter();
        let found = routes.find(|(kind, _)| matches!(kind, Kind::Exactly(it) if it == method));
        found.map(|(_, route)| route)
    }
}

/// The leaves of a path, the best first, and the raw segments which led there, without the verb.
#[derive(Debug)]
pub struct Match<'r, 'p, T> {
    leaves: Vec<&'r Leaf<T>>,
    /// The path's segments, still encoded.
    pub segments: Vec<&'p str>,
}

impl<'r, T> Match<'r, '_, T> {
    /// The route for a method.
    pub fn pick(&self, method: &Method) -> Pick<'r, T> {
        if let Some(pick) = self.leaves.iter().find_map(|leaf| leaf.pick(method)) {
            return pick;
        }
        match *method {
            Method::OPTIONS => Pick::Options(self.allow()),
            _ => Pick::NotAllowed(self.allow()),
        }
    }

    fn allow(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for (kind, _) in self.leaves.iter().flat_map(|leaf| &leaf.routes) {
            if let Kind::Exactly(method) = kind {
                add_name(&mut names, method.as_str());
                if method == Method::GET {
                    add_name(&mut names, "HEAD");
                }
            }
        }
        add_name(&mut names, "OPTIONS");
        names.join(", ")
    }
}

fn add_name<'n>(names: &mut Vec<&'n str>, name: &'n str) {
    if !names.contains(&name) {
        names.push(name);
    }
}

#[derive(Debug)]
pub struct Router<T> {
    nodes: Vec<Node<T>>,
    verbs: HashSet<String>,
}

impl<T> Default for Router<T> {
    fn default() -> Self {
        Self { nodes: vec![Node::new(false)], verbs: HashSet::new() }
    }
}

impl<T> Router<T> {
    /// Adds a route.
    ///
    /// # Errors
    /// The route which already answers that method on an equivalent template.
    pub fn insert(&mut self, kind: Kind, template: &Template, route: T) -> Result<(), &T> {
        let mut at = 0;
        for segment in &template.segments {
            at = self.child(at, segment);
        }
        if let Some(verb) = &template.verb {
            self.verbs.insert(verb.clone());
        }
        let Some(node) = self.nodes.get_mut(at) else { return Ok(()) };
        let place = node.leaves.iter().position(|l| l.verb == template.verb);
        let place = place.unwrap_or_else(|| {
            let (verb, loose) = (template.verb.clone(), is_loose(template));
            node.leaves.push(Leaf { verb, loose, routes: Vec::new() });
            node.leaves.len() - 1
        });
        let Some(leaf) = node.leaves.get_mut(place) else { return Ok(()) };
        if let Some(taken) = leaf.routes.iter().position(|(k, _)| *k == kind) {
            return leaf.routes.get(taken).map_or(Ok(()), |(_, route)| Err(route));
        }
        leaf.routes.push((kind, route));
        Ok(())
    }

    fn child(&mut self, at: usize, segment: &Segment) -> usize {
        let next = self.nodes.len();
        let Some(node) = self.nodes.get_mut(at) else { return at };
        let found = match segment {
            Segment::Literal(text) => *node.literals.entry(text.clone()).or_insert(next),
            Segment::One => *node.one.get_or_insert(next),
            Segment::Rest => *node.rest.get_or_insert(next),
        };
        if found == next {
            self.nodes.push(Node::new(*segment == Segment::Rest));
        }
        found
    }

    /// Finds the leaves of a path, `None` when nothing matches. The best one stands alone: it answers, or
    /// refuses, every method. Only where a template with a wildcard behind `**` matches too, all stand: it
    /// takes all paths of another (what matches `a/**/{x}` matches `a/**`), so the method decides first.
    ///
    /// # Errors
    /// When the path holds a malformed percent escape.
    pub fn find<'p>(&self, path: &'p str) -> Result<Option<Match<'_, 'p, T>>, Malformed> {
        let mut segments = split_verb(path);
        let decoded = segments
            .iter()
            .map(|s| percent::decode_path(s.as_bytes(), Keep::Nothing))
            .collect::<Result<Vec<_>, _>>()?;
        if let Some((base, verb)) = segments.last().and_then(|s| s.rsplit_once(':')) {
            let verb = percent::decode_text(verb, Keep::Nothing).unwrap_or_default();
            if self.verbs.contains(verb.as_ref()) {
                let mut bare = decoded.clone();
                bare.pop();
                bare.push(percent::decode_path(base.as_bytes(), Keep::Nothing)?);
                let leaves = self.walk(&bare, Some(&verb));
                if !leaves.is_empty() {
                    segments.pop();
                    segments.push(base);
                    return Ok(Some(Match { leaves, segments }));
                }
            }
        }
        let leaves = self.walk(&decoded, None);
        Ok((!leaves.is_empty()).then_some(Match { leaves, segments }))
    }

    fn walk(&self, path: &[Cow<'_, [u8]>], verb: Option<&str>) -> Vec<&Leaf<T>> {
        let mut live = Vec::with_capacity(8);
        let mut next = Vec::with_capacity(8);
        self.enter(&mut live, Some(0));
        for segment in path {
            next.clear();
            for &at in &live {
                let Some(node) = self.nodes.get(at) else { continue };
                self.enter(&mut next, node.literals.get(segment.as_ref()).copied());
                if !segment.is_empty() {
                    self.enter(&mut next, node.one);
                }
                if node.is_rest {
                    next.push(at);
                }
            }
            std::mem::swap(&mut live, &mut next);
            if live.is_empty() {
                return Vec::new();
            }
        }
        let nodes = live.iter().filter_map(|&at| self.nodes.get(at));
        let mut leaves: Vec<&Leaf<T>> = nodes.filter_map(|node| node.find_leaf(verb)).collect();
        if !leaves.iter().any(|leaf| leaf.loose) {
            leaves.truncate(1);
        }
        leaves
    }

    /// Makes a node live, and the `**` below it, which may match nothing.
    fn enter(&self, live: &mut Vec<usize>, at: Option<usize>) {
        let Some(at) = at else { return };
        live.push(at);
        if let Some(rest) = self.nodes.get(at).and_then(|n| n.rest) {
            live.push(rest);
        }
    }
}

/// Whether a template has a wildcard behind `**`.
fn is_loose(template: &Template) -> bool {
    let rest = template.segments.iter().skip_while(|segment| **segment != Segment::Rest);
    rest.skip(1).any(|segment| *segment == Segment::One)
}

fn split_verb(path: &str) -> Vec<&str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.is_empty() { Vec::new() } else { path.split('/').collect() }
}

#[cfg(test)]
mod tests;
