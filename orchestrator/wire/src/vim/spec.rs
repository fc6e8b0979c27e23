//! The arguments and results that are more than a word: property filters, device changes, configuration
//! specs, task info. Both ends read and write them here.

use super::{Element, Fault, MoRef, XmlError};
use std::borrow::Cow;

fn shape(what: &str) -> XmlError {
    XmlError::Shape(what.to_owned())
}
fn texts(element: &Element, name: &str) -> Vec<String> {
    element.all(name).map(|e| e.text.trim().to_owned()).collect()
}
fn opt_text(element: &Element, path: &str) -> Option<String> {
    element.text_at(path).map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned)
}
fn number<T: std::str::FromStr>(element: &Element, name: &str) -> Result<Option<T>, XmlError> {
    match opt_text(element, name) {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| shape(&format!("{name} is no number: {text}"))),
    }
}
fn xsi_type(element: &Element) -> Option<String> {
    element.xsi_type.clone().map(Cow::into_owned)
}
fn flag(element: &Element, name: &str) -> bool {
    element.child(name).and_then(Element::as_bool).unwrap_or(false)
}

/// Which properties of objects of one type are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropSpec {
    /// The type; all its subtypes are meant too.
    pub kind: String,
    /// All properties.
    pub all: bool,
    /// These properties, when not all.
    pub paths: Vec<String>,
}

/// How to go on from an object to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// Follow a property.
    Traversal {
        /// What others call this traversal.
        name: Option<String>,
        /// Applies to objects of this type.
        kind: String,
        /// The property.
        path: String,
        /// Leave out the objects found, but go on from them.
        skip: bool,
        /// Where to go on from them.
        select: Vec<Selection>,
    },
    /// The traversal of this name.
    Named(String),
}

/// Where a filter starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectSpec {
    /// The object.
    pub obj: MoRef,
    /// Leave out the object itself.
    pub skip: bool,
    /// Where to go on from it.
    pub select: Vec<Selection>,
}

/// A `PropertyFilterSpec`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterSpec {
    /// Properties by type.
    pub props: Vec<PropSpec>,
    /// Objects.
    pub objects: Vec<ObjectSpec>,
    /// Leave out objects that are gone instead of failing.
    pub report_missing: bool,
}

impl Selection {
    fn read(element: &Element) -> Result<Self, XmlError> {
        let name = opt_text(element, "name");
        if element.child("path").is_none() {
            return name.map(Self::Named).ok_or_else(|| shape("a selection without a name"));
        }
        Ok(Self::Traversal {
            name,
            kind: opt_text(element, "type").ok_or_else(|| shape("a traversal without a type"))?,
            path: opt_text(element, "path").ok_or_else(|| shape("a traversal without a path"))?,
            skip: flag(element, "skip"),
            select: Self::read_all(element)?,
        })
    }
    fn read_all(element: &Element) -> Result<Vec<Self>, XmlError> {
        element.all("selectSet").map(Self::read).collect()
    }
    fn element(&self) -> Element {
        match self {
            Self::Named(name) => Element::new("selectSet").with(Element::leaf("name", name)),
            Self::Traversal { name, kind, path, skip, select } => Element::new("selectSet")
                .typed("TraversalSpec")
                .with_all(name.as_ref().map(|n| Element::leaf("name", n)))
                .with(Element::leaf("type", kind))
                .with(Element::leaf("path", path))
                .with(Element::leaf("skip", skip))
                .with_all(select.iter().map(Self::element)),
        }
    }
}

impl FilterSpec {
    /// These properties of one object.
    pub fn of_object(obj: &MoRef, paths: &[&str]) -> Self {
        Self {
            props: vec![PropSpec {
                kind: obj.kind.clone(),
                all: false,
                paths: paths.iter().map(|p| (*p).to_owned()).collect(),
            }],
            objects: vec![ObjectSpec { obj: obj.clone(), skip: false, select: Vec::new() }],
            report_missing: false,
        }
    }
    /// These properties of all objects of type `kind` in a container view.
    pub fn of_view(view: &MoRef, kind: &str, paths: &[&str]) -> Self {
        let select = Selection::Traversal {
            name: Some("view".into()),
            kind: "ContainerView".into(),
            path: "view".into(),
            skip: false,
            select: Vec::new(),
        };
        Self {
            props: vec![PropSpec {
                kind: kind.to_owned(),
                all: false,
                paths: paths.iter().map(|p| (*p).to_owned()).collect(),
            }],
            objects: vec![ObjectSpec { obj: view.clone(), skip: true, select: vec![select] }],
            report_missing: false,
        }
    }
    /// Reads a spec.
    ///
    /// # Errors
    /// When a required field is missing.
    pub fn read(element: &Element) -> Result<Self, XmlError> {
        let props = element.all("propSet").map(|p| {
            Ok(PropSpec {
                kind: opt_text(p, "type").ok_or_else(|| shape("a property set without a type"))?,
                all: flag(p, "all"),
                paths: texts(p, "pathSet"),
            })
        });
        let objects = element.all("objectSet").map(|o| {
            Ok(ObjectSpec {
                obj: MoRef::read(o.child("obj").ok_or_else(|| shape("an object set without an object"))?)?,
                skip: flag(o, "skip"),
                select: Selection::read_all(o)?,
            })
        });
        Ok(Self {
            props: props.collect::<Result<_, XmlError>>()?,
            objects: objects.collect::<Result<_, XmlError>>()?,
            report_missing: flag(element, "reportMissingObjectsInResults"),
        })
    }
    /// Writes the spec as an argument named `name`.
    pub fn element(&self, name: &'static str) -> Element {
        let props = self.props.iter().map(|p| {
            Element::new("propSet")
                .with(Element::leaf("type", &p.kind))
                .with(Element::leaf("all", p.all))
                .with_all(p.paths.iter().map(|path| Element::leaf("pathSet", path)))
        });
        let objects = self.objects.iter().map(|o| {
            Element::new("objectSet")
                .with(o.obj.element("obj"))
                .with(Element::leaf("skip", o.skip))
                .with_all(o.select.iter().map(Selection::element))
        });
        Element::new(name).with_all(props).with_all(objects)
    }
}

/// What to do with a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceOp {
    /// Add it.
    Add,
    /// Take it away.
    Remove,
    /// Change it.
    Edit,
}

/// What to do with the file behind a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileOp {
    /// Create it.
    Create,
    /// Destroy it.
    Destroy,
    /// Replace it.
    Replace,
}

/// A device, as a change names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceSpec {
    /// Its type: `VirtualDisk`, `ParaVirtualSCSIController`.
    pub kind: String,
    /// Its key; negative ones are placeholders for devices of the same change.
    pub key: i32,
    /// Type of its backing: `VirtualDiskFlatVer2BackingInfo`.
    pub backing: Option<String>,
    /// Its file: `[ds] vm/disk.vmdk`.
    pub file: Option<String>,
    /// Its disk mode: `persistent`.
    pub mode: Option<String>,
    /// Key of its controller.
    pub controller: Option<i32>,
    /// Its unit at the controller.
    pub unit: Option<i32>,
    /// Size in KiB.
    pub capacity_kb: Option<i64>,
    /// Bus number of a controller.
    pub bus: Option<i32>,
}

/// A `VirtualDeviceConfigSpec`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceChange {
    /// What to do with the device.
    pub op: DeviceOp,
    /// What to do with its file.
    pub file_op: Option<FileOp>,
    /// The device.
    pub device: DeviceSpec,
}

impl DeviceSpec {
    fn read(element: &Element) -> Result<Self, XmlError> {
        Ok(Self {
            kind: xsi_type(element).ok_or_else(|| shape("a device without a type"))?,
            key: number(element, "key")?.unwrap_or(0),
            backing: element.child("backing").map(|b| xsi_type(b).unwrap_or_default()),
            file: opt_text(element, "backing.fileName"),
            mode: opt_text(element, "backing.diskMode"),
            controller: number(element, "controllerKey")?,
            unit: number(element, "unitNumber")?,
            capacity_kb: number(element, "capacityInKB")?,
            bus: number(element, "busNumber")?,
        })
    }
    fn element(&self) -> Element {
        let leaf = |name: &'static str, value: Option<i64>| value.map(|v| Element::leaf(name, v));
        let backing = self.backing.as_ref().map(|kind| {
            Element::new("backing")
                .typed(kind.clone())
                .with(Element::leaf("fileName", self.file.as_deref().unwrap_or_default()))
                .with(Element::leaf("diskMode", self.mode.as_deref().unwrap_or("persistent")))
        });
        let shared = self.bus.map(|_| Element::leaf("sharedBus", "noSharing"));
        Element::new("device")
            .typed(self.kind.clone())
            .with(Element::leaf("key", self.key))
            .with_all(backing)
            .with_all(leaf("controllerKey", self.controller.map(i64::from)))
            .with_all(leaf("unitNumber", self.unit.map(i64::from)))
            .with_all(leaf("capacityInKB", self.capacity_kb))
            .with_all(leaf("busNumber", self.bus.map(i64::from)))
            .with_all(shared)
    }
}

impl DeviceChange {
    /// Reads a change.
    ///
    /// # Errors
    /// When the operation or the device is missing or unknown.
    pub fn read(element: &Element) -> Result<Self, XmlError> {
        let op = match element.text_at("operation").map(str::trim) {
            Some("add") => DeviceOp::Add,
            Some("remove") => DeviceOp::Remove,
            Some("edit") => DeviceOp::Edit,
            Some(other) => return Err(shape(&format!("unknown device operation {other}"))),
            None => return Err(shape("a device change without an operation")),
        };
        let file_op = match element.text_at("fileOperation").map(str::trim) {
            None => None,
            Some("create") => Some(FileOp::Create),
            Some("destroy") => Some(FileOp::Destroy),
            Some("replace") => Some(FileOp::Replace),
            Some(other) => return Err(shape(&format!("unknown file operation {other}"))),
        };
        let device = element.child("device").ok_or_else(|| shape("a device change without a device"))?;
        Ok(Self { op, file_op, device: DeviceSpec::read(device)? })
    }
    fn element(&self) -> Element {
        let op = match self.op {
            DeviceOp::Add => "add",
            DeviceOp::Remove => "remove",
            DeviceOp::Edit => "edit",
        };
        let file_op = self.file_op.map(|f| match f {
            FileOp::Create => "create",
            FileOp::Destroy => "destroy",
            FileOp::Replace => "replace",
        });
        Element::new("deviceChange")
            .with(Element::leaf("operation", op))
            .with_all(file_op.map(|f| Element::leaf("fileOperation", f)))
            .with(self.device.element())
    }
}

/// A `VirtualMachineConfigSpec`; what is unset stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VmConfigSpec {
    /// Refuse when the machine changed since this version.
    pub change_version: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Its BIOS UUID.
    pub uuid: Option<String>,
    /// Its instance UUID.
    pub instance_uuid: Option<String>,
    /// Guest system id.
    pub guest_id: Option<String>,
    /// Its file, or only `[datastore]`.
    pub vm_path: Option<String>,
    /// Number of processors.
    pub cpus: Option<i32>,
    /// Memory, MiB.
    pub memory_mb: Option<i64>,
    /// Devices.
    pub devices: Vec<DeviceChange>,
    /// Extra configuration.
    pub extra: Vec<(String, String)>,
}

impl VmConfigSpec {
    /// Reads a spec; fields that play no role here are passed over.
    ///
    /// # Errors
    /// When a device change or a number makes no sense.
    pub fn read(element: &Element) -> Result<Self, XmlError> {
        let extra = element
            .all("extraConfig")
            .filter_map(|e| Some((opt_text(e, "key")?, e.text_at("value").unwrap_or_default().to_owned())));
        Ok(Self {
            change_version: opt_text(element, "changeVersion"),
            name: opt_text(element, "name"),
            uuid: opt_text(element, "uuid"),
            instance_uuid: opt_text(element, "instanceUuid"),
            guest_id: opt_text(element, "guestId"),
            vm_path: opt_text(element, "files.vmPathName"),
            cpus: number(element, "numCPUs")?,
            memory_mb: number(element, "memoryMB")?,
            devices: element.all("deviceChange").map(DeviceChange::read).collect::<Result<_, _>>()?,
            extra: extra.collect(),
        })
    }
    /// Writes the spec as an argument named `name`.
    pub fn element(&self, name: &'static str) -> Element {
        let leaf =
            |name: &'static str, value: &Option<String>| value.as_ref().map(|v| Element::leaf(name, v));
        let files = self.vm_path.as_ref().map(|p| Element::new("files").with(Element::leaf("vmPathName", p)));
        let extra = self.extra.iter().map(|(key, value)| {
            Element::new("extraConfig")
                .typed("OptionValue")
                .with(Element::leaf("key", key))
                .with(Element::leaf("value", value).typed("xsd:string"))
        });
        Element::new(name)
            .with_all(leaf("changeVersion", &self.change_version))
            .with_all(leaf("name", &self.name))
            .with_all(leaf("uuid", &self.uuid))
            .with_all(leaf("instanceUuid", &self.instance_uuid))
            .with_all(leaf("guestId", &self.guest_id))
            .with_all(files)
            .with_all(self.cpus.map(|n| Element::leaf("numCPUs", n)))
            .with_all(self.memory_mb.map(|n| Element::leaf("memoryMB", n)))
            .with_all(self.devices.iter().map(DeviceChange::element))
            .with_all(extra)
    }
}

/// How far a task is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskInfo {
    /// Not begun.
    Queued,
    /// Begun.
    Running,
    /// Done; what it returned.
    Success(Option<Element>),
    /// Failed.
    Error(Fault),
}

impl TaskInfo {
    /// Reads a task's state, error and result.
    ///
    /// # Errors
    /// When the state is unknown or the error is missing.
    pub fn read(state: &str, error: Option<&Element>, result: Option<&Element>) -> Result<Self, XmlError> {
        match state {
            "queued" => Ok(Self::Queued),
            "running" => Ok(Self::Running),
            "success" => Ok(Self::Success(result.cloned())),
            "error" => Ok(Self::Error(match error {
                Some(error) => Fault::read_localized(error)?,
                None => Fault::new("RuntimeFault", "the task failed without saying why"),
            })),
            other => Err(shape(&format!("unknown task state {other}"))),
        }
    }
}
