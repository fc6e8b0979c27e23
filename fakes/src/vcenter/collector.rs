//! The property collector: reading properties, and telling what changed since a client last listened.

use super::props::{Eyes, Properties, is_a};
use super::refusal;
use super::session::Seen;
use failback_wire::vim::{Element, Fault, FilterSpec, Lookup, MoRef, ObjectSpec, PropSpec, Selection, Value};
use std::collections::BTreeSet;

/// A guard against traversals without end.
const MAX_OBJECTS: usize = 100_000;

impl Eyes<'_> {
    /// The objects a spec selects, in the order they are found, each once.
    fn select(&self, spec: &FilterSpec) -> Result<Vec<MoRef>, Fault> {
        let mut found = Found::default();
        for start in &spec.objects {
            if !self.exists(&start.obj) {
                if spec.report_missing {
                    continue;
                }
                return Err(refusal::gone(&start.obj));
            }
            if !start.skip {
                found.add(&start.obj);
            }
            self.follow(start, &start.obj, &start.select, &mut found, 0)?;
        }
        Ok(found.order)
    }

    fn follow(
        &self,
        start: &ObjectSpec,
        from: &MoRef,
        selections: &[Selection],
        found: &mut Found,
        depth: usize,
    ) -> Result<(), Fault> {
        if depth > 64 || found.order.len() > MAX_OBJECTS {
            return Err(refusal::invalid_request("the traversal has no end"));
        }
        for selection in selections {
            let selection = match selection {
                Selection::Named(name) => named(&start.select, name)
                    .ok_or_else(|| refusal::invalid_request(format!("no selection is named {name}")))?,
                Selection::Traversal { .. } => selection,
            };
            let Selection::Traversal { kind, path, skip, select, .. } = selection else { continue };
            if !is_a(&from.kind, kind) {
                continue;
            }
            let targets = match self.lookup(from, path) {
                Lookup::Found(Value::Ref(one)) => vec![one],
                Lookup::Found(Value::List(_, items)) => items.into_iter().filter_map(reference).collect(),
                Lookup::Found(_) | Lookup::Unset => Vec::new(),
                Lookup::Invalid => return Err(refusal::invalid_property(path)),
            };
            for target in targets {
                // A way back up is not walked twice.
                let known = found.known.contains(&target);
                if !skip {
                    found.add(&target);
                }
                if !known {
                    self.follow(start, &target, select, found, depth + 1)?;
                }
            }
        }
        Ok(())
    }

    /// The properties of one object that a spec asks for.
    fn read(&self, props: &[PropSpec], object: &MoRef) -> Result<Vec<(String, Element)>, Fault> {
        let mut read: Vec<(String, Element)> = Vec::new();
        let mut known = Properties::default();
        for spec in props.iter().filter(|p| is_a(&object.kind, &p.kind)) {
            let all: Vec<String> = match spec.all {
                true => Self::properties(&object.kind).into_iter().map(str::to_owned).collect(),
                false => spec.paths.clone(),
            };
            for path in all {
                match self.lookup_among(&mut known, object, &path) {
                    _ if read.iter().any(|(known, _)| *known == path) => {}
                    Lookup::Found(value) => read.push((path, value.any("val"))),
                    Lookup::Unset => {}
                    Lookup::Invalid => return Err(refusal::invalid_property(&path)),
                }
            }
        }
        Ok(read)
    }

    /// `ObjectContent`s, each named `name`.
    pub(super) fn retrieve(&self, specs: &[FilterSpec], name: &'static str) -> Result<Vec<Element>, Fault> {
        let mut contents = Vec::new();
        for spec in specs {
            for object in self.select(spec)? {
                if !spec.props.iter().any(|p| is_a(&object.kind, &p.kind)) {
                    continue;
                }
                let props = self.read(&spec.props, &object)?;
                let props = props
                    .into_iter()
                    .map(|(path, val)| Element::new("propSet").with(Element::leaf("name", path)).with(val));
                contents.push(Element::new(name).with(object.element("obj")).with_all(props));
            }
        }
        Ok(contents)
    }

    /// All a filter sees now. What went away since is no mistake.
    pub(super) fn see(&self, spec: &FilterSpec) -> Result<Seen, Fault> {
        let lenient = FilterSpec { report_missing: true, ..spec.clone() };
        let mut seen = Seen::new();
        for object in self.select(&lenient)? {
            if spec.props.iter().any(|p| is_a(&object.kind, &p.kind)) {
                let props = self.read(&spec.props, &object)?;
                seen.insert(object, props);
            }
        }
        Ok(seen)
    }
}

fn reference(value: Value) -> Option<MoRef> {
    match value {
        Value::Ref(r) => Some(r),
        Value::Text(_)
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Long(_)
        | Value::Time(_)
        | Value::Enum(..)
        | Value::Obj(_)
        | Value::List(..)
        | Value::Any(_)
        | Value::Raw(_) => None,
    }
}

/// Objects in the order they were found, each once.
#[derive(Default)]
struct Found {
    order: Vec<MoRef>,
    known: BTreeSet<MoRef>,
}

impl Found {
    fn add(&mut self, object: &MoRef) {
        if self.known.insert(object.clone()) {
            self.order.push(object.clone());
        }
    }
}

fn named<'a>(selections: &'a [Selection], wanted: &str) -> Option<&'a Selection> {
    selections.iter().find_map(|s| match s {
        Selection::Named(_) => None,
        Selection::Traversal { name, select, .. } => {
            if name.as_deref() == Some(wanted) {
                Some(s)
            } else {
                named(select, wanted)
            }
        }
    })
}

/// `ObjectUpdate`s that lead from what was seen to what is seen now.
pub(super) fn difference(before: &Seen, now: &Seen) -> Vec<Element> {
    let mut updates = Vec::new();
    let update = |kind: &str, object: &MoRef| {
        Element::new("objectSet").with(Element::leaf("kind", kind)).with(object.element("obj"))
    };
    let assign = |path: &str, val: Option<&Element>| {
        Element::new("changeSet")
            .with(Element::leaf("name", path))
            .with(Element::leaf("op", "assign"))
            .with_all(val.cloned())
    };
    for (object, props) in now {
        match before.get(object) {
            None => {
                let changes = props.iter().map(|(path, val)| assign(path, Some(val)));
                updates.push(update("enter", object).with_all(changes));
            }
            Some(old) if old != props => {
                let value = |of: &[(String, Element)], path: &str| {
                    of.iter().find(|(known, _)| known == path).map(|(_, val)| val.clone())
                };
                let changed = props.iter().filter(|(path, val)| value(old, path).as_ref() != Some(val));
                let unset = old.iter().filter(|(path, _)| value(props, path).is_none());
                let changes = changed.map(|(path, val)| assign(path, Some(val)));
                let changes = changes.chain(unset.map(|(path, _)| assign(path, None)));
                updates.push(update("modify", object).with_all(changes));
            }
            Some(_) => {}
        }
    }
    updates.extend(before.keys().filter(|o| !now.contains_key(o)).map(|object| update("leave", object)));
    updates
}
