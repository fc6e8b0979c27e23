//! ARM resource ids. They compare case-insensitively: the service itself writes `/Subscriptions/…` where
//! clients write `/subscriptions/…`.

use std::cmp::Ordering;
use std::fmt;

/// A resource, or a collection of resources, by its ARM path.
///
/// `/subscriptions/S/resourceGroups/G/providers/NS/type/name/childType/childName`
#[derive(Clone, Debug)]
pub struct ResourceId {
    /// The subscription.
    pub subscription: String,
    /// The resource group; `None` for ids at subscription level.
    pub group: Option<String>,
    /// The provider: `Microsoft.Compute`.
    pub namespace: String,
    /// Types and names, in turns. An odd count is a collection or an action (`…/disks`, `…/vm1/start`).
    pub path: Vec<String>,
}

impl ResourceId {
    /// `name` of `kind` in a resource group.
    pub fn new(subscription: &str, group: &str, namespace: &str, kind: &str, name: &str) -> Self {
        Self {
            subscription: subscription.to_owned(),
            group: Some(group.to_owned()),
            namespace: namespace.to_owned(),
            path: vec![kind.to_owned(), name.to_owned()],
        }
    }
    /// Reads a path; literal segments match in any case, and each segment is percent-decoded.
    pub fn parse(path: &str) -> Option<Self> {
        let mut parts = path.trim_matches('/').split('/').map(super::percent_decode);
        let mut literal = |want: &str| parts.next().filter(|p| p.eq_ignore_ascii_case(want));
        literal("subscriptions")?;
        let subscription = parts.next().filter(|s| !s.is_empty())?;
        let mut next = parts.next()?;
        let group = if next.eq_ignore_ascii_case("resourceGroups") {
            let group = parts.next().filter(|g| !g.is_empty())?;
            next = parts.next()?;
            Some(group)
        } else {
            None
        };
        if !next.eq_ignore_ascii_case("providers") {
            return None;
        }
        let namespace = parts.next().filter(|n| !n.is_empty())?;
        let path: Vec<String> = parts.collect();
        let whole = !path.is_empty() && path.iter().all(|p| !p.is_empty());
        whole.then_some(Self { subscription, group, namespace, path })
    }
    /// The last segment: a resource's own name.
    pub fn name(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }
    /// The child of this resource.
    #[must_use]
    pub fn child(&self, kind: &str, name: &str) -> Self {
        let mut child = self.clone();
        child.path.extend([kind.to_owned(), name.to_owned()]);
        child
    }
    /// `Microsoft.Compute/virtualMachines`: the namespace and the type segments.
    pub fn resource_type(&self) -> String {
        let mut text = self.namespace.clone();
        for kind in self.path.iter().step_by(2) {
            text.push('/');
            text.push_str(kind);
        }
        text
    }
    /// True when this is a resource (not a collection or action) of this type, in any case.
    pub fn is(&self, resource_type: &str) -> bool {
        self.path.len().is_multiple_of(2) && self.resource_type().eq_ignore_ascii_case(resource_type)
    }
    fn folded(&self) -> String {
        self.to_string().to_ascii_lowercase()
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/subscriptions/{}", self.subscription)?;
        if let Some(group) = &self.group {
            write!(f, "/resourceGroups/{group}")?;
        }
        write!(f, "/providers/{}", self.namespace)?;
        self.path.iter().try_for_each(|part| write!(f, "/{part}"))
    }
}

impl PartialEq for ResourceId {
    fn eq(&self, other: &Self) -> bool {
        self.folded() == other.folded()
    }
}
impl Eq for ResourceId {}
impl PartialOrd for ResourceId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for ResourceId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded().cmp(&other.folded())
    }
}
